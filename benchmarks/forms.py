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
from ear_jax.models.video import pad_time, pending

Form = Callable[[jax.Array, jax.Array, str], jax.Array]


def plane(x: jax.Array, kernel: jax.Array) -> jax.Array:
  """Returns the 2-D convolution of each frame with `[kh, kw, C, F]`, frames being part of the batch."""
  b, t, h, w, c = x.shape
  kh, kw = kernel.shape[:2]
  padding, names = ((kh // 2,) * 2, (kw // 2,) * 2), ('NHWC', 'HWIO', 'NHWC')
  y = jax.lax.conv_general_dilated(x.reshape(b * t, h, w, c), kernel, (1, 1), padding, dimension_numbers=names)
  return y.reshape(b, t, h, w, -1)


def _shifted(x: jax.Array, kt: int, time_padding: str) -> list[jax.Array]:
  """Returns kt videos, the k-th of which has frame t + k - kt // 2 in the place of frame t."""
  padded = pad_time(x, kt // 2, kt // 2, time_padding)
  return [padded[:, k : k + x.shape[1]] for k in range(kt)]


def taps(x: jax.Array, kernel: jax.Array, time_padding: str) -> jax.Array:
  """The sum of one 2-D convolution for each frame that the kernel sees."""
  return sum(plane(frames, k) for frames, k in zip(_shifted(x, len(kernel), time_padding), kernel, strict=True))


def stacked(x: jax.Array, kernel: jax.Array, time_padding: str) -> jax.Array:
  """One 2-D convolution of the kt frames stacked as kt C channels."""
  kt, kh, kw, c, f = kernel.shape
  frames = jnp.concatenate(_shifted(x, kt, time_padding), axis=-1)
  return plane(frames, kernel.transpose(1, 2, 0, 3, 4).reshape(kh, kw, kt * c, f))


def dealt(x: jax.Array, kernel: jax.Array, time_padding: str) -> jax.Array:
  """One 2-D convolution to kt F channels, what each frame gives to its neighbours, which are then added up."""
  kt, kh, kw, c, f = kernel.shape
  given = plane(x, kernel.transpose(1, 2, 3, 0, 4).reshape(kh, kw, c, kt * f))
  return sum(y[..., k * f : (k + 1) * f] for k, y in enumerate(_shifted(given, kt, time_padding)))


def fewer(x: jax.Array, kernel: jax.Array, time_padding: str) -> jax.Array:
  """`dealt` where the kernel has at most as many channels out as in, `stacked` otherwise: fewer numbers are copied."""
  return (dealt if kernel.shape[-1] <= kernel.shape[-2] else stacked)(x, kernel, time_padding)


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
  'today': conv.native_conv3d,
  'all_3d': all_3d,
  'stacked': stacked,
  'dealt': dealt,
  'fewer': fewer,
  'taps': taps,
  'two_frames': two_frames,
  'paired_columns': paired_columns,
  'widened': widened,
}


def below(low: jax.Array, kernel: jax.Array, time_padding: str) -> jax.Array:
  """The convolution of a video up-sampled 2 x 2, computed at its own resolution as four kernels of 2 x 2.

  Args:
    low: `[B, T, H / 2, W / 2, C]`.
    kernel: `[kt, 3, 3, C, F]`.

  Returns: `[B, T, H, W, F]`.
  """
  b, t, h, w, c = low.shape
  kt, f = kernel.shape[0], kernel.shape[-1]
  # Row 2 i of the output sees rows i - 1 and i of `low`, row 2 i + 1 sees i and i + 1: the taps that fall on each.
  onto = jnp.asarray([[[1, 0, 0], [0, 1, 1]], [[1, 1, 0], [0, 0, 1]]], kernel.dtype)
  small = jnp.einsum('apr,bqs,trscf->pqctabf', onto, onto, kernel).reshape(2, 2, c, kt * 4 * f)
  # Padded apart, behind a barrier: with padding in the convolution its result is larger than its input, and XLA then
  # swaps the two in the gradient by the kernel, which no kernel of cuDNN's is made for.
  padded = jnp.pad(low.reshape(b * t, h, w, c), ((0, 0), (1, 1), (1, 1), (0, 0)))
  padded = jax.lax.optimization_barrier(padded)
  names = ('NHWC', 'HWIO', 'NHWC')
  y = jax.lax.conv_general_dilated(padded, small, (1, 1), 'VALID', dimension_numbers=names)
  y = y.reshape(b, t, h + 1, w + 1, kt, 2, 2, f)
  quarters = [[_summed(y[:, :, i : i + h, j : j + w, :, i, j], time_padding) for j in range(2)] for i in range(2)]
  rows = jnp.stack([jnp.stack(pair, axis=4) for pair in quarters], axis=3)  # [B, T, h, 2, w, 2, F]
  return rows.reshape(b, t, 2 * h, 2 * w, f)


def _summed(y: jax.Array, time_padding: str) -> jax.Array:
  """Returns `[B, T, h, w, F]` from what each frame gives to its kt neighbours, `[B, T, h, w, kt, F]`."""
  kt = y.shape[-2]
  padded = [pad_time(y[..., k, :], kt // 2, kt // 2, time_padding) for k in range(kt)]
  return sum(part[:, k : k + y.shape[1]] for k, part in enumerate(padded))


@contextlib.contextmanager
def computed_by(convolve: Form, apart: bool = False) -> Iterator[None]:
  """Makes our layers convolve by another form, on any platform, while a program is traced.

  Args:
    convolve: the form.
    apart: a skip and the level below are convolved each for itself, the latter at its own resolution.
  """

  def conv3d(x, kernel, time_padding='zero', bias=None, low=None):
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
