"""The 3-D convolution on CPU, and its two gradients, from the pieces that XLA runs fast there.

XLA's own 3-D convolution runs at 4 to 60 GFLOP/s on CPU; its 2-D one is fast, and so is a matrix product of good size.
So the kernel's time taps become channels of one 2-D convolution. The gradient by the input is again such a
convolution, with the kernel turned round. The gradient by the kernel, which XLA derives as a convolution that has a
picture for its kernel, is a sum of matrix products over blocks of rows that stay in cache. `docs/performance.md` has
the figures.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

TIME_PADDINGS = ('zero', 'cyclic')
LANES = 16  # float32 in a vector register; XLA's 2-D convolution is slow with fewer output channels
BLOCK_BYTES = 2**18  # of the float32 copies in one product: half of a core's second-level cache


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


def taps_conv3d(x: jax.Array, kernel: jax.Array, time_padding: str) -> jax.Array:
  """Returns the convolution as one 2-D convolution of all frames, in which the kt time taps are channels.

  They multiply the input channels (kt shifted videos go in) or the output channels (kt shifted results are added),
  whichever are fewer; but never leave an output narrower than a vector register.

  Args:
    x: `[B, T, H, W, C]`.
    kernel: `[kt, kh, kw, C, F]` with odd extents.
    time_padding: 'zero' or 'cyclic'.

  Returns: `[B, T, H, W, F]`.
  """
  kt, kh, kw, c, f = kernel.shape
  t = x.shape[1]
  if t == 1:  # a single frame meets the centre tap alone, or every tap when it is its own neighbour
    return _conv2d(x, kernel.sum(axis=0) if time_padding == 'cyclic' else kernel[kt // 2])
  if kt == 1:
    return _conv2d(x, kernel[0])
  if c < f and f >= LANES:
    padded = pad_time(x, kt // 2, kt // 2, time_padding)
    x = jnp.concatenate([padded[:, k : k + t] for k in range(kt)], axis=-1)
    return _conv2d(x, kernel.transpose(1, 2, 0, 3, 4).reshape(kh, kw, kt * c, f))
  y = _conv2d(x, kernel.transpose(1, 2, 3, 0, 4).reshape(kh, kw, c, kt * f))
  return sum(_shift_time(y[..., k * f : (k + 1) * f], k - kt // 2, time_padding) for k in range(kt))


def _conv2d(x, kernel):
  """Convolves each frame of `[B, T, H, W, C]` with `[kh, kw, C, F]`."""
  b, t, h, w, c = x.shape
  kh, kw, _, f = kernel.shape
  y = jax.lax.conv_general_dilated(
    x.reshape(b * t, h, w, c),
    kernel,
    window_strides=(1, 1),
    padding=((kh // 2,) * 2, (kw // 2,) * 2),
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
  )
  return y.reshape(b, t, h, w, f)


def _shift_time(x, frames, time_padding):
  """Frame t of the result is frame t + `frames` of the padded video."""
  padded = pad_time(x, max(-frames, 0), max(frames, 0), time_padding)
  return padded[:, max(frames, 0) : max(frames, 0) + x.shape[1]]


def taps_gradients(x: jax.Array, kernel: jax.Array, dy: jax.Array, time_padding: str) -> tuple[jax.Array, jax.Array]:
  """Returns the gradients by `x` and by `kernel` where that by the convolution's output is `dy` `[B, T, H, W, F]`."""
  turned = kernel[::-1, ::-1, ::-1].swapaxes(3, 4)
  dx = taps_conv3d(dy, turned, time_padding)
  return dx, kernel_gradient(x, dy, kernel.shape[:3], time_padding).astype(kernel.dtype)


def kernel_gradient(x: jax.Array, dy: jax.Array, extents: tuple[int, int, int], time_padding: str) -> jax.Array:
  """Returns the gradient by the kernel, `[kt, kh, kw, C, F]` float32, of a convolution with odd `extents`."""
  kt = extents[0]
  if x.shape[1] == 1:  # as in `taps_conv3d`: the outer taps met nothing, or every tap met the same
    tap = _correlate(x, dy, (1, *extents[1:]), time_padding)
    if time_padding == 'cyclic':
      return jnp.broadcast_to(tap, (kt, *tap.shape[1:]))
    return jnp.pad(tap, ((kt // 2,) * 2, (0, 0), (0, 0), (0, 0), (0, 0)))
  if x.shape[-1] > dy.shape[-1]:  # the one with fewer channels is the one to copy kh * kw times
    return _correlate(dy, x, extents, time_padding)[::-1, ::-1, ::-1].swapaxes(3, 4)
  return _correlate(x, dy, extents, time_padding)


def _correlate(x, dy, extents, time_padding):
  """Sums `x[b, t + k, h + i, w + j, c] dy[b, t, h, w, f]` over b, t, h, w, for all offsets k, i, j from the centre.

  Block by block of rows: x shifted in the plane only, as columns, times kt frames of dy. With dy shifted in time and x
  in the plane, kh * kw * C + kt * F numbers are copied for a pixel; with x shifted in both, kt * kh * kw * C.
  """
  kt, kh, kw = extents
  b, t, h, w, c = x.shape
  f = dy.shape[-1]
  blocks = -(-4 * h * w * (kh * kw * c + kt * f) // BLOCK_BYTES)
  rows = -(-h // min(blocks, h))
  blocks = -(-h // rows)
  below = blocks * rows - h
  x = jnp.pad(x, ((0, 0), (0, 0), (kh // 2, kh // 2 + below), (kw // 2,) * 2, (0, 0)))
  dy = jnp.pad(pad_time(dy, kt // 2, kt // 2, time_padding), ((0, 0), (0, 0), (0, below), (0, 0), (0, 0)))
  dy = dy.reshape(b, t + kt - 1, blocks * rows * w, f).swapaxes(2, 3)  # a product of row-major factors is the fastest

  def add_block(total, i):
    video, frame, block = i // (t * blocks), i // blocks % t, i % blocks
    part = jax.lax.dynamic_slice(x, (video, frame, block * rows, 0, 0), (1, 1, rows + kh - 1, w + kw - 1, c))[0, 0]
    shifted = [part[i : i + rows, j : j + w] for i in range(kh) for j in range(kw)]
    columns = jnp.concatenate(shifted, axis=-1).reshape(rows * w, kh * kw * c)
    taps = jax.lax.dynamic_slice(dy, (video, frame, 0, block * rows * w), (1, kt, f, rows * w))
    product = jnp.matmul(taps.reshape(kt * f, rows * w), columns, preferred_element_type=jnp.float32)
    return total + product, None

  zeros = jnp.zeros((kt * f, kh * kw * c), jnp.float32)
  total, _ = jax.lax.scan(add_block, zeros, jnp.arange(b * t * blocks))
  # dy of a frame earlier meets x of this one where the tap looks a frame ahead.
  return total.reshape(kt, f, kh, kw, c)[::-1].transpose(0, 2, 3, 4, 1)
