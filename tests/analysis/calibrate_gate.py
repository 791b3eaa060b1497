"""Fits the table of `analysis.expected_dice` to phantoms: `python tests/analysis/calibrate_gate.py` prints it.

People of `phantom.study` with varied looks and with the plain one, of 16 and of 40 frames; delineations of
`corrupted.for_calibration`. The logit of Dice is a sum over evidence, each scaled to 0 to 1 from the 2nd to the 98th
percentile of what was seen, and weighed with the sign that its meaning has. Nothing of `corrupted.for_proof`, no real
scan and no network has a part in it.
"""

import concurrent.futures
import dataclasses
import sys
from collections.abc import Iterator

import numpy as np
from corrupted import for_calibration
from scipy.optimize import least_squares

from ear_jax.analysis.evidence import evidence, of_pictures, places
from ear_jax.analysis.expected_dice import SAID, Scale, Weighed, kind, logit, share
from ear_jax.analysis.straightened import straighten
from ear_jax.phantom import study

PEOPLE = (  # and the seed of their cohort
  (dataclasses.replace(study.VARIED, subjects=12, slices=(12,)), 101),
  (dataclasses.replace(study.MINI, subjects=3, slices=(3,), matrix=128, offset=20.0), 102),
  (dataclasses.replace(study.VARIED, subjects=1, slices=(1,), frames=40), 103),
)
LESS_IS_BETTER = ('even', 'velocity depth')
OF_A_FRAME = ('edges', 'even', 'blood', 'ring')
# What lies outside a patient's wall varies more than what phantoms have there: without velocities neither `outside` nor
# `size`, which asks for it too, is used; `place` looks for rings elsewhere instead. Beside it `ring` is worth nothing,
# and `blood` hardly anything in a cycle.
COLUMNS = {
  'velocity': (*OF_A_FRAME, 'outside', 'size', 'steady', 'velocity depth', 'motion'),
  'magnitude': ('edges', 'even', 'place', 'steady'),
  'frame': ('edges', 'even', 'blood', 'place'),
  'within': OF_A_FRAME,
}
_SAMPLED = 3  # frames of a delineation that stand for single ones
_PRIOR = 0.01  # pulls weights towards 0, where two say the same


def rows() -> Iterator[dict]:
  """Yields one row a delineation: 'family', 'dice' `[F]`, 'found' evidence of the slice and 'frames' of its frames."""
  plans = [plan for size, seed in PEOPLE for plan in study.plan(size, seed)]
  with concurrent.futures.ProcessPoolExecutor() as pool:
    for found in pool.map(_of_slice, plans):
      yield from found


def _of_slice(plan):
  rng = np.random.default_rng((plan.seed, plan.subject_index, plan.slice_index))
  return [row for one in for_calibration(study.render(plan), rng) if (row := measured(one))]


def measured(case) -> dict | None:
  """Returns the row of a delineation; None where it has no contours."""
  if case.contours.failed.all():
    return None
  wall = straighten(case.cine, case.contours)
  frames = [of_pictures(wall.frame(k)) for k in range(len(wall.values))]
  for k in range(0, len(frames), max(1, len(frames) // _SAMPLED)):
    frames[k]['place'] = places(wall.frame(k), case.cine)
  dice = case.dice[~case.contours.failed]
  found = {'place': places(wall, case.cine), **evidence(wall, case.cine)}
  return {'family': case.family, 'dice': dice, 'found': found, 'frames': frames}


def fit(found: list[dict], dice: np.ndarray, names: tuple[str, ...]) -> Scale:
  """Returns the weights of evidence: least squares of Dice, none below 0."""
  values = np.array([[one[name] for name in names] for one in found])
  low, high = np.round(np.percentile(values, (2, 98), axis=0), 3)
  down = np.isin(names, LESS_IS_BETTER)
  worst, best = np.where(down, high, low), np.where(down, low, high)
  good = np.clip((values - worst) / (best - worst), 0, 1)

  def away(weights):
    return np.concatenate([share(weights[0] + good @ weights[1:]) - dice, _PRIOR * weights[1:]])

  least = np.r_[-np.inf, np.zeros(len(names))]
  start, *weights = np.round(least_squares(away, np.full(len(least), 0.1), bounds=(least, np.inf)).x, 2).tolist()
  return Scale(start, 0.0, {n: Weighed(*map(float, w)) for n, *w in zip(names, worst, best, weights, strict=True)})


def with_frames(scale: Scale, single: Scale, found: list[dict]) -> Scale:
  """Returns the column with the weight of a frame's own evidence, by least squares of the frames' Dice."""
  parts = []
  for row in found:
    own = np.array([logit(one, single) for one in row['frames']])
    parts.append((np.full(len(own), logit(row['found'], scale)), own - own.mean(), row['dice']))
  whole, own, dice = map(np.concatenate, zip(*parts, strict=True))
  weights = np.arange(0, 1.51, 0.05)
  best = min(weights, key=lambda weight: float(((share(whole + weight * own) - dice) ** 2).mean()))
  return scale._replace(frame=round(float(best), 2))


def calibrated(found: list[dict]) -> dict[str, Scale]:
  """Returns the table."""
  sampled = [
    (one, dice) for row in found for one, dice in zip(row['frames'], row['dice'], strict=True) if 'place' in one
  ]
  frames, of_frame = [one for one, _ in sampled], np.array([dice for _, dice in sampled])
  found = [row for row in found if kind(row['found']) == 'velocity']  # but for those with few frames left
  slices = np.array([row['dice'].mean() for row in found])
  alone = {name: fit(frames, of_frame, COLUMNS[name])._replace(frame=1.0) for name in ('frame', 'within')}
  table = {name: fit([row['found'] for row in found], slices, COLUMNS[name]) for name in ('velocity', 'magnitude')}
  return {name: with_frames(scale, alone['within'], found) for name, scale in table.items()} | alone


def printed(table: dict[str, Scale]) -> str:
  """Returns the table as it stands in `analysis.expected_dice`."""
  lines = ['SCALES = {']
  for column, scale in table.items():
    lines.append(f"  '{column}': Scale(\n    {scale.start},\n    {scale.frame},\n    {{")
    lines += [
      f"      '{name}': Weighed({one.worst:g}, {one.best:g}, {one.weight:g})," for name, one in scale.weights.items()
    ]
    lines.append('    },\n  ),')
  return '\n'.join([*lines, '}'])


if __name__ == '__main__':
  assert set(SAID) == {name for names in COLUMNS.values() for name in names}
  sys.stdout.write(printed(calibrated(list(rows()))) + '\n')
