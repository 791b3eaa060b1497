"""How long a step takes, and for which part of the time the devices had nothing to do.

A thread waits for each step and notes when it ended: the loop itself looks later, when the next was dispatched. What
lies between the end of a step and the moment at which the next was on the devices is idle time, whether the host was
waiting for data, placing them or dispatching. So the share of it says the truth where steps are so small that the host
is the slower, too.
"""

import contextlib
import queue
import threading
import time
from typing import Any, NamedTuple, Self

import jax

_PATIENCE = 10.0  # s, for a step that was under way when training ended


class Step(NamedTuple):
  """A step that was dispatched.

  Attributes:
    metrics: its scalars, on the devices.
    placed: when it was on the devices: after its dispatch, or before it where that runs the step.
    ended: takes the time of its end, once.
  """

  metrics: Any
  placed: float
  ended: 'queue.SimpleQueue[float]'


class Pace:
  """Adds up the time of steps that were read; use as a context manager.

  Args:
    host_computes: the devices are the host's processor, which runs a step while it is dispatched.
  """

  def __init__(self, *, host_computes: bool) -> None:
    self._host_computes = host_computes
    self._waited_for: queue.SimpleQueue[Step | None] = queue.SimpleQueue()
    self._dispatched = 0.0
    self.restart()

  def __enter__(self) -> Self:
    # A daemon: a process that lost the others must be able to end while a step of theirs never does.
    self._thread = threading.Thread(target=_note_ends, args=(self._waited_for,), daemon=True)
    self._thread.start()
    return self

  def __exit__(self, *_: object) -> None:
    self._waited_for.put(None)
    # A process that ends while the thread waits inside jax is aborted by C++, after its last sentence.
    self._thread.join(_PATIENCE)

  def restart(self) -> None:
    """Forgets what came before: what happens from now on belongs to the next step."""
    self._before, self._seconds, self._idle, self._steps = time.perf_counter(), 0.0, 0.0, 0

  def dispatch(self) -> None:
    """Says that the next step is about to be dispatched."""
    self._dispatched = time.perf_counter()

  def under_way(self, metrics: Any) -> Step:
    """Returns the step that was just dispatched."""
    placed = self._dispatched if self._host_computes else time.perf_counter()
    step = Step(metrics, placed, queue.SimpleQueue())
    self._waited_for.put(step)
    return step

  def add(self, step: Step) -> None:
    """Counts a step, waiting for its end."""
    ended = step.ended.get()
    self._idle += max(0.0, step.placed - self._before)
    self._seconds += ended - self._before
    self._before, self._steps = ended, self._steps + 1

  def take(self) -> dict[str, float]:
    """Returns the means over the steps since the last call, `seconds_per_step` and `wait_share`, and begins anew."""
    pace = {'seconds_per_step': self._seconds / self._steps, 'wait_share': self._idle / max(self._seconds, 1e-9)}
    self._seconds, self._idle, self._steps = 0.0, 0.0, 0
    return pace


def _note_ends(waited_for: 'queue.SimpleQueue[Step | None]') -> None:
  while step := waited_for.get():
    with contextlib.suppress(Exception):  # whoever reads the metrics meets it
      jax.block_until_ready(step.metrics)
    step.ended.put(time.perf_counter())
