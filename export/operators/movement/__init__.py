"""Operators that move values, join them, or give them another shape."""
