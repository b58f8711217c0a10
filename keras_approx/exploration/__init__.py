"""The search for the Pareto front of cost against accuracy.

`design`, `records` and the packages `search` and `front` need no TensorFlow to be read, so a saved front can be opened
anywhere. `search` proposes designs, `evaluate` measures their accuracy and their cost, `store` keeps what was measured,
and `explore` runs all of it.
"""
