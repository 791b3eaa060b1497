"""Where the jobs of a grid are: a table that lives in the terminal, or a line for every change elsewhere."""

import json
import re
import statistics
from typing import Self

from absl import logging
from rich.console import Group
from rich.live import Live
from rich.text import Text

from ear_jax.ablations.grid import Job
from ear_jax.ablations.queue import BLOCKED, DONE, ELSEWHERE, FAILED, RUNNING, WAITING, Queue
from ear_jax.system.table import Table, drawn
from ear_jax.system.terminal import progress_console
from ear_jax.training.log import read_metrics

_STYLES = {WAITING: 'dim', RUNNING: 'cyan', ELSEWHERE: 'cyan', DONE: 'green', FAILED: 'bold red', BLOCKED: 'red'}

# The last line of a traceback. Others may stand below it: a remark of jax on frames left out, C++ that aborts.
_RAISED = re.compile(r'[\w.]*(Error|Exception|Fault): ')


class Status:
  """Shows a queue; use as a context manager, and call it with the queue.

  Args:
    metric: whose mean over subjects stands for a job that is done.
    at_once: jobs at a time, for the time left.
  """

  def __init__(self, metric: str, at_once: int):
    console = progress_console()
    self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
    self._metric, self._at_once = metric, at_once
    self._before: dict[str, str] = {}
    self._results: dict[str, dict] = {}

  def __enter__(self) -> Self:
    if self._live:
      self._live.start()
    return self

  def __exit__(self, *_) -> None:
    if self._live:
      self._live.stop()

  def __call__(self, queue: Queue) -> None:
    for name, state in queue.states.items():
      if state == DONE and name not in self._results:
        self._results[name] = json.loads((queue.folder / name / 'result.json').read_text())
    if self._live:
      lines = [Text(line, style='red') for line in _complaints(queue)]
      shown = drawn(self._table(queue), left=['seed'])
      self._live.update(Group(shown, Text(self._summary(queue)), *lines), refresh=True)
    else:
      self._say(queue)
    self._before = dict(queue.states)

  def _table(self, queue: Queue) -> Table:
    """A line a cell and seed, a column a fold, and one for the test subjects."""
    jobs = queue.jobs.values()
    several = len({job.seed for job in jobs}) > 1
    places = list(dict.fromkeys(job.fold for job in jobs))
    header = ['cell', *(['seed'] if several else []), *('test' if p is None else f'fold {p}' for p in places)]
    by_place = {(job.seed, job.cell, job.fold): job for job in jobs}
    rows: list[list[str | Text]] = []
    for seed, cell in dict.fromkeys((job.seed, job.cell) for job in jobs):
      entries = [self._entry(queue, by_place[seed, cell, fold]) for fold in places]
      rows.append([cell, *([str(seed)] if several else []), *entries])
    return Table('', header, rows)

  def _entry(self, queue: Queue, job: Job) -> Text:
    state = queue.states[job.name]
    text = {WAITING: '·', ELSEWHERE: 'running', BLOCKED: 'no members'}.get(state, state)
    if state == DONE:
      text = f'{_mean(self._results[job.name], self._metric):.3f}'
    elif state in (RUNNING, ELSEWHERE) and not job.members:
      logged = read_metrics(queue.folder / job.name / 'run')
      text = f'{100 * logged[-1]["step"] / job.config["steps"]:.0f} %' if logged else '0 %'
    return Text(text, style=_STYLES[state])

  def _summary(self, queue: Queue) -> str:
    counts = [f'{count} {state}' for state in _STYLES if (count := queue.count(state))]
    minutes = [result['cost']['minutes'] for name, result in self._results.items() if not queue.jobs[name].members]
    left = sum(queue.states[job.name] not in (DONE, FAILED) for job in queue.jobs.values() if not job.members)
    if left and minutes:
      counts.append(f'about {left * statistics.mean(minutes) / self._at_once:.0f} min left')
    return f'{self._metric}; ' + ', '.join(counts)

  def _say(self, queue: Queue) -> None:
    changed = [name for name, state in queue.states.items() if self._before.get(name, WAITING) != state]
    if not self._before and (done := queue.count(DONE)):
      logging.info('%d of %d jobs are done already', done, len(queue.jobs))
      changed = [name for name in changed if queue.states[name] != DONE]
    for name in changed:
      state = queue.states[name]
      if state == DONE:
        logging.info('done: %s, %s %.3f', name, self._metric, _mean(self._results[name], self._metric))
      elif state != FAILED:
        logging.info('%s: %s', state, name)
    for line in _complaints(queue, changed):
      logging.error('%s', line)
    if changed:
      logging.info('%s', self._summary(queue))


def complaint(queue: Queue, name: str) -> str:
  """Returns which job failed, why, and where its log is."""
  log = queue.log(name)
  lines = [line.strip() for line in log.read_text(errors='replace').splitlines() if line.strip()] if log else []
  said = [line for line in lines if _RAISED.match(line)] or lines
  reason = _RAISED.sub('', said[-1]) if said else 'it said nothing'
  return f'failed: {name}: {reason} (log: {log})'


def _complaints(queue: Queue, names=None) -> list[str]:
  failed = [name for name, state in queue.states.items() if state == FAILED]
  return [complaint(queue, name) for name in failed if names is None or name in names]


def _mean(result: dict, metric: str) -> float:
  return statistics.mean(line[metric] for line in result['subjects'])
