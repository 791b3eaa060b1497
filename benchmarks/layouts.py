"""How a GPU that is not here would lay out each form of the convolutions: `python -m benchmarks.layouts [--gpu=h100]`.

The training step is compiled for the GPU, not run, by jax's CUDA plugin (`pip install ".[cuda12]"`), not autotuned. In
what the compiler made of it are counted the convolutions that cuDNN is handed channels-first, which it converts
on the way in and out for its tensor cores, and the videos that XLA itself brings into another layout.
"""

from __future__ import annotations

import argparse
import functools
import math
import re
from collections.abc import Iterator

import jax
import numpy as np
import optax
from jax.sharding import SingleDeviceSharding

from benchmarks import forms
from benchmarks.gpu import NHWC, Program, Run, network_of
from ear_jax.benchmarking.gpus import GPUS, compile_only
from ear_jax.training.state import make_state
from ear_jax.training.steps import make_train_step

_LOSS = {'name': 'dice_iou+cross_entropy', 'smooth': 1.0, 'reduction': 'cine', 'loss_classes': 'both'}
_QUICKLY = (('xla_gpu_autotune_level', 0),)
_ARRAY = re.compile(r'\w+\[([\d,]*)\]\{([\d,]*)')
# Forms of `benchmarks.forms`, whether skip and level below are apart, and further options of the compiler.
WAYS = {
  'today': ('today', False, ()),
  'today, NHWC by flag': ('today', False, tuple(NHWC.items())),
  'stacked': ('stacked', False, ()),
  'planes': ('fewer', True, ()),
  'planes with two_frames': ('two_frames', True, ()),
}


def optimised(program: Program, run: Run, device: jax.Device) -> tuple[str, float]:
  """Returns what the compiler makes of a training step, as text, and the gigabytes that it needs."""
  there = SingleDeviceSharding(device)
  model, optimizer = network_of(program, run), optax.adam(1e-3)
  make = functools.partial(make_state, model, optimizer, 4, 2 ** len(run.filters), False)
  state = jax.eval_shape(make, jax.random.key(0))
  shapes = {'video': ((*run.shape, 4), np.float32), 'mask': (run.shape, np.uint8), 'annotated': (run.shape[:2], bool)}
  batch = {name: jax.ShapeDtypeStruct(*like) for name, like in shapes.items()}
  args = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=there), (state, batch))
  step = make_train_step(model, optimizer, _LOSS, ema_decay=0.0, axis_name=None)
  with forms.computed_by(forms.FORMS[program.form], program.apart):
    made = jax.jit(step, donate_argnums=0).lower(*args).compile(dict(program.options))
  memory = made.memory_analysis()
  needed = memory.temp_size_in_bytes + memory.argument_size_in_bytes + memory.output_size_in_bytes
  return made.as_text(), (needed - memory.alias_size_in_bytes) / 1e9


def convolutions(text: str) -> Iterator[bool]:
  """Yields of each convolution that cuDNN is called for whether its video is channels-first.

  cuDNN is handed what the layout says: which dimension lies closest together in memory.
  """
  for line in text.splitlines():
    if 'custom_call_target="__cudnn$conv' not in line:
      continue
    names = re.search(r'dim_labels=(\w+)_\w+->(\w+)', line)
    first = line.split('custom-call(')[0] if 'BackwardFilter' not in line else line.split('custom-call(')[1]
    _, order = _ARRAY.search(first).groups()
    labels = names[1] if 'BackwardFilter' in line else names[2]
    yield labels[int(order.split(',')[0])] != 'f'


def turned(text: str, smallest: int) -> int:
  """Returns how many arrays of at least so many numbers are transposed or copied into another layout."""
  found = 0
  for line in text.splitlines():
    if match := re.search(r'= (\S+) (transpose|copy)\(', line):
      sizes = _ARRAY.match(match[1])
      found += bool(sizes) and math.prod(map(int, filter(None, sizes[1].split(',')))) >= smallest
  return found


def main() -> None:
  """Reads the options, compiles each form, and prints a row of a table for each as it comes."""
  parser = argparse.ArgumentParser('python -m benchmarks.layouts')
  parser.add_argument('--gpu', default='h100', choices=GPUS)
  parser.add_argument('--network', default='ear3d', choices=('ear3d', 'unet3d'))
  parser.add_argument('--dtype', default='bfloat16', choices=('bfloat16', 'float32'))
  parser.add_argument('--only', default='', help='ways whose name begins so')
  parser.add_argument('--toy', action='store_true', help='a small size')
  parser.add_argument('--keep', default='', help='a folder for what the compiler made, as text')
  chosen = parser.parse_args()
  device, run = compile_only(chosen.gpu), Run('layouts', '', chosen.toy)
  b, t, *_ = run.shape
  print(f'jax {jax.__version__}, {chosen.gpu}, {chosen.network} {chosen.dtype}, {"x".join(map(str, run.shape))}')
  print('| form | channels-first calls of cuDNN | videos turned by XLA | GB |\n|---|---|---|---|')
  for name, (form, apart, options) in WAYS.items():
    if not name.startswith(chosen.only):
      continue
    program = Program(chosen.network, chosen.dtype, form, apart, options=_QUICKLY + options)
    text, gigabytes = optimised(program, run, device)
    if chosen.keep:
      with open(f'{chosen.keep}/{name}.hlo', 'w') as file:
        file.write(text)
    first = list(convolutions(text))
    # The smallest video inside the network is that of the lowest level.
    smallest = b * t * (run.shape[2] >> (len(run.filters) - 1)) ** 2 * run.filters[-1]
    print(f'| {name} | {sum(first)} of {len(first)} | {turned(text, smallest)} | {gigabytes:.3g} |', flush=True)


if __name__ == '__main__':
  main()
