"""The environment of commands that are to run as a user's do, whatever the runs of other rows set for jax."""

import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]


def plain_environment() -> dict[str, str]:
  """Returns this process's environment without what `toy_runs` sets, such as fewer optimisations."""
  ours = ('JAX_', 'NPROC')
  return {k: v for k, v in os.environ.items() if not k.startswith(ours)} | {'PYTHONPATH': str(ROOT)}
