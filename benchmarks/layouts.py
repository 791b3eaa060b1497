"""How a GPU that is not here would lay out each form of the convolutions: `python -m benchmarks.layouts [--gpu=h100]`.

A training step, or a forward pass, is compiled for the GPU by jax's CUDA plugin (`pip install ".[cuda12]"`), neither
run nor autotuned. In what the compiler made of it are counted the convolutions that cuDNN is handed channels-first,
which it converts on the way in and out for its tensor cores, and the activations that XLA itself turns.
"""

from __future__ import annotations

import argparse
import math
import os
import pathlib
import re
from collections.abc import Iterator

import jax
from jax.sharding import SingleDeviceSharding

from benchmarks.gpu_networks import Program, prepared
from benchmarks.gpu_run import Run
from benchmarks.gpu_timing import NHWC, gigabytes
from ear_jax.benchmarking.gpus import GPUS, compile_only

_QUICKLY = (('xla_gpu_autotune_level', 0),)
# Forms of `benchmarks.forms`, whether skip and level below are apart, and further options of the compiler.
WAYS = {
  'planes': ('planes', True, ()),
  '3-D': ('3d', False, ()),
  '3-D, NHWC by flag': ('3d', False, tuple(NHWC.items())),
  'all 3-D': ('all_3d', False, ()),
  'all 3-D, NHWC by flag': ('all_3d', False, tuple(NHWC.items())),
  'stacked': ('stacked', False, ()),
  'planes with two_frames': ('two_frames', True, ()),
}


_DEFINED = re.compile(r'%(\S+) = \(?(\w+)\[([\d,]*)\]\{([\d,]*)')
_TURNED = re.compile(r' (?:copy|transpose)\(%([^,)]+)\)(?:, dimensions=\{([\d,]+)\})?')
_CALL = re.compile(r'custom-call\(%(\S+), %([^,)]+).* dim_labels=(\w+)_.* custom_call_target="__cudnn\$conv(\w*)"')
_WIDTH = {'bf16': 2, 'f16': 2, 'f32': 4}  # bytes of a number


class Layouts:
  """What the text of a compiled program says of where arrays lie in memory."""

  def __init__(self, text: str):
    self._lines = text.splitlines()
    self._arrays = {
      name: (_integers(sizes), _integers(order), _WIDTH.get(kind, 1))
      for name, kind, sizes, order in _DEFINED.findall(text)
    }  # sizes, dimensions from the one that lies closest together on, bytes of a number

  def convolutions(self) -> Iterator[int]:
    """Yields of each convolution that cuDNN is called for the bytes that it reads and writes to convert activations.

    None where they lie channels-last; otherwise those of the two arrays of the call that are no kernel.
    """
    for line in self._lines:
      if call := _CALL.search(line):
        first, second, labels, which = call.groups()
        _, order, _ = self._arrays[first]
        other = second if which == 'BackwardFilter' else _DEFINED.search(line)[1]
        yield 0 if labels[order[0]] == 'f' else self._moved(first) + self._moved(other)

  def turned(self, frames: int, smallest: int) -> Iterator[int]:
    """Yields the bytes read and written to bring something of all frames, and so many numbers, into another order.

    Its size is a multiple of `frames`; that of a kernel, made of twos and threes, is not where 5 divides `frames`.
    """
    for line in self._lines:
      if (turned := _TURNED.search(line)) and (defined := _DEFINED.search(line)):
        sizes, order, _ = self._arrays[defined[1]]
        was = _integers(turned[2] or '') or range(len(sizes))  # which dimension each was before
        _, before, _ = self._arrays[turned[1]]
        after = [was[d] for d in order if sizes[d] > 1]
        size = math.prod(sizes)
        if size % frames == 0 and size >= smallest and after != [d for d in before if d in after]:
          yield self._moved(defined[1])

  def _moved(self, name: str) -> int:
    """Returns the bytes that are read and written when an array is copied."""
    sizes, _, width = self._arrays[name]
    return 2 * width * math.prod(sizes)


def _integers(text: str) -> list[int]:
  return [int(number) for number in text.split(',') if number]


def main() -> None:
  """Reads the options, compiles each form, and prints a row of a table for each as it comes."""
  parser = argparse.ArgumentParser('python -m benchmarks.layouts')
  parser.add_argument('--gpu', default='h100', choices=GPUS)
  parser.add_argument('--network', default='ear3d', choices=('ear3d', 'unet3d'))
  parser.add_argument('--dtype', default='bfloat16', choices=('bfloat16', 'float32'))
  parser.add_argument('--size', default='2x50x128x128', help='cines, frames, rows, columns')
  parser.add_argument('--which', default='step', choices=('step', 'forward'))
  parser.add_argument('--only', default='', help='names of ways, with semicolons between them')
  parser.add_argument('--toy', action='store_true', help='few filters')
  parser.add_argument('--keep', help='a folder for what the compiler made, as text')
  chosen = parser.parse_args()
  shape = tuple(map(int, chosen.size.split('x')))
  device, run = compile_only(chosen.gpu), Run('layouts', os.devnull, chosen.toy)
  there = SingleDeviceSharding(device)
  frames = shape[0] * shape[1]
  # The smallest activation inside the network is that of the lowest level.
  smallest = math.prod(shape) // 4 ** len(run.filters) * 2 * run.filters[-1]
  print(f'jax {jax.__version__}, {chosen.gpu}, {chosen.network} {chosen.dtype}, {chosen.which}, {chosen.size}\n')
  print('| form | channels-first calls of cuDNN | activations turned by XLA | both move, GB | GB |')
  print('|---|---|---|---|---|', flush=True)
  for name in chosen.only.split(';') if chosen.only else WAYS:
    form, apart, options = WAYS[name]
    program = Program(chosen.network, chosen.dtype, form, apart, chosen.which, _QUICKLY + options)
    lowered, _ = prepared(program, run, shape, lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=there))
    made = lowered.compile(compiler_options=dict(program.options))
    layouts = Layouts(made.as_text())
    if chosen.keep:
      pathlib.Path(chosen.keep, f'{name}.hlo').write_text(made.as_text())
    first, turned = list(layouts.convolutions()), list(layouts.turned(frames, smallest))
    counts = f'{sum(map(bool, first))} of {len(first)} | {len(turned)} | {sum(first + turned) / 1e9:.3g}'
    print(f'| {name} | {counts} | {gigabytes(made):.3g} |', flush=True)


if __name__ == '__main__':
  main()
