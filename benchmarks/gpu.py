"""What a GPU makes of the network, and of other forms of its convolutions: `python -m benchmarks.gpu --output FILE`.

Stages run one after the other, the most telling first, each in a process of its own with its own limit of time, and
each figure is a line of JSON appended to FILE as it comes: a stage that is cut off, or dies, has left what it found.
Programs are compiled one by one and timed before the next, since autotuning has the GPU to itself, and takes long.
jax, flax and optax are enough; PyTorch is compared with where it is. `--toy` runs the same on a CPU, small.
"""

import argparse
import dataclasses
import os
import pkgutil
import subprocess
import sys
import tempfile
import time

from benchmarks.bare import do_without_configurations
from benchmarks.gpu_run import Run
from benchmarks.gpu_table import table


@dataclasses.dataclass(frozen=True)
class Stage:
  """A process: what it runs, and how long it may.

  Attributes:
    name: in the results, and of `--only`.   module: of this folder, whose `measure` does the work.
    seconds: its limit.   options: of `measure`.
    flags: of XLA, for the whole process; one that XLA does not know ends it.
  """

  name: str
  module: str
  seconds: int
  options: dict = dataclasses.field(default_factory=dict)
  flags: str = ''


def _step(name: str, seconds: int, *forms: dict, network='ear3d', dtype='bfloat16', flags='', **more) -> Stage:
  """Returns a stage of training steps of one network, in some forms."""
  programs = [{'network': network, 'dtype': dtype, **form} for form in forms]
  return Stage(name, 'gpu_networks', seconds, {'programs': programs, **more}, flags)


_FULL = (1, 50, 512, 512)
_PLANES, _3D = {'form': 'planes'}, {'form': '3d', 'apart': False}  # both can be chosen: `config.model.gpu_convolution`
_FORCED = _3D | {'options': (('xla_gpu_force_conv_nhwc', True),)}
_FUSED = _3D | {'options': (('xla_gpu_experimental_enable_conv_fusion', True),)}
_BUFFERS = '--xla_gpu_enable_command_buffer=+CONVOLUTION,+WHILE,+CONDITIONAL'
STAGES = [
  Stage('machine', 'gpu_machine', 20),
  _step('step', 60, _PLANES),
  _step('step, 3-D', 70, _3D),
  _step('step, 3-D, NHWC', 90, _FORCED),
  _step('step again, warm', 30, _PLANES),
  Stage('PyTorch', 'gpu_pytorch', 40),
  _step('forward', 30, _PLANES | {'which': 'forward'}, _3D | {'which': 'forward'}),
  _step('unet3d', 60, _PLANES, _3D, network='unet3d'),
  _step('step, full size', 120, _PLANES, shape=_FULL),
  _step('step, float32', 90, _PLANES, _3D, dtype='float32'),
  Stage('layers', 'gpu_layers', 90, {'dtype': 'bfloat16'}),
  Stage('recurrence', 'gpu_recurrence', 60),
  _step('step, command buffers', 70, _PLANES, flags=_BUFFERS),
  _step('step, 3-D, fused', 40, _FUSED),
  _step('step, all 3-D', 70, {'form': 'all_3d', 'apart': False}),
  _step('step, planes joined', 70, {'form': 'planes', 'apart': False}),
  _step('step, two frames', 70, {'form': 'two_frames'}),
  _step('step, full size, little autotuning', 60, _PLANES, shape=_FULL, flags='--xla_gpu_autotune_level=1'),
  Stage('layers, float32', 'gpu_layers', 90, {'dtype': 'float32'}),
]


def child(stage: Stage, run: Run) -> None:
  """Runs one stage in this process."""
  do_without_configurations()
  try:
    pkgutil.resolve_name(f'benchmarks.{stage.module}:measure')(run, **stage.options)
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
