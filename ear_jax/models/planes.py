"""The 3-D convolution on a GPU, made of 2-D ones that have all frames in their batch.

XLA lays 3-D convolutions out channels-first, and cuDNN, whose tensor cores want channels last, converts what goes into
and comes out of each. 2-D ones lie channels-last from the first layer to the last, so nothing is converted; what it
costs is that up to three frames are copied beside each other. `docs/performance.md` counts both.
"""

import jax
import jax.numpy as jnp

from ear_jax.models.phases import deal, phase_kernels
from ear_jax.models.video import pad_time


def planes_conv3d(inputs: tuple[jax.Array, ...], kernel: jax.Array, time_padding: str) -> jax.Array:
  """Returns the convolution of a video, or of a skip and the level below without joining or up-sampling them.

  Args:
    inputs: `[B, T, H, W, C1]` and perhaps `[B, T, H / 2, W / 2, C2]`.
    kernel, time_padding: see `conv.conv3d`.
  """
  skip, *low = inputs
  channels = skip.shape[-1]
  y = with_neighbours(skip, kernel[..., :channels, :], time_padding)
  return sum((below(video, kernel[..., channels:, :], time_padding) for video in low), y)


def below(low: jax.Array, kernel: jax.Array, time_padding: str) -> jax.Array:
  """Returns the convolution of a video `[B, T, H / 2, W / 2, C]` up-sampled, `[B, T, H, W, F]`, done before that."""
  # Padded apart, behind a barrier: with padding in the convolution its result is larger than its input, and XLA then
  # swaps the two in the gradient by the kernel, which no kernel of cuDNN's is made for.
  padded = jax.lax.optimization_barrier(jnp.pad(low, ((0, 0), (0, 0), (1, 1), (1, 1), (0, 0))))
  return deal(dealt(padded, phase_kernels(kernel), time_padding, 'VALID'))


def with_neighbours(x: jax.Array, kernel: jax.Array, time_padding: str) -> jax.Array:
  """Returns the convolution of a video by one 2-D convolution, in the one of two ways that copies fewer numbers."""
  *_, c, f = kernel.shape
  return (stacked if f > c else dealt)(x, kernel, time_padding)


def stacked(x: jax.Array, kernel: jax.Array, time_padding: str) -> jax.Array:
  """The kt frames that the kernel sees lie in the channels of the input."""
  kt, kh, kw, c, f = kernel.shape
  frames = jnp.concatenate(shifted(x, kt, time_padding), axis=-1)
  return plane(frames, kernel.transpose(1, 2, 0, 3, 4).reshape(kh, kw, kt * c, f))


def dealt(x: jax.Array, kernel: jax.Array, time_padding: str, padding: str = 'SAME') -> jax.Array:
  """What a frame gives to each of its kt neighbours lies in the channels of the result, and is then added up.

  Args:
    padding: of rows and columns, 'SAME' or 'VALID'.
  """
  kt, kh, kw, c, f = kernel.shape
  given = plane(x, kernel.transpose(1, 2, 3, 0, 4).reshape(kh, kw, c, kt * f), padding)
  first, *rest = (y[..., k * f : (k + 1) * f] for k, y in enumerate(shifted(given, kt, time_padding)))
  return sum(rest, first)


def shifted(x: jax.Array, kt: int, time_padding: str) -> list[jax.Array]:
  """Returns kt videos, the k-th of which has frame t + k - kt // 2 in the place of frame t."""
  padded = pad_time(x, kt // 2, kt // 2, time_padding)
  return [padded[:, k : k + x.shape[1]] for k in range(kt)]


def plane(x: jax.Array, kernel: jax.Array, padding: str = 'SAME') -> jax.Array:
  """Returns the 2-D convolution of each frame of `[B, T, H, W, C]` with `[kh, kw, C, F]`; a product for one pixel."""
  kh, kw, c, f = kernel.shape
  if kh == kw == 1:
    return x @ kernel.reshape(c, f)
  frames = x.reshape(-1, *x.shape[2:])
  y = jax.lax.conv_general_dilated(frames, kernel, (1, 1), padding, dimension_numbers=('NHWC', 'HWIO', 'NHWC'))
  return y.reshape(*x.shape[:2], *y.shape[1:])
