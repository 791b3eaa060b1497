"""Pictures along rays from a centre, and polygons back to pixels: the geometry under contours and regions.

Angles are alpha = atan2(column, row): 0 is down, pi/2 right, growing counter-clockwise on screen. Points are (row,
column) in pixels; whole numbers are pixel centres.
"""

import numpy as np
from scipy import ndimage

from ear_jax.analysis.motion import POINTS

ANGLES = np.arange(POINTS) * (2 * np.pi / POINTS)
RAYS = np.stack([np.cos(ANGLES), np.sin(ANGLES)], -1)  # [360, 2] unit steps (row, column)


def sample_rays(images: np.ndarray, centres: np.ndarray, reach: int) -> np.ndarray:
  """Returns `[T, 360, reach]`: pictures `[T, H, W]` at 0, 1, ... pixels from their centres `[T, 2]`; 0 outside."""
  points = centres[:, None, None] + np.arange(reach)[:, None] * RAYS[:, None]  # [T, 360, reach, 2]
  frame = np.broadcast_to(np.arange(len(images))[:, None, None], points.shape[:-1])
  where = np.stack([frame, points[..., 0], points[..., 1]])
  return ndimage.map_coordinates(images.astype(np.float32), where, order=1, mode='constant')


def last_crossing(profiles: np.ndarray, level: float = 0.5) -> np.ndarray:
  """Returns the largest radius `[...]` at which profiles `[..., reach]` fall through `level`; NaN where none does.

  Between samples the profile is taken as straight; beyond the last sample it is 0.
  """
  profiles = np.concatenate([profiles, np.zeros_like(profiles[..., :1])], -1)
  above = profiles >= level
  last = profiles.shape[-1] - 1 - np.argmax(above[..., ::-1], -1)
  last = np.where(above.any(-1), last, 0)
  inside, outside = (np.take_along_axis(profiles, (last + k)[..., None], -1)[..., 0] for k in (0, 1))
  with np.errstate(invalid='ignore', divide='ignore'):
    radius = last + (inside - level) / (inside - outside)
  return np.where(above.any(-1), radius, np.nan)


def fill_polygons(polygons: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
  """Returns `[N, H, W]` bool, the pixels whose centres lie inside the polygons `[N, P, 2]`, by the even-odd rule.

  A polygon with a NaN is empty. It is the rule of scikit-image's `polygon2mask`, for many polygons at once: every edge
  turns over all pixels to its right in the rows that it crosses.
  """
  count, (height, width) = len(polygons), shape
  sound = np.isfinite(polygons).all((1, 2), keepdims=True)
  start = np.where(sound, polygons, -1.0)
  end = np.roll(start, -1, axis=1)
  low, high = np.minimum(start, end)[..., 0], np.maximum(start, end)[..., 0]
  first, stop = np.clip(np.ceil(low), 0, height).astype(int), np.clip(np.ceil(high), 0, height).astype(int)
  crossings = (stop - first).ravel()  # rows that each edge crosses
  edge = np.repeat(np.arange(crossings.size), crossings)
  before = np.cumsum(crossings) - crossings
  row = first.ravel()[edge] + np.arange(edge.size) - before[edge]
  (r0, c0), (r1, c1) = start.reshape(-1, 2)[edge].T, end.reshape(-1, 2)[edge].T
  column = np.clip(np.ceil(c0 + (row - r0) * (c1 - c0) / (r1 - r0)), 0, width).astype(int)
  polygon = edge // polygons.shape[1]
  turned = np.bincount((polygon * height + row) * (width + 1) + column, minlength=count * height * (width + 1))
  inside = np.cumsum(turned.reshape(count, height, width + 1), axis=-1) % 2
  return inside[..., :width].astype(bool)
