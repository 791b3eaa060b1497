"""Holds `analysis.expected_dice` against what it was not fitted to: `python tests/analysis/measure_gate.py`.

People of another generator (`tests/phantom/strangers.py`) with velocities, Sunnybrook's single frames and a pig's cine
where SUNNYBROOK_DIR and PIG_DIR name them; delineations of `corrupted.for_proof`, and of the networks that ship with
the package. Prints the table of docs/results.md: a line a family.
"""

import os
import pathlib
import sys
from typing import NamedTuple

import numpy as np
from corrupted import Case, delineated, for_proof
from scipy.stats import spearmanr

from ear_jax.analysis.checks_of_study import EXPECTED
from ear_jax.analysis.expected_dice import expected_dice
from ear_jax.cine import Cine
from ear_jax.system.table import Table, markdown

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / 'phantom'))
NETWORKS = ('ear3d-magnitude,ear3d-velocity', 'ear3d-magnitude', 'ear3d-magnitude,ear3d-sunnybrook')
BAD, GOOD = 0.6, 0.85  # Dice below which a slice must fail, and above which it must pass


class Row(NamedTuple):
  """One delineation: Dice and expected Dice of the slice and of its frames, and what the gate says."""

  family: str
  dice: float
  expected: float
  status: str
  frames: np.ndarray
  expected_frames: np.ndarray


def studies() -> dict[str, list[Cine]]:
  """Returns the cines of each set."""
  from strangers import strangers

  found = {'strangers, velocity': [one.cine for one in strangers(12, frames=25)]}
  if root := os.environ.get('SUNNYBROOK_DIR'):
    from ear_jax.formats.sunnybrook import read_frames

    found['Sunnybrook, frames'] = list(read_frames(pathlib.Path(root) / 'frames'))
  if root := os.environ.get('PIG_DIR'):
    from ear_jax.formats import references
    from ear_jax.formats.open import open_studies

    (pig,), _ = references.attach(open_studies(root), references.find(pathlib.Path(root)).drawn)
    found['a pig, cine'] = [cine for cine, _ in pig.read()]
  return found


def by_networks(cines: list[Cine]) -> list[Case]:
  """Returns what the shipped networks that fit these cines delineate."""
  from ear_jax.networks.load import load_network

  found = []
  for name in NETWORKS:
    networks = [load_network(each) for each in name.split(',')]
    if max(network.config.data.channels for network in networks) <= cines[0].video.shape[-1]:
      found += [delineated(name, one, networks) for one in cines]
  return found


def score(one: Case) -> Row:
  """Returns the row of one delineation."""
  expected = expected_dice(one.cine, one.contours)
  warns, fails = EXPECTED.get(expected.kind, (1, 1))
  status = 'fail' if expected.dice < fails else 'warn' if expected.dice < warns else 'pass'
  return Row(one.family, float(one.dice.mean()), expected.dice, status, one.dice, expected.by_frame)


def line(name: str, rows: list[Row]) -> list[str]:
  """Returns a line of the table."""
  dice, expected = np.array([(row.dice, row.expected) for row in rows]).T
  status = np.array([row.status for row in rows])
  bad, good = dice < BAD, dice > GOOD
  several = np.ptp(dice) > 0.02 and len(dice) > 2
  frames = np.concatenate([row.frames - row.expected_frames for row in rows])
  return [
    name,
    str(len(rows)),
    f'{dice.mean():.2f}',
    f'{expected.mean():.2f}',
    f'{np.sqrt(((expected - dice) ** 2).mean()):.2f}',
    f'{spearmanr(dice, expected).statistic:.2f}' if several else '',
    f'{np.abs(frames).mean():.2f}',
    f'{np.count_nonzero(status[bad] == "fail")} of {bad.sum()}' if bad.any() else '',
    f'{np.count_nonzero(status[good] != "pass")} of {good.sum()}' if good.any() else '',
  ]


def main() -> None:
  """Prints a table for each set; `--networks` for what networks delineate too."""
  with_networks = '--networks' in sys.argv
  for name, cines in studies().items():
    rows = [score(one) for k in range(len(cines)) for one in for_proof(cines, k, np.random.default_rng(k))]
    rows += [score(one) for one in by_networks(cines)] if with_networks else []
    families = dict.fromkeys(row.family for row in rows)
    lines = [line(family, [row for row in rows if row.family == family]) for family in families]
    header = ['corruption', 'slices', 'Dice', 'expected', 'RMS error', 'rank correlation', 'mean error of a frame']
    header += [f'below {BAD:g}: fail', f'above {GOOD:g}: fail or warn']
    print(f'\n{name}\n\n{markdown(Table("", header, [*lines, line("all", rows)]), rule="|" + "---|" * len(header))}')


if __name__ == '__main__':
  main()
