"""Whether the references of a whole data set lie beside the walls: found by brightness alone, without any network.

A network learns a shift that all references share, so that no network sees it. Blood and wall differ in brightness, and
they differ most where a ring lies on the wall. One slice says little (fat, papillary muscles and flow disturb it); if
many visits say the same, the pixels were counted from 1, or from a corner in place of a centre.
"""

from collections.abc import Sequence

import numpy as np

from ear_jax.analysis.ring import find_ring

_REACH = 3  # pixels
_LEAST = 0.3  # of a pixel: below it nothing is said
_FEWEST = 8  # visits
_AGREE = 0.8  # share of the visits that must be shifted the same way


def contrast_shift(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
  """Returns how far a reference lies off, rows and columns in pixels `[2]`: down and right are positive.

  It is the shift, taken back, that makes cavity and wall differ most: the difference of their mean brightness over the
  root of their mean variance, on whole pixels, with a parabola between them. NaN where the mask is no ring, the best
  shift is not within three pixels, or nothing differs.

  Args:
    image: `[H, W]`, magnitude.
    mask: `[H, W]` bool, the wall.
  """
  ring, unknown = find_ring(mask), np.full(2, np.nan)
  if ring.failure or ring.bridged:
    return unknown
  padded = np.pad(image.astype(float), _REACH, mode='edge')
  steps = range(2 * _REACH + 1)
  height, width = image.shape
  views = [[padded[row : row + height, column : column + width] for column in steps] for row in steps]
  contrast = np.array([[_contrast(view[ring.cavity], view[mask]) for view in line] for line in views])
  row, column = np.unravel_index(contrast.argmax(), contrast.shape)
  if not (0 < row < 2 * _REACH and 0 < column < 2 * _REACH):
    return unknown
  rows, columns = contrast[row - 1 : row + 2, column], contrast[row, column - 1 : column + 2]
  return _REACH - np.array([row + _vertex(rows), column + _vertex(columns)])


def common_shift(shifts: Sequence[np.ndarray]) -> str:
  """Returns in words how far references lie off in the median over visits, '' where they do not agree on it.

  Args:
    shifts: for each visit `[n, 2]`, `contrast_shift` of its cines.
  """
  known = [shift[np.isfinite(shift).all(1)] for shift in shifts]
  of_visits = np.array([np.median(shift, axis=0) for shift in known if len(shift)]).reshape(-1, 2)
  if len(of_visits) < _FEWEST:
    return ''
  middle = np.median(of_visits, axis=0)
  agree = (np.sign(of_visits) == np.sign(middle)).mean(0)
  ways = (('down', 'up'), ('right', 'left'))
  said = [
    f'{abs(far):.1f} px {names[int(far < 0)]}'
    for far, share, names in zip(middle, agree, ways, strict=True)
    if abs(far) > _LEAST and share >= _AGREE
  ]
  return ' and '.join(said)


def _contrast(cavity: np.ndarray, wall: np.ndarray) -> float:
  spread = np.sqrt((cavity.var() + wall.var()) / 2)
  return float(abs(cavity.mean() - wall.mean()) / spread) if spread > 0 else 0.0


def _vertex(values: np.ndarray) -> float:
  """Where between -1 and 1 the parabola through three values has its top; the middle one is the largest."""
  low, middle, high = values
  bend = low - 2 * middle + high
  return float((low - high) / (2 * bend)) if bend < 0 else 0.0
