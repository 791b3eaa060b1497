"""Forms of one 3-D convolution, to be compared on a GPU: all give the same numbers, in other operations and layouts.

A form is a function of a video `[B, T, H, W, C]`, a kernel `[kt, kh, kw, C, F]` and the padding of time that returns
`[B, T, H, W, F]`. XLA lays the 3-D operation out channels-first; 2-D ones it lays out channels-last, as tensor cores
want them, and frames are then part of the batch.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from unittest import mock

import jax
import jax.numpy as jnp

from ear_jax.models import conv
from ear_jax.models.planes import below, dealt, plane, shifted, stacked, with_neighbours
from ear_jax.models.video import pad_time, pending

Form = Callable[[jax.Array, jax.Array, str], jax.Array]


def taps(x: jax.Array, kernel: jax.Array, time_padding: str) -> jax.Array:
  """The sum of one 2-D convolution for each frame that the kernel sees."""
  return sum(plane(frames, k) for frames, k in zip(shifted(x, len(kernel), time_padding), kernel, strict=True))


def two_frames(x: jax.Array, kernel: jax.Array, time_padding: str) -> jax.Array:
  """Four 2-D convolutions for two frames instead of six: Winograd's F(2, 3), see `ear_jax.models.cpu.two_frames`."""
  if len(kernel) != 3 or x.shape[1] % 2:
    return taps(x, kernel, time_padding)
  padded = pad_time(x, 1, 1, time_padding)
  d0, d1, d2, d3 = padded[:, :-2:2], padded[:, 1:-1:2], padded[:, 2::2], padded[:, 3::2]
  outer, middle = (kernel[0] + kernel[2]) / 2, kernel[1] / 2
  m0, m3 = plane(d0 - d2, kernel[0]), plane(d1 - d3, kernel[2])
  m1, m2 = plane(d1 + d2, outer + middle), plane(d2 - d1, outer - middle)
  y = jnp.stack([m0 + m1 + m2, m1 - m2 - m3], axis=2)
  return y.reshape(*x.shape[:-1], -1)


def all_3d(x: jax.Array, kernel: jax.Array, time_padding: str) -> jax.Array:
  """The 3-D operation, also where the kernel sees one frame."""
  kt, kh, kw = kernel.shape[:3]
  padding, names = ((0, 0), (kh // 2,) * 2, (kw // 2,) * 2), ('NDHWC', 'DHWIO', 'NDHWC')
  x = pad_time(x, kt // 2, kt // 2, time_padding)
  return jax.lax.conv_general_dilated(x, kernel, (1, 1, 1), padding, dimension_numbers=names)


def widened(x: jax.Array, kernel: jax.Array, time_padding: str) -> jax.Array:
  """The 3-D operation with channels filled up with zeros to multiples of 32."""
  c, f = kernel.shape[-2:]
  kernel = jnp.pad(kernel, ((0, 0),) * 3 + ((0, -c % 32), (0, -f % 32)))
  return conv.native_conv3d(jnp.pad(x, ((0, 0),) * 4 + ((0, -c % 32),)), kernel, time_padding)[..., :f]


def paired_columns(x: jax.Array, kernel: jax.Array, time_padding: str) -> jax.Array:
  """`dealt` with two columns of a frame as channels: twice the channels and twice the operations, and no copy."""
  kt, kh, kw, c, f = kernel.shape
  if kw != 3 or x.shape[3] % 2:
    return dealt(x, kernel, time_padding)
  b, t, h, w, _ = x.shape
  # Column 2 j + o of the output sees column 2 (j + s) + i of the input, for s, i and o of tap 2 s + i - o in -1, 0, 1.
  at = [[[2 * s + i - o + 1 for o in range(2)] for i in range(2)] for s in (-1, 0, 1)]
  zero = jnp.zeros((kt, kh, c, f), kernel.dtype)
  wide = jnp.stack(
    [
      jnp.stack([jnp.stack([kernel[:, :, k] if 0 <= k < 3 else zero for k in row], axis=3) for row in rows], axis=2)
      for rows in at
    ],
    axis=2,
  )  # [kt, kh, 3, 2, C, 2, F]
  y = dealt(x.reshape(b, t, h, w // 2, 2 * c), wide.reshape(kt, kh, 3, 2 * c, 2 * f), time_padding)
  return y.reshape(b, t, h, w, f)


FORMS: dict[str, Form] = {
  'planes': with_neighbours,
  '3d': conv.native_conv3d,
  'all_3d': all_3d,
  'stacked': stacked,
  'dealt': dealt,
  'taps': taps,
  'two_frames': two_frames,
  'paired_columns': paired_columns,
  'widened': widened,
}


@contextlib.contextmanager
def computed_by(convolve: Form, apart: bool = False) -> Iterator[None]:
  """Makes our layers convolve by another form, on any platform, while a program is traced.

  Args:
    convolve: the form.
    apart: a skip and the level below are convolved each for itself, the latter at its own resolution.
  """

  def conv3d(x, kernel, time_padding='zero', bias=None, low=None, gpu=''):
    def form(inputs, kernel, bias):
      skip, *rest = map(jnp.asarray, inputs)
      if not apart or not rest:
        skip, rest = jnp.concatenate([skip, *map(conv.upsample, rest)], axis=-1), []
      c = skip.shape[-1]
      y = convolve(skip, kernel[..., :c, :], time_padding)
      return sum((below(part, kernel[..., c:, :], time_padding) for part in rest), y + bias.reshape(1, 1, 1, 1, -1))

    inputs = tuple(pending(part) for part in (x, low) if part is not None)
    bias = jnp.zeros(kernel.shape[-1:], kernel.dtype) if bias is None else bias
    return conv._per_platform(form, form)(inputs, kernel, bias)

  with mock.patch.object(conv, 'conv3d', conv3d):
    yield
