"""How a convolution is computed on a CPU: read it only if you time CPUs."""
