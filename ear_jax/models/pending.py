"""A video whose norm and activation are still to be done: what a convolution of the network hands to the next."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import flax.struct
import jax
import jax.numpy as jnp

from ear_jax.models.frames import group_of


def identity(x: jax.Array) -> jax.Array:
  """Returns `x`."""
  return x


@flax.struct.dataclass
class Pending:
  """Stands for `activation(gain * video + offset)`, which is never kept, only `video` is.

  Attributes:
    video: `[B, T, H, W, C]`, the convolution's result.
    gain, offset: `[B, C]` float32, the norm as a line for each channel; both None where it was applied already.
    activation: elementwise function.
  """

  video: jax.Array
  gain: jax.Array | None = None
  offset: jax.Array | None = None
  activation: Callable[[jax.Array], jax.Array] = flax.struct.field(pytree_node=False, default=identity)

  def value(self) -> jax.Array:
    """Returns the activated video, in the dtype of `video`."""
    x = self.video
    if self.gain is not None:
      each = (slice(None), None, None, None, slice(None))
      x = (x.astype(jnp.float32) * self.gain[each] + self.offset[each]).astype(x.dtype)
    return self.activation(x)

  def astype(self, dtype: jax.typing.DTypeLike) -> Pending:
    """Returns the same with the video in another dtype."""
    return dataclasses.replace(self, video=self.video.astype(dtype))

  def group(self, group: jax.Array, groups: int) -> Pending:
    """Returns one of the equal groups of frames; see `frames.group_of`."""
    return dataclasses.replace(self, video=group_of(self.video, group, groups))

  def pull(self, gradient: jax.Array) -> Pending:
    """Returns the gradients by video, gain and offset, from that by the value."""
    return jax.vjp(Pending.value, self)[1](gradient)[0]


def pending(x: jax.Array | Pending) -> Pending:
  """Returns the argument, or an array as a `Pending` with nothing left to do."""
  return x if isinstance(x, Pending) else Pending(x)
