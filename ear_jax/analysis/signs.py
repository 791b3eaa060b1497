"""Which sign the velocities have, by physiology: in systole the wall moves inward and the base towards the apex.

When systole is, the contours say, which know nothing of velocity: the cavity narrows. Where they hardly move, time
says it: systole is the third of the cycle after the R wave, with which the first frame begins.
"""

import dataclasses

import numpy as np

from ear_jax.analysis.motion import SliceMotion
from ear_jax.analysis.periodic import slow
from ear_jax.analysis.regions import lengths

CHANNELS = ('along column', 'along row', 'through the plane')
_FEWEST = 8  # frames
_NARROWS = 0.03  # of the mean radius, by which a cavity must narrow to tell when systole is
_MOVES = 1.0  # cm/s, the least swing of a velocity that tells its sign
_SYSTOLE = 1 / 3  # of the cycle


@dataclasses.dataclass(frozen=True)
class Signs:
  """How far each velocity channel goes with systole, from -1 (against it) to 1, NaN where it hardly moves.

  `certain` is False where it was by time, and `decided` says in words which test it was.
  """

  agreement: tuple[float, float, float]
  certain: bool
  decided: str


def signs(motion: SliceMotion) -> Signs | None:
  """Returns what physiology says of the signs of one slice; None without contours or velocities of eight frames."""
  frames = len(motion.mask)
  if frames < _FEWEST or motion.contours.failed.all() or motion.inward is None:
    return None
  systole, decided = _narrowing(motion), 'systole is when the cavity narrows, by its contours'
  certain = systole is not None
  if systole is None:
    systole = np.where(np.arange(frames) < _SYSTOLE * frames, 1.0, 0.0)
    decided = 'systole is the first third of the cycle, by time: contours hardly move'
  agreements = [_agreement(curve, systole) for curve in motion.inward.T]
  return Signs((agreements[0], agreements[1], agreements[2]), certain, decided)


def _narrowing(motion: SliceMotion) -> np.ndarray | None:
  """Returns how fast `[T]` the cavity narrows, in any unit; None where it hardly does."""
  away = (motion.contours.endo - motion.centre[:, None]) * lengths(motion.spacing)
  radius = np.hypot(*np.moveaxis(away, -1, 0)).mean(1)
  radius = slow(np.where(motion.contours.failed, np.nan, radius))
  if np.ptp(radius) < _NARROWS * radius.mean():
    return None
  return np.roll(radius, 1) - np.roll(radius, -1)


def _agreement(curve: np.ndarray, systole: np.ndarray) -> float:
  """Returns the correlation of a curve `[T]` with systole; NaN where it hardly moves."""
  curve = slow(curve)
  if not np.ptp(curve) >= _MOVES:
    return float('nan')
  return float(np.corrcoef(curve, slow(systole))[0, 1])
