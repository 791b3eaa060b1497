"""3-D convolution over (time, row, column) with a path per platform.

On GPU cuDNN does the 3-D operation and its gradients; on CPU, where XLA's own is slow, `taps` does. Parameters and
values are the same. Time is padded with zeros, or cyclically: a cine is one heartbeat, whose last frame precedes its
first.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from ear_jax.models.taps import pad_time, taps_conv3d, taps_gradients


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
  return _conv3d(x, kernel, time_padding)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _conv3d(x, kernel, time_padding):
  return jax.lax.platform_dependent(
    x,
    kernel,
    cpu=functools.partial(taps_conv3d, time_padding=time_padding),
    default=functools.partial(native_conv3d, time_padding=time_padding),
  )


def _forward(x, kernel, time_padding):
  return _conv3d(x, kernel, time_padding), (x, kernel)


def _backward(time_padding, inputs, dy):
  def native_gradients(x, kernel, dy):
    return jax.vjp(functools.partial(native_conv3d, time_padding=time_padding), x, kernel)[1](dy)

  return jax.lax.platform_dependent(
    *inputs, dy, cpu=functools.partial(taps_gradients, time_padding=time_padding), default=native_gradients
  )


_conv3d.defvjp(_forward, _backward)


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
