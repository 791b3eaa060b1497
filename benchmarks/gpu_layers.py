"""Each form of each convolution of 3D-EAR alone, its value and both gradients: a stage of `benchmarks.gpu`."""

import functools
import math
from collections.abc import Iterable

import jax
import jax.numpy as jnp

from benchmarks.forms import FORMS
from benchmarks.gpu_run import Run
from benchmarks.gpu_timing import NHWC, compiled, largest_error, milliseconds, numbers

# Of 3D-EAR: rows, channels in and out, frames that the kernel sees. The most telling first.
LAYERS = (
  *((128, 64, 16, 3), (128, 16, 32, 3), (64, 128, 32, 3), (64, 32, 64, 3), (32, 256, 64, 3), (128, 32, 32, 1)),
  *((32, 64, 128, 3), (16, 512, 128, 3), (16, 128, 256, 3), (128, 16, 16, 3), (64, 32, 32, 3), (128, 4, 16, 3)),
  *((32, 64, 64, 3), (16, 128, 128, 3), (64, 64, 64, 1)),
)


def layers(run: Run) -> Iterable[tuple[int, int, int, int]]:
  """Yields the convolutions to measure."""
  return ((32, 8, 4, 3), (32, 4, 8, 3)) if run.toy else LAYERS


def measure(run: Run, dtype: str) -> None:
  """Each form of each convolution, its value and both gradients, against cuDNN's 3-D form."""
  error = jax.jit(lambda a, b: jax.tree.map(largest_error, a, b))
  for rows, c, f, kt in layers(run):
    shape = (*run.shape[:2], rows, rows)
    x, dy = numbers((*shape, c), jnp.dtype(dtype)), numbers((*shape, f), jnp.dtype(dtype))
    kernel = numbers((kt, 3, 3, c, f), jnp.dtype(dtype), (9 * kt * c) ** -0.5)
    work, right = 3 * 2 * 9 * kt * c * f * math.prod(shape), None
    for name, options in _ways(c, f, kt):
      title = f'{rows} x {rows}, {c} to {f}, {kt}x3x3 {dtype} {name}'
      form = functools.partial(FORMS[name.partition(' ')[0]], time_padding='zero')
      try:
        lowered = jax.jit(functools.partial(_with_gradients, form)).lower(x, kernel, dy)
        program = compiled(run, title, lowered, options)
        ms = milliseconds(lambda program=program, args=(x, kernel, dy): program(*args), 10)
        found = program(x, kernel, dy)
        right = right or found
        apart = [float(e) for e in error(found, right)]
        run.write(what='layer', program=title, ms=round(ms, 4), tflops=round(work / ms / 1e9, 1), error=apart)
      except Exception as fault:
        run.failed(title, fault)


def _ways(c: int, f: int, kt: int) -> list[tuple[str, dict | None]]:
  """Returns the forms to time of a convolution, with options of the compiler; others are held against the first."""
  names = ['all_3d'] if kt == 1 else ['stacked', 'dealt', 'two_frames', 'taps']
  few = ['paired_columns', 'widened'] if min(c, f) <= 16 and kt > 1 else []
  return [('3d', None), ('3d NHWC', NHWC), *((name, None) for name in names + few)]


def _with_gradients(form, x, kernel, dy):
  y, pull = jax.vjp(form, x, kernel)
  return y, *pull(dy)
