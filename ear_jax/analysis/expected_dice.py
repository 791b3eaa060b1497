"""How good is a delineation? Its expected Dice, by evidence that needs no reference and no network.

The evidence (`analysis.evidence`) is weighed by a table of four columns: velocity mapping, a magnitude cine, a single
frame, and a frame within its slice. `tests/analysis/calibrate_gate.py` printed it: weights were fitted to delineations
of phantoms that were corrupted deliberately, of known Dice. Each weight has the sign that its meaning asks for, so that
better evidence never lowers the number. (Those of magnitudes and frames: to a part of them.)
"""

import dataclasses
from typing import NamedTuple

import numpy as np

from ear_jax.analysis.evidence import evidence, of_pictures
from ear_jax.analysis.motion import Contours
from ear_jax.analysis.straightened import straighten
from ear_jax.cine import Cine


class Weighed(NamedTuple):
  """How one evidence counts: nothing at `worst` and beyond, `weight` (of a logit) at `best` and beyond."""

  worst: float
  best: float
  weight: float


class Scale(NamedTuple):
  """A column of the table: the logit without any good evidence, and the evidence; `frame` weighs a frame's own.

  The frame's own is by the column `within`, what tells a frame from the others of its slice.
  """

  start: float
  frame: float
  weights: dict[str, Weighed]


_SPEAKS = 0.5  # of a logit that an evidence costs, to be named
_SAID_AT_ONCE = 2
SCALES: dict[str, Scale] = {
  'velocity': Scale(
    -3.33,
    0.55,
    {
      'edges': Weighed(0.481, 0.941, 1.05),
      'even': Weighed(1.075, 0.109, 0.92),
      'blood': Weighed(0.275, 0.952, 0.15),
      'ring': Weighed(0.047, 0.995, 0.15),
      'outside': Weighed(0.185, 0.934, 0.36),
      'size': Weighed(0.003, 0.992, 2.01),
      'steady': Weighed(0.148, 0.982, 0.55),
      'velocity depth': Weighed(-1.103, -6.613, 1.1),
      'motion': Weighed(0.078, 0.972, 0.24),
    },
  ),
  'magnitude': Scale(
    -2.48,
    0.55,
    {
      'edges': Weighed(0.492, 0.943, 1.35),
      'even': Weighed(1.048, 0.137, 0.86),
      'place': Weighed(0.083, 1.0, 2.3),
      'steady': Weighed(0.211, 0.984, 0.49),
    },
  ),
  'frame': Scale(
    -2.32,
    1.0,
    {
      'edges': Weighed(0.496, 0.919, 1.02),
      'even': Weighed(1.071, 0.122, 0.47),
      'blood': Weighed(0.249, 0.959, 0.39),
      'place': Weighed(0.056, 1.0, 2.77),
    },
  ),
  'within': Scale(
    -2.66,
    1.0,
    {
      'edges': Weighed(0.504, 0.924, 2.28),
      'even': Weighed(1.079, 0.117, 2.24),
      'blood': Weighed(0.186, 0.959, 0.78),
      'ring': Weighed(0.032, 0.99, 0.17),
    },
  ),
}
MEANS = {  # what an evidence asks
  'edges': 'the strongest edges lie at the contours',
  'even': 'the wall is of one brightness',
  'blood': 'the inner border parts two brightnesses',
  'outside': 'the outer border does',
  'ring': 'the cavity is brighter than the wall, or darker, in all sectors',
  'size': 'no ring of another size about the same centre fits better',
  'place': 'no ring of another place or size looks more like a wall',
  'steady': 'brightness stays the same over the cycle',
  'velocity depth': 'what lies between the contours moves as one',
  'motion': 'the contours move as the velocities say',
}
SAID = {  # what it means that an evidence is poor
  'edges': 'stronger edges lie beside the contours',
  'even': 'what they enclose is not of one brightness',
  'blood': 'its inner border parts no two brightnesses',
  'outside': 'its outer border parts no two brightnesses',
  'ring': 'the cavity is brighter than the wall here and darker there',
  'size': 'a ring of another size about the same centre fits better',
  'place': 'rings of another place or size look more like a wall',
  'steady': 'its brightness changes over the cycle',
  'velocity depth': 'what lies between the contours does not move as one',
  'motion': 'the contours do not move as the velocities say',
}


@dataclasses.dataclass(frozen=True, eq=False)
class Expected:
  """What is expected of a delineation.

  Attributes:
    dice: of the slice, the mean over all frames; 0 where there is no ring.
    by_frame: `[T]`, 0 on frames without contours.
    evidence: the values behind it, by name.
    kind: the column of the table, which says what evidence there was; '' without contours.
    against: names of the evidence that speaks against it, what costs most first; empty where nothing does.
  """

  dice: float
  by_frame: np.ndarray
  evidence: dict[str, float]
  kind: str
  against: tuple[str, ...]

  @property
  def said(self) -> str:
    """Which evidence spoke, in words."""
    return '; '.join(f'{SAID[name]} ({self.evidence[name]:.2f})' for name in self.against)


def expected_dice(cine: Cine, contours: Contours) -> Expected:
  """Returns the Dice that a delineation of a cine is expected to have, frames without contours counting 0."""
  good = ~contours.failed
  by_frame = np.zeros(len(good))
  if not good.any():
    return Expected(0.0, by_frame, {}, '', ())
  wall = straighten(cine, contours)
  measured = evidence(wall, cine)
  column = kind(measured)
  scale = SCALES[column]
  own = np.array([logit(of_pictures(wall.frame(k)), SCALES['within']) for k in range(len(wall.values))])
  by_frame[good] = share(logit(measured, scale) + scale.frame * (own - own.mean()))
  lost = {name: (1 - counts(measured[name], one)) * one.weight for name, one in scale.weights.items()}
  against = sorted((name for name in lost if lost[name] > _SPEAKS), key=lost.__getitem__, reverse=True)
  return Expected(float(by_frame.mean()), by_frame, measured, column, tuple(against[:_SAID_AT_ONCE]))


def kind(measured: dict[str, float]) -> str:
  """Returns which column of the table some evidence belongs to."""
  return 'velocity' if 'motion' in measured else 'magnitude' if 'steady' in measured else 'frame'


def logit(measured: dict[str, float], scale: Scale) -> float:
  """Returns the logit of the Dice that some evidence speaks for; what was not asked counts nothing."""
  return scale.start + sum(
    one.weight * counts(measured[name], one) for name, one in scale.weights.items() if name in measured
  )


def counts(value: float, one: Weighed) -> float:
  """Returns how good an evidence is, 0 to 1."""
  return float(np.clip((value - one.worst) / (one.best - one.worst), 0, 1))


def share(logits: np.ndarray) -> np.ndarray:
  """Returns the logistic function."""
  return 1 / (1 + np.exp(-logits))
