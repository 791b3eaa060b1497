"""Where slices lie in the patient: their position along the normal, and which way the apex is.

Directions are DICOM's patient axes: +x to the patient's left, +y to the back, +z to the head.
"""

import math
from collections.abc import Sequence

import numpy as np

APEXWARD = np.array([0.62, -0.55, -0.56]) / np.linalg.norm([0.62, -0.55, -0.56])  # left, forward, down
_CLEAR = 0.3  # cosine to `APEXWARD` below which a normal tells nothing about the apex: about 73 degrees
ROUNDED = 0.01  # of the length of a direction, and of the cosine between two, that rounding may leave
_SAME = 0.999  # cosine between the normals of one stack: 2.6 degrees


def normal(orientation: Sequence[float] | np.ndarray) -> np.ndarray:
  """Returns the slice normal `[3]` of ImageOrientationPatient (six direction cosines).

  Raises: ValueError unless these are two perpendicular unit vectors.
  """
  axes = np.asarray(orientation, float)
  if axes.shape != (6,) or not np.isfinite(axes).all():
    raise ValueError('ImageOrientationPatient is not six numbers')
  along_row, along_column = axes.reshape(2, 3)
  lengths = np.linalg.norm(axes.reshape(2, 3), axis=1)
  if np.abs(lengths - 1).max() > ROUNDED or abs(along_row @ along_column) > ROUNDED:
    raise ValueError('ImageOrientationPatient is not two perpendicular unit vectors')
  return np.cross(along_row, along_column)


def position(orientation: Sequence[float] | np.ndarray, corner: Sequence[float] | np.ndarray) -> float:
  """Returns the position in mm along the normal of a picture whose first pixel lies at `corner` (mm)."""
  first = np.asarray(corner, float)
  if first.shape != (3,) or not np.isfinite(first).all():
    raise ValueError('ImagePositionPatient is not three numbers')
  return float(normal(orientation) @ first)


def towards_apex(orientation: Sequence[float] | None) -> int:
  """Returns +1 when positions grow from base to apex, -1 when they fall, 0 when the orientation does not tell.

  The long axis of the heart points to the left, forward and down in nearly everyone; a slice plane that does not lie
  across that direction, or has no recorded orientation, gives 0.
  """
  if orientation is None:
    return 0
  cosine = float(normal(orientation) @ APEXWARD)
  return 0 if abs(cosine) < _CLEAR else int(math.copysign(1, cosine))


def parallel(one: Sequence[float] | None, other: Sequence[float] | None) -> bool:
  """Returns True when both orientations are unknown, or their planes are turned and tilted by less than 2.6 degrees."""
  if one is None or other is None:
    return one is other
  first, second = (np.asarray(axes, float).reshape(2, 3) for axes in (one, other))
  return bool((np.einsum('ij,ij->i', first, second) > _SAME).all())


def coplanar(one: Sequence[float] | None, other: Sequence[float] | None) -> bool:
  """Returns True when both orientations are unknown, or their planes are tilted by less than 2.6 degrees.

  The pictures may be turned or mirrored within the plane.
  """
  if one is None or other is None:
    return one is other
  try:
    return bool(abs(normal(one) @ normal(other)) > _SAME)
  except ValueError:
    return parallel(one, other)


def levels(count: int) -> list[str]:
  """Returns 'base', 'mid' or 'apex' for each of `count` slices in that order; '' each for fewer than three.

  The first and last fifth of the stack are base and apex.
  """
  if count < 3:
    return [''] * count
  places = [k / (count - 1) for k in range(count)]
  return ['base' if place < 0.2 else 'apex' if place > 0.8 else 'mid' for place in places]
