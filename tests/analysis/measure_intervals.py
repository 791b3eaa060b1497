"""How often do intervals of peaks and times hold the truth? `python tests/analysis/measure_intervals.py` prints it.

People of two generators whose velocities are known exactly; their contours are drawn anew as readers would draw them,
or delineated by the networks that ship, as far as the gate lets these pass. The scales of `analysis.uncertainty` were
chosen with `for_calibration`: a reader's with people of one look, a network's with people of many looks whose scans
have no ghosts, shared views and blur, which intervals do not hold. Nothing was chosen with `for_proof`. The truth is
the marker that the exact velocities have between the exact contours: its velocity, and the time at which a curve ten
times as fine has it (the frame of end systole as it is).
"""

import dataclasses
import pathlib
import sys
from collections.abc import Iterator
from typing import NamedTuple
from unittest import mock

import numpy as np
import pandas as pd
from corrupted import delineated, frame_dice
from scipy import ndimage
from scipy.interpolate import CubicSpline

from ear_jax.analysis.checks_of_study import EXPECTED
from ear_jax.analysis.contours import from_mask, to_mask
from ear_jax.analysis.expected_dice import expected_dice
from ear_jax.analysis.markers import find_markers
from ear_jax.analysis.motion import GROUPS, Contours
from ear_jax.analysis.slices import analyse, analyse_with_contours
from ear_jax.analysis.uncertainty import READER, of_network, with_intervals
from ear_jax.cine import Cine
from ear_jax.phantom import look, study
from ear_jax.system.table import Table, markdown

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / 'phantom'))
NETWORKS = ('ear3d-magnitude,ear3d-velocity', 'ear3d-magnitude')
KEYS = ['group', 'region', 'component', 'marker']
STEADY = dataclasses.replace(study.MINI, subjects=6, slices=(6,), frames=40, swirl=0.0)
VARIED = dataclasses.replace(study.VARIED, subjects=8, slices=(8,), frames=32)
SHARP = dict.fromkeys(('ghost', 'sharing', 'blur'), look.Range(0.0, 1e-9, '', ''))
_FINE = 10


class Known(NamedTuple):
  """A scan, and the same without noise and blur."""

  scan: Cine
  exact: Cine


def phantoms(size: study.Size, seed: int) -> Iterator[Known]:
  """Yields slices of people of ours."""
  for plan in study.plan(size, seed=seed):
    yield Known(study.render(plan), study.exact(plan))


def sharp(size: study.Size, seed: int) -> Iterator[Known]:
  """Yields slices of people of many looks, scanned without ghosts, shared views and blur."""
  with mock.patch.dict(look.RANGES, SHARP):
    yield from phantoms(size, seed)


def others(people: int, seed: int) -> Iterator[Known]:
  """Yields slices of people of the other generator."""
  from strangers import strangers

  for one in strangers(people, frames=50, seed=seed):
    video = np.concatenate([one.cine.video[..., :1], one.velocity], -1)
    yield Known(one.cine, one.cine.replace(video=video))


def for_calibration() -> dict[str, Iterator[Known]]:
  """Returns the people that scales were chosen with."""
  return {'phantoms of one look': phantoms(STEADY, 301), 'phantoms of many looks, sharp': sharp(VARIED, 501)}


def for_proof() -> dict[str, Iterator[Known]]:
  """Returns people that nothing was chosen with."""
  return {
    'strangers': others(12, 2),
    'phantoms of one look': phantoms(dataclasses.replace(STEADY, subjects=4, slices=(4,)), 401),
    'with ghosts and shared views': phantoms(VARIED, 302),
  }


def as_read(exact: Contours, spacing: float, rng: np.random.Generator) -> Contours:
  """Returns contours as a reader draws them, 0.9 mm off (standard deviation of a point).

  The whole ring is aside, always (0.4 mm along either axis) and by frame (0.3); each border is too far out or in (0.5)
  and runs in waves that random numbers on a lattice of angle and time make (0.5).
  """
  frames = len(exact.failed)
  aside = 0.4 * rng.normal(size=(1, 2)) + 0.3 * _between(rng.normal(size=(5, 2)), frames)
  centre = exact.epi.mean(1, keepdims=True)
  moved = []
  for side in (exact.endo, exact.epi):
    away = side - centre
    waves = _between(_between(rng.normal(size=(3, 7)), frames).T, side.shape[1]).T
    out = 0.5 * rng.normal() + 0.5 * waves / waves.std()
    unit = away / np.hypot(away[..., 0], away[..., 1])[..., None]
    moved.append(side + (unit * out[..., None] + aside[:, None]) / spacing)
  return dataclasses.replace(exact, endo=moved[0], epi=moved[1])


def _between(values: np.ndarray, count: int) -> np.ndarray:
  """Values `[N, ...]` on a closed line, at `count` places, by splines."""
  at = np.arange(count) * len(values) / count
  flat = values.reshape(len(values), -1)
  found = [ndimage.map_coordinates(column, [at], order=3, mode='grid-wrap') for column in flat.T]
  return np.stack(found, -1).reshape(count, *values.shape[1:])


def truth(exact: Cine) -> pd.DataFrame:
  """Returns the true velocity and time of every marker."""
  motion = analyse(exact, exact.mask, septum=0.0)
  frames = len(exact.mask)
  fine = {}
  for group, curves in motion.curves.items():
    spline = CubicSpline(np.arange(frames + 1), np.concatenate([curves, curves[:, :1]], 1), axis=1, bc_type='periodic')
    fine[group] = spline(np.arange(frames * _FINE) / _FINE)
  between = find_markers(fine, exact.frame_interval / _FINE, motion.settings.orientation)
  found = motion.markers[[*KEYS, 'velocity', 'time']]
  return found.assign(time=found['time'].where(found['marker'] == 'ES', between['time']))


def held(known: Known, contours: Contours, by_network: bool) -> pd.DataFrame:
  """Returns whether the intervals of each marker hold the truth: columns `velocity` and `time`, NaN where none."""
  motion = analyse_with_contours(known.scan, contours, septum=0.0)
  uncertain = of_network(expected_dice(known.scan, contours).dice) if by_network else READER
  motion = with_intervals(known.scan, motion, uncertain)
  both = motion.markers.merge(truth(known.exact), on=KEYS, suffixes=('', '_true'))
  table = both[KEYS].copy()
  for name in ('velocity', 'time'):
    low, high, true = both[f'{name}_low'], both[f'{name}_high'], both[f'{name}_true']
    inside = ((low <= true) & (true <= high)).astype(float)
    table[name] = inside.where(low.notna() & true.notna() & ((name == 'time') | (both['marker'] != 'ES')))
    table[f'{name}_half'] = (high - low) / 2
    table[f'{name}_error'] = (both[name] - true).abs()
  return table.assign(dice=frame_dice(to_mask(contours, known.scan.mask.shape[1:]), known.scan.mask).mean())


def rows(people: Iterator[Known]) -> Iterator[tuple[str, pd.DataFrame]]:
  """Yields who drew the contours of a slice, and what of it is held."""
  from ear_jax.networks.load import load_network

  names = NETWORKS if '--networks' in sys.argv else ()
  together = {name: [load_network(each) for each in name.split(',')] for name in names}
  for index, known in enumerate(people):
    read = as_read(from_mask(known.scan.mask), known.scan.spacing[0], np.random.default_rng(index))
    yield 'a reader', held(known, read, by_network=False)
    for name, networks in together.items():
      found = delineated(name, known.scan, networks)
      expected = expected_dice(known.scan, found.contours)
      if expected.dice >= EXPECTED[expected.kind][0]:
        yield name, held(known, found.contours, by_network=True)


def line(name: str, tables: list[pd.DataFrame]) -> list[str]:
  """Returns a line of the table: shares held by group, and how wide intervals of the whole wall are."""
  all_of_it = pd.concat(tables)
  whole = all_of_it[all_of_it['group'] == 'global']
  by_group = all_of_it.groupby('group')[['velocity', 'time']].mean()
  shares = [by_group.loc[group, what] for what in by_group for group in GROUPS]
  wide = [f'{whole["velocity_half"].median():.2f}', f'{whole["time_half"].median():.0f}']
  both = all_of_it[['velocity', 'time']].mean()
  dice = f'{all_of_it["dice"].mean():.2f}'
  return [name, str(len(tables)), dice, *(f'{100 * share:.1f}' for share in (*shares, *both)), *wide]


def main() -> None:
  """Prints a line for each set and hand; `--calibration` for the people that scales were chosen with."""
  sets = for_calibration() if '--calibration' in sys.argv else for_proof()
  lines = []
  for name, people in sets.items():
    tables: dict[str, list[pd.DataFrame]] = {}
    for hand, table in rows(people):
      tables.setdefault(hand, []).append(table)
    lines += [line(f'{name}, {hand}', found) for hand, found in tables.items()]
  names = ('whole wall', '6 sectors', '24 sectors', 'layers')
  header = ['people, contours by', 'slices', 'Dice']
  header += [f'{what}, {group}' for what in ('velocity', 'time') for group in names]
  header += ['velocity, all', 'time, all', 'half width, cm/s', 'half width, ms']
  sys.stdout.write(markdown(Table('', header, lines), rule='|' + '---|' * len(header)) + '\n')


if __name__ == '__main__':
  main()
