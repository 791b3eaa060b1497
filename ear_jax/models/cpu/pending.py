"""A video still to be computed, pixel by pixel, from what was kept: norm and activation, or attention's product.

It is cheap to compute, so whatever reads it does so itself, and only what it is computed from is kept for the gradient.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import flax.struct
import jax
import jax.numpy as jnp

from ear_jax.models.cpu.frames import group_of, put_group, zeros_beside


def _same(video):
  return video


@flax.struct.dataclass
class Pending:
  """Stands for `function(*videos, *constants)`.

  Attributes:
    videos: one or more `[B, T, H, W, C]`, all of one shape, which is also the result's.
    constants: what is the same for all frames.
    function: works frame by frame.
  """

  videos: tuple[jax.Array, ...]
  constants: tuple[jax.Array, ...] = ()
  function: Callable[..., jax.Array] = flax.struct.field(pytree_node=False, default=_same)

  @property
  def shape(self) -> tuple[int, ...]:
    """Of the video, `[B, T, H, W, C]`."""
    return self.videos[0].shape

  def value(self) -> jax.Array:
    """Returns the video."""
    return self.function(*self.videos, *self.constants)

  def then(self, function: Callable[[jax.Array], jax.Array]) -> Pending:
    """Returns the same with a function of a pixel applied to it."""
    return dataclasses.replace(self, function=_Composed(self.function, function))

  def astype(self, dtype: jax.typing.DTypeLike) -> Pending:
    """Returns the same from videos of another dtype."""
    return dataclasses.replace(self, videos=tuple(video.astype(dtype) for video in self.videos))

  def group(self, group: jax.Array, groups: int) -> Pending:
    """Returns one of the equal groups of frames; see `frames.group_of`."""
    return dataclasses.replace(self, videos=tuple(group_of(video, group, groups) for video in self.videos))

  def no_gradient(self, beside: jax.Array) -> Pending:
    """Returns gradients of zero by videos and constants, for `add_gradient` in a loop; see `frames.zeros_beside`."""
    return jax.tree.map(lambda x: zeros_beside(beside, x.shape).astype(x.dtype), self)

  def add_gradient(self, found: Pending, gradient: jax.Array, group: jax.Array, groups: int) -> Pending:
    """Returns `found` with one group's part of the gradients, from that by the group's value `[B, n, H, W, C]`."""
    of = jax.vjp(Pending.value, self.group(group, groups))[1](gradient)[0]
    videos = tuple(put_group(video, part, group) for video, part in zip(found.videos, of.videos, strict=True))
    constants = jax.tree.map(jnp.add, found.constants, of.constants)
    return dataclasses.replace(found, videos=videos, constants=constants)


def pending(x: jax.Array | Pending) -> Pending:
  """Returns the argument, or an array as a `Pending` with nothing left to do."""
  return x if isinstance(x, Pending) else Pending((x,))


def normed(video: jax.Array, gain: jax.Array, offset: jax.Array) -> Pending:
  """Returns `gain * video + offset`, computed in float32; gain and offset are `[B, C]`."""
  return Pending((video,), (gain, offset), _line)


def _line(x, gain, offset):
  each = (slice(None), None, None, None, slice(None))
  return (x.astype(jnp.float32) * gain[each] + offset[each]).astype(x.dtype)


@dataclasses.dataclass(frozen=True)
class _Composed:
  """`outer(inner(...))`, equal to another of the same two, so that JAX sees one structure and not two."""

  inner: Callable[..., jax.Array]
  outer: Callable[[jax.Array], jax.Array]

  def __call__(self, *args):
    return self.outer(self.inner(*args))
