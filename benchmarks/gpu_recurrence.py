"""The ConvLSTM alone, at the size of the bottleneck: a stage of `benchmarks.gpu`."""

import functools
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.gpu_run import Run
from benchmarks.gpu_timing import compiled, largest_error, milliseconds, numbers
from benchmarks.recurrences import one_kernel_gradient
from ear_jax.models import conv
from ear_jax.models import recurrence as ours


def measure(run: Run) -> None:
  """The ConvLSTM alone, at the size of the bottleneck: as today, unrolled, with products, with one kernel gradient."""
  b, t, h, _ = run.shape
  channels, size = 2 * run.filters[-1], h // 2 ** len(run.filters)
  x = numbers((b, t, size, size, channels), jnp.bfloat16)
  model = ours.ConvLSTM(channels, dtype=jnp.bfloat16)
  shapes = jax.eval_shape(model.init, jax.random.key(0), x)
  params = jax.tree.map(lambda like: numbers(like.shape, np.float32, 0.02), shapes)
  native = functools.partial(
    jax.lax.conv_general_dilated, window_strides=(1, 1), padding='SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC')
  )
  scan = ours._over_frames
  ways = {'today': (scan, native), 'products': (scan, conv.matmul_conv2d)}
  for unroll in (5, 10, 50):
    ways[f'unroll {unroll}'] = functools.partial(scan, unroll=unroll), native
  ways['products, unroll 5'] = functools.partial(scan, unroll=5), conv.matmul_conv2d

  def both(apply, params, x):
    y, pull = jax.vjp(apply, params, x)
    return y, *pull(y)

  def programs():
    for name, (over, convolve) in ways.items():
      with mock.patch.object(ours, '_over_frames', over), mock.patch.object(ours, 'conv2d_in_scan', convolve):
        yield name, jax.jit(functools.partial(both, model.apply)).lower(params, x)
    for name, convolve in (('one kernel gradient', native), ('one kernel gradient, products', conv.matmul_conv2d)):
      apply = functools.partial(one_kernel_gradient, convolve=convolve)
      yield name, jax.jit(functools.partial(both, apply)).lower(params, x)

  error, right = jax.jit(lambda a, b: jax.tree.map(largest_error, a, b)), None
  for name, lowered in programs():
    try:
      program = compiled(run, f'recurrence {name}', lowered)
      ms, found = milliseconds(lambda program=program: program(params, x), 5), program(params, x)
      right = right or found
      apart = max(float(e) for e in jax.tree.leaves(error(found, right)))
      run.write(what='recurrence', program=f'recurrence {name}', ms=ms, error=apart)
    except Exception as fault:
      run.failed(f'recurrence {name}', fault)
