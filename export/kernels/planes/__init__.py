"""Depthwise convolutions over planes: images of one channel each, int16, two neighbors a word.

`kernel` computes a plane, `gather` makes planes of pixels, `plan` puts both together for a layer.
"""
