"""What kernels cost without being written, and which of them are chosen."""
