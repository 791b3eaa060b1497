"""`python -m ear_jax`: the commands that there are; with the name of one it runs it, as `ear-jax` does."""

from ear_jax.system.console import main

if __name__ == '__main__':
  main()
