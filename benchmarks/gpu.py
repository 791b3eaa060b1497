"""What a GPU makes of the network, and of other forms of its convolutions: `python -m benchmarks.gpu --output FILE`.

Stages run one after the other, the most telling first, each in a process of its own with its own limit of time, and
each figure is a line of JSON appended to FILE as it comes: a stage that is cut off, or dies, has left what it found.
Programs are compiled one by one and timed before the next, since autotuning has the GPU to itself, and takes long.
jax, flax and optax are enough; PyTorch is compared with where it is. `--toy` runs the same on a CPU, small.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import glob
import gzip
import importlib.util
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable, Iterable, Iterator
from unittest import mock

import numpy as np


@dataclasses.dataclass(frozen=True)
class Stage:
  """A process: what it runs, and how long it may.

  Attributes:
    name: in the results, and of `--only`.   run: does the work.   seconds: its limit.
    flags: of XLA, for the whole process; one that XLA does not know ends it.
  """

  name: str
  run: Callable[[Run], None]
  seconds: int
  flags: str = ''


@dataclasses.dataclass(frozen=True)
class Run:
  """Where a stage writes, and the size of what it measures."""

  stage: str
  output: str
  toy: bool

  @property
  def shape(self) -> tuple[int, int, int, int]:
    """B, T, H, W."""
    return (2, 4, 32, 32) if self.toy else (2, 50, 128, 128)

  @property
  def filters(self) -> tuple[int, ...]:
    """Channels of each level."""
    return (4, 8) if self.toy else (16, 32, 64, 128)

  def write(self, **figures) -> None:
    """Appends a line."""
    with open(self.output, 'a') as file:
      file.write(json.dumps({'stage': self.stage, **figures}) + '\n')

  def failed(self, what: str, fault: BaseException) -> None:
    """Appends a failure with its sentence."""
    self.write(what=what, failed=f'{type(fault).__name__}: {fault}'[:600])


# Of 3D-EAR: rows, channels in and out, frames that the kernel sees. The most telling first.
LAYERS = (
  *((128, 64, 16, 3), (128, 16, 32, 3), (64, 128, 32, 3), (64, 32, 64, 3), (32, 256, 64, 3), (128, 32, 32, 1)),
  *((32, 64, 128, 3), (16, 512, 128, 3), (16, 128, 256, 3), (128, 16, 16, 3), (64, 32, 32, 3), (128, 4, 16, 3)),
  *((32, 64, 64, 3), (16, 128, 128, 3), (64, 64, 64, 1)),
)


def layers(run: Run) -> Iterable[tuple[int, int, int, int]]:
  """Yields the convolutions to measure."""
  return ((32, 8, 4, 3), (32, 4, 8, 3)) if run.toy else LAYERS


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
  import jax

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
  import jax

  few = scale * np.random.default_rng(math.prod(shape)).standard_normal(min(math.prod(shape), 2**20), np.float32)
  return jax.device_put(np.resize(few.astype(dtype), shape))


def start(run: Run) -> None:
  """The machine, and what it multiplies at most."""
  import jax
  import jax.numpy as jnp

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


def convolutions(run: Run, dtype: str) -> None:
  """Each form of each convolution, its value and both gradients, against today's form."""
  import jax
  import jax.numpy as jnp

  from benchmarks.forms import FORMS

  error = jax.jit(lambda a, b: jax.tree.map(_apart, a, b))
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
  names = ['today', 'all_3d'] if kt == 1 else ['today', 'stacked', 'dealt', 'two_frames', 'taps']
  few = ['paired_columns', 'widened'] if min(c, f) <= 16 and kt > 1 else []
  return [('today', None), ('today NHWC', NHWC), *((name, None) for name in names[1:] + few)]


def _with_gradients(form, x, kernel, dy):
  import jax

  y, pull = jax.vjp(form, x, kernel)
  return y, *pull(dy)


def _apart(a, b):
  import jax.numpy as jnp

  a, b = a.astype(jnp.float32), b.astype(jnp.float32)
  return jnp.max(jnp.abs(a - b)) / jnp.max(jnp.abs(b))


@dataclasses.dataclass(frozen=True)
class Program:
  """A network, how its layers convolve and what the compiler is told.

  Attributes:
    network: 'ear3d' or 'unet3d'.   form: one of `forms.FORMS`.
    apart: skip and level below convolved each for itself.   which: 'step' or 'forward'.
    options: of the compiler, as pairs.
  """

  network: str
  dtype: str
  form: str = 'today'
  apart: bool = False
  which: str = 'step'
  options: tuple[tuple[str, object], ...] = ()

  @property
  def title(self) -> str:
    """In a few words."""
    told = ''.join(f' {key}={value}' for key, value in self.options)
    return f'{self.network} {self.dtype} {self.form}{" apart" if self.apart else ""} {self.which}{told}'


def network_of(program: Program, run: Run):
  """Returns the module of a program."""
  import jax.numpy as jnp

  from ear_jax.models.unet3d import UNet3D

  ear = {'attention': 'channel', 'temporal': 'convlstm'} if program.network == 'ear3d' else {}
  return UNet3D(filters=run.filters, dtype=jnp.dtype(program.dtype), **ear)


def first_state(model, optimizer, filters):
  """Returns a state of random weights that is made without compiling anything."""
  import jax

  from ear_jax.training.state import make_state

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
  import jax
  import optax

  from benchmarks import forms
  from ear_jax.training.steps import make_train_step

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


def networks(run: Run, programs: list[Program], shape: tuple[int, ...] = ()) -> None:
  """Compile time, time, memory, losses and kernels of some programs, one after the other."""
  import jax

  shape = run.shape if run.toy or not shape else shape
  for program in programs:
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


def kernels(program, state, batch, steps: int = 3) -> dict:
  """Returns where the time of a step goes on the device: of kernels by name, of conversions of layout, and launches."""
  import jax

  state, _ = program(state, batch)
  with tempfile.TemporaryDirectory() as folder:
    with jax.profiler.trace(folder):
      for _ in range(steps):
        state, metrics = program(state, batch)
      float(metrics['loss'])
    (path,) = glob.glob(f'{folder}/plugins/profile/*/*.trace.json.gz')
    with gzip.open(path) as file:
      events = json.load(file)['traceEvents']
  lanes = {e['pid'] for e in events if e.get('name') == 'process_name' and '/device:GPU' in e['args']['name']}
  streams = {
    (e['pid'], e['tid'])
    for e in events
    if e.get('name') == 'thread_name' and e['pid'] in lanes and 'Stream' in e['args']['name']
  }
  times: dict[str, list[float]] = {}
  for event in events:
    if event.get('ph') == 'X' and (event['pid'], event['tid']) in streams:
      times.setdefault(event['name'][:90], []).append(event['dur'] / 1e3)
  total = {name: sum(found) / steps for name, found in times.items()}
  most = sorted(total, key=total.get, reverse=True)[:25]
  return {
    'kernels_ms': sum(total.values()),
    'launches': sum(map(len, times.values())) / steps,
    'conversions_ms': sum(ms for name, ms in total.items() if 'nchwToNhwc' in name or 'nhwcToNchw' in name),
    'threads': sorted({e['args']['name'] for e in events if e.get('name') == 'thread_name' and e['pid'] in lanes})[:9],
    'most': [[name, round(total[name], 3), len(times[name]) / steps] for name in most],
  }


def recurrence(run: Run) -> None:
  """The ConvLSTM alone, at the size of the bottleneck: as today, unrolled, with products, with one kernel gradient."""
  import jax
  import jax.numpy as jnp

  from benchmarks.recurrences import one_kernel_gradient
  from ear_jax.models import conv
  from ear_jax.models import recurrence as ours

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

  error, right = jax.jit(lambda a, b: jax.tree.map(_apart, a, b)), None
  for name, lowered in programs():
    try:
      program = compiled(run, f'recurrence {name}', lowered)
      ms, found = milliseconds(lambda program=program: program(params, x), 5), program(params, x)
      right = right or found
      apart = max(float(e) for e in jax.tree.leaves(error(found, right)))
      run.write(what='recurrence', program=f'recurrence {name}', ms=ms, error=apart)
    except Exception as fault:
      run.failed(f'recurrence {name}', fault)


def pytorch(run: Run) -> None:
  """PyTorch's step and forward pass, eager, bfloat16 by autocast, in both memory layouts; nothing without it."""
  if importlib.util.find_spec('torch') is None:
    run.write(what='PyTorch is not installed here')
    return
  import torch

  from benchmarks import torch_network

  device = 'cpu' if run.toy else 'cuda'
  torch.backends.cudnn.benchmark = True
  torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
  for name in ('ear3d', 'unet3d'):
    for layout in (torch.contiguous_format, torch.channels_last_3d):
      try:
        _torch_network(run, torch, torch_network, name, layout, device)
      except Exception as fault:
        run.failed(f'PyTorch {name} {layout}', fault)


def _torch_network(run, torch, torch_network, name, layout, device) -> None:
  network = torch_network.UNet3D(4, 2, run.filters, ear=name == 'ear3d').to(device)
  for parameter in network.parameters():
    if parameter.ndim == 5:
      parameter.data = parameter.data.contiguous(memory_format=layout)
  optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, fused=device == 'cuda')
  b, t, h, w = run.shape
  video = torch.randn(b, 4, t, h, w, device=device).contiguous(memory_format=layout)
  mask = torch.randint(0, 2, (b, t, h, w), device=device)

  def step():
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast(device, torch.bfloat16):
      loss = torch_network.loss(network(video).float(), mask)
    loss.backward()
    optimizer.step()
    return loss

  def forward():
    with torch.inference_mode(), torch.autocast(device, torch.bfloat16):
      return network(video).sum()

  for which, call in (('step', step), ('forward', forward)):
    float(call())
    float(call())
    found = []
    for _ in range(2 if run.toy else 10):
      start = time.perf_counter()
      float(call())
      found.append((time.perf_counter() - start) * 1e3)
    run.write(what='PyTorch', program=f'PyTorch {name} {layout} {which}', ms=statistics.median(found))
  peak = torch.cuda.max_memory_allocated() / 1e9 if device == 'cuda' else None
  run.write(what='memory', program=f'PyTorch {name} {layout}', peak_gb_of_process=peak)


NHWC = {'xla_gpu_force_conv_nhwc': True}
_FULL = (1, 50, 512, 512)


def _step(name: str, seconds: int, *forms: dict, network='ear3d', dtype='bfloat16', flags='', **more) -> Stage:
  """Returns a stage of training steps of one network, in some forms."""
  programs = [Program(network, dtype, **form) for form in forms]
  return Stage(name, functools.partial(networks, programs=programs, **more), seconds, flags)


_TODAY, _OTHER = {}, {'form': 'fewer', 'apart': True}
_FORCED = {'options': tuple(NHWC.items())}
_FUSED = {'options': (('xla_gpu_experimental_enable_conv_fusion', True),)}
_BUFFERS = '--xla_gpu_enable_command_buffer=+CONVOLUTION,+WHILE,+CONDITIONAL'
STAGES = [
  Stage('machine', start, 20),
  _step('step', 60, _TODAY),
  _step('step, planes', 70, _OTHER),
  _step('step, NHWC', 90, _FORCED),
  _step('step again, warm', 30, _TODAY),
  Stage('PyTorch', pytorch, 40),
  _step('forward', 30, _TODAY | {'which': 'forward'}, _OTHER | {'which': 'forward'}),
  _step('unet3d', 60, _TODAY, _OTHER, network='unet3d'),
  _step('step, full size', 120, _TODAY, shape=_FULL),
  _step('step, float32', 90, _TODAY, _OTHER, dtype='float32'),
  Stage('layers', functools.partial(convolutions, dtype='bfloat16'), 90),
  Stage('recurrence', recurrence, 60),
  _step('step, command buffers', 70, _TODAY, flags=_BUFFERS),
  _step('step, fused', 40, _FUSED),
  _step('step, all 3-D', 70, {'form': 'all_3d'}),
  _step('step, planes without apart', 70, {'form': 'fewer'}),
  _step('step, two frames', 70, {'form': 'two_frames', 'apart': True}),
  _step('step, full size, little autotuning', 60, _TODAY, shape=_FULL, flags='--xla_gpu_autotune_level=1'),
  Stage('layers, float32', functools.partial(convolutions, dtype='float32'), 90),
]


def child(stage: Stage, run: Run) -> None:
  """Runs one stage in this process."""
  if importlib.util.find_spec('ml_collections') is None:  # what is measured reads no configuration, it only names one
    sys.modules['ml_collections'] = types.ModuleType('ml_collections')
    sys.modules['ml_collections'].ConfigDict = dict
  try:
    stage.run(run)
  except Exception as fault:
    run.failed('stage', fault)
    raise


def carry_out(stage: Stage, seconds: float, args: argparse.Namespace, kept: str) -> None:
  """Runs a stage in a process that may take so long, and writes how it ended; `kept` is for what jax compiled."""
  command = [sys.executable, '-m', 'benchmarks.gpu', '--output', args.output, '--stage', stage.name]
  environment = {
    'STAGE_BEGAN': str(time.time()),
    'JAX_COMPILATION_CACHE_DIR': kept,
    'XLA_FLAGS': f'{os.environ.get("XLA_FLAGS", "")} {stage.flags}'.strip(),
  } | ({'JAX_PLATFORMS': 'cpu'} if args.toy else {})
  began, cut_off = time.perf_counter(), False
  with tempfile.TemporaryFile('w+') as errors:
    process = subprocess.Popen([*command, *['--toy'] * args.toy], env=os.environ | environment, stderr=errors)
    try:
      process.wait(seconds)
    except subprocess.TimeoutExpired:
      process.kill()
      process.wait()
      cut_off = True
    errors.seek(0)
    said = errors.read()[-1500:] if process.returncode and not cut_off else ''
  ended = {'cut_off': cut_off, 'code': process.returncode, 'seconds': round(time.perf_counter() - began, 1)}
  Run(stage.name, args.output, args.toy).write(what='ended', **ended, said=said)


def table(path: str) -> str:
  """Returns the figures of a file of results as Markdown, a line a program."""
  rows: dict[tuple[str, str], dict] = {}
  with open(path) as file:
    for line in map(json.loads, file):
      if 'program' in line:
        compile_s = {'compile_s': line['seconds']} if line['what'] == 'compiled' else {}
        rows.setdefault((line['stage'], line['program']), {}).update(line | compile_s)
  columns = {'ms': 'ms', 'TFLOP/s': 'tflops', 'kernels, ms': 'kernels_ms', 'conversions, ms': 'conversions_ms'}
  columns |= {'launches': 'launches', 'compile, s': 'compile_s', 'first step, s': 'seconds_to_first_step', 'GB': 'gb'}
  text = f'| stage | program | {" | ".join(columns)} |\n' + '|---' * (len(columns) + 2) + '|\n'
  for (stage, program), row in rows.items():
    cells = [f'{row[key]:.4g}' if row.get(key) is not None else '' for key in columns.values()]
    text += f'| {stage} | {program} | {" | ".join(cells)} |\n'
  return text


def main() -> None:
  """Runs the stages, or one of them in this process, and prints the table."""
  parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
  parser.add_argument('--output', required=True, help='file of JSON lines to append to')
  parser.add_argument('--seconds', type=float, default=480, help='for all stages together')
  parser.add_argument('--only', help='names of stages, with semicolons between them')
  parser.add_argument('--toy', action='store_true', help='small, on a CPU')
  parser.add_argument('--stage', help=argparse.SUPPRESS)
  args = parser.parse_args()
  args.output = os.path.abspath(args.output)
  known = {stage.name: stage for stage in STAGES}
  if args.stage:
    child(known[args.stage], Run(args.stage, args.output, args.toy))
    return
  over = time.perf_counter() + args.seconds
  with tempfile.TemporaryDirectory() as kept:
    for stage in [known[name.strip()] for name in args.only.split(';')] if args.only else STAGES:
      if (left := over - time.perf_counter()) < 10:
        Run(stage.name, args.output, args.toy).write(what='left out', seconds_left=round(left, 1))
      else:
        carry_out(stage, min(stage.seconds * (5 if args.toy else 1), left), args, kept)
  print(table(args.output))


if __name__ == '__main__':
  main()
