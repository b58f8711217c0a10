"""Commands that print and save every figure the documentation quotes."""
