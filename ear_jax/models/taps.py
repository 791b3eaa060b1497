"""The 3-D convolution on CPU, and its two gradients, from the pieces that XLA runs fast there.

XLA's own 3-D convolution runs at 4 to 60 GFLOP/s on CPU; its 2-D one is fast, and so is a matrix product of good size.
So the kernel's time taps become channels of one 2-D convolution. The gradient by the input is again such a
convolution, with the kernel turned round. The gradient by the kernel, which XLA derives as a convolution that has a
picture for its kernel, is a sum of matrix products over blocks of rows that stay in cache. `docs/performance.md` has
the figures.
"""

from __future__ import annotations

import functools

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


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def taps_conv3d(x: jax.Array, kernel: jax.Array, time_padding: str) -> jax.Array:
  """Returns the convolution, with gradients of its own in reverse mode; see `conv.conv3d`.

  Args:
    x: `[B, T, H, W, C]`.
    kernel: `[kt, kh, kw, C, F]` with odd kt. With even kh and kw the result has a row and a column more.
    time_padding: 'zero' or 'cyclic'.

  Returns: `[B, T, H, W, F]`.
  """
  return _taps(x, kernel, time_padding, (kernel.shape[1] // 2, kernel.shape[2] // 2))


def _forward(x, kernel, time_padding):
  return taps_conv3d(x, kernel, time_padding), (x, kernel)


def _backward(time_padding, inputs, dy):
  x, kernel = inputs
  kh, kw = kernel.shape[1:3]
  turned = kernel[::-1, ::-1, ::-1].swapaxes(3, 4)
  dx = _taps(dy, turned, time_padding, (kh - 1 - kh // 2, kw - 1 - kw // 2))
  return dx, kernel_gradient(x, dy, kernel.shape[:3], time_padding).astype(kernel.dtype)


taps_conv3d.defvjp(_forward, _backward)


def _taps(x, kernel, time_padding, plane_padding):
  """The convolution as one 2-D convolution of all frames, in which the kt time taps are channels.

  They multiply the input channels (kt shifted videos go in) or the output channels (kt shifted results are added),
  whichever are fewer; but never leave an output narrower than a vector register.
  """
  kt, kh, kw, c, f = kernel.shape
  t = x.shape[1]
  conv2d = functools.partial(_conv2d, plane_padding=plane_padding)
  if t == 1:  # a single frame meets the centre tap alone, or every tap when it is its own neighbour
    return conv2d(x, kernel.sum(axis=0) if time_padding == 'cyclic' else kernel[kt // 2])
  if kt == 1:
    return conv2d(x, kernel[0])
  if c < f and f >= LANES:
    padded = pad_time(x, kt // 2, kt // 2, time_padding)
    x = jnp.concatenate([padded[:, k : k + t] for k in range(kt)], axis=-1)
    return conv2d(x, kernel.transpose(1, 2, 0, 3, 4).reshape(kh, kw, kt * c, f))
  y = conv2d(x, kernel.transpose(1, 2, 3, 0, 4).reshape(kh, kw, c, kt * f))
  return sum(_shift_time(y[..., k * f : (k + 1) * f], k - kt // 2, time_padding) for k in range(kt))


def _conv2d(x, kernel, plane_padding):
  """Convolves each frame of `[B, T, H, W, C]` with `[kh, kw, C, F]`, rows and columns padded on both sides."""
  b, t, h, w, c = x.shape
  y = jax.lax.conv_general_dilated(
    x.reshape(b * t, h, w, c),
    kernel,
    window_strides=(1, 1),
    padding=[(n, n) for n in plane_padding],
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
  )
  return y.reshape(b, t, *y.shape[1:])


def _shift_time(x, frames, time_padding):
  """Frame t of the result is frame t + `frames` of the padded video."""
  padded = pad_time(x, max(-frames, 0), max(frames, 0), time_padding)
  return padded[:, max(frames, 0) : max(frames, 0) + x.shape[1]]


def taps_conv3d_of_upsampled(x: jax.Array, kernel: jax.Array, time_padding: str) -> jax.Array:
  """Returns the convolution of a video whose pixels were each repeated 2 x 2 times, without repeating them.

  A 3 x 3 window over repeated pixels sees only 2 x 2 different ones, which ones depends on whether its centre is an
  even or an odd row and column: four kernels of 2 x 2, sums of the kernel's own weights, do 4 / 9 of the work.

  Args:
    x: `[B, T, H, W, C]`.
    kernel: `[kt, 3, 3, C, F]`.
    time_padding: 'zero' or 'cyclic'.

  Returns: `[B, T, 2 H, 2 W, F]`.
  """
  b, t, h, w, _ = x.shape
  f = kernel.shape[-1]
  phases = [part for rows in _halve(kernel, 1) for part in _halve(rows, 2)]
  y = taps_conv3d(x, jnp.concatenate(phases, axis=-1), time_padding)  # [B, T, H + 1, W + 1, 4 F]
  y = [y[:, :, i : i + h, j : j + w, (2 * i + j) * f : (2 * i + j + 1) * f] for i in (0, 1) for j in (0, 1)]
  rows = [jnp.stack(y[:2], axis=4), jnp.stack(y[2:], axis=4)]
  return jnp.stack(rows, axis=3).reshape(b, t, 2 * h, 2 * w, f)


def _halve(kernel, axis):
  """The kernels of extent 2 that a kernel of extent 3 is at even and at odd positions of repeated pixels."""
  before, centre, after = jnp.split(kernel, 3, axis)
  return jnp.concatenate([before, centre + after], axis), jnp.concatenate([before + centre, after], axis)


def kernel_gradient(x: jax.Array, dy: jax.Array, extents: tuple[int, int, int], time_padding: str) -> jax.Array:
  """Returns the gradient by the kernel, `[kt, kh, kw, C, F]` float32, of a convolution with `extents`."""
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
  b, t, h, w, f = dy.shape
  c = x.shape[-1]
  top, left = (h + kh - 1 - x.shape[2]) // 2, (w + kw - 1 - x.shape[3]) // 2
  blocks = -(-4 * h * w * (kh * kw * c + kt * f) // BLOCK_BYTES)
  rows = -(-h // min(blocks, h))
  blocks = -(-h // rows)
  below = blocks * rows - h
  x = jnp.pad(x, ((0, 0), (0, 0), (top, top + below), (left, left), (0, 0)))
  dy = jnp.pad(pad_time(dy, kt // 2, kt // 2, time_padding), ((0, 0), (0, 0), (0, below), (0, 0), (0, 0)))
  dy = dy.reshape(b, t + kt - 1, blocks * rows * w, f).swapaxes(2, 3)  # a product of row-major factors is the fastest

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

  # A sum for each video: on two devices as on one, the same numbers are added in the same order.
  total = jax.lax.map(of_video, (x, dy)).sum(axis=0)
  # dy of a frame earlier meets x of this one where the tap looks a frame ahead.
  return total.reshape(kt, f, kh, kw, c)[::-1].transpose(0, 2, 3, 4, 1)
