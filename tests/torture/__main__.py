"""Runs the long tests: `python tests/torture [--only=WORDS] [--times=N] [--docs] [--output=runs/torture]`.

Prints a table: fault, times tried, times survived, what was lost; exits with 1 where something did not survive.
`results.json` in the output gathers: a fault tried again replaces its older figures, others stay. `--docs` writes the
table of all that is gathered into `docs/reliability.md`.
"""

import importlib
import pathlib
import shutil
import sys
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tests/runs')]  # configs and builders; command lines

import results  # noqa: E402
from absl import app, flags  # noqa: E402
from registry import Fault, Outcome  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: E402

MODULES = ('training_faults', 'input_faults')  # each has FAULTS
DOCS = ROOT / 'docs/reliability.md'
_ONLY = flags.DEFINE_list('only', [], 'Faults whose name or group holds one of these words; default: all.')
_TIMES = flags.DEFINE_integer('times', 0, 'Seeds a fault instead of its own number.', lower_bound=0)
_OUTPUT = flags.DEFINE_string('output', str(ROOT / 'runs/torture'), 'Folder of results.json and of what failed.')
_DOCS = flags.DEFINE_bool('docs', False, 'Write the table into docs/reliability.md.')
_LIST = flags.DEFINE_bool('list', False, 'Say what there is, and end.')


def gather() -> list[Fault]:
  """Returns all faults, in the order of the table."""
  faults = [fault for name in MODULES for fault in importlib.import_module(name).FAULTS]
  assert len({fault.name for fault in faults}) == len(faults), 'two faults of one name'
  return faults


def attempt(fault: Fault, seed: int, folder: pathlib.Path) -> Outcome:
  """Brings a fault about once; the folder stays where it did not survive."""
  shutil.rmtree(folder, ignore_errors=True)
  folder.mkdir(parents=True)
  try:
    outcome = fault.function(seed, folder)
  except Exception:
    outcome = Outcome.failed(traceback.format_exc())
  if outcome.survived == outcome.tried:
    shutil.rmtree(folder, ignore_errors=True)
  return outcome


def main(argv) -> None:
  """Reads the flags, tries fault by fault, and writes what is known so far after each."""
  if len(argv) > 1:
    sys.exit(f'error: unexpected argument {argv[1]!r}: options begin with --')
  words = [word.lower() for word in _ONLY.value]
  faults = [f for f in gather() if not words or any(w in f'{f.group} {f.name}'.lower() for w in words)]
  if _LIST.value:
    print('\n'.join(f'{f.group}: {f.name} ({f.times} times)' for f in faults))
    return
  output, console = pathlib.Path(_OUTPUT.value).expanduser(), Console(stderr=True)
  columns = (TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
  rows = []
  with Progress(*columns, console=console) as progress:
    for fault in faults:
      times = _TIMES.value or fault.times
      task = progress.add_task(fault.name, total=times)
      outcomes = []
      for seed in range(times):
        outcomes.append(attempt(fault, seed, output / 'failed' / results.slug(fault.name) / str(seed)))
        for failure in outcomes[-1].failures:
          console.print(f'{fault.name}, seed {seed}: {failure}', markup=False)
        progress.advance(task)
      rows.append(results.row(fault, outcomes))
      results.save(output / 'results.json', rows[-1], [f.name for f in gather()])
  Console().print(results.terminal(rows))
  if _DOCS.value:
    results.into_docs(DOCS, results.load(output / 'results.json'))
  sys.exit(0 if all(row['survived'] == row['tried'] for row in rows) else 1)


if __name__ == '__main__':
  app.run(main)
