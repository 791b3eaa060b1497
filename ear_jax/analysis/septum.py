"""Which way the septum lies, and in which order sectors are named, where neither user nor file states it.

The sectors begin at mid septum. A mask of the left ventricle does not show it, so it comes from the user, from a
StrainMap file, or else from how the slice lies in the patient: the right ventricle lies to the right and in front of
the left one.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

RIGHTWARD = np.array([-1.0, -1.0, 0.0]) / math.sqrt(2)  # of DICOM's patient axes: to the patient's right and front
_CLEAR = 0.5  # length of its projection below which a slice plane tells nothing


@dataclasses.dataclass(frozen=True, eq=False)
class Septum:
  """A septal reference.

  Attributes:
    where: rad, atan2(column, row) from the centre (0 is down, pi/2 right); or `[T, 2]` (row, column) in pixels.
    origin: where it comes from, in words.
    certain: stated by a person, not estimated.
  """

  where: float | np.ndarray
  origin: str
  certain: bool


def given(septum: Septum | float | np.ndarray | None) -> Septum:
  """Returns a septal reference as `slices.analyse` takes it: itself, an angle in rad, a point, or None for unknown."""
  if isinstance(septum, Septum):
    return septum
  if septum is None:
    return find(None, None, None)
  point = np.ndim(septum) > 0
  return Septum(septum, 'stated: a point' if point else f'stated: {math.degrees(septum):g} deg', certain=True)


def find(stated: float | None, known: Septum | None, orientation: Sequence[float] | None) -> Septum:
  """Returns the best septal reference there is.

  Args:
    stated: deg, as a user gives it: 0 is down, 90 right; None.
    known: what a file holds, stated or estimated; None, or with NaN where the file has none.
    orientation: six direction cosines of ImageOrientationPatient; None when unknown.
  """
  if stated is not None:
    return Septum(math.radians(stated), f'stated: {stated:g} deg', certain=True)
  if known is not None and np.isfinite(known.where).all():
    return known
  if orientation is not None:
    axes = np.asarray(orientation, float).reshape(2, 3)  # along the columns' index, along the rows' index
    column, row = axes @ RIGHTWARD
    if math.hypot(column, row) >= _CLEAR:
      angle = math.atan2(column, row)
      origin = f'estimated from how the slice lies in the patient: {math.degrees(angle):.0f} deg'
      return Septum(angle, origin, certain=False)
  return Septum(math.pi / 2, 'unknown: taken to be on the right of the picture (90 deg)', certain=False)
