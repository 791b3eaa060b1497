"""Finds the heart in a picture: the area of a heart's size whose signal varies most with the cardiac cycle.

The first harmonic of the cardiac cycle is strong where tissue or blood moves with the heartbeat and weak in the chest
wall; weighted with the magnitude, the random phase of air and lung does not count. The network then works on a window
about the place found, and moves it to what it delineated.
"""

import math

import numpy as np
from scipy import ndimage

from ear_jax.cine import MAGNITUDE, Cine

_RADIUS = 14.0  # mm, standard deviation of the blur: about the radius of a ventricle
_BLUR = 0.03  # the same, of the picture's width, where the pixel spacing is unknown
_COARSE = 128  # pixels: larger pictures are thinned out to between this and twice this
_PEAKS = 3


def heart_centres(cine: Cine) -> list[tuple[float, float]]:
  """Returns up to three places where the heart may be, (row, column) in pixels, the likeliest first.

  A cine of one frame, in which nothing moves, gives the middle of the picture.
  """
  rows, columns = cine.mask.shape[1:]
  if cine.video.shape[0] < 3:
    return [((rows - 1) / 2, (columns - 1) / 2)]
  step = max(1, min(rows, columns) // _COARSE)
  pulse = pulsation(cine.video[:, ::step, ::step], cine.venc)
  sigma = [
    (_RADIUS / spacing if math.isfinite(spacing) else _BLUR * max(rows, columns)) / step for spacing in cine.spacing
  ]
  blurred = ndimage.gaussian_filter(pulse, sigma, mode='constant')
  return [(r * step, c * step) for r, c in _peaks(blurred, sigma)]


def pulsation(video: np.ndarray, venc: tuple[float, float, float] | None) -> np.ndarray:
  """Returns the strength `[H, W]` of the first harmonic over the cycle of `[T, H, W, C]`, weighted with the magnitude.

  Of the magnitude, relative to its range, and of the three velocities, relative to venc.
  """
  magnitude = video[..., MAGNITUDE]
  scale = max(float(np.percentile(magnitude, 99)), 1e-6)
  strength = _first_harmonic(magnitude / scale)
  if venc is None:
    return strength
  velocity = sum(_first_harmonic(video[..., c] / venc[c - 1]) ** 2 for c in (1, 2, 3))
  return strength + np.minimum(magnitude.mean(0) / scale, 1.0) * np.sqrt(velocity)


def _first_harmonic(signal):
  """Returns the amplitude `[H, W]` of the first harmonic of `[T, H, W]`."""
  turn = np.exp(-2j * np.pi * np.arange(len(signal)) / len(signal)).astype(np.complex64)
  return np.abs(np.tensordot(turn, signal, axes=(0, 0))) * (2 / len(signal))


def _peaks(blurred, sigma):
  """Returns the highest places (row, column), each outside the reach of those before it."""
  left = blurred.copy()
  peaks: list[tuple[float, float]] = []
  rows, columns = np.indices(left.shape)
  highest = left.max()
  while len(peaks) < _PEAKS and left.max() > 0.3 * highest > 0:
    r, c = np.unravel_index(np.argmax(left), left.shape)
    peaks.append((float(r), float(c)))
    left[((rows - r) / sigma[0]) ** 2 + ((columns - c) / sigma[1]) ** 2 < 3.0**2] = 0
  return peaks or [((left.shape[0] - 1) / 2, (left.shape[1] - 1) / 2)]
