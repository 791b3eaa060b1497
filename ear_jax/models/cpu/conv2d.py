"""The 2-D convolution that `taps` is made of, always in a form that XLA's CPU compiler gives to YNNPACK.

What YNNPACK does not take, such as few channels, Eigen does. With several CPU devices in a process its results then
are other ones at each call, and with few channels it is up to three times slower (`docs/reliability.md`,
`docs/performance.md`).
"""

import jax
import jax.numpy as jnp

NARROW = 16  # channels; YNNPACK takes no convolution with so few of both input and output
WIDENED = 24  # to so many output channels: the fastest of 17, 24 and 32


def conv2d(x: jax.Array, kernel: jax.Array, padding: tuple[int, ...]) -> jax.Array:
  """Returns the convolution of each frame.

  Args:
    x: `[B, T, H, W, C]`.
    kernel: `[kh, kw, C, F]`.
    padding: zeros on both sides of rows and of columns, `k // 2` or, with even extents, also one fewer.

  Returns: `[B, T, H', W', F]` with `H' = H + 2 padding - kh + 1`.
  """
  b, t, h, w, c = x.shape
  kh, kw, _, f = kernel.shape
  if kh == kw == 1:
    return x @ kernel[0, 0]
  # SAME pads an even extent after the picture only; a pad that the compiler could merge would make it another one.
  before = [n - (k - 1) // 2 for n, k in zip(padding, (kh, kw), strict=True)]
  x = x.reshape(b * t, h, w, c)
  if any(before):
    x = jax.lax.optimization_barrier(jnp.pad(x, ((0, 0), (before[0], 0), (before[1], 0), (0, 0))))
  if max(c, f) <= NARROW:
    kernel = jnp.pad(kernel, ((0, 0), (0, 0), (0, 0), (0, WIDENED - f)))
  y = jax.lax.conv_general_dilated(x, kernel, (1, 1), 'SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC'))
  y = y[:, : h + 2 * padding[0] - kh + 1, : w + 2 * padding[1] - kw + 1, :f]
  return y.reshape(b, t, *y.shape[1:])
