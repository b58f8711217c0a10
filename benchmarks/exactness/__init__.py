"""Commands that compare exports with TFLite's reference kernels, byte by byte."""
