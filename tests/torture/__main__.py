"""Runs the long tests: `python tests/torture [--only=WORDS] [--times=N] [--docs] [--output=runs/torture]`.

Prints a table: fault, times tried, times survived, what was lost; exits with 1 where something did not survive.
`results.json` in the output gathers: a fault tried again replaces its older figures, others stay. `--docs` writes the
table of all that is gathered into `docs/reliability.md`. What libraries say meanwhile is in `said.log`.
"""

import argparse
import concurrent.futures
import dataclasses
import multiprocessing
import pathlib
import shutil
import sys
from collections.abc import Iterator, Sequence

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tests/runs')]  # configs and builders; command lines

import results  # noqa: E402
from attempts import attempt, gather, say_into  # noqa: E402
from registry import Fault, Outcome  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: E402

DOCS = ROOT / 'docs/reliability.md'


def options() -> argparse.Namespace:
  """Reads the command line; not by absl, whose flags the commands under test define."""
  parser = argparse.ArgumentParser('python tests/torture')
  parser.add_argument('--only', default='', help='faults whose group or name holds one of these words, with commas')
  parser.add_argument('--times', type=int, default=0, help='seeds a fault instead of its own number')
  parser.add_argument('--at_once', type=int, default=2, help='how many are tried at once, in processes of their own')
  parser.add_argument('--output', default=str(ROOT / 'runs/torture'), help='folder of results.json and what failed')
  parser.add_argument('--docs', action='store_true', help='write the table into docs/reliability.md')
  parser.add_argument('--list', action='store_true', help='say what there is, and end')
  return parser.parse_args()


def bring_about(faults: Sequence[Fault], at_once: int, output: pathlib.Path) -> Iterator[tuple[Fault, int, Outcome]]:
  """Tries all faults with all their seeds, some at once, and yields what came of each as it ends.

  The group of load, with its hour, begins first. Processes are spawned: nothing that one fault does to its environment,
  or to jax, reaches another that runs beside it.
  """
  output.mkdir(parents=True, exist_ok=True)
  spawn, log = multiprocessing.get_context('spawn'), output / 'said.log'
  with concurrent.futures.ProcessPoolExecutor(at_once, spawn, initializer=say_into, initargs=(log,)) as pool:
    waiting = {}
    for fault in sorted(faults, key=lambda fault: fault.group != 'load'):
      for seed in range(fault.times):
        folder = output / 'failed' / results.slug(fault.name) / str(seed)
        waiting[pool.submit(attempt, fault.name, seed, folder)] = (fault, seed)
    for done in concurrent.futures.as_completed(waiting):
      yield *waiting[done], done.result()


def main() -> None:
  """Reads the options, tries the faults, and writes what is known so far whenever one is done."""
  chosen = options()
  words = [word.lower() for word in chosen.only.split(',') if word]
  faults = [f for f in gather().values() if not words or any(w in f'{f.group} {f.name}'.lower() for w in words)]
  faults = [dataclasses.replace(fault, times=chosen.times or fault.times) for fault in faults]
  if chosen.list:
    print('\n'.join(f'{f.group}: {f.name} ({f.times} times)' for f in faults))
    return
  output, console = pathlib.Path(chosen.output).expanduser(), Console(stderr=True)
  columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn('{task.description}'))
  outcomes, rows = {fault.name: [] for fault in faults}, {}
  with Progress(*columns, console=console) as progress:
    bar = progress.add_task('', total=sum(fault.times for fault in faults))
    for fault, seed, outcome in bring_about(faults, chosen.at_once, output):
      outcomes[fault.name].append(outcome)
      for failure in outcome.failures:
        console.print(f'{fault.name}, seed {seed}: {failure}', markup=False)
      progress.update(bar, advance=1, description=fault.name)
      if len(outcomes[fault.name]) == fault.times:
        row = rows[fault.name] = results.row(fault, outcomes[fault.name])
        results.save(output / 'results.json', row, list(gather()))
        console.print(f'{fault.name}: {row["survived"]:,} of {row["tried"]:,}', markup=False, highlight=False)
  rows = [rows[fault.name] for fault in faults]
  Console().print(results.terminal(rows))
  if chosen.docs:
    for picture in output.glob('*.png'):
      shutil.copy(picture, DOCS.parent / 'images')
    results.into_docs(DOCS, results.load(output / 'results.json'))
  sys.exit(0 if all(row['survived'] == row['tried'] for row in rows) else 1)


if __name__ == '__main__':
  main()
