"""Random transforms of a training cine. The plane's transforms turn the in-plane velocity vector with the picture."""

from typing import Any, NamedTuple

import numpy as np
from ml_collections import ConfigDict
from scipy import ndimage

from ear_jax.cine import flip_video, rot90_video, turn_vectors
from ear_jax.data.window import central_window

COARSE = (5, 5)  # numbers of a smooth deformation along rows and columns


class Draw(NamedTuple):
  """What chance decides about one training cine; NumPy's or jax's numbers alike.

  Attributes:
    offset: `[2]` rows and columns by which the window moves.
    angle: of the further rotation, counter-clockwise on screen, rad.
    zoom: factor.
    bend: `[2, 5, 5]` displacements in pixels, rows then columns, of which a smooth field is made.
    quarters: turns by 90 degrees, counter-clockwise on screen.
    mirrored: left to right, after the turns.
    contrast, lift, gamma: what the magnitude is multiplied by, raised by and to.
    noise: standard deviation of what is added to the magnitude.
  """

  offset: Any
  angle: Any
  zoom: Any
  bend: Any
  quarters: Any
  mirrored: Any
  contrast: Any = 1.0
  lift: Any = 0.0
  gamma: Any = 1.0
  noise: Any = 0.0


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
  drawn = draw(config, rng, shift)
  video, mask = transform(video, mask, drawn, size)
  if config.intensity:
    video[..., 0] += rng.normal(0.0, drawn.noise, video.shape[:-1]).astype(np.float32)
  return video, mask


def draw(config: ConfigDict, rng: np.random.Generator, shift: int) -> Draw:
  """Returns what chance decides about a cine; of what is switched off nothing is drawn."""
  offset, angle, zoom, bend = np.zeros(2, int), 0.0, 1.0, np.zeros((2, *COARSE))
  if shift:
    offset = rng.integers(-shift, shift + 1, 2)
  if config.rotate or config.scale or config.elastic:
    angle = np.deg2rad(rng.uniform(-config.rotate, config.rotate))
    zoom = rng.uniform(1 - config.scale, 1 + config.scale)
  if config.elastic:
    bend = rng.normal(0.0, config.elastic, bend.shape)
  quarters = int(rng.integers(4)) if config.rot90 else 0
  drawn = Draw(offset, angle, zoom, bend, quarters, bool(config.flip and rng.random() < 0.5))
  if not config.intensity:
    return drawn
  contrast = 1 + config.intensity * rng.uniform(-0.3, 0.3)
  lift = config.intensity * rng.uniform(-0.3, 0.3)
  gamma = np.exp(config.intensity * rng.uniform(-0.4, 0.4))
  return drawn._replace(contrast=contrast, lift=lift, gamma=gamma, noise=0.08 * config.intensity * rng.random())


def transform(video: np.ndarray, mask: np.ndarray, drawn: Draw, size: int) -> tuple[np.ndarray, np.ndarray]:
  """Returns the `size` x `size` window and its mask as a draw says, without the noise; see `augment`."""
  video, mask = _window(video, mask, drawn, size)
  video, mask = rot90_video(video, drawn.quarters), np.rot90(mask, drawn.quarters, axes=(1, 2))
  if drawn.mirrored:
    video, mask = flip_video(video, 'column'), np.flip(mask, 2)
  video = np.array(video, np.float32, order='C')
  if (drawn.contrast, drawn.lift, drawn.gamma) != (1.0, 0.0, 1.0):
    _change_intensity(video[..., 0], drawn)
  return video, np.ascontiguousarray(mask)


def _window(video, mask, drawn, size):
  """Returns the central window, shifted, rotated, zoomed and deformed in one interpolation; none for whole pixels."""
  if not drawn.angle and drawn.zoom == 1 and not drawn.bend.any():
    return central_window(video, size, drawn.offset, edge=True), central_window(mask, size, drawn.offset)
  centre = np.array([np.floor((n - size) / 2 + 0.5) + (size - 1) / 2 for n in mask.shape[1:]])
  grid = np.stack(np.meshgrid(*(np.arange(size) - (size - 1) / 2,) * 2, indexing='ij'))  # [2, size, size]
  cos, sin = np.cos(drawn.angle), np.sin(drawn.angle)
  rotation = np.array([[cos, sin], [-sin, cos]])  # (row, column); counter-clockwise on screen by the angle
  source = np.einsum('ij,jhw->ihw', rotation, grid) / drawn.zoom + (centre + drawn.offset)[:, None, None]
  if drawn.bend.any():
    source = source + smooth_field(drawn.bend, size)
  return turn_vectors(_sample(video, source, 1), cos, sin), _sample(mask[..., None], source, 0)[..., 0]


def _sample(array, source, order):
  """Returns `[T, h, w, C]`, interpolated at `source` `[2, h, w]`; beyond its edge, the edge of pictures, 0 in masks."""
  planes = np.moveaxis(array, -1, 1).reshape(-1, *array.shape[1:3])  # [T * C, H, W]
  mode = 'nearest' if order else 'constant'
  sampled = np.stack([ndimage.map_coordinates(p, source, order=order, mode=mode) for p in planes])
  sampled = sampled.reshape(array.shape[0], array.shape[3], *source.shape[1:])
  return np.moveaxis(sampled, 1, -1).astype(array.dtype)


def smooth_field(bend: np.ndarray, size: int) -> np.ndarray:
  """Returns the displacement `[2, size, size]` in pixels of a draw's `bend`: cubic splines through its numbers."""
  return np.stack([ndimage.zoom(c, size / len(c), order=3, grid_mode=True, mode='nearest') for c in bend])


def _change_intensity(magnitude, drawn):
  """Changes contrast, brightness and gamma of `[T, H, W]` in place; velocities are measurements and stay."""
  magnitude *= drawn.contrast
  magnitude += drawn.lift
  low, high = float(magnitude.min()), float(magnitude.max())
  if high > low:
    magnitude[:] = ((magnitude - low) / (high - low)) ** np.float32(drawn.gamma) * (high - low) + low
