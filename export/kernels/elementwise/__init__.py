"""Kernels that visit elements: copies, tables, sums, moves, and arithmetic with broadcasting."""
