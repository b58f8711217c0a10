"""What kernels are written in: instructions, steps that name them, and straight-line code that is scheduled."""
