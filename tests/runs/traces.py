"""What a training run left in its working directory, to be compared bit by bit."""

import pathlib

import jax
import numpy as np

from ear_jax.devices.placement import Placement
from ear_jax.networks.load import load_run, restore_state
from ear_jax.training.log import read_metrics

_TIMES = ('seconds_per_step', 'wait_share')  # the only figures that may differ


def final_bytes(workdir: pathlib.Path) -> dict[str, bytes]:
  """Returns the bytes of every leaf of the last state: parameters, their average, optimiser and key."""
  config, _ = load_run(workdir)
  state = restore_state(config, workdir, 'latest', Placement(jax.local_devices()[:1]))
  state = state.replace(rng=jax.random.key_data(state.rng))
  return {jax.tree_util.keystr(path): np.asarray(x).tobytes() for path, x in jax.tree.leaves_with_path(state)}


def figures(workdir: pathlib.Path) -> list[dict]:
  """Returns the lines of metrics.jsonl without times."""
  return [{k: v for k, v in line.items() if k not in _TIMES} for line in read_metrics(workdir)]


def last_step(workdir: pathlib.Path) -> int:
  """Returns the last step in metrics.jsonl; 0 without one."""
  lines = read_metrics(workdir)
  return lines[-1]['step'] if lines else 0
