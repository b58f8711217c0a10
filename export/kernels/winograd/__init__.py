"""3 x 3 convolutions by Winograd's algorithm in exact integers: a quarter of the products, the same bytes.

`algorithm` has the arithmetic, `tiles` says how an image is cut, `requantization` how sums become outputs. A layer's
kernels are those of the `input_transform`, the `products` at each point, and the `output_transform`; `plan` puts them
together. Sources: S. Winograd, *Arithmetic Complexity of Computations*, 1980; A. Lavin and S. Gray, *Fast Algorithms
for Convolutional Neural Networks*, 2016.
"""
