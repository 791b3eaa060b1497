"""Whole pieces of work with plain arguments: what commands call, and what `import ear_jax` hands out."""
