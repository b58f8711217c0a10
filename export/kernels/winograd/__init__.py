"""Convolutions by Winograd's algorithm in exact integers: a quarter to two thirds of the products, the same bytes.

`algorithm` has the arithmetic, `tiles` says how an image is cut, `requantization` how sums become outputs. A layer's
kernels are those of the `input_transform`, the `products` at each point (`sparse` ones where a mask drops whole
kernels), and the `output_transform`. `shape` is what they depend on, `skeleton` puts them together, and `plan` adds
the constants.
Sources: S. Winograd, *Arithmetic Complexity of Computations*, 1980; A. Lavin and S. Gray, *Fast Algorithms for
Convolutional Neural Networks*, 2016.
"""
