"""The 3-D convolution on CPU, from the pieces that XLA runs fast there, and what it needs from memory.

XLA's own 3-D convolution runs at 4 to 60 GFLOP/s on CPU; its 2-D one is fast, and so is a matrix product of good size.
So it is made of 2-D convolutions (`two_frames`), group of frames by group. The gradient by the input is again such a
convolution, with the kernel turned round; that by the kernel is `taps_gradient`'s. The video comes with its norm and
activation still to do: they are cheap enough to be done twice, and only the video before them is kept for the gradient.
`docs/performance.md` has the figures.
"""

import functools

import jax
import jax.numpy as jnp

from ear_jax.models.cpu import frames
from ear_jax.models.cpu.frames import (
  Group,
  add_frames,
  add_gradient,
  count_groups,
  group_of,
  no_gradient,
  over_windows,
  part_of,
  zeros_beside,
)
from ear_jax.models.cpu.taps_gradient import kernel_gradient, kernel_products, products_shape
from ear_jax.models.cpu.two_frames import convolve_window, copied_channels
from ear_jax.models.phases import deal, gather, phase_kernels
from ear_jax.models.video import TIME_PADDINGS, Arrays, Pending

Inputs = tuple[Pending, ...]
Kept = tuple[Inputs, jax.Array]  # for the gradient
Sums = tuple[Inputs, Arrays, jax.Array]  # gradients by inputs, kernels (as products) and bias, of the groups so far

BELOW = (False, True)  # whether an input is the level below, of half as many rows and columns


def taps_conv3d(inputs: Inputs, kernel: jax.Array, bias: jax.Array, time_padding: str) -> jax.Array:
  """Returns the convolution of a video, or of a skip and the level below without joining or up-sampling them.

  Args:
    inputs: `[B, T, H, W, C1]` and perhaps `[B, T, H / 2, W / 2, C2]`.
    kernel, bias, time_padding: see `conv.conv3d`; the bias is there.
  """
  return _convolve(inputs, _reachable(inputs[0], kernel, time_padding), bias, time_padding)


def _reachable(x: Pending, kernel: jax.Array, time_padding: str) -> jax.Array:
  """The kernel without what a single frame cannot meet: the outer taps, or any but their sum in a cycle of one."""
  if time_padding not in TIME_PADDINGS:
    raise ValueError(f'time padding {time_padding!r} is not one of {TIME_PADDINGS}')
  if x.shape[1] != 1:
    return kernel
  middle = kernel.shape[0] // 2
  return kernel.sum(axis=0, keepdims=True) if time_padding == 'cyclic' else kernel[middle : middle + 1]


def _kernels(inputs: Inputs, kernel: jax.Array) -> Arrays:
  """The kernel of each input: of the only one, or of a skip and of the level below it, whose four lie side by side."""
  if len(inputs) == 1:
    return (kernel,)
  own, below = jnp.split(kernel, (inputs[0].shape[-1],), axis=-2)
  return own, phase_kernels(below)


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def _convolve(inputs: Inputs, kernel: jax.Array, bias: jax.Array, time_padding: str) -> jax.Array:
  """The convolution of one input, or of a skip and the level below it, `[B, T, H, W, F]`.

  That of the level below has a row and a column more, and in its channels the four phases of rows and columns twice
  as many.
  """
  kernels = _kernels(inputs, kernel)
  reach, groups = kernels[0].shape[0] // 2, _groups(inputs, kernels, frames.FORWARD_BYTES)

  def step(out: jax.Array, group: Group, windows: Arrays) -> jax.Array:
    for window, kernel, below in zip(windows, kernels, BELOW, strict=False):
      padding = tuple(k // 2 for k in kernel.shape[1:3])
      y = convolve_window(window, kernel, padding)
      y = deal(y) if below else y
      out = add_frames(out, y, group * y.shape[1])
    return out

  start = zeros_beside(inputs[0].videos[0], (*inputs[0].shape[:-1], *bias.shape)) + bias.reshape(1, 1, 1, 1, -1)
  return over_windows(step, start, lambda group: _values(inputs, group, groups), groups, reach, time_padding)


def _forward(inputs: Inputs, kernel: jax.Array, bias: jax.Array, time_padding: str) -> tuple[jax.Array, Kept]:
  return _convolve(inputs, kernel, bias, time_padding), (inputs, kernel)


def _backward(time_padding: str, kept: Kept, dy: jax.Array) -> tuple[Inputs, jax.Array, jax.Array]:
  """All gradients in one pass: apart, the compiler may leave one until the end and keep all that it needs."""
  inputs, kernel = kept
  # What follows from the kernel alone the compiler would compute before the forward pass, and keep until it is used.
  kernel += zeros_beside(dy, kernel.shape)
  kernels, add_up = jax.vjp(functools.partial(_kernels, inputs), kernel)
  reach, groups = kernels[0].shape[0] // 2, _groups(inputs, kernels, frames.BACKWARD_BYTES)

  def of_group(group: Group) -> tuple[Arrays, jax.Array]:
    return _values(inputs, group, groups), group_of(dy, group, groups)

  def step(sums: Sums, group: Group, windows: tuple[Arrays, jax.Array]) -> Sums:
    dinputs, products, dbias = sums
    collected = []
    each = zip(inputs, kernels, dinputs, products, windows[0], strict=True)
    for (x, kernel, dinput, total, value), below in zip(each, BELOW, strict=False):
      window = gather(windows[1]) if below else windows[1]
      turned = kernel[::-1, ::-1, ::-1].swapaxes(3, 4)
      padding = tuple(k - 1 - k // 2 for k in kernel.shape[1:3])
      dinput = add_gradient(x, dinput, convolve_window(window, turned, padding), group, groups)
      collected.append((dinput, total + kernel_products(value, window, kernel.shape)))
    dinputs, products = zip(*collected, strict=True)
    dbias += jnp.sum(group_of(dy, group, groups), axis=(1, 2, 3), dtype=jnp.float32)
    return dinputs, products, dbias

  b = dy.shape[0]
  dinputs = tuple(no_gradient(x, dy) for x in inputs)
  dy32 = dy.astype(jnp.float32)
  products = tuple(zeros_beside(dy32, products_shape(b, kernel.shape)) for kernel in kernels)
  start = (dinputs, products, zeros_beside(dy32, (b, dy.shape[-1])))
  dinputs, products, dbias = over_windows(step, start, of_group, groups, reach, time_padding)
  dkernels = (kernel_gradient(total, k.shape).astype(k.dtype) for total, k in zip(products, kernels, strict=True))
  return dinputs, *add_up(tuple(dkernels)), dbias.sum(axis=0).astype(dy.dtype)


_convolve.defvjp(_forward, _backward)


def _values(inputs: Inputs, group: Group, groups: int) -> Arrays:
  return tuple(jnp.asarray(part_of(x, group, groups)) for x in inputs)


def _groups(inputs: Inputs, kernels: Arrays, group_bytes: int) -> int:
  """Into how many groups of frames to divide the work, by what it copies of the largest input."""
  b, t, h, w, _ = inputs[0].shape
  kt, _, _, c, f = kernels[0].shape
  return count_groups(t, 4 * b * h * w * copied_channels(kt, c, f), kt // 2, group_bytes)
