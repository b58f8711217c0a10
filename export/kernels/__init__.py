"""What one kernel is: the kernel language, layouts, loops, requantization, and a file for each family of kernels."""
