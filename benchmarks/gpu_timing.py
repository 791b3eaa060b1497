"""How the stages of `benchmarks.gpu` compile, time and compare programs."""

import math
import statistics
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.gpu_run import Run

NHWC = {'xla_gpu_force_conv_nhwc': True}  # an option of the compiler


def compiled(run: Run, name: str, lowered, options: dict | None = None):
  """Returns the program of what jax lowered, and writes how long that took and the memory that it needs."""
  start = time.perf_counter()
  program = lowered.compile(compiler_options=options)
  seconds, gb = time.perf_counter() - start, gigabytes(program)
  run.write(what='compiled', program=name, seconds=round(seconds, 2), gb=round(gb, 3))
  return program


def gigabytes(program) -> float:
  """Returns what a compiled program needs of its device, arguments and results included."""
  memory = program.memory_analysis()
  needed = memory.temp_size_in_bytes + memory.argument_size_in_bytes + memory.output_size_in_bytes
  return (needed - memory.alias_size_in_bytes) / 1e9


def milliseconds(call: Callable[[], object], calls: int, rounds: int = 3) -> float:
  """Returns the median over rounds of the time of one of `calls` calls that are waited for together."""
  jax.block_until_ready(call())
  found = []
  for _ in range(rounds):
    start = time.perf_counter()
    for _ in range(calls):
      out = call()
    jax.block_until_ready(out)
    found.append((time.perf_counter() - start) / calls * 1e3)
  return statistics.median(found)


def numbers(shape: tuple[int, ...], dtype, scale: float = 1.0):
  """Returns random numbers on the device; a million, repeated, which is sooner."""
  few = scale * np.random.default_rng(math.prod(shape)).standard_normal(min(math.prod(shape), 2**20), np.float32)
  return jax.device_put(np.resize(few.astype(dtype), shape))


def largest_error(a, b):
  """Returns the largest difference of two arrays, of the largest of the second."""
  a, b = a.astype(jnp.float32), b.astype(jnp.float32)
  return jnp.max(jnp.abs(a - b)) / jnp.max(jnp.abs(b))
