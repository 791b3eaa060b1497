"""Where a run's numbers go: `metrics.jsonl` always, TensorBoard events beside it, a progress bar on a terminal."""

import contextlib
import datetime
import json
import pathlib
import sys
import time
from typing import Any, Self

import numpy as np
from absl import logging
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.record_writer import RecordWriter
from tensorboardX.summary import hparams, image, scalar

from ear_jax.system.errors import UserError
from ear_jax.system.files import write_text
from ear_jax.system.heartbeat import heartbeat
from ear_jax.system.terminal import progress_console

_FORMS = {  # on the terminal
  'loss': 'loss {:.4f}',
  'seconds_per_step': '{:.3g} s/step',
  'learning_rate': 'rate {:.2g}',
  'validation_dice': 'val. {:.4f}',
  'dice': 'Dice {:.3f}',
  'wait_share': 'wait {:.0%}',
}
_GROUPS = {  # of TensorBoard; all others are of training
  'seconds_per_step': 'pace/seconds_per_step',
  'wait_share': 'pace/wait_share',
  'validation_dice': 'validation/dice',
}


class MetricWriter:
  """Appends scalars by step to `metrics.jsonl` and to TensorBoard event files in the same folder.

  Args:
    folder: the run's working directory.
    step: the step resumed from; what an interrupted run wrote beyond it is dropped, since it will be written again.
  """

  def __init__(self, folder: pathlib.Path, step: int):
    self._events = _Events(folder / 'tensorboard', purge_step=step + 1 if step else None)
    self._path = folder / 'metrics.jsonl'
    kept = [line for line in read_metrics(folder) if line['step'] <= step]
    write_text(self._path, ''.join(json.dumps(line) + '\n' for line in kept))
    self._lines = self._path.open('a')

  def write(self, step: int, scalars: dict[str, float]) -> None:
    """Writes one line; a crash loses at most the line being written."""
    self._lines.write(json.dumps({'step': step, **scalars}) + '\n')
    self._lines.flush()
    for name, value in scalars.items():
      self._events.write(step=step, summary=scalar(_GROUPS.get(name, f'training/{name}'), value))

  def settings(self, fields: dict[str, Any]) -> None:
    """Shows the fields of the configuration in TensorBoard, to compare runs by."""
    told = {name: value if isinstance(value, bool | int | float) else str(value) for name, value in fields.items()}
    for summary in hparams(told, {'validation/dice': 0.0}):
      self._events.write(summary=summary)

  def picture(self, step: int, picture: np.ndarray) -> None:
    """Shows a picture, `[H, W, 3]` uint8, in TensorBoard."""
    self._events.write(step=step, summary=image('validation/example', picture, dataformats='HWC'))

  def __enter__(self) -> Self:
    return self

  def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
    for file in (self._lines, self._events):
      with contextlib.suppress(OSError) if kind else contextlib.nullcontext():  # what went wrong first says it best
        file.close()


class _Events:
  """TensorBoard events, without tensorboardX's thread: that ends on a full disk, and the run waits for it for ever.

  A resumed run adds a file; files are numbered, not dated, so that no clock decides which of them counts.
  """

  def __init__(self, folder: pathlib.Path, purge_step: int | None):
    folder.mkdir(parents=True, exist_ok=True)
    self._records = RecordWriter(str(folder / f'events.{len(list(folder.iterdir())):05d}.out.tfevents'))
    self._flushed = time.monotonic()
    self.write(file_version='brain.Event:2')
    if purge_step is not None:
      self.write(step=purge_step, session_log=SessionLog(status=SessionLog.START))

  def write(self, **fields: Any) -> None:
    """Adds an event; on the disk within half a minute."""
    self._records.write(Event(wall_time=time.time(), **fields).SerializeToString())
    if time.monotonic() - self._flushed > 30:
      self._records.flush()
      self._flushed = time.monotonic()

  def close(self) -> None:
    """Writes what is left."""
    self._records.close()


def read_metrics(folder: pathlib.Path) -> list[dict[str, Any]]:
  """Returns the lines of `metrics.jsonl`, without a last one cut short by a kill.

  Raises: UserError when another line is damaged.
  """
  path = folder / 'metrics.jsonl'
  if not path.exists():
    return []
  whole = [line for line in path.read_text(errors='replace').splitlines(keepends=True) if line.endswith('\n')]
  return [_figures(line, number, path) for number, line in enumerate(whole, start=1)]


def _figures(line: str, number: int, path: pathlib.Path) -> dict[str, Any]:
  try:
    figures: dict[str, Any] = json.loads(line)
    if isinstance(figures['step'], int):
      return figures
  except (ValueError, KeyError, TypeError):
    pass
  raise UserError(f'line {number} of {path} is damaged: remove it, or bring the file back from a copy')


class ProgressLine:
  """A bar with step, time left, loss, rate and Dice on a terminal; lines of the same and a heartbeat elsewhere."""

  def __init__(self, steps: int, first: int, log_every: int, validates_every: int):
    self._steps, self._first, self._log_every, self._validates_every = steps, first, log_every, validates_every
    self._shown = contextlib.ExitStack()
    self._bar = None
    if sys.stderr.isatty():
      self._bar = progress_bar(progress_console())
      self._task = self._bar.add_task('compiling the first step', total=steps, completed=first)

  def __enter__(self) -> Self:
    self._shown.enter_context(self._bar or heartbeat())
    if not self._bar:
      every = self._validates_every
      often = f'validation every {every} steps and after the last' if every else 'no validation fold'
      logging.info('training from step %d to step %d, %s', self._first, self._steps, often)
    return self

  def __exit__(self, *_: object) -> None:
    self._shown.close()

  def update(self, step: int, scalars: dict[str, float]) -> None:
    """Shows the figures of a step."""
    if self._bar:
      self._bar.update(self._task, completed=step, description=in_words(scalars))
    elif step % self._log_every == 0 or step == self._steps:
      left = datetime.timedelta(seconds=round(scalars['seconds_per_step'] * (self._steps - step)))
      logging.info('step %d of %d, %s left: %s', step, self._steps, left, in_words(scalars))

  def validating(self, step: int) -> None:
    """Says that the network is scored on the validation fold, which takes a while in which no step is taken."""
    if self._bar:
      self._bar.update(self._task, description='validating')
    else:
      logging.info('step %d: validating', step)

  def say(self, text: str) -> None:
    """Prints a line above the bar."""
    if self._bar:
      self._bar.console.print(text)
    else:
      logging.info('%s', text)


def progress_bar(console: Console) -> Progress:
  """Returns a bar of which the text behind it, and nothing else, is cut where the terminal is too narrow."""
  text = TextColumn('{task.description}', table_column=Column(ratio=1, no_wrap=True, overflow='ellipsis'))
  columns = (BarColumn(bar_width=10), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn('left'), text)
  return Progress(*columns, console=console, expand=True)


def in_words(scalars: dict[str, float]) -> str:
  """Returns the figures that are there, the more important first, in as few letters as are understood."""
  return '  '.join(form.format(scalars[name]) for name, form in _FORMS.items() if name in scalars)
