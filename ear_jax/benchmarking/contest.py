"""The measuring process: starts contestants, lets each run while the others wait, and gathers the figures."""

import contextlib
import dataclasses
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence

from ear_jax.benchmarking.cases import Case
from ear_jax.benchmarking.worker import PASSES

_SETTLE = 0.3  # seconds; thread pools of the last contestant go on spinning for a while
_SHORTEST = 0.5  # seconds of calls a turn, so that short passes are timed as well as long ones


@dataclasses.dataclass(frozen=True)
class Entry:
  """Who runs what.

  Attributes:
    name: key of the results.   module: started by `python -m`, see `worker`.   case: what it runs.
    cores: CPU cores it may use.   devices: devices that share the batch (ours).   variant: for the module to read.
  """

  name: str
  module: str
  case: Case
  cores: tuple[int, ...]
  devices: int = 1
  variant: str = ''


class Worker:
  """A contestant's process; a context that ends with it."""

  def __init__(self, entry: Entry):
    self.entry = entry
    self._errors = tempfile.TemporaryFile('w+')  # noqa: SIM115 closed with the process
    threads = str(len(entry.cores))
    self._process = subprocess.Popen(
      [sys.executable, '-m', entry.module],
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      stderr=self._errors,
      text=True,
      env=os.environ | {'OMP_NUM_THREADS': threads, 'MKL_NUM_THREADS': threads},
    )
    assert self._process.stdin
    assert self._process.stdout
    self._requests, self._replies = self._process.stdin, self._process.stdout

  def __enter__(self):
    return self

  def __exit__(self, *_):
    self._requests.close()
    self._replies.close()
    self._process.wait()
    self._errors.close()

  def ask(self, do: str, **request) -> dict:
    """Returns the answer to one request.

    Raises: RuntimeError with what the contestant said last, when it failed or died.
    """
    try:
      self._requests.write(json.dumps({'do': do, **request}) + '\n')
      self._requests.flush()
      reply = json.loads(self._replies.readline() or '{"fault": "its process ended"}')
    except BrokenPipeError:
      reply = {'fault': 'its process ended'}
    if 'fault' in reply:
      self._errors.seek(0)
      said = ''.join(self._errors.readlines()[-20:])
      raise RuntimeError(f'{self.entry.name}, {self.entry.case.title}: {reply["fault"]}\n{said}')
    return reply

  def open(self) -> dict:
    """Starts the framework; returns its versions."""
    entry = self.entry
    return self.ask('open', cores=entry.cores, devices=entry.devices, variant=entry.variant)['versions']

  def load(self, weights: pathlib.Path | None) -> dict:
    """Loads the case; returns the number of `parameters`."""
    return self.ask('load', case=dataclasses.asdict(self.entry.case), weights=weights and str(weights))


def hold(
  entries: Sequence[Entry],
  *,
  rounds: int,
  report: Callable[[str], None],
  weights: pathlib.Path | None = None,
  check: Callable[[Worker], dict] = lambda worker: {},
) -> dict[str, dict]:
  """Returns the figures of some entries, measured in turn.

  Per entry: `versions`, `parameters`, `first_call` (seconds), `peak_memory` (MB) and `seconds` (a list, one median of
  a turn's calls for each round) and `busy` (cores at work, on average) for each pass, and `losses` of its first and
  third step.

  Args:
    entries: contestants; their names differ.
    rounds: turns of each contestant.
    report: told what is being done.
    weights: the parameters that all start with; None: ours draw their own.
    check: asks a worker that has loaded, and not trained, for more figures.
  """
  with contextlib.ExitStack() as stack:
    workers = [stack.enter_context(Worker(entry)) for entry in entries]
    results = {worker.entry.name: _prepare(worker, weights, check, report) for worker in workers}
    for number in range(rounds):
      for which in PASSES:
        report(f'round {number + 1} of {rounds}, {which}')
        for worker in workers[number % len(workers) :] + workers[: number % len(workers)]:
          _turn(worker, which, results[worker.entry.name])
  return results


def _prepare(worker, weights, check, report) -> dict:
  """Loads the case, compiles, and measures memory, with the other processes idle."""
  entry = worker.entry
  report(f'{entry.name}: loading and compiling')
  result = {'versions': worker.open(), 'cores': len(entry.cores), 'devices': entry.devices}
  result |= worker.load(weights) | {
    'first_call': {},
    'peak_memory': {},
    'seconds': {which: [] for which in PASSES},
    'busy': {which: [] for which in PASSES},
    'losses': [],
  }
  for which in PASSES:
    first = worker.ask('time', which=which, calls=1)  # compiles
    result['first_call'][which] = first['seconds'][0]
    result['peak_memory'][which] = worker.ask('memory', which=which)['megabytes']
    if which == 'forward':
      result |= check(worker)  # after the first call was timed, before any training
    else:
      result['losses'] = first['losses'] + worker.ask('time', which=which, calls=1)['losses']
  return result


def _turn(worker: Worker, which: str, result: dict) -> None:
  past = result['seconds'][which]
  calls = max(1, round(_SHORTEST / past[-1])) if past else 1
  time.sleep(_SETTLE)
  reply = worker.ask('time', which=which, calls=calls)
  past.append(statistics.median(reply['seconds']))
  result['busy'][which].append(reply['busy'])
