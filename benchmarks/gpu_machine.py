"""The machine, and what it multiplies at most: the first stage of `benchmarks.gpu`."""

import os
import time

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.gpu_run import Run
from benchmarks.gpu_timing import milliseconds, numbers


def measure(run: Run) -> None:
  """The machine, and what it multiplies at most."""
  began = time.perf_counter()
  device = jax.devices()[0]
  run.write(
    what='machine',
    device=device.device_kind,
    jax=jax.__version__,
    numpy=np.__version__,
    cores=os.cpu_count(),
    seconds_to_device=round(time.perf_counter() - began, 2),
    when=time.strftime('%Y-%m-%d %H:%M'),
  )
  size = 256 if run.toy else 8192
  for dtype in ('bfloat16', 'float32'):
    x = jnp.asarray(numbers((size, size), jnp.dtype(dtype)))
    product = jax.jit(jnp.matmul)
    ms = milliseconds(lambda x=x, product=product: product(x, x), 20)
    run.write(what=f'product of {size} x {size} {dtype}', ms=ms, tflops=2 * size**3 / ms / 1e9)
