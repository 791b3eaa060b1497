"""A trace of a few steps by jax's profiler: what the host and the devices did, and when."""

import pathlib
from typing import Self

import jax
from absl import logging

_AFTER, _STEPS = 3, 5  # the first steps compile and fill the pipeline


class Trace:
  """Writes the trace of some steps into a folder; use as a context manager.

  Args:
    folder: where; None: no trace.   first: the step that the run begins or resumes at.
  """

  def __init__(self, folder: pathlib.Path | None, first: int):
    self._folder, self._begin = folder, first + _AFTER
    self._running = False

  def __enter__(self) -> Self:
    return self

  def __exit__(self, *_: object) -> None:
    self._stop()

  def at(self, step: int) -> None:
    """Takes the number of steps done."""
    if self._folder and step == self._begin:
      jax.profiler.start_trace(self._folder)
      self._running = True
    elif step == self._begin + _STEPS:
      self._stop()

  def _stop(self) -> None:
    if self._running:
      self._running = False
      jax.profiler.stop_trace()
      logging.info('a trace of %d steps is in %s: open it with xprof, or its trace.json.gz', _STEPS, self._folder)
