"""3-D convolution over (time, row, column) with a path per platform.

On GPU `planes` does it with 2-D convolutions, or cuDNN with its 3-D one; on CPU, where XLA's own is slow, `taps` does.
Parameters and values are the same. Time is padded with zeros, or cyclically: a cine is one heartbeat, whose last frame
precedes its first.
"""

from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from ear_jax.models.cpu.taps import taps_conv3d
from ear_jax.models.planes import plane, planes_conv3d
from ear_jax.models.video import Pending, Video, pad_time, pending

Form = Callable[..., jax.Array]  # one of several ways to compute the same


def native_conv3d(x: jax.Array, kernel: jax.Array, time_padding: str) -> jax.Array:
  """Returns the convolution by XLA's own operation; see `conv3d`.

  A kernel that sees one frame is 2-D over frames, and a product over pixels where it sees one pixel. XLA would take the
  3-D gradient of such a kernel for a convolution with a kernel as large as the picture: cuDNN has nothing fast for it.
  """
  kt, kh, kw = kernel.shape[:3]
  if kt == 1:
    return plane(x, kernel[0])
  x = pad_time(x, kt // 2, kt // 2, time_padding)
  return jax.lax.conv_general_dilated(
    x,
    kernel,
    window_strides=(1, 1, 1),
    padding=((0, 0), (kh // 2,) * 2, (kw // 2,) * 2),
    dimension_numbers=('NDHWC', 'DHWIO', 'NDHWC'),
  )


def native_conv2d(x: jax.Array, kernel: jax.Array) -> jax.Array:
  """Returns the same-size 2-D convolution of `[B, H, W, C]` with `[kh, kw, C, F]` by XLA's own operation."""
  return jax.lax.conv_general_dilated(x, kernel, (1, 1), 'SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC'))


def matmul_conv2d(x: jax.Array, kernel: jax.Array) -> jax.Array:
  """Returns the same-size 2-D convolution of `[B, H, W, C]` with `[kh, kw, C, F]` as one matrix product.

  In the recurrence's scan a product is faster than XLA:CPU's convolution of small pictures, above all its gradient by
  the kernel; large ones are fast in a loop too, see `taps`. It makes kh * kw shifted copies of the picture.
  """
  kh, kw, c_in, c_out = kernel.shape
  b, h, w, _ = x.shape
  padded = jnp.pad(x, ((0, 0), (kh // 2,) * 2, (kw // 2,) * 2, (0, 0)))
  shifted = [padded[:, i : i + h, j : j + w] for i in range(kh) for j in range(kw)]
  columns = jnp.concatenate(shifted, axis=-1).reshape(b * h * w, kh * kw * c_in)
  return (columns @ kernel.reshape(-1, c_out)).reshape(b, h, w, c_out)


def conv2d_in_scan(x: jax.Array, kernel: jax.Array) -> jax.Array:
  """Returns the same-size 2-D convolution of `[B, H, W, C]` in the form that is fast inside a scan."""
  return _per_platform(matmul_conv2d, native_conv2d)(x, kernel)


def conv3d(
  x: Video,
  kernel: jax.Array,
  time_padding: str = 'zero',
  bias: jax.Array | None = None,
  low: Video | None = None,
  gpu: str = 'planes',
) -> jax.Array:
  """Returns the same-size, stride-1 convolution of a video, or of a skip joined with the level below, up-sampled.

  Args:
    x: `[B, T, H, W, C1]`.
    kernel: `[kt, kh, kw, C1 + C2, F]` with odd extents.
    time_padding: 'zero' or 'cyclic'; rows and columns are padded with zeros.
    bias: `[F]`, or None.
    low: `[B, T, H / 2, W / 2, C2]`, or None; kh and kw are 3 then.
    gpu: how it is done where there is no CPU, one of `GPU_FORMS`.

  Returns: `[B, T, H, W, F]`. For the gradient only the arguments are kept.
  """

  def taps(inputs: tuple[Pending, ...], kernel: jax.Array, bias: jax.Array) -> jax.Array:
    return taps_conv3d(inputs, kernel, bias, time_padding)

  def elsewhere(inputs: tuple[Pending, ...], kernel: jax.Array, bias: jax.Array) -> jax.Array:
    return GPU_FORMS[gpu](tuple(map(jnp.asarray, inputs)), kernel, time_padding) + bias.reshape(1, 1, 1, 1, -1)

  inputs = tuple(pending(part) for part in (x, low) if part is not None)
  bias = jnp.zeros(kernel.shape[-1:], kernel.dtype) if bias is None else bias
  return _per_platform(taps, elsewhere)(inputs, kernel, bias)


def upsample(x: jax.Array) -> jax.Array:
  """Returns `[B, T, 2H, 2W, C]`, each pixel repeated 2 x 2 times (nearest neighbour)."""
  b, t, h, w, c = x.shape
  x = jnp.broadcast_to(x[:, :, :, None, :, None], (b, t, h, 2, w, 2, c))
  return x.reshape(b, t, 2 * h, 2 * w, c)


def _joined(inputs: tuple[jax.Array, ...], kernel: jax.Array, time_padding: str) -> jax.Array:
  skip, *below = inputs
  return native_conv3d(jnp.concatenate([skip, *map(upsample, below)], axis=-1), kernel, time_padding)


# By `config.model.gpu_convolution`.
GPU_FORMS: dict[str, Form] = {'planes': planes_conv3d, '3d': _joined}


def _per_platform(cpu: Form, default: Form) -> Form:
  """Returns the function in the form of each platform, also when it is differentiated in reverse.

  Only arguments are kept for the gradient: JAX's own derivative of `platform_dependent` keeps the intermediates of
  every form.
  """

  @jax.custom_vjp
  def function(*args: Any) -> jax.Array:
    return jax.lax.platform_dependent(*args, cpu=cpu, default=default)

  def backward(args: tuple[Any, ...], dy: jax.Array) -> tuple[Any, ...]:
    def gradients(form: Form) -> Callable[..., tuple[Any, ...]]:
      return lambda dy, *args: jax.vjp(form, *args)[1](dy)

    return jax.lax.platform_dependent(dy, *args, cpu=gradients(cpu), default=gradients(default))

  function.defvjp(lambda *args: (function(*args), args), backward)
  return function


class Conv3D(nn.Module):
  """Same-size convolution of `[B, T, H, W, C]` with Glorot weights and, by default, a bias.

  Called with a second video of half the rows and columns, it convolves the first joined with the second, up-sampled.

  Attributes:
    features: number of output channels.
    kernel_size: odd extents (kt, kh, kw).
    time_padding: 'zero' or 'cyclic'.
    use_bias: adds a bias per channel.
    dtype: computation dtype; parameters stay float32.
    gpu: see `conv3d`.
  """

  features: int
  kernel_size: Sequence[int] = (3, 3, 3)
  time_padding: str = 'zero'
  use_bias: bool = True
  dtype: Any = jnp.float32
  gpu: str = 'planes'

  @nn.compact
  def __call__(self, x: Video, low: Video | None = None) -> jax.Array:
    channels = x.shape[-1] + (0 if low is None else low.shape[-1])
    shape = (*self.kernel_size, channels, self.features)
    kernel = self.param('kernel', nn.initializers.glorot_uniform(), shape)
    bias = self.param('bias', nn.initializers.zeros, (self.features,)) if self.use_bias else None
    low = low if low is None else low.astype(self.dtype)
    bias = bias if bias is None else bias.astype(self.dtype)
    return conv3d(x.astype(self.dtype), kernel.astype(self.dtype), self.time_padding, bias, low, self.gpu)
