"""Times our network against PyTorch and Keras: `python -m benchmarks [--sizes=16x128x128] [--output FOLDER]`.

All compute the same numbers from the same weights, on the same cores; that is checked before anything is timed. Each
case takes minutes. `--output` gathers: a case measured again replaces the old one, others stay.
"""

from __future__ import annotations

import json
import pathlib

from absl import flags, logging
from rich.console import Console

from benchmarks import plot, tables
from benchmarks.compare import compete, entries
from ear_jax import benchmark
from ear_jax.benchmarking import machine
from ear_jax.benchmarking.cases import Case
from ear_jax.system import cli
from ear_jax.system.errors import UserError
from ear_jax.system.files import write_text

flags.declare_key_flag('output')
for _name in ('network', 'sizes', 'filters', 'rounds'):
  flags.declare_key_flag(_name)
_BATCH = flags.DEFINE_list('batch', ['1', '2'], 'Cines a step. Ours splits them over the cores where they divide.')
_CONTESTANTS = flags.DEFINE_list(
  'contestants',
  ['ours', 'torch', 'keras'],
  "Who: 'ours', 'torch' and 'keras', a peer also with a variant: torch:contiguous, torch:compile, keras:jit.",
)


def merge(cases: list[dict], case: dict) -> list[dict]:
  """Returns the cases with `case` in the place of an older measurement of it, in order of size."""

  def key(case):
    return (
      case['frames'] * case['size'] ** 2,
      case['frames'],
      case['filters'],
      case['network'] == 'ear3d',
      case['batch'],
    )

  return sorted([*(old for old in cases if key(old) != key(case)), case], key=key)


def write(output: pathlib.Path, result: dict) -> None:
  """Writes the figures, the tables and the plot into a folder."""
  write_text(output / 'benchmark.json', json.dumps(result, indent=1))
  write_text(output / 'benchmark.md', tables.of_contest(result))
  plot.write(output / 'benchmark.png', result)


def main() -> None:
  """Reads the flags, measures case by case, and prints and writes what is known so far after each."""
  output = cli.OUTPUT.value and pathlib.Path(cli.OUTPUT.value).expanduser()
  if not all(text.isdecimal() and int(text) for text in _BATCH.value):
    raise UserError(f'--batch {",".join(_BATCH.value)}: give numbers of 1 or more')
  cases = [
    Case(name, frames, size, int(batch), filters)
    for name, frames, size, filters in benchmark.sizes()
    for batch in _BATCH.value
  ]
  entries(cases[0], _CONTESTANTS.value)  # says what is wrong before minutes are spent
  result = {'cases': []}
  if output and (output / 'benchmark.json').exists():
    result = json.loads((output / 'benchmark.json').read_text())
  result['machine'] = machine.describe() | {'load': benchmark.warn_if_busy(), 'matmul_gflops': benchmark.ceilings()}
  for number, case in enumerate(cases, start=1):
    logging.info('case %d of %d: %s', number, len(cases), case.title)
    result['cases'] = merge(result['cases'], compete(case, _CONTESTANTS.value, benchmark.ROUNDS.value))
    if output:
      write(output, result)
  Console().print(tables.of_contest(result), markup=False, highlight=False, soft_wrap=True)


if __name__ == '__main__':
  cli.run(main)
