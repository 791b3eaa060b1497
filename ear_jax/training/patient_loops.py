"""Event loops that, when closed, wait for the tasks that they started.

Orbax writes the arrays of a checkpoint at once, each in a task of an event loop of its own, and closes the loop at the
first that fails, on a full disk say. TensorStore still writes the others and tells a loop that is gone: its threads
print "Event loop is closed" with a traceback, as often as there are arrays, around the sentence that a user should see.
"""

import asyncio
import contextlib
from collections.abc import Iterator


class _PatientLoop(asyncio.SelectorEventLoop):
  """Ends its tasks before it closes; what they come to was told by the first that failed."""

  def close(self) -> None:
    while not self.is_closed() and (tasks := asyncio.all_tasks(self)):
      self.run_until_complete(asyncio.wait(tasks))
    super().close()


@contextlib.contextmanager
def patient_loops() -> Iterator[None]:
  """Makes every new event loop of the process within the block a patient one."""
  # Not by a policy of loops, which Python 3.14 deprecates; Orbax takes no loop.
  before, asyncio.new_event_loop = asyncio.new_event_loop, _PatientLoop
  try:
    yield
  finally:
    asyncio.new_event_loop = before
