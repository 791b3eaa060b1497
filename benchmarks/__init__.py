"""Our network against the same network in PyTorch and in Keras: `make benchmark`, or `python -m benchmarks`.

In an environment of its own (`requirements.txt` beside this file). Nothing in `ear_jax` imports from here.
"""
