"""A video of features as one layer hands it to the next: an array, or one still to be computed from what was kept.

Norm, activation and attention's product are cheap, so each layer that reads their result computes it itself, and only
what it is computed from, results of convolutions, is kept for the gradient: a third of the memory (`performance.md`).
"""

import dataclasses
from collections.abc import Callable
from typing import Self

import flax.struct
import jax
import jax.numpy as jnp

TIME_PADDINGS = ('zero', 'cyclic')


@flax.struct.dataclass
class Pending:
  """A video of which `jnp.asarray` gives the array, or a convolution group of frames by group.

  Attributes:
    videos: one or more `[B, T, H, W, C]`, all of one shape, which is also the result's.
    constants: what is the same for all frames.
    functions: the first takes videos and constants, each other one the result before it; all work pixel by pixel.
  """

  videos: tuple[jax.Array, ...]
  constants: tuple[jax.Array, ...] = ()
  functions: tuple[Callable[..., jax.Array], ...] = flax.struct.field(pytree_node=False, default=())

  @property
  def shape(self) -> tuple[int, ...]:
    """Of the video, `[B, T, H, W, C]`."""
    return self.videos[0].shape

  def __jax_array__(self) -> jax.Array:
    videos = self.videos + self.constants
    for function in self.functions:
      videos = (function(*videos),)
    return videos[0]

  def astype(self, dtype: jax.typing.DTypeLike) -> Self:
    """Returns the same from videos of another dtype."""
    return dataclasses.replace(self, videos=tuple(video.astype(dtype) for video in self.videos))


Video = jax.Array | Pending
Arrays = tuple[jax.Array, ...]


def pending(x: Video) -> Pending:
  """Returns the argument, or an array as a `Pending` with nothing left to do."""
  return x if isinstance(x, Pending) else Pending((x,))


def pixelwise(function: Callable[..., jax.Array], x: Video, *more: jax.Array, constants: Arrays = ()) -> Video:
  """Returns `function(x, *more, *constants)`, left to whatever reads it.

  Args:
    function: of a pixel's channels; one object for all calls, so that JAX sees one structure: no lambda of a call.
    x: `[B, T, H, W, C]`, like the result.
    more: others of that shape.
    constants: what is the same for all frames, such as a gain `[B, C]`.
  """
  if isinstance(x, Pending) and not more and not constants:
    return dataclasses.replace(x, functions=(*x.functions, function))
  return Pending((jnp.asarray(x), *more), constants, (function,))


def pad_time(x: jax.Array, before: int, after: int, time_padding: str) -> jax.Array:
  """Returns `[B, before + T + after, H, W, C]`, padded with zeros or with the other end of the cycle.

  Raises: ValueError for another `time_padding`, or for more frames of cyclic padding than the cycle has.
  """
  if time_padding not in TIME_PADDINGS:
    raise ValueError(f'time padding {time_padding!r} is not one of {TIME_PADDINGS}')
  if time_padding == 'zero':
    return jnp.pad(x, ((0, 0), (before, after), (0, 0), (0, 0), (0, 0)))
  # Not by jnp.pad, which cannot wrap a number of frames that is a symbol, as in an exported network.
  t = x.shape[1]
  if isinstance(t, int) and max(before, after) > t:
    raise ValueError(f'{t} frames cannot be padded cyclically with {before} before and {after} after')
  return jnp.concatenate([x[:, t - before :], x, x[:, :after]], axis=1)
