"""Commands that measure what kernels and networks cost on emulated cores."""
