"""3-D convolution over (time, row, column) with a path per platform.

XLA has no fast 3-D convolution on CPU (its own runs at 4 to 60 GFLOP/s) but a fast 2-D one (100 and more), so on CPU
the kernel's time taps become channels of one 2-D convolution; on GPU cuDNN does the 3-D operation. Parameters and
values are the same. Time is padded with zeros, or cyclically: a cine is one heartbeat, whose last frame precedes its
first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

TIME_PADDINGS = ('zero', 'cyclic')


def pad_time(x: jax.Array, before: int, after: int, time_padding: str) -> jax.Array:
  """Returns `[B, before + T + after, H, W, C]`, padded with zeros or with the other end of the cycle."""
  if time_padding not in TIME_PADDINGS:
    raise ValueError(f'time padding {time_padding!r} is not one of {TIME_PADDINGS}')
  mode = 'wrap' if time_padding == 'cyclic' else 'constant'
  return jnp.pad(x, ((0, 0), (before, after), (0, 0), (0, 0), (0, 0)), mode=mode)


def native_conv3d(x: jax.Array, kernel: jax.Array, time_padding: str) -> jax.Array:
  """Returns the convolution by XLA's own 3-D operation; see `conv3d`."""
  kt = kernel.shape[0]
  x = pad_time(x, kt // 2, kt // 2, time_padding)
  return jax.lax.conv_general_dilated(
    x,
    kernel,
    window_strides=(1, 1, 1),
    padding=((0, 0), (kernel.shape[1] // 2,) * 2, (kernel.shape[2] // 2,) * 2),
    dimension_numbers=('NDHWC', 'DHWIO', 'NDHWC'),
  )


def taps_conv3d(x: jax.Array, kernel: jax.Array, time_padding: str) -> jax.Array:
  """Returns the convolution as one 2-D convolution whose input channels are the kt shifted videos; see `conv3d`."""
  kt, kh, kw, c_in, c_out = kernel.shape
  b, t, h, w, _ = x.shape
  if t == 1:  # a single frame meets the centre tap alone, or every tap when it is its own neighbour
    kernel = kernel.sum(axis=0) if time_padding == 'cyclic' else kernel[kt // 2]
  else:
    padded = pad_time(x, kt // 2, kt // 2, time_padding)
    x = jnp.concatenate([padded[:, k : k + t] for k in range(kt)], axis=-1)  # [B, T, H, W, kt * C]
    kernel = kernel.transpose(1, 2, 0, 3, 4).reshape(kh, kw, kt * c_in, c_out)
  y = jax.lax.conv_general_dilated(
    x.reshape(b * t, h, w, -1),
    kernel,
    window_strides=(1, 1),
    padding=((kh // 2,) * 2, (kw // 2,) * 2),
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
  )
  return y.reshape(b, t, h, w, c_out)


def matmul_conv2d(x: jax.Array, kernel: jax.Array) -> jax.Array:
  """Returns the same-size 2-D convolution of `[B, H, W, C]` with `[kh, kw, C, F]` as one matrix product.

  Inside a scan XLA:CPU has no fast convolution, and its gradient by the kernel is slower still; a product is fast.
  The kh * kw shifted copies of the picture are held: for small pictures, such as those of the bottleneck.
  """
  kh, kw, c_in, c_out = kernel.shape
  b, h, w, _ = x.shape
  padded = jnp.pad(x, ((0, 0), (kh // 2,) * 2, (kw // 2,) * 2, (0, 0)))
  shifted = [padded[:, i : i + h, j : j + w] for i in range(kh) for j in range(kw)]
  columns = jnp.concatenate(shifted, axis=-1).reshape(b * h * w, kh * kw * c_in)
  return (columns @ kernel.reshape(-1, c_out)).reshape(b, h, w, c_out)


def conv2d_in_scan(x: jax.Array, kernel: jax.Array) -> jax.Array:
  """Returns the same-size 2-D convolution of `[B, H, W, C]` in the form that is fast inside a scan."""

  def native(x, kernel):
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), 'SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC'))

  return jax.lax.platform_dependent(x, kernel, cpu=matmul_conv2d, default=native)


def conv3d(x: jax.Array, kernel: jax.Array, time_padding: str = 'zero') -> jax.Array:
  """Returns the same-size, stride-1 convolution of a video.

  Args:
    x: `[B, T, H, W, C]`.
    kernel: `[kt, kh, kw, C, F]` with odd extents.
    time_padding: 'zero' or 'cyclic'; rows and columns are padded with zeros.

  Returns: `[B, T, H, W, F]`.
  """
  return jax.lax.platform_dependent(
    x,
    kernel,
    cpu=lambda x, kernel: taps_conv3d(x, kernel, time_padding),
    default=lambda x, kernel: native_conv3d(x, kernel, time_padding),
  )


class Conv3D(nn.Module):
  """Same-size convolution of `[B, T, H, W, C]` with Glorot weights and, by default, a bias.

  Attributes:
    features: number of output channels.
    kernel_size: odd extents (kt, kh, kw).
    time_padding: 'zero' or 'cyclic'.
    use_bias: adds a bias per channel.
    dtype: computation dtype; parameters stay float32.
  """

  features: int
  kernel_size: Sequence[int] = (3, 3, 3)
  time_padding: str = 'zero'
  use_bias: bool = True
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    shape = (*self.kernel_size, x.shape[-1], self.features)
    kernel = self.param('kernel', nn.initializers.glorot_uniform(), shape)
    y = conv3d(x.astype(self.dtype), kernel.astype(self.dtype), self.time_padding)
    if not self.use_bias:
      return y
    bias = self.param('bias', nn.initializers.zeros, (self.features,))
    return y + bias.astype(self.dtype).reshape(1, 1, 1, 1, -1)
