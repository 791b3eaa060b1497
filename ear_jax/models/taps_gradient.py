"""The gradient of a 3-D convolution by its kernel on CPU.

XLA derives it as a convolution that has a picture for its kernel, which is slow. Here it is a sum of matrix products
over blocks of rows that stay in cache.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ear_jax.models.frames import Frames, over_windows

BLOCK_BYTES = 2**18  # of the float32 copies in one product: half of a core's second-level cache


def kernel_gradient(
  x: Frames, dy: Frames, groups: int, shape: tuple[int, int, int, int, int], time_padding: str
) -> jax.Array:
  """Returns the gradient by the kernel, float32 of `shape` `[kt, kh, kw, C, F]`.

  Args:
    x: gives the groups of the input, `[B, n, H, W, C]`.
    dy: gives the groups of the cotangent, `[B, n, H, W, F]`; a row and a column more where kh and kw are even.
    groups: how many.   time_padding: 'zero' or 'cyclic'.
  """
  extents = shape[:3]
  if shape[3] > shape[4]:  # the one with fewer channels is the one to copy kh * kw times
    return _correlate(dy, x, groups, extents, time_padding)[::-1, ::-1, ::-1].swapaxes(3, 4)
  return _correlate(x, dy, groups, extents, time_padding)


def _correlate(x, dy, groups, extents, time_padding):
  """Sums `x[b, t + k, h + i, w + j, c] dy[b, t, h, w, f]` over b, t, h, w, for all offsets k, i, j from the centre."""
  kt, kh, kw = extents
  (b, *_, c), f = jax.eval_shape(x, 0).shape, jax.eval_shape(dy, 0).shape[-1]

  def add(total, group, window):
    return total + _products(x(group), window, extents)

  total = over_windows(add, jnp.zeros((b, kt * f, kh * kw * c), jnp.float32), dy, groups, kt // 2, time_padding)
  # A sum for each video: on two devices as on one, the same numbers are added in the same order.
  # dy of a frame earlier meets x of this one where the tap looks a frame ahead.
  return total.sum(axis=0).reshape(kt, f, kh, kw, c)[::-1].transpose(0, 2, 3, 4, 1)


def _products(x, dy, extents):
  """`[B, kt F, kh kw C]` of the frames of x, `[B, n, ...]`, with those of dy around them, `[B, n + kt - 1, ...]`.

  Block by block of rows: x shifted in the plane only, as columns, times kt frames of dy. With dy shifted in time and x
  in the plane, kh * kw * C + kt * F numbers are copied for a pixel; with x shifted in both, kt * kh * kw * C.
  """
  kt, kh, kw = extents
  b, padded, h, w, f = dy.shape
  t, c = padded - kt + 1, x.shape[-1]
  top, left = (h + kh - 1 - x.shape[2]) // 2, (w + kw - 1 - x.shape[3]) // 2
  blocks = -(-4 * h * w * (kh * kw * c + kt * f) // BLOCK_BYTES)
  rows = -(-h // min(blocks, h))
  blocks = -(-h // rows)
  below = blocks * rows - h
  x = jnp.pad(x, ((0, 0), (0, 0), (top, top + below), (left, left), (0, 0)))
  dy = jnp.pad(dy, ((0, 0), (0, 0), (0, below), (0, 0), (0, 0)))
  dy = dy.reshape(b, padded, blocks * rows * w, f).swapaxes(2, 3)  # a product of row-major factors is the fastest

  def of_video(pair):
    x, dy = pair

    def add_block(total, i):
      frame, block = i // blocks, i % blocks
      part = jax.lax.dynamic_slice(x, (frame, block * rows, 0, 0), (1, rows + kh - 1, w + kw - 1, c))[0]
      shifted = [part[i : i + rows, j : j + w] for i in range(kh) for j in range(kw)]
      columns = jnp.concatenate(shifted, axis=-1).reshape(rows * w, kh * kw * c)
      taps = jax.lax.dynamic_slice(dy, (frame, 0, block * rows * w), (kt, f, rows * w))
      product = jnp.matmul(taps.reshape(kt * f, rows * w), columns, preferred_element_type=jnp.float32)
      return total + product, None

    return jax.lax.scan(add_block, jnp.zeros((kt * f, kh * kw * c), jnp.float32), jnp.arange(t * blocks))[0]

  return jax.lax.map(of_video, (x, dy))
