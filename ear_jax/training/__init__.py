"""How a network learns: losses, the pure training step, its placement on devices, the optimiser, checkpoints, logs."""
