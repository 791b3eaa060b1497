"""The wall straightened: a cine sampled along its contours, so that what should be wall lies between two lines.

Depth 0 is the endocardium and depth 1 the epicardium of every angle and frame; from -1 to 0 lies what the cavity should
be, from 1 to 2 what is outside, each as deep as the wall is thick in the mean. Evidence for or against a delineation
(`analysis.evidence`) is then a matter of rows and columns. Contours far from any wall see none of it so near: the same
rays are therefore sampled from the centre outward as well, in units of the ring's own radius.
"""

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from ear_jax.analysis.motion import Contours
from ear_jax.analysis.tracking import along
from ear_jax.cine import MAGNITUDE, Cine

ANGLES, SECTORS = 72, 24
DEPTHS = np.linspace(-1, 2, 37)
REACH = np.linspace(0.1, 3.1, 61)  # of the radius of the wall's middle, at every angle
_SMOOTH = 0.1  # of the wall's thickness: standard deviation that the magnitude is smoothed by
_THINNEST = 1.5  # pixels, that a wall is taken to be at least
_MIDDLE = 0.95  # of the way to the centre, that rays into the cavity go at most


class Rays(NamedTuple):
  """Whole rays through a ring; lengths in units of the radius of the wall's middle at their angle.

  Attributes:
    values: `[F, S, R, C]` float, the channels at F frames with contours, means of 24 sectors, at 61 distances.
    endo, epi: `[F, S]`, distances of the borders.
  """

  values: np.ndarray
  endo: np.ndarray
  epi: np.ndarray


class Straightened(NamedTuple):
  """A straightened wall.

  Attributes:
    values: `[F, A, U, C]` float, the channels of the cine at F frames with contours, 72 angles and 37 depths.
    endo, epi: `[F, A, 2]` (row, column), the contours at these angles.
    rays: what lies along them from the centre outward.
    frames: `[F]` int, which of the cine's.
  """

  values: np.ndarray
  endo: np.ndarray
  epi: np.ndarray
  rays: Rays
  frames: np.ndarray

  def frame(self, k: int) -> 'Straightened':
    """Returns the k-th of its frames alone."""
    one = slice(k, k + 1)
    rays = Rays(*(part[one] for part in self.rays))
    return Straightened(self.values[one], self.endo[one], self.epi[one], rays, self.frames[one])


def straighten(cine: Cine, contours: Contours) -> Straightened:
  """Returns the straightened wall of the frames that have contours, of which there must be one."""
  good = np.flatnonzero(~contours.failed)
  at = np.arange(ANGLES) * contours.endo.shape[1] // ANGLES
  endo, epi = contours.endo[good][:, at], contours.epi[good][:, at]
  thick = np.hypot(*np.moveaxis(epi - endo, -1, 0))[..., None]  # [F, A, 1]
  mean = max(float(thick.mean()), _THINNEST)
  ray = (epi - endo) / np.maximum(thick, 1e-9)
  centre = epi.mean(1, keepdims=True)
  inner, outer, radius = (_length(side - centre) for side in (endo, epi, (endo + epi) / 2))
  away = np.minimum(mean, _MIDDLE * inner) * np.minimum(DEPTHS, 0)
  away = away + thick * np.clip(DEPTHS, 0, 1) + mean * np.maximum(DEPTHS - 1, 0)  # [F, A, U] pixels
  near = endo[:, :, None] + away[..., None] * ray[:, :, None]
  whole = centre[:, :, None] + ((endo + epi) / 2 - centre)[:, :, None] * REACH[:, None]
  values = _sampled(cine.video[good], np.concatenate([near, whole], 2), _SMOOTH * mean)
  rays = Rays(by_sector(values[:, :, len(DEPTHS) :], 1), *(by_sector((r / radius)[..., 0], 1) for r in (inner, outer)))
  return Straightened(values[:, :, : len(DEPTHS)], endo, epi, rays, good)


def _length(vectors: np.ndarray) -> np.ndarray:
  return np.maximum(np.hypot(*np.moveaxis(vectors, -1, 0)), 1e-9)[..., None]


def _sampled(video: np.ndarray, points: np.ndarray, sigma: float) -> np.ndarray:
  """Returns the channels of `[F, H, W, C]` at `[F, A, U, 2]`, its magnitude smoothed."""
  last = np.array(video.shape[1:3]) - 1
  low = np.clip(np.floor(points.min((0, 1, 2))).astype(int) - 2, 0, last)
  high = np.clip(np.ceil(points.max((0, 1, 2))).astype(int) + 3, low + 1, last + 1)
  window = video[:, low[0] : high[0], low[1] : high[1]].astype(np.float32)
  width = max(sigma, 0.5)
  window[..., MAGNITUDE] = ndimage.gaussian_filter(window[..., MAGNITUDE], (0, width, width))
  values = along(window, points.reshape(len(points), -1, 2) - low)
  return values.reshape(*points.shape[:-1], -1)


def by_sector(values: np.ndarray, axis: int) -> np.ndarray:
  """Returns means over the angles of each of 24 sectors, `[..., 72, ...]` -> `[..., 24, ...]` at `axis`."""
  shape = values.shape
  return values.reshape(*shape[:axis], SECTORS, -1, *shape[axis + 1 :]).mean(axis + 1)


def between(low: float, high: float) -> np.ndarray:
  """Returns which depths `[U]` lie between two, bool."""
  return np.abs(DEPTHS - (low + high) / 2) < (high - low) / 2 + 1e-9
