"""Attention on the skip connections: the released channel form, and the spatial form that the paper's Eq. 1 suggests.

Both take the skip features F of one level, `[B, T, H, W, C]`, and give the same shape. They are different
operators, not two implementations of one: say which was used.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from ear_jax.models.conv import Conv3D
from ear_jax.models.video import Video, pixelwise

QUERY_CHUNK = 512  # positions whose scores are held at once


class ChannelAttention(nn.Module):
  """Weights each channel by a softmax over channels, pixel by pixel, as the authors released it.

  One 1x3x3 convolution W serves twice: `k = W * F`, `s = W * (k . k)`, output `k . softmax_c(s)`, with `.` elementwise.
  """

  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, features: Video) -> Video:
    conv = Conv3D(features.shape[-1], (1, 3, 3), dtype=self.dtype, name='conv')
    key = conv(features)
    scores = conv(pixelwise(jnp.square, key))
    return pixelwise(_weighted, key, scores)


def _weighted(key: jax.Array, scores: jax.Array) -> jax.Array:
  return key * nn.softmax(scores.astype(jnp.float32), axis=-1).astype(key.dtype)


class SpatialAttention(nn.Module):
  """Lets each position of a frame gather from all positions of the frame (paper, Eq. 1).

  `A_i = softmax(F_i K_i^T) K_i` with `K_i = conv(F_i)` and positions as rows; no division by sqrt(C), as in Eq. 1.
  """

  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, features: Video) -> jax.Array:
    features = jnp.asarray(features)
    b, t, h, w, c = features.shape
    keys = Conv3D(c, (1, 3, 3), dtype=self.dtype, name='conv')(features)
    out = attend(features.astype(self.dtype).reshape(b * t, h * w, c), keys.reshape(b * t, h * w, c))
    return out.reshape(b, t, h, w, c)


def attend(queries: jax.Array, keys: jax.Array, chunk: int = QUERY_CHUNK) -> jax.Array:
  """Returns `softmax(queries keys^T) keys` for each frame, without ever holding all scores.

  Args:
    queries: `[N, P, C]`, N frames of P positions.
    keys: `[N, P, C]`, also the values.
    chunk: queries processed at a time; memory is `chunk * P` scores, for the gradient too (they are recomputed).

  Returns: `[N, P, C]`.
  """
  frames, positions, channels = queries.shape
  chunk = min(chunk, positions)
  padding = -positions % chunk
  blocks = jnp.pad(queries, ((0, 0), (0, padding), (0, 0))).reshape(frames, -1, chunk, channels)

  def one_frame(frame: tuple[jax.Array, jax.Array]) -> jax.Array:
    blocks_i, keys_i = frame

    @jax.checkpoint
    def one_block(block: jax.Array) -> jax.Array:
      scores = jnp.einsum('qc,kc->qk', block, keys_i, preferred_element_type=jnp.float32)
      return nn.softmax(scores, axis=-1).astype(keys_i.dtype) @ keys_i

    return jax.lax.map(one_block, blocks_i)

  out = jax.lax.map(one_frame, (blocks, keys))  # [N, blocks, chunk, C]
  return out.reshape(frames, positions + padding, channels)[:, :positions]
