"""The 2-D convolutions that a 3-D one on CPU is made of: four for two frames where three taps in time would take six.

Winograd's F(2, 3) (Lavin and Gray 2016, doi:10.1109/CVPR.2016.435), in time only. Of frames d0 to d3, with the time
taps g0 to g2 of the kernel:

    m0 = (d0 - d2) * g0                   y0 = m0 + m1 + m2  =  d0 * g0 + d1 * g1 + d2 * g2
    m1 = (d1 + d2) * (g0 + g1 + g2) / 2   y1 = m1 - m2 - m3  =  d1 * g0 + d2 * g1 + d3 * g2
    m2 = (d2 - d1) * (g0 - g1 + g2) / 2
    m3 = (d1 - d3) * g2

Rounding grows by about a factor of two, far from what the transforms of larger tiles lose.
"""

import jax
import jax.numpy as jnp

from ear_jax.models.cpu.conv2d import conv2d


def convolve_window(window: jax.Array, kernel: jax.Array, padding: tuple[int, ...]) -> jax.Array:
  """Returns the convolution of the frames of a window that have all their neighbours in it.

  Args:
    window: `[B, n + 2 (kt // 2), H, W, C]`.
    kernel: `[kt, kh, kw, C, F]`.
    padding: of rows and columns; see `conv2d`.

  Returns: `[B, n, H', W', F]`.
  """
  kt, kh, kw, c, f = kernel.shape
  n = window.shape[1] - 2 * (kt // 2)
  if kt == 3 and n != 1:
    # Sums and differences rounded to bfloat16's 8 bits would be off by three times as much; XLA:CPU has no faster ones.
    exact = jnp.promote_types(window.dtype, jnp.float32)
    return _in_twos(window.astype(exact), kernel.astype(exact), padding)[:, :n].astype(window.dtype)
  taps = [window[:, k : k + n] for k in range(kt)]
  x = jnp.concatenate(taps, axis=-1) if kt > 1 else window
  return conv2d(x, kernel.transpose(1, 2, 0, 3, 4).reshape(kh, kw, kt * c, f), padding)


def copied_channels(kt: int, c: int, f: int) -> int:
  """Returns how many numbers `convolve_window` writes for a pixel, from and to so many channels."""
  return 2 * (c + f) if kt == 3 else kt * c + f


def _in_twos(window: jax.Array, kernel: jax.Array, padding: tuple[int, ...]) -> jax.Array:
  """Also of a frame that is not there after the last, where their number is odd."""
  b, padded, *plane, c = window.shape
  pairs = (padded - 1) // 2  # this way round jax can tell that a symbolic number of frames makes it positive
  window = jnp.pad(window, ((0, 0), (0, 2 * pairs + 2 - padded), (0, 0), (0, 0), (0, 0)))
  window = window.reshape(b, pairs + 1, 2, *plane, c)
  d0, d1, d2, d3 = window[:, :-1, 0], window[:, :-1, 1], window[:, 1:, 0], window[:, 1:, 1]
  outer, middle = (kernel[0] + kernel[2]) / 2, kernel[1] / 2
  m0 = conv2d(d0 - d2, kernel[0], padding)
  m1 = conv2d(d1 + d2, outer + middle, padding)
  m2 = conv2d(d2 - d1, outer - middle, padding)
  m3 = conv2d(d1 - d3, kernel[2], padding)
  y = jnp.stack([m0 + m1 + m2, m1 - m2 - m3], axis=2)
  return y.reshape(b, 2 * pairs, *y.shape[3:])
