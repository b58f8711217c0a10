"""Operators that multiply by weights, or activations by each other: convolutions, dense layers, matrices."""
