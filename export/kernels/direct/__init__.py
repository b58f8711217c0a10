"""Convolutions and dense layers that multiply by each kept weight, in straight-line code or in loops."""
