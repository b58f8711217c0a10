"""Operators whose outputs depend on one element of each input: arithmetic, and functions of one value."""
