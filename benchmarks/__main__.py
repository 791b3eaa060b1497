"""Times our network against PyTorch and Keras: `python -m benchmarks [--sizes=16x128x128] [--output FOLDER]`.

All compute the same numbers from the same weights, on the same cores; that is checked before anything is timed. Each
case takes minutes. `--output` gathers: a case measured again replaces the old one, others stay.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
from types import SimpleNamespace

from absl import flags, logging
from rich.console import Console

from benchmarks import plot, tables
from benchmarks.compare import compete, entries
from ear_jax.benchmarking import machine
from ear_jax.benchmarking.cases import flags_of_cases, parse_cases
from ear_jax.benchmarking.measure import ceilings, warn_if_busy
from ear_jax.system import cli
from ear_jax.system.errors import UserError
from ear_jax.system.files import write_text


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
  """Reads the command line, measures case by case, and prints and writes what is known so far after each."""
  cli.run(
    _measure,
    *cli.shared('output'),
    *flags_of_cases(),
    flags.DEFINE_list('batch', ['1', '2'], 'Cines a step. Ours deals them over the cores where they divide.'),
    flags.DEFINE_list(
      'contestants',
      ['ours', 'torch', 'keras'],
      "Who: 'ours', 'torch' and 'keras', a peer also with a variant: torch:contiguous, torch:compile, keras:jit.",
    ),
  )


def _measure(given: SimpleNamespace) -> None:
  output = given.output and pathlib.Path(given.output).expanduser()
  if not all(text.isdecimal() and int(text) for text in given.batch):
    raise UserError(f'--batch {",".join(given.batch)}: give numbers of 1 or more')
  single = parse_cases(given.network, given.sizes, given.filters)
  cases = [dataclasses.replace(case, batch=int(batch)) for case in single for batch in given.batch]
  entries(cases[0], given.contestants)  # says what is wrong before minutes are spent
  result = {'cases': []}
  if output and (output / 'benchmark.json').exists():
    result = json.loads((output / 'benchmark.json').read_text())
  result['machine'] = machine.describe() | {'load': warn_if_busy(), 'matmul_gflops': ceilings()}
  for number, case in enumerate(cases, start=1):
    logging.info('case %d of %d: %s', number, len(cases), case.title)
    result['cases'] = merge(result['cases'], compete(case, given.contestants, given.rounds))
    if output:
      write(output, result)
  Console().print(tables.of_contest(result), markup=False, highlight=False, soft_wrap=True)


if __name__ == '__main__':
  main()
