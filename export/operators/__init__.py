"""The operators of TFLite, a file for each or for a family: reading, arithmetic, ranges, kernels and plain C."""
