"""Runs the long tests: `python tests/torture [--only=WORDS] [--times=N] [--docs] [--output=runs/torture]`.

Prints a table: fault, times tried, times survived, what was lost; exits with 1 where something did not survive.
`results.json` in the output gathers: a fault tried again replaces its older figures, others stay. `--docs` writes the
table of all that is gathered into `docs/reliability.md`.
"""

import argparse
import importlib
import pathlib
import shutil
import sys
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tests/runs')]  # configs and builders; command lines

import results  # noqa: E402
from absl import flags  # noqa: E402
from registry import Fault, Outcome  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: E402

MODULES = ('training_faults', 'input_faults', 'proofs', 'load_faults')  # each has FAULTS
DOCS = ROOT / 'docs/reliability.md'


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


def options() -> argparse.Namespace:
  """Reads the command line; not by absl, whose flags the commands under test define."""
  parser = argparse.ArgumentParser('python tests/torture')
  parser.add_argument('--only', default='', help='faults whose group or name holds one of these words, with commas')
  parser.add_argument('--times', type=int, default=0, help='seeds a fault instead of its own number')
  parser.add_argument('--output', default=str(ROOT / 'runs/torture'), help='folder of results.json and what failed')
  parser.add_argument('--docs', action='store_true', help='write the table into docs/reliability.md')
  parser.add_argument('--list', action='store_true', help='say what there is, and end')
  return parser.parse_args()


def main() -> None:
  """Reads the options, tries fault by fault, and writes what is known so far after each."""
  chosen = options()
  flags.FLAGS.mark_as_parsed()  # grain reads absl's flags
  words = [word.lower() for word in chosen.only.split(',') if word]
  faults = [f for f in gather() if not words or any(w in f'{f.group} {f.name}'.lower() for w in words)]
  if chosen.list:
    print('\n'.join(f'{f.group}: {f.name} ({f.times} times)' for f in faults))
    return
  output, console = pathlib.Path(chosen.output).expanduser(), Console(stderr=True)
  columns = (TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
  rows = []
  with Progress(*columns, console=console) as progress:
    for fault in faults:
      times = chosen.times or fault.times
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
  if chosen.docs:
    for picture in output.glob('*.png'):
      shutil.copy(picture, DOCS.parent / 'images')
    results.into_docs(DOCS, results.load(output / 'results.json'))
  sys.exit(0 if all(row['survived'] == row['tried'] for row in rows) else 1)


if __name__ == '__main__':
  main()
