"""What a GPU makes of the network, and of other forms of its convolutions: `python -m benchmarks.gpu --output FILE`.

Stages run one after the other, the most telling first, each in a process of its own with its own limit of time, and
each figure is a line of JSON appended to FILE as it comes: a stage that is cut off, or dies, has left what it found.
jax, flax and optax are enough; PyTorch is compared with where it is. `--toy` runs the same on a CPU, small.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
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
from collections.abc import Callable, Iterable
from unittest import mock

import numpy as np


@dataclasses.dataclass(frozen=True)
class Stage:
  """A process: what it runs, and how long it may.

  Attributes:
    name: in the results, and of `--only`.   run: does the work.   seconds: its limit.
    behind: compiles behind the other stages, without the GPU, and measures when they are done.
    flags: of XLA, for the whole process; one that XLA does not know ends it.
  """

  name: str
  run: Callable[[Run], None]
  seconds: int
  behind: bool = False
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

  def left(self) -> float:
    """Returns the seconds that the stage still has."""
    return float(os.environ['STAGE_ENDS']) - time.time()

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


def compile_all(run: Run, programs: Iterable[tuple], kept: float = 1.0) -> dict:
  """Returns the programs that compile, `{name: program}`, all compiled at the same time; what fails is written.

  Args:
    programs: of `(name, what jax lowered, options of the compiler or None)`; the next is made while others compile.
    kept: seconds of the stage that are left for measuring.
  """

  def compiled(name, lowered, options):
    start = time.perf_counter()
    program = lowered.compile(compiler_options=options)
    run.write(
      what=f'compiled {name}',
      seconds=round(time.perf_counter() - start, 2),
      temp_gb=program.memory_analysis().temp_size_in_bytes / 1e9,
    )
    return program

  found, pool = {}, concurrent.futures.ThreadPoolExecutor(8)
  for name, future in [(name, pool.submit(compiled, name, *rest)) for name, *rest in programs]:
    try:
      found[name] = future.result(timeout=max(0.0, run.left() - kept))
    except concurrent.futures.TimeoutError:
      run.write(what=f'compile {name}', failed='not in time; what is timed from here on is disturbed by it')
    except Exception as fault:
      run.failed(f'compile {name}', fault)
  return found


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


def first_look(run: Run) -> None:
  """The machine, then the convolutions in bfloat16."""
  start(run)
  convolutions(run, 'bfloat16')


def convolutions(run: Run, dtype: str, names: list[str] | None = None, options: dict | None = None) -> None:
  """Each form of each convolution: forward, and forward with both gradients, against today's form."""
  import jax
  import jax.numpy as jnp

  from benchmarks.forms import FORMS

  b, t = run.shape[:2]
  for rows, c, f, kt in layers(run):
    if run.left() < 3:
      break
    shape = (b, t, rows, rows)
    x, kernel = (
      numbers((*shape, c), jnp.dtype(dtype)),
      numbers((kt, 3, 3, c, f), jnp.dtype(dtype), (9 * kt * c) ** -0.5),
    )
    dy = numbers((*shape, f), jnp.dtype(dtype))
    chosen = _forms_for(c, f, kt, first=rows == run.shape[2] and (c, f) == (64, 16)) if names is None else names
    passes = []
    for name in chosen:
      form = functools.partial(FORMS[name], time_padding='zero')
      passes.append((f'{name} forward', jax.jit(form).lower(x, kernel), options))
      passes.append((f'{name} both', jax.jit(functools.partial(_with_gradients, form)).lower(x, kernel, dy), options))
    today = jax.jit(functools.partial(_with_gradients, functools.partial(FORMS['today'], time_padding='zero')))
    passes.append(('right', today.lower(x, kernel, dy), None))
    programs = compile_all(run, passes)
    error = jax.jit(lambda a, b: jax.tree.map(_apart, a, b))
    right = programs['right'](x, kernel, dy) if 'right' in programs else None
    work = 2 * 9 * kt * c * f * math.prod(shape)
    for name in chosen:
      figures = {}
      for which, args, times in (('forward', (x, kernel), 1), ('both', (x, kernel, dy), 3)):
        if program := programs.get(f'{name} {which}'):
          ms = milliseconds(lambda program=program, args=args: program(*args), 10)
          figures |= {f'{which}_ms': round(ms, 4), f'{which}_tflops': round(times * work / ms / 1e9, 1)}
      if right and f'{name} both' in programs:
        figures['error'] = [float(e) for e in error(programs[f'{name} both'](x, kernel, dy), right)]
      run.write(what='layer', rows=rows, c=c, f=f, kt=kt, dtype=dtype, form=name, options=options, **figures)


def _forms_for(c: int, f: int, kt: int, first: bool) -> list[str]:
  names = ['today', 'taps'] if kt == 1 else ['today', 'stacked', 'dealt', 'taps', 'two_frames']
  few = ['paired_columns', 'widened'] if min(c, f) <= 16 and kt > 1 else []
  return names + few + (['channels_first'] if first else [])


def _with_gradients(form, x, kernel, dy):
  import jax

  y, pull = jax.vjp(form, x, kernel)
  return y, *pull(dy)


def _apart(a, b):
  import jax.numpy as jnp

  a, b = a.astype(jnp.float32), b.astype(jnp.float32)
  return jnp.max(jnp.abs(a - b)) / jnp.max(jnp.abs(b))


def fastest(run: Run, dtype: str) -> dict[tuple, str]:
  """Returns the fastest form, value and gradients, of each convolution measured so far, by rows, c, f and kt."""
  times: dict[tuple, dict[str, float]] = {}
  with open(run.output) as file:
    for line in map(json.loads, file):
      if line.get('what') == 'layer' and line['dtype'] == dtype and 'both_ms' in line and not line['options']:
        times.setdefault(tuple(line[k] for k in ('rows', 'c', 'f', 'kt')), {})[line['form']] = line['both_ms']
  return {key: min(found, key=found.get) for key, found in times.items()}


@dataclasses.dataclass(frozen=True)
class Program:
  """A network, how its layers convolve and what the compiler is told.

  Attributes:
    network: 'ear3d' or 'unet3d'.   form: one of `FORMS`, 'fewer', or 'fastest' of what was measured.
    apart: skip and level below convolved each for itself.   which: 'step' or 'forward'.
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


def prepared(program: Program, run: Run, shape: tuple[int, ...]):
  """Returns what jax lowered of a program, and a function that makes the arguments of its first call."""
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
  known = fastest(run, program.dtype) if program.form == 'fastest' else {}
  choices = forms.FORMS | {'fewer': forms.fewer}

  def choose(kernel: tuple[int, ...], rows: int) -> forms.Form:
    if program.form != 'fastest':
      return choices[program.form]
    return choices[known.get((rows, kernel[3], kernel[4], kernel[0]), 'fewer')]

  loss = {'name': 'dice_iou+cross_entropy', 'smooth': 1.0, 'reduction': 'cine', 'loss_classes': 'both'}
  with forms.computed_by(choose, program.apart):
    if program.which == 'forward':
      args = {'params': state.params}, video
      return jax.jit(model.apply).lower(*args), lambda: jax.device_put(args)
    step = make_train_step(model, optimizer, loss, ema_decay=0.0, axis_name=None)
    lowered = jax.jit(step, donate_argnums=0).lower(state, batch)
  return lowered, lambda: (jax.device_put(state.replace(rng=jax.random.key(0))), batch)  # a key of its own: donated


def networks(
  run: Run, programs: list[Program], shape: tuple[int, int, int, int] | None = None, go: bool = False
) -> None:
  """Compile time, time, memory, losses and kernels of some programs, compiled at the same time."""
  import jax

  shape = run.shape if run.toy or not shape else shape
  arguments = {}

  def traced():
    for program in programs:
      try:
        lowered, arguments[program.title] = prepared(program, run, shape)
      except Exception as fault:
        run.failed(f'trace {program.title}', fault)
      else:
        yield program.title, lowered, dict(program.options) or None

  compiled = compile_all(run, traced(), kept=12)
  if go:
    wait_for_turn()
  for name, program in compiled.items():
    try:
      figures = (_of_step if ' step' in name else _of_forward)(program, arguments[name]())
      peak = (jax.devices()[0].memory_stats() or {}).get('peak_bytes_in_use', 0)
      since = time.time() - float(os.environ['STAGE_BEGAN'])
      run.write(what='network', program=name, shape=shape, peak_gb_so_far=peak / 1e9, second=round(since, 1), **figures)
    except Exception as fault:
      run.failed(f'run {name}', fault)
  for name, program in compiled.items():
    if ' step' in name:
      try:
        run.write(what='kernels', program=name, **kernels(program, *arguments[name]()))
      except Exception as fault:
        run.failed(f'profile {name}', fault)


def _of_step(program, args) -> dict:
  """Losses of the first steps, and the time of a step, waited for one by one and twenty at a time."""
  (state, batch), losses = args, []
  for _ in range(3):
    state, metrics = program(state, batch)
    losses.append(float(metrics['loss']))
  alone = []
  for _ in range(10):
    start = time.perf_counter()
    state, metrics = program(state, batch)
    float(metrics['loss'])
    alone.append((time.perf_counter() - start) * 1e3)
  start = time.perf_counter()
  for _ in range(20):
    state, metrics = program(state, batch)
  float(metrics['loss'])
  together = (time.perf_counter() - start) / 20 * 1e3
  return {'ms': together, 'ms_alone': statistics.median(alone), 'losses': losses}


def _of_forward(program, args) -> dict:
  return {'ms': milliseconds(lambda: program(*args), 20)}


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


def wait_for_turn() -> None:
  """Returns when the other stages are done."""
  while not os.path.exists(os.environ['STAGE_GO']):
    time.sleep(0.1)


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
        yield f'{name} forward', jax.jit(model.apply).lower(params, x), None
        yield f'{name} both', jax.jit(functools.partial(both, model.apply)).lower(params, x), None
    for name, convolve in (('one kernel gradient', native), ('one kernel gradient, products', conv.matmul_conv2d)):
      apply = functools.partial(one_kernel_gradient, convolve=convolve)
      yield f'{name} both', jax.jit(functools.partial(both, apply)).lower(params, x), None

  compiled = compile_all(run, programs())
  error = jax.jit(lambda a, b: jax.tree.map(_apart, a, b))
  for name, program in compiled.items():
    try:
      figures = {'ms': milliseconds(lambda program=program: program(params, x), 5)}
      if name.endswith('both') and 'today both' in compiled:
        apart = error(program(params, x), compiled['today both'](params, x))
        figures['error'] = max(float(e) for e in jax.tree.leaves(apart))
      run.write(what='recurrence', way=name, **figures)
    except Exception as fault:
      run.failed(f'run {name}', fault)


def pytorch(run: Run) -> None:
  """PyTorch's step and forward pass, eager, bfloat16 by autocast, in the layout that was its best."""
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
  began = time.perf_counter()
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
    run.write(what='PyTorch', network=name, layout=str(layout), which=which, ms=statistics.median(found))
  peak = torch.cuda.max_memory_allocated() / 1e9 if device == 'cuda' else None
  run.write(what='PyTorch memory', network=name, layout=str(layout), peak_gb=peak, seconds=time.perf_counter() - began)


def _networks(network: str, dtype: str) -> list[Program]:
  """Today's form and the fastest found, step and forward pass."""
  like = functools.partial(Program, network, dtype)
  ours = [like(), like('fastest', apart=True), like('fastest'), like(which='forward')]
  return [*ours, like('fastest', apart=True, which='forward')]


_FULL = (1, 50, 512, 512)
_NHWC = {'xla_gpu_force_conv_nhwc': True}
_TODAY = Program('ear3d', 'bfloat16')


def _with(options: dict) -> list[Program]:
  return [dataclasses.replace(_TODAY, options=tuple(options.items()))]


STAGES = [
  Stage(
    'full size level 0',
    functools.partial(networks, programs=[_TODAY], shape=_FULL, go=True),
    150,
    behind=True,
    flags='--xla_gpu_autotune_level=0',
  ),
  Stage('layers bfloat16', first_look, 42),
  Stage('layers NHWC', functools.partial(convolutions, dtype='bfloat16', names=['today'], options=_NHWC), 16),
  Stage('step bfloat16', functools.partial(networks, programs=_networks('ear3d', 'bfloat16')), 65),
  Stage('warm', functools.partial(networks, programs=[_TODAY]), 25),
  Stage(
    'step in command buffers',
    functools.partial(networks, programs=_networks('ear3d', 'bfloat16')[:2]),
    45,
    flags='--xla_gpu_enable_command_buffer=+CONVOLUTION,+WHILE,+CONDITIONAL',
  ),
  Stage('PyTorch', pytorch, 40),
  Stage('recurrence', recurrence, 30),
  Stage('step NHWC', functools.partial(networks, programs=_with(_NHWC)), 25),
  Stage('unet3d bfloat16', functools.partial(networks, programs=_networks('unet3d', 'bfloat16')), 60),
  Stage('layers float32', functools.partial(convolutions, dtype='float32'), 40),
  Stage('step float32', functools.partial(networks, programs=_networks('ear3d', 'float32')), 75),
  Stage(
    'step fused',
    functools.partial(networks, programs=_with({'xla_gpu_experimental_enable_conv_fusion': True})),
    25,
  ),
  Stage(
    'full size', functools.partial(networks, programs=[Program('ear3d', 'bfloat16', 'fastest', True)], shape=_FULL), 90
  ),
]
_KEPT = 20  # seconds at the end for what was compiled behind the others


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


def begin(stage: Stage, args: argparse.Namespace, seconds: float, folder: str, errors) -> subprocess.Popen:
  """Starts the process of a stage that may take so long; `folder` is for what the stages leave to each other."""
  command = [sys.executable, '-m', 'benchmarks.gpu', '--output', args.output, '--stage', stage.name]
  environment = {
    'STAGE_BEGAN': str(time.time()),
    'STAGE_ENDS': str(time.time() + seconds),
    'XLA_PYTHON_CLIENT_PREALLOCATE': 'false',
    'JAX_COMPILATION_CACHE_DIR': f'{folder}/compiled',
    'STAGE_GO': f'{folder}/go',
    'XLA_FLAGS': f'{os.environ.get("XLA_FLAGS", "")} {stage.flags}'.strip(),
  } | ({'JAX_PLATFORMS': 'cpu'} if args.toy else {})
  return subprocess.Popen([*command, *['--toy'] * args.toy], env=os.environ | environment, stderr=errors)


def end(process: subprocess.Popen, seconds: float, run: Run, errors) -> None:
  """Waits for a stage, at most so long, and writes how it ended."""
  began = time.perf_counter()
  try:
    process.wait(max(0.0, seconds))
  except subprocess.TimeoutExpired:
    process.kill()
    process.wait()
    run.write(what='cut off', limit_s=round(seconds, 1))
  errors.seek(0)
  said = '' if process.returncode == 0 else errors.read()[-1500:]
  run.write(what='ended', code=process.returncode, seconds=round(time.perf_counter() - began, 1), said=said)


def main() -> None:
  """Runs the stages, or one of them in this process."""
  parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
  parser.add_argument('--output', required=True, help='file of JSON lines to append to')
  parser.add_argument('--seconds', type=float, default=480, help='for all stages together')
  parser.add_argument('--only', default='', help='names of stages, with commas')
  parser.add_argument('--toy', action='store_true', help='small, on a CPU')
  parser.add_argument('--stage', help=argparse.SUPPRESS)
  args = parser.parse_args()
  args.output = os.path.abspath(args.output)
  known = {stage.name: stage for stage in STAGES}
  if args.stage:
    child(known[args.stage], Run(args.stage, args.output, args.toy))
    sys.stderr.flush()
    os._exit(0)  # without waiting for what still compiles
  chosen = [known[name.strip()] for name in args.only.split(',')] if args.only else STAGES
  over = time.perf_counter() + args.seconds
  open(args.output, 'a').close()
  left = lambda: over - time.perf_counter()  # noqa: E731
  behind = [stage for stage in chosen if stage.behind]
  with contextlib.ExitStack() as stack:
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    open_errors = lambda: stack.enter_context(tempfile.TemporaryFile('w+'))  # noqa: E731
    waiting = [
      (stage, begin(stage, args, left(), folder, errors), errors) for stage in behind for errors in [open_errors()]
    ]
    for stage in [stage for stage in chosen if not stage.behind]:
      run = Run(stage.name, args.output, args.toy)
      if (limit := min(stage.seconds, left() - _KEPT * bool(behind))) < 8:
        run.write(what='left out', seconds_left=round(left(), 1))
        continue
      errors = open_errors()
      end(begin(stage, args, limit, folder, errors), limit, run, errors)
    open(f'{folder}/go', 'w').close()
    for stage, process, errors in waiting:
      end(process, left(), Run(stage.name, args.output, args.toy), errors)


if __name__ == '__main__':
  main()
