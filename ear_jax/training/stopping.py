"""Stops a run on a signal: SIGTERM, which a scheduler sends before it ends a job, or Ctrl-C."""

import contextlib
import os
import signal
import threading
import time
import types
from collections.abc import Iterator
from typing import Self

import jax

from ear_jax.devices.together import largest
from ear_jax.system.cli import put_off

_CAUGHT = (signal.SIGTERM, signal.SIGINT)
_LATE = 0.5  # seconds after which a signal is one that Python has not heard yet


class Stopped(BaseException):
  """A run was told to stop, and is saved; as KeyboardInterrupt no Exception, or a reader of files took it for damage.

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
  """Hears within a `with` block that SIGTERM or SIGINT came, in place of what they do otherwise.

  Before the first step there is nothing to save: a run of one process is stopped where it stands, but for `patiently`.
  After that the signal is remembered until the step is done. A second Ctrl-C interrupts as usual; a second SIGTERM,
  which some schedulers send, changes nothing. Outside the main thread, where Python knows no signals, nothing is
  noticed.

  Attributes:
    signal: what came; None: nothing yet.
    before: where the run stands as long as no step is under way; None from the first one on.
  """

  def __init__(self) -> None:
    self.signal: signal.Signals | None = None
    self.before: int | None = 0
    self._patient = self._said = False
    self._alone = jax.process_count() == 1  # others would wait for one that stops by itself
    self._closing = contextlib.ExitStack()

  def __enter__(self) -> Self:
    if threading.current_thread() is threading.main_thread():
      for number in _CAUGHT:
        self._closing.callback(signal.signal, number, signal.signal(number, self._notice))
      if os.name == 'posix':  # elsewhere a pipe cannot tell of signals: what they wait for is said late
        self._watch_signals()
    return self

  def __exit__(self, *_: object) -> None:
    self._closing.close()

  @contextlib.contextmanager
  def patiently(self) -> Iterator[None]:
    """Lets what is within the block end first: an exception in the middle of jax's work may get lost in it, or worse.

    Raises: Stopped at the end of the block.
    """
    self._patient = True
    try:
      yield
    finally:
      self._patient = False
    if self.signal and self._alone and self.before is not None:
      raise Stopped(self.before, self.signal)

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

  def _notice(self, number: int, frame: types.FrameType | None) -> None:
    first, before = self.signal is None, self.before
    at_once = first and self._alone and not self._patient and before is not None
    if at_once and put_off(number, frame):
      return
    self.signal = self.signal or signal.Signals(number)
    if number == signal.SIGINT:
      signal.signal(signal.SIGINT, signal.default_int_handler)
    if first and self._alone and before is not None:
      if at_once:
        raise Stopped(before, self.signal)
      self._say_wait(number)
    elif first:
      _say(number, 'stopping after this step')

  def _watch_signals(self) -> None:
    """Has a thread say what a signal waits for where Python hears it late: the main thread compiles."""
    read, write = os.pipe()
    os.set_blocking(write, False)

    def watch() -> None:
      while told := os.read(read, 1):  # nothing comes when `write` is closed
        time.sleep(_LATE)
        if told[0] in _CAUGHT and self.signal is None and self.before is not None:
          self._say_wait(told[0])
      os.close(read)

    self._closing.callback(os.close, write)
    self._closing.callback(signal.set_wakeup_fd, signal.set_wakeup_fd(write, warn_on_full_buffer=False))
    with contextlib.suppress(RuntimeError):  # no room for a thread: it is said when the step is compiled
      threading.Thread(target=watch, daemon=True).start()

  def _say_wait(self, number: int) -> None:
    if not self._said:
      self._said = True
      rule = 'the step is being compiled, which cannot be interrupted: stopping before the first step'
      _say(number, f'{rule}; `kill -9 {os.getpid()}` ends it now, and nothing is lost')


def _say(number: int, words: str) -> None:
  os.write(2, f'{signal.Signals(number).name}: {words}\n'.encode())  # a logger may be in use
