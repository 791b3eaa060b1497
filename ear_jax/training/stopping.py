"""Stops a run on a signal: SIGTERM, which a scheduler sends before it ends a job, or Ctrl-C."""

import os
import signal
import threading
from typing import Any, Self

import jax

from ear_jax.devices.together import largest

_CAUGHT = (signal.SIGTERM, signal.SIGINT)


class Stopped(Exception):
  """A run was told to stop, and is saved.

  Attributes:
    step: where the same command goes on.
    signal: what told it.
  """

  def __init__(self, step: int, number: signal.Signals):
    super().__init__(f'{number.name}: stopped at step {step}: the same command goes on from there')
    self.step, self.signal = step, number

  @property
  def status(self) -> int:
    """Exit status: 0 for a scheduler, which asked for nothing else; 130 for Ctrl-C, so that a script ends too."""
    return 0 if self.signal == signal.SIGTERM else 128 + self.signal


class StopRequest:
  """Remembers within a `with` block that SIGTERM or SIGINT came, in place of what they do otherwise.

  A second Ctrl-C interrupts as usual; a second SIGTERM, which some schedulers send, changes nothing. Outside the main
  thread, where Python knows no signals, nothing is noticed.

  Attributes:
    signal: what came; None: nothing yet.
  """

  def __init__(self) -> None:
    self.signal: signal.Signals | None = None
    self._before: dict[signal.Signals, Any] = {}

  def __enter__(self) -> Self:
    if threading.current_thread() is threading.main_thread():
      self._before = {number: signal.signal(number, self._notice) for number in _CAUGHT}
    return self

  def __exit__(self, *_: object) -> None:
    for number, handler in self._before.items():
      signal.signal(number, handler)

  def told(self, state: object, done: int, *, every: int) -> signal.Signals | None:
    """Returns the signal to stop after step `done`, or None.

    Several processes ask each other `every` so many steps, to stop together.
    """
    if jax.process_count() == 1:
      return self.signal
    if done % every:
      return None
    jax.block_until_ready(state)  # on CPU a question that overtakes the step's own sums waits for ever
    number = largest(self.signal or 0)
    return signal.Signals(number) if number else None

  def _notice(self, number: int, _: object) -> None:
    if self.signal is None:
      os.write(2, f'{signal.Signals(number).name}: stopping after this step\n'.encode())  # a logger may be in use
    self.signal = self.signal or signal.Signals(number)
    if number == signal.SIGINT:
      signal.signal(signal.SIGINT, signal.default_int_handler)
