"""Training runs of seconds, to be disturbed, and an unbroken one that their every bit is compared with."""

import functools
import os
import pathlib
import shutil
import tempfile
import time
from collections.abc import Callable

# As in tests/conftest.py, before jax is imported.
os.environ |= {'NPROC': '8', 'JAX_PLATFORMS': 'cpu', 'JAX_DISABLE_MOST_OPTIMIZATIONS': '1'}

import command_line
import toy
from registry import Outcome
from traces import figures, final_bytes

STEPS, EVERY = 24, 3  # of the run; between its checkpoints
SHARD = 'toy/velocity/1.0.0/toy-train.array_record-00000-of-00001'
_LIMIT = 900  # seconds that any one process may take


@functools.cache
def home() -> pathlib.Path:
  """Returns a folder for what all runs share: data, configuration, what XLA compiled. It goes with the process."""
  home.keeper = tempfile.TemporaryDirectory(prefix='torture_training_')
  folder = pathlib.Path(home.keeper.name)
  os.environ['JAX_COMPILATION_CACHE_DIR'] = str(folder / 'compiled')
  os.environ['JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS'] = '0'
  os.environ['JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES'] = '-1'
  toy.build(folder / 'data', ['velocity'])
  toy.write_config(folder / 'tiny.py', toy.changes(folder / 'data') | {'steps': STEPS, 'eval': {'every': EVERY}})
  (folder / 'said').mkdir()
  return folder


@functools.cache
def _forks() -> command_line.Forks:
  return command_line.Forks(home() / 'said')


@functools.cache
def unbroken() -> tuple[dict, list, float]:
  """Returns the last bytes and the figures of a run that nobody disturbed, and how many seconds it took."""
  finish(home() / 'first')  # so that what XLA compiled is at hand
  begin = time.monotonic()
  finish(home() / 'unbroken')
  return final_bytes(home() / 'unbroken'), figures(home() / 'unbroken'), time.monotonic() - begin


def arguments(workdir: pathlib.Path, *args: str) -> tuple:
  """Returns the command's words."""
  return ('ear_jax.train', '--config', home() / 'tiny.py', '--workdir', workdir, *args)


def start(workdir: pathlib.Path, *args: str, limits: dict[int, int] | None = None) -> command_line.Fork:
  """Begins a run, or goes on with it, in a process of its own."""
  return _forks().start(*arguments(workdir, *args), limits=limits)


def end(process: command_line.Fork) -> command_line.Outcome:
  """Waits for the end of a run."""
  return process.end(_LIMIT)


def finish(workdir: pathlib.Path, *args: str) -> str:
  """Lets a run come to its end; returns what it said."""
  outcome = end(start(workdir, *args))
  assert outcome.status == 0, outcome.stderr
  return outcome.stderr


def wait(process: command_line.Fork, come: Callable[[], bool], every: float = 0.001) -> bool:
  """Waits until `come()`; returns False when the process ended before."""
  deadline = time.monotonic() + _LIMIT
  while not process.ended():
    if come():
      return True
    assert time.monotonic() < deadline, 'the moment never came'
    time.sleep(every)
  return False


def saved(workdir: pathlib.Path) -> list[int]:
  """Returns the steps of the checkpoints, ascending."""
  folder = workdir / 'checkpoints'
  return sorted(int(p.name) for p in folder.iterdir() if p.name.isdecimal()) if folder.exists() else []


def latest(workdir: pathlib.Path) -> int:
  """Returns the step of the last checkpoint, 0 without one."""
  return max(saved(workdir), default=0)


def half_written(workdir: pathlib.Path) -> bool:
  """Whether half a checkpoint lies there."""
  return any((workdir / 'checkpoints').glob('*tmp*'))


def judge(workdir: pathlib.Path, before: int = 0) -> Outcome:
  """Lets a run go on, and returns whether it did so at step `before` and came to the end of the unbroken one."""
  said = finish(workdir)
  expected, lines, _ = unbroken()
  if before and f'resuming at step {before}' not in said:
    return Outcome.failed(f'did not resume at step {before}: {said[-500:]}', 'a finished checkpoint')
  if final_bytes(workdir) != expected:
    return Outcome.failed('other bits than the unbroken run')
  if figures(workdir) != lines:
    return Outcome.failed('a step is missing in metrics.jsonl, twice there, or another')
  return Outcome()


def sentence_missing(outcome: command_line.Outcome, *words: str) -> Outcome | None:
  """Returns a failure unless a run ended with status 1 and one sentence that holds the words; None when it did."""
  sentences = [line for line in outcome.stderr.splitlines() if line.startswith('error: ')]
  clean = outcome.status == 1 and len(sentences) == 1 and 'Traceback' not in outcome.stderr
  if clean and all(word in sentences[0] for word in words):
    return None
  return Outcome.failed(f'status {outcome.status}: {outcome.stderr[-2000:]}')


def copy_data(folder: pathlib.Path) -> pathlib.Path:
  """Copies the data set to a folder; returns its file of records."""
  shutil.copytree(home() / 'data', folder)
  return folder / SHARD
