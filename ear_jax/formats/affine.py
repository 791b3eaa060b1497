"""Where a NIfTI image lies in the patient: its orientation matrix to a `Place`, a `Place` to its orientation matrix.

NIfTI counts mm to the patient's right, front and head (RAS), a `Place` as DICOM to the left, back and head (LPS). A
matrix is believed where sform or qform has code 1 or 2 (scanner, aligned), both say the same and their pixels are as
large as pixdim says. Axes along the scanner's with the first pixel at 0, 0, 0 are what programs write that know of no
place: they say nothing. Two images of one place may differ in the order and direction of their axes: `turned`.
"""

import math
from collections.abc import Sequence

import numpy as np

from ear_jax.cine import Place, as_vector

MM = {'meter': 1000.0, 'mm': 1.0, 'micron': 0.001, 'unknown': 1.0}  # NIfTI's units of space
_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])  # from RAS and to it
_KNOWN = (1, 2)  # codes of sform and qform: the scanner's axes, or another scan's of the same person
_APART = 0.5  # mm between what sform and qform say of a corner
_OFF = 0.01  # sine or relative length that rounding explains


def of_image(image) -> tuple[np.ndarray | None, str]:
  """Returns the matrix `[4, 4]` from (column, row, slice) to mm in DICOM's axes, or None and why there is none.

  The reason is '' where the header does not claim to know a place.
  """
  stated = {name: matrix for name, matrix in _stated(image).items() if matrix is not None}
  if not stated:
    return None, ''
  unit = MM.get(units(image)[0], math.nan)
  name, matrix = next(iter(stated.items()))
  if not np.isfinite(matrix).all():
    return None, f'its {name} is not finite'
  corners = np.array([[*np.multiply(image.shape[:3], at), 1] for at in np.ndindex(2, 2, 2)]).T
  apart = np.abs((stated['sform'] - stated['qform']) @ corners).max(0) if len(stated) == 2 else np.zeros(1)
  if apart.max() * unit > _APART:
    corner = corners[:, np.argmax(apart > apart.max() - _APART / 10)]
    there = (' '.join(f'{v * unit:.1f}' for v in (one @ corner)[:3]) for one in (stated['sform'], stated['qform']))
    return None, 'its sform and qform contradict each other (one corner at {} and at {} mm)'.format(*there)
  columns = matrix[:3, :3]
  aligned = (np.count_nonzero(columns, axis=0) == 1).all()
  if aligned and not matrix[:3, 3].any():
    return None, ''
  lengths, zooms = np.linalg.norm(columns, axis=0), np.array(image.header.get_zooms()[:3], float)
  if not np.allclose(lengths[:2], zooms[:2], rtol=_OFF):
    sizes = (f'{one[0] * unit:.4g} x {one[1] * unit:.4g}' for one in (lengths, zooms))
    return None, 'its {} has pixels of {} mm, pixdim of {} mm'.format(name, *sizes)
  slant = float(columns[:, 0] @ columns[:, 1] / (lengths[0] * lengths[1]))
  if abs(slant) > _OFF or not np.linalg.det(columns):
    return None, f'its {name} is sheared: rows and columns are {math.degrees(math.acos(slant)):.1f} deg apart'
  return _LPS @ np.diag([unit, unit, unit, 1]) @ matrix, ''


def units(image) -> tuple[str, str]:
  """Returns the names of the units of space and time. Raises ValueError, in words, when NIfTI has none of that code."""
  try:
    return image.header.get_xyzt_units()
  except KeyError as error:
    raise ValueError(f'its units have code {int(image.header["xyzt_units"])}, which NIfTI does not know') from error


def _stated(image) -> dict[str, np.ndarray | None]:
  header = image.header
  return {
    'sform': header.get_sform() if int(header['sform_code']) in _KNOWN else None,
    'qform': header.get_qform() if int(header['qform_code']) in _KNOWN else None,
  }


def place(matrix: np.ndarray | None, index: int = 0) -> Place | None:
  """Returns the place of a slice of an image with the matrix of `of_image`."""
  if matrix is None:
    return None
  across, down = (column / np.linalg.norm(column) for column in matrix[:3, :2].T)
  down -= (down @ across) * across  # at a right angle within rounding
  down /= np.linalg.norm(down)
  corner = matrix[:3, 3] + index * matrix[:3, 2]
  thickness = abs(float(np.cross(across, down) @ matrix[:3, 2]))
  return Place(as_vector(corner), as_vector(across), as_vector(down), thickness)


def set_place(image, place: Place | None, spacing: Sequence[float]) -> None:
  """Writes the place of a picture (column, row, 1, ...) into the header: sform and qform; code 0 where it is unknown.

  `spacing` is mm along row and column index. The third axis is the slice's normal, as long as the slice is thick; 1 mm
  where it is not known.
  """
  if place is None:
    image.set_sform(np.diag([spacing[1], spacing[0], 1, 1]), code=0)
    image.set_qform(np.diag([spacing[1], spacing[0], 1, 1]), code=0)
    return
  across, down = np.array(place.across), np.array(place.down)
  thickness = place.thickness if place.thickness > 0 else 1.0
  matrix = np.eye(4)
  matrix[:3] = np.stack(
    [across * spacing[1], down * spacing[0], np.cross(across, down) * thickness, np.array(place.corner)], axis=1
  )
  image.set_sform(_LPS @ matrix, code=1)
  image.set_qform(_LPS @ matrix, code=1)


def turned(image, video) -> tuple[list[int], list[int]]:
  """Returns how an image of the place of `video` is brought to its array: the order of its axes, then axes to mirror.

  An image of which no place is known keeps its axes, as does one whose video has none.

  Raises: ValueError, in words, when the image lies elsewhere or on another grid.
  """
  one, other = (_with_normal(i) for i in (image, video))
  if one is None or other is None:
    return [0, 1, 2], []
  steps = np.linalg.solve(other, one)  # from pixels of the image to those of the video
  turn = np.rint(steps[:3, :3])
  if not (np.abs(turn).sum(0) == 1).all() or not (np.abs(turn).sum(1) == 1).all():
    raise ValueError('lies on another grid than its video: resample it to the pixels of the video')
  order = [int(np.argmax(np.abs(row))) for row in turn]
  mirrored = [axis for axis in range(3) if turn[axis, order[axis]] < 0]
  exact = np.eye(4)
  exact[:3, :3] = turn
  exact[mirrored, 3] = [video.shape[axis] - 1 for axis in mirrored]
  corners = np.array([[*np.multiply(np.subtract(image.shape[:3], 1), at), 1] for at in np.ndindex(2, 2, 2)]).T
  away = float(np.linalg.norm((other @ (exact - steps) @ corners)[:3], axis=0).max())
  if away > min(np.linalg.norm(other[:3, :2], axis=0)) / 2:
    raise ValueError(f'lies up to {away:.1f} mm from its video: take the mask of this video, or mend its orientation')
  return order, mirrored


def _with_normal(image) -> np.ndarray | None:
  """The matrix of an image; of a single slice the third axis is 1 mm long, since programs differ about it."""
  matrix, _ = of_image(image)
  if matrix is not None and image.shape[2] == 1:
    normal = np.cross(matrix[:3, 0], matrix[:3, 1])
    matrix[:3, 2] = normal / np.linalg.norm(normal)
  return matrix


def apply(pixels: np.ndarray, order: Sequence[int], mirrored: Sequence[int]) -> np.ndarray:
  """Returns (column, row, slice, ...) with its axes as `turned` says."""
  return np.flip(pixels.transpose(*order, *range(3, pixels.ndim)), tuple(mirrored))
