"""Where the wall's regions lie: centre and septum of every frame, and angular sectors."""

import math

import numpy as np

from ear_jax.analysis.motion import Contours

_CENTRE_REACH = 3  # frames of 50 on either side, over which the centre is averaged


def lengths(spacing: tuple[float, float]) -> np.ndarray:
  """Returns the spacing `[2]`, or 1 and 1 where the source lost it: the shape of the pixels is then taken as square."""
  return np.ones(2) if any(math.isnan(s) for s in spacing) else np.asarray(spacing, float)


def screen_angle(offset: np.ndarray) -> np.ndarray:
  """Returns alpha = atan2(column, row) in rad of offsets `[..., 2]` (row, column): 0 is down, pi/2 right."""
  return np.arctan2(offset[..., 1], offset[..., 0])


def sector_numbers(alpha: np.ndarray, septum: np.ndarray, count: int) -> np.ndarray:
  """Returns the sector `[N]` int of each pixel.

  theta = 2 pi - mod(alpha - septum, 2 pi) grows clockwise on screen; k holds 2 pi k / n < theta <= 2 pi (k + 1) / n.

  Args:
    alpha: `[N]` rad, `screen_angle` of the pixels.
    septum: `[N]` rad, that of the mid-septal point in the pixel's frame.
    count: n, the number of sectors.
  """
  theta = 2 * np.pi - np.mod(alpha - septum, 2 * np.pi)
  return np.clip(np.ceil(theta * (count / (2 * np.pi))).astype(int) - 1, 0, count - 1)


def find_centre(contours: Contours) -> np.ndarray:
  """Returns `[T, 2]` (row, column): the mean of the epicardial points, averaged over 7 of 50 frames around the cycle.

  Failed frames do not count, and take the mean of the good ones in reach; NaN when there is none.
  """
  frames = len(contours.failed)
  reach = round(_CENTRE_REACH * frames / 50)
  means = np.where(contours.failed[:, None], 0.0, contours.epi.mean(1))
  shifts = range(-reach, reach + 1)
  total = np.sum([np.roll(means, k, 0) for k in shifts], 0)
  count = np.sum([np.roll(~contours.failed, k) for k in shifts], 0)
  return np.where(count[:, None] > 0, total / np.maximum(count, 1)[:, None], np.nan)


def septal_points(
  septum: float | np.ndarray, contours: Contours, centre: np.ndarray, spacing: tuple[float, float], name: str
) -> np.ndarray:
  """Returns the mid-septal point `[T, 2]` (row, column).

  Args:
    septum: as in `analyse`; of a direction, the point at the mean distance of the contours from the centre is taken.
    contours, centre: of the slice.
    spacing: mm.
    name: of the slice, for the error.

  Raises:
    ValueError: `septum` is neither an angle, nor a point, nor a point for every frame.
  """
  septum = np.asarray(septum, float)
  if septum.shape not in ((), (2,), centre.shape) or not np.isfinite(septum).all():
    raise ValueError(f'{name}: septum {septum}: expected an angle in rad, a point (row, column) or {centre.shape}')
  if septum.ndim:
    return np.broadcast_to(septum, centre.shape).copy()
  size = lengths(spacing)
  middle = (contours.endo + contours.epi) / 2 - centre[:, None]
  distance = np.hypot(*np.moveaxis(middle * size, -1, 0)).mean(1)
  known = np.isfinite(distance)
  distance = np.where(known, distance, distance[known].mean() if known.any() else np.nan)
  return centre + distance[:, None] * np.array([np.cos(septum), np.sin(septum)]) / size
