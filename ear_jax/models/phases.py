"""A convolution of pixels that were each repeated 2 x 2 times, done before they are repeated: four kernels of 2 x 2.

A 3 x 3 window over such pixels sees only 2 x 2 different ones, which ones depends on whether its centre is an even or
an odd row and column. The four kernels are sums of the kernel's own weights and do 4 / 9 of the work.
"""

import jax
import jax.numpy as jnp


def phase_kernels(kernel: jax.Array) -> jax.Array:
  """Returns the kernels of the four phases of rows and columns side by side, `[kt, 2, 2, C, 4 F]`.

  Args:
    kernel: `[kt, 3, 3, C, F]`, of the repeated pixels.
  """
  return jnp.concatenate([part for rows in _halve(kernel, 1) for part in _halve(rows, 2)], axis=-1)


def _halve(kernel: jax.Array, axis: int) -> tuple[jax.Array, jax.Array]:
  """The kernels of extent 2 that a kernel of extent 3 is at even and at odd positions of repeated pixels."""
  before, centre, after = jnp.split(kernel, 3, axis)
  return jnp.concatenate([before, centre + after], axis), jnp.concatenate([before + centre, after], axis)


def deal(y: jax.Array) -> jax.Array:
  """`[B, T, H + 1, W + 1, 4 F]`, what the four kernels give to pixels padded by one, to `[B, T, 2 H, 2 W, F]`."""
  b, t, h, w, f = y.shape
  h, w, f = h - 1, w - 1, f // 4
  parts = [y[:, :, i : i + h, j : j + w, (2 * i + j) * f : (2 * i + j + 1) * f] for i in (0, 1) for j in (0, 1)]
  rows = [jnp.stack(parts[:2], axis=4), jnp.stack(parts[2:], axis=4)]
  return jnp.stack(rows, axis=3).reshape(b, t, 2 * h, 2 * w, f)


def gather(dy: jax.Array) -> jax.Array:
  """The transpose of `deal`."""
  b, t, h, w, f = dy.shape
  dy = dy.reshape(b, t, h // 2, 2, w // 2, 2, f)
  pads = {(i, j): ((0, 0), (0, 0), (i, 1 - i), (j, 1 - j), (0, 0)) for i in (0, 1) for j in (0, 1)}
  return jnp.concatenate([jnp.pad(dy[:, :, :, i, :, j], pad) for (i, j), pad in pads.items()], axis=-1)
