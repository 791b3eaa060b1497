"""Steps and forward passes of whole networks, in any form of their convolutions: stages of `benchmarks.gpu`."""

from __future__ import annotations

import dataclasses
import functools
import math
import os
import statistics
import time
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks import forms
from benchmarks.gpu_kernels import kernels
from benchmarks.gpu_run import Run
from benchmarks.gpu_timing import compiled, milliseconds, numbers
from ear_jax.models.unet3d import UNet3D
from ear_jax.training.state import make_state
from ear_jax.training.steps import make_train_step


@dataclasses.dataclass(frozen=True)
class Program:
  """A network, how its layers convolve and what the compiler is told.

  Attributes:
    network: 'ear3d' or 'unet3d'.   form: one of `forms.FORMS`.
    apart: skip and level below convolved each for itself; joined otherwise.   which: 'step' or 'forward'.
    options: of the compiler, as pairs.
  """

  network: str
  dtype: str
  form: str = 'planes'
  apart: bool = True
  which: str = 'step'
  options: tuple[tuple[str, object], ...] = ()

  @property
  def title(self) -> str:
    """In a few words."""
    told = ''.join(f' {key}={value}' for key, value in self.options)
    return f'{self.network} {self.dtype} {self.form}{"" if self.apart else " joined"} {self.which}{told}'


def network_of(program: Program, run: Run):
  """Returns the module of a program."""
  ear = {'attention': 'channel', 'temporal': 'convlstm'} if program.network == 'ear3d' else {}
  return UNet3D(filters=run.filters, dtype=jnp.dtype(program.dtype), **ear)


def first_state(model, optimizer, filters):
  """Returns a state of random weights that is made without compiling anything."""
  shapes = jax.eval_shape(
    functools.partial(make_state, model, optimizer, 4, 2 ** len(filters), False), jax.random.key(0)
  )
  rng = np.random.default_rng(0)

  def leaf(path, like):
    if path[-1].key == 'scale':
      return np.ones(like.shape, like.dtype)
    if path[-1].key == 'bias':
      return 0.1 * rng.standard_normal(like.shape, np.float32)
    fan = math.prod(like.shape[:-1])
    return rng.standard_normal(like.shape, np.float32) * np.float32(fan**-0.5)

  params = jax.tree_util.tree_map_with_path(leaf, shapes.params)
  rest = jax.tree.map(lambda like: np.zeros(like.shape, like.dtype), (shapes.opt_state, shapes.step))
  return shapes.replace(params=params, opt_state=rest[0], step=rest[1], rng=jax.random.key(0))


def prepared(program: Program, run: Run, shape: tuple[int, ...], there=lambda x: x):
  """Returns what jax lowered of a program, and a function that makes the arguments of its first call.

  It is lowered for what `there` makes of an argument: its shape on a device that is not here.
  """
  model, optimizer = network_of(program, run), optax.adam(1e-3)
  state = first_state(model, optimizer, run.filters)
  video = numbers((*shape, 4), np.float32)
  axis = np.arange(shape[2]) / shape[2] - 0.5
  radius = np.hypot(axis[:, None], axis)
  ring = np.broadcast_to((radius > 0.15) & (radius < 0.25), shape).astype(np.uint8)
  batch = {'video': video, 'mask': jax.device_put(ring), 'annotated': jax.device_put(np.ones(shape[:2], bool))}
  loss = {'name': 'dice_iou+cross_entropy', 'smooth': 1.0, 'reduction': 'cine', 'loss_classes': 'both'}
  with forms.computed_by(forms.FORMS[program.form], program.apart):
    if program.which == 'forward':
      args = {'params': state.params}, video
      return jax.jit(model.apply).lower(*jax.tree.map(there, args)), lambda: jax.device_put(args)
    step = make_train_step(model, optimizer, loss, ema_decay=0.0, axis_name=None)
    lowered = jax.jit(step, donate_argnums=0).lower(*jax.tree.map(there, (state, batch)))
  return lowered, lambda: (jax.device_put(state.replace(rng=jax.random.key(0))), batch)  # a key of its own: donated


def measure(run: Run, programs: list[dict], shape: tuple[int, ...] = ()) -> None:
  """Compile time, time, memory, losses and kernels of some programs, each the fields of a `Program`, in turn."""
  shape = run.shape if run.toy or not shape else shape
  for program in (Program(**fields) for fields in programs):
    try:
      lowered, arguments = prepared(program, run, shape)
      call = compiled(run, program.title, lowered, dict(program.options) or None)
      times = _step_times if program.which == 'step' else _forward_times
      for figures in times(call, arguments()):
        run.write(what='network', program=program.title, shape=shape, **figures)
      peak = (jax.devices()[0].memory_stats() or {}).get('peak_bytes_in_use', 0)
      run.write(what='memory', program=program.title, peak_gb_of_process=round(peak / 1e9, 3))
      if program.which == 'step':
        run.write(what='kernels', program=program.title, **kernels(call, *arguments()))
    except Exception as fault:
      run.failed(program.title, fault)


def _step_times(program, args) -> Iterator[dict]:
  """Yields the first step as seconds since the process began, then the time of a step, alone and many together."""
  (state, batch), losses = args, []
  for _ in range(3):
    state, metrics = program(state, batch)
    losses.append(float(metrics['loss']))
    if len(losses) == 1:
      yield {'seconds_to_first_step': round(time.time() - float(os.environ['STAGE_BEGAN']), 2)}
  alone = []
  for _ in range(5):
    start = time.perf_counter()
    state, metrics = program(state, batch)
    float(metrics['loss'])
    alone.append((time.perf_counter() - start) * 1e3)
  yield {'ms_alone': statistics.median(alone), 'losses': losses}
  calls = max(1, min(20, round(2e3 / statistics.median(alone))))  # two seconds of them
  start = time.perf_counter()
  for _ in range(calls):
    state, metrics = program(state, batch)
  float(metrics['loss'])
  yield {'ms': (time.perf_counter() - start) / calls * 1e3}


def _forward_times(program, args) -> Iterator[dict]:
  yield {'ms': milliseconds(lambda: program(*args), 20)}
