"""The training set in the device's memory, and batches that are made of it there.

A record is read once, cut to the window that augmentation can reach, and kept as the 16-bit counts of the data set,
with the numbers that normalise it. A batch is then asked for by frame numbers and one random seed a cine; normalising
and augmenting it is a JAX function, the same as `data.augment` within rounding, with random numbers of its own. A cine
of the paper's size costs the host nothing after the first epoch, where it costs the other way 2 s of a core each time.
"""

import functools
import math
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from ear_jax.cine import as_venc
from ear_jax.data.augment import COARSE, Draw, smooth_field
from ear_jax.data.normalise import normalisation
from ear_jax.data.pipeline import learnt_from
from ear_jax.data.tone import Curve, curve_to, toned
from ear_jax.data.window import central_window

_FAR = 4.0  # standard deviations of an elastic deformation that a window has room for


class Windows(NamedTuple):
  """All frames F of the training cines, one after the other: `counts * factor + addend` is the network's input.

  NumPy's arrays on the host, jax's on a device.

  Attributes:
    counts: `[F, R, R, C]` int16.
    mask: `[F, R, R]` uint8.
    annotated: `[F]` bool, or float32 weights of `with_carried`.
    factor, addend: `[F, C]` float32, of the frames that begin here.
    tone: `[F, 3]` float32, of these too: the `Curve` that the magnitude's counts follow first, with `data.tone`.
  """

  counts: Any
  mask: Any
  annotated: Any
  factor: Any
  addend: Any
  tone: Any


def reach(config: ConfigDict) -> int:
  """Returns how many pixels a side augmentation can see of a picture, for a window of `data.crop`."""
  augment = config.augment
  angle = math.radians(min(augment.rotate, 45.0))
  turned = config.data.crop * (math.cos(angle) + math.sin(angle)) / (1 - augment.scale)
  return 2 * math.ceil(turned / 2 + config.data.shift + _FAR * augment.elastic + 1)


def windows_of(examples: Iterable[Callable[[], dict]], config: ConfigDict) -> Windows:
  """Returns the windows of examples as the data set stores them, in their order; `data.threads` read at a time.

  No example is kept: a cine of the paper's size has 105 MB, its window a third of that or less.
  """
  size = _odd_as(reach(config), config.data.crop)
  with ThreadPoolExecutor(max(1, config.data.threads)) as pool:
    parts = list(pool.map(lambda read: _windows(read(), config, size), examples))
    size = min(size, _odd_as(max(max(part.mask.shape[1:]) for part in parts), config.data.crop))
    parts = list(pool.map(lambda part: _cut(part, size), parts))  # those of smaller pictures
  return Windows(*map(np.concatenate, zip(*parts, strict=True)))


def _odd_as(size: int, crop: int) -> int:
  """Returns a size, or the next, that is odd or even as the crop, so that the middle of both is at one place."""
  return size + (size - crop) % 2


def _windows(example: dict, config: ConfigDict, size: int) -> Windows:
  """Returns the windows of an example; where the picture is smaller, all of it."""
  channels, frames = config.data.channels, len(example['annotated'])
  counts, mask = example['video'][..., :channels], example['mask']
  factor, addend, curve = zip(*(_numbers(example, config, start) for start in _starts(frames, config)), strict=True)
  every = np.arange(frames) % len(factor)  # cines that are not cut in time have one set of numbers
  numbers = (np.array(each, np.float32)[every] for each in (factor, addend, curve))
  whole = Windows(counts, mask, learnt_from(example['annotated'], config), *numbers)
  return _cut(whole, size) if max(mask.shape[1:]) > size else whole


def _cut(windows: Windows, size: int) -> Windows:
  if windows.mask.shape[1:] == (size, size):
    return windows
  return windows._replace(
    counts=central_window(windows.counts, size, edge=True), mask=central_window(windows.mask, size)
  )


def _numbers(example: dict, config: ConfigDict, start: slice | np.ndarray) -> tuple[np.ndarray, np.ndarray, Curve]:
  """Returns factor and addend `[C]` of a part of a cycle, and the curve of its magnitude."""
  channels, method, crop = config.data.channels, config.data.normalise, config.data.crop
  scale = np.asarray(example['scale'][:channels], np.float32)
  venc = as_venc(example['venc']) if channels > 1 else None
  video, curve, of_counts = example['video'][start][..., :channels], Curve(1.0, 0.0, 1.0), np.arange(channels) == 0
  if config.data.tone:
    curve = curve_to(config.data.tone, video[..., :1], crop)
    video, of_counts, scale = toned(video, curve), np.zeros(channels, bool), np.where(of_counts, 1, scale)
  if method == 'joint':
    middle, spread = normalisation(video * scale, venc, method, crop)
  else:
    # Velocities have their venc, whatever they are; of the magnitude the counts will do, a tenth of the work.
    middle, spread = (each * np.where(of_counts, scale, 1) for each in normalisation(video, venc, method, crop))
  return scale / spread, -middle / spread, curve


def _starts(frames: int, config: ConfigDict) -> list[slice | np.ndarray]:
  """Returns the frames of every part of a cycle that may be drawn."""
  if not config.data.frames:
    return [slice(None)]
  return [(start + np.arange(config.data.frames)) % frames for start in range(frames)]


def make_batches(config: ConfigDict) -> Callable[[Windows, dict], dict]:
  """Returns `batch(windows, asked)` for one device, a pure JAX function.

  `asked` has `frames` int32 `[B, T]`, positions in the windows, and `seed` uint32 `[B]`; the batch is that of
  `pipeline.training_batches` without the axis of devices.
  """
  size, shift = config.data.crop, config.data.shift

  def one(windows: Windows, frames: jax.Array, seed: jax.Array) -> dict:
    chance, grain = jax.random.split(jax.random.key(seed))
    drawn = draw(chance, config.augment, shift)
    video, mask = transform(windows, frames, drawn, size, bool(config.data.tone))
    if config.augment.intensity:
      video = video.at[..., 0].add(drawn.noise * jax.random.normal(grain, video.shape[:-1]))
    return {'video': video, 'mask': mask, 'annotated': windows.annotated[frames]}

  def batch(windows: Windows, asked: dict) -> dict:
    return jax.vmap(functools.partial(one, windows))(asked['frames'], asked['seed'])

  return batch


def draw(key: jax.Array, config: ConfigDict, shift: int) -> Draw:
  """Returns what chance decides about a cine; as `augment.draw`, by jax's random numbers."""
  keys = iter(jax.random.split(key, 10))

  def even(low: float, high: float) -> jax.Array:
    return jax.random.uniform(next(keys), minval=low, maxval=high)

  turn, strength = math.radians(config.rotate), config.intensity
  return Draw(
    offset=jax.random.randint(next(keys), (2,), -shift, shift + 1),
    angle=even(-turn, turn),
    zoom=even(1 - config.scale, 1 + config.scale),
    bend=config.elastic * jax.random.normal(next(keys), (2, *COARSE)),
    quarters=jax.random.randint(next(keys), (), 0, 4 if config.rot90 else 1),
    mirrored=jax.random.bernoulli(next(keys), 0.5 if config.flip else 0.0),
    contrast=1 + strength * even(-0.3, 0.3),
    lift=strength * even(-0.3, 0.3),
    gamma=jnp.exp(strength * even(-0.4, 0.4)),
    noise=0.08 * strength * even(0.0, 1.0),
  )


def transform(
  windows: Windows, frames: jax.Array, drawn: Draw, size: int, has_tone: bool = False
) -> tuple[jax.Array, jax.Array]:
  """Returns video `[T, size, size, C]` and mask of some frames as a draw says; as `augment.transform`."""
  source = _source(drawn, size, windows.mask.shape[1:])
  video = _linear(windows.counts, frames, source, Curve(*windows.tone[frames[0]]) if has_tone else None)
  factor, addend = (numbers[frames[0]][None, None, None] for numbers in (windows.factor, windows.addend))
  video = video * factor + addend
  if video.shape[-1] > 1:
    video = _turned(video, drawn)
  magnitude = video[..., 0] * drawn.contrast + drawn.lift
  low, high = magnitude.min(), magnitude.max()
  span = jnp.maximum(high - low, 1e-12)
  # XLA may compute the magnitude twice and round it otherwise, below its minimum: a power of that would be NaN.
  rise = jnp.maximum(magnitude - low, 0) / span
  return video.at[..., 0].set(rise**drawn.gamma * span + low), _nearest(windows.mask, frames, source)


def _source(drawn: Draw, size: int, shape: tuple[int, ...]) -> jax.Array:
  """Returns the place `[2, size, size]` in a window, row and column, of each pixel of the result."""
  line = jnp.arange(size) - (size - 1) / 2
  rows, columns = jnp.meshgrid(line, line, indexing='ij')
  cos, sin = jnp.cos(drawn.angle), jnp.sin(drawn.angle)
  grid = jnp.stack([cos * rows + sin * columns, -sin * rows + cos * columns]) / drawn.zoom
  # The middle of the window; of an even window in an odd picture, or the other way, half a pixel before it.
  centre = jnp.array([math.floor((n - size) / 2 + 0.5) + (size - 1) / 2 for n in shape])
  field = jnp.einsum('ij,ajk,lk->ail', _spline(size), drawn.bend, _spline(size), precision='highest')
  source = grid + (centre + drawn.offset)[:, None, None] + field
  source = jnp.stack([jnp.rot90(source, k, axes=(1, 2)) for k in range(4)])[drawn.quarters]
  return jnp.where(drawn.mirrored, source[..., ::-1], source)


def _linear(counts: jax.Array, frames: jax.Array, source: jax.Array, curve: Curve | None) -> jax.Array:
  """Returns counts `[T, size, size, C]` float32 between pixels; beyond the window, those of its border.

  With a curve, those of the magnitude follow it before they are mixed.
  """
  limit = jnp.array(counts.shape[1:3])[:, None, None] - 1
  source = jnp.clip(source, 0, limit)
  low = jnp.floor(source).astype(jnp.int32)
  high, part = jnp.minimum(low + 1, limit), source - low

  def at(row: jax.Array, column: jax.Array) -> jax.Array:
    values = counts[frames[:, None, None], row[None], column[None]].astype(jnp.float32)
    if curve is None:
      return values
    return values.at[..., 0].set(jnp.maximum(values[..., 0] * curve.factor + curve.addend, 0) ** curve.power)

  row, column = part[:, None, :, :, None]
  above = at(low[0], low[1]) * (1 - column) + at(low[0], high[1]) * column
  below = at(high[0], low[1]) * (1 - column) + at(high[0], high[1]) * column
  return above * (1 - row) + below * row


def _nearest(mask: jax.Array, frames: jax.Array, source: jax.Array) -> jax.Array:
  """Returns the classes `[T, size, size]`; 0 beyond the window."""
  limit = jnp.array(mask.shape[1:])[:, None, None] - 1
  inside = ((source >= 0) & (source <= limit)).all(0)
  row, column = jnp.clip(jnp.floor(source + 0.5).astype(jnp.int32), 0, limit)
  return mask[frames[:, None, None], row[None], column[None]] * inside[None].astype(mask.dtype)


def _turned(video: jax.Array, drawn: Draw) -> jax.Array:
  """Returns the video with its in-plane velocity turned as its picture was, see `cine.turn_vectors`."""
  cos, sin = jnp.cos(drawn.angle), jnp.sin(drawn.angle)
  quarter_cos, quarter_sin = (jnp.array(t)[drawn.quarters] for t in ((1, 0, -1, 0), (0, 1, 0, -1)))
  cos, sin = cos * quarter_cos - sin * quarter_sin, sin * quarter_cos + cos * quarter_sin
  column, row = video[..., 1], video[..., 2]
  side = jnp.where(drawn.mirrored, -1.0, 1.0)
  turned = jnp.stack([side * (cos * column + sin * row), -sin * column + cos * row], -1)
  return video.at[..., 1:3].set(turned)


@functools.cache
def _spline(size: int) -> np.ndarray:
  """Returns the matrix `[size, 5]` by which `smooth_field` spreads five numbers along a line."""
  ends = np.eye(COARSE[0])[:, :, None] * np.ones(COARSE[1])
  return smooth_field(ends, size)[:, :, 0].T.astype(np.float32)
