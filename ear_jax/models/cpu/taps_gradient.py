"""The gradient of a 3-D convolution by its kernel on CPU.

XLA derives it as a convolution that has a picture for its kernel, which is slow. Here it is a sum of matrix products
over blocks of rows that stay in cache.
"""

import functools

import jax
import jax.numpy as jnp

BLOCK_BYTES = 2**18  # of the float32 copies in one product: half of a core's second-level cache


def products_shape(videos: int, kernel: tuple[int, ...]) -> tuple[int, int, int]:
  """Returns the shape of `kernel_products` for so many videos and a kernel of a shape `[kt, kh, kw, C, F]`."""
  kt, kh, kw, c, f = kernel
  return videos, kt * max(c, f), kh * kw * min(c, f)


def kernel_products(x: jax.Array, dy: jax.Array, kernel: tuple[int, ...]) -> jax.Array:
  """Returns a group's part of the gradient, which is to be summed over groups.

  Args:
    x: `[B, n + 2 (kt // 2), H, W, C]`, the frames of the input and those around them.
    dy: `[B, n + 2 (kt // 2), H, W, F]`, of the cotangent; a row and a column more where kh and kw are even.
    kernel: shape of the kernel, `[kt, kh, kw, C, F]`.
  """
  shifted, tapped = (dy, x) if _is_swapped(kernel) else (x, dy)
  reach = kernel[0] // 2
  return _products(shifted[:, reach : shifted.shape[1] - reach], tapped, kernel[:3])


def kernel_gradient(products: jax.Array, kernel: tuple[int, ...]) -> jax.Array:
  """Returns the gradient by the kernel, float32 of its shape, from the sum of `kernel_products` over all groups."""
  kt, kh, kw, c, f = kernel
  # A sum for each video: on two devices as on one, the same numbers are added in the same order.
  # dy of a frame earlier meets x of this one where the tap looks a frame ahead.
  total = products.sum(axis=0).reshape(kt, max(c, f), kh, kw, min(c, f))[::-1].transpose(0, 2, 3, 4, 1)
  return total[::-1, ::-1, ::-1].swapaxes(3, 4) if _is_swapped(kernel) else total


_cut = functools.partial(jax.lax.dynamic_slice, allow_negative_indices=False)  # less to compile


def _is_swapped(kernel: tuple[int, ...]) -> bool:
  """Whether dy is the one shifted in the plane: the one with fewer channels is to be copied kh * kw times."""
  return kernel[3] > kernel[4]


def _products(x: jax.Array, dy: jax.Array, extents: tuple[int, ...]) -> jax.Array:
  """`[B, kt F, kh kw C]`: the sum of `x[b, t, h + i, w + j, c] dy[b, t + k, h, w, f]` over t, h, w.

  Block by block of rows: x shifted in the plane only, as columns, times kt frames of dy. With dy shifted in time and x
  in the plane, kh * kw * C + kt * F numbers are copied for a pixel; with x shifted in both, kt * kh * kw * C.
  """
  kt, kh, kw = extents
  b, padded, h, w, f = dy.shape
  t, c = padded - 2 * (kt // 2), x.shape[-1]
  top, left = (h + kh - 1 - x.shape[2]) // 2, (w + kw - 1 - x.shape[3]) // 2
  blocks = -(-4 * h * w * (kh * kw * c + kt * f) // BLOCK_BYTES)
  rows = -(-h // min(blocks, h))
  blocks = -(-h // rows)
  below = blocks * rows - h
  x = jnp.pad(x, ((0, 0), (0, 0), (top, top + below), (left, left), (0, 0)))
  dy = jnp.pad(dy, ((0, 0), (0, 0), (0, below), (0, 0), (0, 0)))
  dy = dy.reshape(b, padded, blocks * rows * w, f).swapaxes(2, 3)  # a product of row-major factors is the fastest

  def of_video(pair: tuple[jax.Array, jax.Array]) -> jax.Array:
    x, dy = pair

    def add_block(total: jax.Array, i: jax.Array) -> tuple[jax.Array, None]:
      frame, block = jax.lax.div(i, blocks), jax.lax.rem(i, blocks)
      part = _cut(x, (frame, block * rows, 0, 0), (1, rows + kh - 1, w + kw - 1, c))[0]
      shifted = [part[i : i + rows, j : j + w] for i in range(kh) for j in range(kw)]
      columns = jnp.concatenate(shifted, axis=-1).reshape(rows * w, kh * kw * c)
      taps = _cut(dy, (frame, 0, block * rows * w), (kt, f, rows * w))
      product = jnp.matmul(taps.reshape(kt * f, rows * w), columns, preferred_element_type=jnp.float32)
      return total + product, None

    return jax.lax.scan(add_block, jnp.zeros((kt * f, kh * kw * c), jnp.float32), jnp.arange(t * blocks))[0]

  return jax.lax.map(of_video, (x, dy))
