"""The queue of jobs: the state of each, and starting the next; it goes on from what an earlier command left.

The truth is in the jobs' folders: `result.json` means done, a held lock means that some process works there. A job that
an earlier command started and that still runs is waited for; nothing is ever started twice at a time.
"""

import dataclasses
import json
import pathlib
import time
from collections.abc import Callable, Sequence
from typing import Any

from ear_jax.ablations.grid import Job
from ear_jax.ablations.launcher import Launcher
from ear_jax.system.files import write_text
from ear_jax.system.lock import is_held

WAITING, RUNNING, ELSEWHERE, DONE, FAILED, BLOCKED = 'waiting', 'running', 'elsewhere', 'done', 'failed', 'blocked'
_GRACE = 5.0  # seconds until Ctrl-C, which a terminal sends to all, has ended the jobs of this machine


class Queue:
  """The jobs of a grid.

  Attributes:
    jobs: by name, in the order of starting.
    states: of each job: 'waiting', 'running' (started by us), 'elsewhere' (by an earlier command), 'done', 'failed' (in
      this command; the next tries again), 'blocked' (an ensemble of which a member failed).
    folder: holds a folder for each job.
  """

  def __init__(self, jobs: Sequence[Job], folder: pathlib.Path, launcher: Launcher):
    self.jobs = {job.name: job for job in jobs}
    self.folder = folder
    self._launcher = launcher
    self._started: dict[str, Any] = {}
    self.states = {name: self._found(name) for name in self.jobs}

  def count(self, *states: str) -> int:
    """Returns how many jobs are in one of some states."""
    return sum(state in states for state in self.states.values())

  def advance(self) -> bool:
    """Looks after all jobs, starts what can start, and returns whether anything is left to wait for."""
    for name, state in self.states.items():
      if state == RUNNING and (
        (self.folder / name / 'result.json').exists() or self._launcher.ended(self._started[name])
      ):
        self._launcher.release(name)
        state_now = self._found(name)
        self.states[name] = FAILED if state_now == WAITING else state_now
      elif state == ELSEWHERE:
        self.states[name] = self._found(name)
    for name, job in self.jobs.items():
      if self.states[name] == WAITING:
        self._consider(job)
    return self.count(WAITING, RUNNING, ELSEWHERE) > 0

  def stop(self) -> None:
    """Ends the jobs that run on this machine; those on a cluster go on."""
    if not self._launcher.local:
      return
    running = [self._started[name] for name, state in self.states.items() if state == RUNNING]
    deadline = time.monotonic() + _GRACE
    while time.monotonic() < deadline and not all(job.done() for job in running):
      time.sleep(0.1)
    for job in running:
      if not job.done():
        job.cancel()

  def log(self, name: str) -> pathlib.Path | None:
    """Returns the log of the last start of a job."""
    logs = (self.folder / name / 'log').glob('*_log.out')
    return max(logs, key=lambda path: path.stat().st_mtime, default=None)

  def _found(self, name: str) -> str:
    folder = self.folder / name
    held = is_held(folder)  # looked at first: a job that ends in between has its result
    if (folder / 'result.json').exists():
      return DONE
    return ELSEWHERE if held else WAITING

  def _consider(self, job: Job) -> None:
    members = {self.states[member] for member in job.members}
    if members & {FAILED, BLOCKED}:
      self.states[job.name] = BLOCKED
    elif members <= {DONE} and self.count(RUNNING, ELSEWHERE) < self._launcher.at_once:
      folder = self.folder / job.name
      write_text(folder / 'job.json', json.dumps(dataclasses.asdict(job), indent=2))
      self._started[job.name] = self._launcher.submit(folder)
      self.states[job.name] = RUNNING


def work(queue: Queue, show: Callable[[Queue], None], *, seconds: float) -> None:
  """Does all jobs, showing where they are every some seconds; on Ctrl-C ends those of this machine."""
  try:
    while queue.advance():
      show(queue)
      time.sleep(seconds)
    show(queue)
  except KeyboardInterrupt:
    queue.stop()
    raise
