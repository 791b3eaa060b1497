"""Recurrence over the frames of a cine: a convolutional LSTM, and the dense LSTM that the authors released.

The paper's Eq. 2 is `out = reshape(LSTM(reshape(in)))`. Flattened, such an LSTM holds 51.7 G weights at 512 x 512; a
ConvLSTM (Shi et al., NeurIPS 2015, arXiv 1506.04214) computes its gates by convolutions and fits any picture size.
"""

from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from ear_jax.models.conv import Conv3D, conv2d_in_scan
from ear_jax.models.video import Video

_over_frames = partial(nn.scan, variable_broadcast='params', split_rngs={'params': False}, in_axes=1, out_axes=1)


class ConvLSTM(nn.Module):
  """Runs a ConvLSTM over the frames of `[B, T, H, W, C]` and returns its hidden states, `[B, T, H, W, features]`.

  The input convolution does not depend on the state, so it is hoisted out of the scan and done for all frames at
  once. Gates are in the order i, g, f, o with 1 added to the forget gate, as in `flax.linen.ConvLSTMCell`.

  Attributes:
    features: channels of the state.
    reverse: runs from the last frame to the first.
    cyclic: starts from the state at the end of a warm-up pass over the cycle, since frame 0 follows the last frame.
  """

  features: int
  reverse: bool = False
  cyclic: bool = False
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    b, _, h, w, _ = x.shape
    gates = Conv3D(4 * self.features, (1, 3, 3), dtype=self.dtype, name='input')(x)  # [B, T, H, W, 4F]
    step = _over_frames(_Step, reverse=self.reverse)(self.features, self.dtype, name='hidden')
    zeros = jnp.zeros((b, h, w, self.features), jnp.float32)
    carry = (zeros, zeros)
    if self.cyclic:
      carry, _ = step(carry, gates)
    _, hidden = step(carry, gates)
    return hidden.astype(self.dtype)


Carry = tuple[jax.Array, jax.Array]  # (c, h), float32


class _Step(nn.Module):
  """One frame of the ConvLSTM; the carry `(c, h)` stays in float32 so that long cycles do not drift."""

  features: int
  dtype: Any

  @nn.compact
  def __call__(self, carry: Carry, gates: jax.Array) -> tuple[Carry, jax.Array]:
    c, h = carry
    kernel = self.param('kernel', nn.initializers.glorot_uniform(), (3, 3, self.features, 4 * self.features))
    recurrent = conv2d_in_scan(h.astype(self.dtype), kernel.astype(self.dtype))
    return _advance(c, gates + recurrent)


def _advance(c: jax.Array, gates: jax.Array) -> tuple[Carry, jax.Array]:
  """Returns the next carry `(c, h)`, and h again as output, from the summed gates `[..., 4F]`."""
  i, g, f, o = jnp.split(gates.astype(jnp.float32), 4, axis=-1)
  c = nn.sigmoid(f + 1.0) * c + nn.sigmoid(i) * jnp.tanh(g)
  h = nn.sigmoid(o) * jnp.tanh(c)
  return (c, h), h


class TemporalBlock(nn.Module):
  """The temporal bottleneck: `x + ConvLSTM(x)`, which keeps the number of channels.

  With `bidirectional`, half of the channels run forward and half backward in time.
  """

  bidirectional: bool = False
  cyclic: bool = False
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x: Video) -> jax.Array:
    x = jnp.asarray(x)
    channels = x.shape[-1]
    if not self.bidirectional:
      return x + ConvLSTM(channels, cyclic=self.cyclic, dtype=self.dtype, name='forward')(x)
    half = channels // 2
    forward = ConvLSTM(half, cyclic=self.cyclic, dtype=self.dtype, name='forward')(x)
    backward = ConvLSTM(channels - half, reverse=True, cyclic=self.cyclic, dtype=self.dtype, name='backward')(x)
    return x + jnp.concatenate([forward, backward], axis=-1)


class DenseLSTM(nn.Module):
  """The released recurrence: each frame flattened, an LSTM with H * W units, its states as one channel.

  For comparison with the authors' code only: at 16 x 16 x 512 it holds 134 M weights.
  """

  dtype: Any = jnp.float32
  max_units: int = 256

  @nn.compact
  def __call__(self, x: Video) -> jax.Array:
    b, t, h, w, c = x.shape
    units = h * w
    if units > self.max_units:
      raise ValueError(
        f'dense_lstm at {h} x {w} positions would hold {4 * units * (units * c + units + 1) / 1e6:.0f} M weights; '
        "use a smaller crop, or model.temporal='convlstm'"
      )
    gates = nn.Dense(4 * units, use_bias=False, dtype=self.dtype, name='input')(jnp.asarray(x).reshape(b, t, units * c))
    zeros = jnp.zeros((b, units), jnp.float32)
    _, hidden = _over_frames(_DenseStep)(units, self.dtype, name='hidden')((zeros, zeros), gates)
    return hidden.astype(self.dtype).reshape(b, t, h, w, 1)


class _DenseStep(nn.Module):
  units: int
  dtype: Any

  @nn.compact
  def __call__(self, carry: Carry, gates: jax.Array) -> tuple[Carry, jax.Array]:
    c, h = carry
    return _advance(c, gates + nn.Dense(4 * self.units, dtype=self.dtype, name='dense')(h))
