"""The search for the Pareto front of cost against accuracy.

`design`, `records`, `pareto` and `front` are plain data that need no TensorFlow, so a saved front can be read anywhere.
`segments` and `evaluator` measure designs, `workers` does so on executors, `store` keeps what was measured; `grid`,
`budget` and `evolution` propose what to measure next, and `exploring` puts it all together.
"""
