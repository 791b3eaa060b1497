"""A cohort of hearts as masks: lopsided rings a little off the middle, and what a network that errs a little says."""

import numpy as np

from ear_jax.scoring.reference_faults import Pair
from ear_jax.scoring.second_reader import smooth_errors

SIZE = 96
_ROWS, _COLUMNS = np.mgrid[:SIZE, :SIZE]


def wall(centre, endo, thickness, error=(0.0, 0.0)):
  """A ring `[H, W]` whose wall is thickest above on the left; errors `[360]` of either radius in pixels."""
  offset = _ROWS - centre[0], _COLUMNS - centre[1]
  angle = np.arctan2(offset[1], offset[0])
  degree = (np.degrees(angle) % 360).astype(int) % 360
  inner, outer = (np.broadcast_to(one, 360)[degree] for one in error)
  radius = np.hypot(*offset)
  return (radius > endo + inner) & (radius <= endo + thickness * (1 - 0.35 * np.cos(angle - 0.7)) + outer)


def cohort(people=22, slices=5, error=0.5, seed=0):
  """Visits of `Pair`, one frame a slice: sizes fall towards the apex, where the network errs twice as much."""
  rng = np.random.default_rng(seed)
  visits = []
  for person in range(people):
    centre, size = rng.uniform(41, 51, 2), rng.uniform(0.85, 1.15)
    pairs = []
    for k in range(slices):
      shape = centre + rng.normal(0, 0.5, 2), size * (18 - 2.5 * k), size * 7
      errors = smooth_errors(error * (1 + k / (slices - 1)), 2, rng)
      reference, prediction = wall(*shape), wall(*shape, errors)
      ids = (f'person-{person:02d}', f'person-{person:02d}', f'slice-{k}', '')
      pairs.append(Pair(*ids, np.array([3]), reference[None], prediction[None]))
    visits.append(pairs)
  return visits
