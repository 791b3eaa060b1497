"""Random transforms of a training cine. The plane's transforms turn the in-plane velocity vector with the picture."""

import numpy as np
from ml_collections import ConfigDict
from scipy import ndimage

from ear_jax.cine import flip_video, rot90_video, turn_vectors
from ear_jax.data.window import central_window


def augment(
  video: np.ndarray, mask: np.ndarray, config: ConfigDict, rng: np.random.Generator, *, size: int, shift: int
) -> tuple[np.ndarray, np.ndarray]:
  """Returns a randomly transformed `size` x `size` window of a normalised cine, and its mask.

  Args:
    video: `[T, H, W, C]` normalised.
    mask: `[T, H, W]` integer classes.
    config: the `augment` section.
    rng: source of all randomness.
    size: pixels of the window, taken at the centre of the picture.
    shift: largest random shift of the window, in pixels.
  """
  video, mask = _window(video, mask, config, rng, size, shift)
  k = int(rng.integers(4)) if config.rot90 else 0
  video, mask = rot90_video(video, k), np.rot90(mask, k, axes=(1, 2))
  if config.flip and rng.random() < 0.5:
    video, mask = flip_video(video, 'column'), np.flip(mask, 2)
  video = np.array(video, np.float32, order='C')
  if config.intensity:
    _change_intensity(video, config.intensity, rng)
  return video, np.ascontiguousarray(mask)


def _window(video, mask, config, rng, size, shift):
  """Returns the central window, shifted, rotated, zoomed and deformed in one interpolation; none for whole pixels."""
  offset = rng.integers(-shift, shift + 1, 2) if shift else np.zeros(2, int)
  centre = (np.array(mask.shape[1:]) - 1) / 2
  if not (config.rotate or config.scale or config.elastic):
    return central_window(video, size, offset, edge=True), central_window(mask, size, offset)
  angle = np.deg2rad(rng.uniform(-config.rotate, config.rotate))
  zoom = rng.uniform(1 - config.scale, 1 + config.scale)
  grid = np.stack(np.meshgrid(*(np.arange(size) - (size - 1) / 2,) * 2, indexing='ij'))  # [2, size, size]
  cos, sin = np.cos(angle), np.sin(angle)
  rotation = np.array([[cos, sin], [-sin, cos]])  # (row, column); counter-clockwise on screen by `angle`
  source = np.einsum('ij,jhw->ihw', rotation, grid) / zoom + (centre + offset)[:, None, None]
  if config.elastic:
    source = source + _smooth_field(rng, size, config.elastic)
  return turn_vectors(_sample(video, source, 1), cos, sin), _sample(mask[..., None], source, 0)[..., 0]


def _sample(array, source, order):
  """Returns `[T, h, w, C]`, interpolated at `source` `[2, h, w]`; beyond its edge, the edge of pictures, 0 in masks."""
  planes = np.moveaxis(array, -1, 1).reshape(-1, *array.shape[1:3])  # [T * C, H, W]
  mode = 'nearest' if order else 'constant'
  sampled = np.stack([ndimage.map_coordinates(p, source, order=order, mode=mode) for p in planes])
  sampled = sampled.reshape(array.shape[0], array.shape[3], *source.shape[1:])
  return np.moveaxis(sampled, 1, -1).astype(array.dtype)


def _smooth_field(rng, size, deviation):
  """Returns a smooth random displacement `[2, size, size]` with the given standard deviation in pixels."""
  coarse = rng.normal(0.0, deviation, (2, 5, 5))
  return np.stack([ndimage.zoom(c, size / 5, order=3, grid_mode=True, mode='nearest') for c in coarse])


def _change_intensity(video, strength, rng):
  """Changes contrast, brightness, gamma and noise of the magnitude, in place; velocities are measurements and stay."""
  magnitude = video[..., 0]
  magnitude *= 1 + strength * rng.uniform(-0.3, 0.3)
  magnitude += strength * rng.uniform(-0.3, 0.3)
  low, high = float(magnitude.min()), float(magnitude.max())
  gamma = np.exp(strength * rng.uniform(-0.4, 0.4))
  if high > low:
    magnitude[:] = ((magnitude - low) / (high - low)) ** np.float32(gamma) * (high - low) + low
  magnitude += rng.normal(0.0, 0.08 * strength * rng.random(), magnitude.shape).astype(np.float32)
