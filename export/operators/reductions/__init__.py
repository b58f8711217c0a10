"""Operators that make one value of many: pools, means, sums, extremes; and SOFTMAX, which divides by a sum."""
