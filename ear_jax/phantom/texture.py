"""Random fields and shapes with soft edges, from which `chest` and `ventricles` draw pictures."""

from collections.abc import Sequence

import numpy as np
from scipy import fft, ndimage

Field = np.ndarray  # a number at each pixel or point, any shape
_EDGE = 1.2  # mm over which a border between tissues fades; finer than the acquired pixel


def soft(inside: Field) -> Field:
  """Returns the coverage in [0, 1] of a region from the distance (mm) to its border, positive inside."""
  return np.clip(inside / _EDGE + 0.5, 0, 1)


def ellipse(
  x: Field, y: Field, centre: Sequence[float] | np.ndarray, axes: tuple[float, float], angle: float = 0.0
) -> Field:
  """Returns about the distance in mm to the border of an ellipse, positive inside; x, y any shape, mm."""
  cos, sin = np.cos(angle), np.sin(angle)
  dx, dy = x - centre[0], y - centre[1]
  across, along = (cos * dx + sin * dy) / axes[0], (cos * dy - sin * dx) / axes[1]
  return (1 - np.sqrt(across**2 + along**2)) * min(axes)


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], scale: float) -> np.ndarray:
  """Returns a periodic Gaussian random field `shape` float32, mean 0, variance 1, correlated over `scale` pixels."""
  white = rng.standard_normal(shape, dtype=np.float32)
  rows, columns = fft.fftfreq(shape[0])[:, None], fft.rfftfreq(shape[1])[None]
  low = np.exp(-2 * (np.pi * scale) ** 2 * (rows**2 + columns**2)).astype(np.float32)
  field = fft.irfft2(fft.rfft2(white) * low, shape)
  field -= field.mean()
  return (field / field.std()).astype(np.float32)


class Tile:
  """A periodic random field that can be looked up at points, so that a texture moves with its tissue."""

  def __init__(self, rng: np.random.Generator, scales: tuple[float, ...], size: int = 192):
    """Makes a tile of `size` mm with equal parts of noise correlated over `scales` mm."""
    self._field = sum(smooth_noise(rng, (size, size), s) for s in scales) / np.sqrt(len(scales))

  def __call__(self, x: Field, y: Field) -> Field:
    """Returns the field at x, y in mm, any shape, float32, variance about 1."""
    return ndimage.map_coordinates(self._field, [y, x], order=1, mode='grid-wrap')
