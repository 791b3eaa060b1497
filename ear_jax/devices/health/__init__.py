"""What must be right with a machine, looked at one by one by `python -m ear_jax.doctor`."""
