"""What kernels take, counted without writing them where their shape tells."""
