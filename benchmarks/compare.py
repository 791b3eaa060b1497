"""One case: the same weights for all, the check that all compute the same, then the contest."""

from __future__ import annotations

import pathlib
import tempfile

import numpy as np
from absl import logging

from ear_jax.benchmarking import contest, machine, measure
from ear_jax.benchmarking.cases import Case
from ear_jax.system.errors import UserError

MODULES = {'ours': measure.OURS, 'torch': 'benchmarks.torch_contestant', 'keras': 'benchmarks.keras_contestant'}
_LARGEST_DIFFERENCE = 5e-4  # of logits, relative to the largest of ours; PyTorch and Keras: 2.3e-4 at 50 frames


def entries(case: Case, contestants: list[str]) -> list[contest.Entry]:
  """Returns the contestants of a case, all on all cores.

  Raises: UserError for an unknown contestant, or where ours does not come first.
  """
  names = [name.partition(':')[0] for name in contestants]
  unknown = [name for name in names if name not in MODULES]
  if unknown or names[:1] != ['ours']:
    raise UserError(
      f'--contestants {",".join(contestants)}: begin with ours, then any of torch and keras, a variant after a colon'
    )
  cores = machine.cores()
  devices = max(n for n in range(1, len(cores) + 1) if case.batch % n == 0)
  return [
    contest.Entry(full, MODULES[name], case, cores, devices if name == 'ours' else 1, full.partition(':')[2])
    for full, name in zip(contestants, names, strict=True)
  ]


def compete(case: Case, contestants: list[str], rounds: int) -> dict:
  """Returns the record of one case, with `parameters` and `difference` (from our logits) of each contestant.

  Raises: RuntimeError where the networks are not the same.
  """
  who = entries(case, contestants)
  with tempfile.TemporaryDirectory() as folder:
    weights, reference = pathlib.Path(folder, 'weights.npz'), pathlib.Path(folder, 'ours.npy')
    draw_weights(case, weights)

    def check(worker: contest.Worker) -> dict:
      path = pathlib.Path(folder, f'{who.index(worker.entry)}.npy')
      worker.ask('logits', path=str(path))
      logits = np.load(path)
      if worker.entry is who[0]:
        path.rename(reference)
      ours = np.load(reference)
      return {'difference': float(np.abs(logits - ours).max() / np.abs(ours).max())}

    found = contest.hold(who, rounds=rounds, report=logging.info, weights=weights, check=check)
  for name, entry in found.items():
    if entry['parameters'] != found['ours']['parameters'] or not entry['difference'] <= _LARGEST_DIFFERENCE:
      raise RuntimeError(
        f'{name} is another network than ours: {entry["parameters"]} parameters against '
        f'{found["ours"]["parameters"]}, logits {entry["difference"]:.1e} apart'
      )
  return measure.record(case, found)


def draw_weights(case: Case, path: pathlib.Path) -> None:
  """Writes the parameters that all contestants start with."""
  with contest.Worker(contest.Entry('weights', measure.OURS, case, machine.cores())) as worker:
    worker.open()
    worker.load(None)
    worker.ask('save_weights', path=str(path))
