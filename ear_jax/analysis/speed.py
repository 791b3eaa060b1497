"""Are the velocities of the right size? The wall's radius, by its contours, must change as fast as they say.

A wrong venc, or a wrong time between frames, makes all velocities too large or too small by one factor; nothing in a
curve shows it. Contours know nothing of either.
"""

import math
from typing import NamedTuple

import numpy as np

from ear_jax.analysis.motion import COMPONENTS, SliceMotion
from ear_jax.analysis.periodic import slow

_FEWEST = 8  # frames


class Speed(NamedTuple):
  """How fast the contours move against the radial velocity (1 is right), and the correlation of both."""

  ratio: float
  correlation: float


def speed(motion: SliceMotion) -> Speed | None:
  """Returns it for the whole wall over the cycle; None where it cannot be told.

  That is without velocities, frame interval or spacing, with a frame without contours, or with few frames.
  """
  inward = motion.curves['global'][0, :, COMPONENTS.index('radial')]
  known = np.isfinite(inward).all() and math.isfinite(motion.frame_interval) and not math.isnan(motion.spacing[0])
  if not known or len(inward) < _FEWEST or motion.contours.failed.any():
    return None
  away = [
    (side - motion.contours.epi.mean(1, keepdims=True)) * motion.spacing
    for side in (motion.contours.endo, motion.contours.epi)
  ]
  inner, outer = (np.hypot(*np.moveaxis(side, -1, 0)) for side in away)
  # The mean distance of the wall's pixels from the centre, as their mean velocity counts them all alike.
  radius = 2 / 3 * (outer**3 - inner**3).sum(1) / (outer**2 - inner**2).sum(1)  # mm
  # Central differences of both sides: mm over two frames, and the mean velocity over the same time.
  narrowed = slow(np.roll(radius, 1) - np.roll(radius, -1)) / 10  # cm
  time = motion.frame_interval / 1000  # s
  moved = slow((np.roll(inward, 1) + 2 * inward + np.roll(inward, -1)) / 2 * time)
  moved, narrowed = moved - moved.mean(), narrowed - narrowed.mean()
  square = float((moved**2).sum())
  if not square > 0 or not narrowed.any():
    return None
  return Speed(
    float((moved * narrowed).sum()) / square,
    float((moved * narrowed).sum()) / math.sqrt(square * float((narrowed**2).sum())),
  )
