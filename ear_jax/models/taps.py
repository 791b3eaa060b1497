"""The 3-D convolution on CPU, from the pieces that XLA runs fast there, and what it needs from memory.

XLA's own 3-D convolution runs at 4 to 60 GFLOP/s on CPU; its 2-D one is fast, and so is a matrix product of good size.
So the kernel's time taps become channels of a 2-D convolution, group of frames by group. The gradient by the input is
again such a convolution, with the kernel turned round; that by the kernel is `taps_gradient`'s. The video comes with
its norm and activation still to do: they are cheap enough to be done twice, and only the video before them is kept for
the gradient. `docs/performance.md` has the figures.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp

from ear_jax.models.frames import TIME_PADDINGS, add_frames, count_groups, group_of, over_windows, pad_time
from ear_jax.models.pending import Pending
from ear_jax.models.taps_gradient import kernel_gradient, kernel_products, products_shape

LANES = 16  # float32 in a vector register; XLA's 2-D convolution is slow with fewer output channels


def taps_conv3d(x: Pending, kernel: jax.Array, time_padding: str, start: jax.Array) -> jax.Array:
  """Returns `start` plus the convolution of a video; see `conv.conv3d`.

  Args:
    x: `[B, T, H, W, C]`.
    kernel: `[kt, kh, kw, C, F]` with odd extents.
    time_padding: 'zero' or 'cyclic'.
    start: `[B, T, H, W, F]`.
  """
  return _convolve_and_add(x, _reachable(x, kernel, time_padding), start, time_padding, False)


def taps_conv3d_of_upsampled(x: Pending, kernel: jax.Array, time_padding: str, start: jax.Array) -> jax.Array:
  """Returns `start` plus the convolution of a video with its pixels repeated 2 x 2 times, without repeating them.

  A 3 x 3 window over repeated pixels sees only 2 x 2 different ones, which ones depends on whether its centre is an
  even or an odd row and column: four kernels of 2 x 2, sums of the kernel's own weights, do 4 / 9 of the work.

  Args:
    x: `[B, T, H, W, C]`.
    kernel: `[kt, 3, 3, C, F]`.
    time_padding: 'zero' or 'cyclic'.
    start: `[B, T, 2 H, 2 W, F]`.
  """
  phases = [part for rows in _halve(_reachable(x, kernel, time_padding), 1) for part in _halve(rows, 2)]
  return _convolve_and_add(x, jnp.concatenate(phases, axis=-1), start, time_padding, True)


def _reachable(x, kernel, time_padding):
  """The kernel without what a single frame cannot meet: the outer taps, or any but their sum in a cycle of one."""
  if time_padding not in TIME_PADDINGS:
    raise ValueError(f'time padding {time_padding!r} is not one of {TIME_PADDINGS}')
  if x.shape[1] != 1:
    return kernel
  middle = kernel.shape[0] // 2
  return kernel.sum(axis=0, keepdims=True) if time_padding == 'cyclic' else kernel[middle : middle + 1]


def _halve(kernel, axis):
  """The kernels of extent 2 that a kernel of extent 3 is at even and at odd positions of repeated pixels."""
  before, centre, after = jnp.split(kernel, 3, axis)
  return jnp.concatenate([before, centre + after], axis), jnp.concatenate([before + centre, after], axis)


@functools.partial(jax.custom_vjp, nondiff_argnums=(3, 4))
def _convolve_and_add(x, kernel, start, time_padding, interleaved):
  """With even kh and kw the convolution has a row and a column more; `interleaved` then deals out its 4 phases."""
  groups = _groups(x.shape, kernel)
  padding = [k // 2 for k in kernel.shape[1:3]]
  place = _interleave if interleaved else _leave

  def step(out, group, window):
    return _add_convolution(out, window, kernel, padding, group, groups, time_padding, place)

  return over_windows(
    step, start, lambda group: x.group(group, groups).value(), groups, kernel.shape[0] // 2, time_padding
  )


def _forward(x, kernel, start, time_padding, interleaved):
  return _convolve_and_add(x, kernel, start, time_padding, interleaved), (x, kernel)


def _backward(time_padding, interleaved, inputs, dy):
  """Both gradients in one pass: apart, the compiler may leave one until the end and keep all that it needs."""
  x, kernel = inputs
  groups = _groups(x.shape, kernel)
  turned = kernel[::-1, ::-1, ::-1].swapaxes(3, 4)
  padding = [k - 1 - k // 2 for k in kernel.shape[1:3]]

  def frames(group):
    dy_group = group_of(dy, group, groups)
    return x.group(group, groups).value(), _gather(dy_group) if interleaved else dy_group

  def step(gradients, group, windows):
    dx, dkernel = gradients
    dx = _add_convolution(dx, windows[1], turned, padding, group, groups, time_padding, _leave)
    return dx, dkernel + kernel_products(*windows, kernel.shape)

  start = jnp.zeros(x.shape, dy.dtype), jnp.zeros(products_shape(x.shape[0], kernel.shape), jnp.float32)
  dx, products = over_windows(step, start, frames, groups, kernel.shape[0] // 2, time_padding)
  return x.pull(dx), kernel_gradient(products, kernel.shape).astype(kernel.dtype), dy


_convolve_and_add.defvjp(_forward, _backward)


def _groups(shape, kernel):
  b, t, h, w, _ = shape
  kt, _, _, c, f = kernel.shape
  return count_groups(t, 4 * b * h * w * kt * (c + f), kt // 2)


def _add_convolution(out, window, kernel, padding, group, groups, time_padding, place):
  """Adds to `out` the convolution of a group of frames, as a 2-D one in which the kt time taps are channels.

  They multiply the input channels (kt shifted videos go in) or the output channels (kt shifted results are added),
  whichever are fewer; but never leave an output narrower than a vector register.
  """
  kt, kh, kw, c, f = kernel.shape
  length = window.shape[1] - 2 * (kt // 2)
  if kt == 1 or (c < f and f >= LANES):
    taps = [window[:, k : k + length] for k in range(kt)]
    x = jnp.concatenate(taps, axis=-1) if kt > 1 else window
    y = _conv2d(x, kernel.transpose(1, 2, 0, 3, 4).reshape(kh, kw, kt * c, f), padding)
    return add_frames(out, place(y), group * length)
  own = window[:, kt // 2 : kt // 2 + length]
  y = _conv2d(own, kernel.transpose(1, 2, 3, 0, 4).reshape(kh, kw, c, kt * f), padding)
  return _add_shifted(out, [place(y[..., k * f : (k + 1) * f]) for k in range(kt)], group, groups, time_padding)


def _add_shifted(out, taps, group, groups, time_padding):
  """Adds the results of the taps: what tap k makes of a frame belongs to the frame that lies kt // 2 - k later."""
  reach, length = len(taps) // 2, taps[0].shape[1]
  if groups == 1:
    return out + sum(_shift_time(tap, k - reach, time_padding) for k, tap in enumerate(taps))
  pads = [((0, 0), (2 * reach - k, k), (0, 0), (0, 0), (0, 0)) for k in range(len(taps))]
  total = sum(jnp.pad(tap, pad) for tap, pad in zip(taps, pads, strict=True))  # [B, reach + n + reach, H, W, F]
  before, own, after = jnp.split(total, (reach, reach + length), axis=1)
  if time_padding == 'zero':
    before, after = jnp.where(group > 0, before, 0), jnp.where(group + 1 < groups, after, 0)
  out = add_frames(out, own, group * length)
  out = add_frames(out, before, (group - 1) % groups * length + length - reach)
  return add_frames(out, after, (group + 1) % groups * length)


def _shift_time(x, frames, time_padding):
  """Frame t of the result is frame t + `frames` of the padded video."""
  padded = pad_time(x, max(-frames, 0), max(frames, 0), time_padding)
  return padded[:, max(frames, 0) : max(frames, 0) + x.shape[1]]


def _conv2d(x, kernel, padding):
  """Convolves each frame of `[B, T, H, W, C]` with `[kh, kw, C, F]`, rows and columns padded on both sides."""
  b, t, h, w, c = x.shape
  y = jax.lax.conv_general_dilated(
    x.reshape(b * t, h, w, c),
    kernel,
    window_strides=(1, 1),
    padding=[(n, n) for n in padding],
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
  )
  return y.reshape(b, t, *y.shape[1:])


def _leave(y):
  return y


def _interleave(y):
  """`[B, T, H + 1, W + 1, 4 F]`, the four phases of rows and columns, to `[B, T, 2 H, 2 W, F]`."""
  b, t, h, w, f = y.shape
  h, w, f = h - 1, w - 1, f // 4
  y = [y[:, :, i : i + h, j : j + w, (2 * i + j) * f : (2 * i + j + 1) * f] for i in (0, 1) for j in (0, 1)]
  rows = [jnp.stack(y[:2], axis=4), jnp.stack(y[2:], axis=4)]
  return jnp.stack(rows, axis=3).reshape(b, t, 2 * h, 2 * w, f)


def _gather(dy):
  """The transpose of `_interleave`."""
  b, t, h, w, f = dy.shape
  dy = dy.reshape(b, t, h // 2, 2, w // 2, 2, f)
  pad = lambda i, j: ((0, 0), (0, 0), (i, 1 - i), (j, 1 - j), (0, 0))  # noqa: E731
  return jnp.concatenate([jnp.pad(dy[:, :, :, i, :, j], pad(i, j)) for i in (0, 1) for j in (0, 1)], axis=-1)
