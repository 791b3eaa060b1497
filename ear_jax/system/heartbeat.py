"""A sign of life: after ten seconds without output a command repeats its last message with the time passed."""

import contextlib
import logging as python_logging
import pathlib
import threading
import time
from collections.abc import Iterator

from absl import logging

_OURS = str(pathlib.Path(__file__).parents[1])
_BEATS = threading.Lock()  # held while there is one


@contextlib.contextmanager
def heartbeat(seconds: float = 10.0) -> Iterator[None]:
  """Logs the last line of ours again, with its age, whenever none came for some seconds within the block.

  Within another such block it does nothing.
  """
  if not _BEATS.acquire(blocking=False):
    yield
    return
  ended, heard = threading.Event(), _Heard()

  def beat() -> None:
    while not ended.wait(max(0.0, heard.quiet_since + seconds - time.monotonic())):
      now = time.monotonic()
      if now >= heard.quiet_since + seconds:  # else something was said while we waited
        heard.quiet_since = now
        if heard.line:
          logging.info('%s ... %.0f s', heard.line, now - heard.said)

  logger = logging.get_absl_logger()
  logger.addHandler(heard)
  thread = threading.Thread(target=beat, daemon=True)
  with contextlib.suppress(RuntimeError):  # no room for a thread: a run that goes on without it will say so
    thread.start()
  try:
    yield
  finally:
    ended.set()
    logger.removeHandler(heard)
    if thread.is_alive():
      thread.join()
    _BEATS.release()


class _Heard(python_logging.Handler):
  """The last line of ours, when it was `said`, and since when it is quiet."""

  def __init__(self) -> None:
    super().__init__()
    self.line, self.said = '', 0.0
    self.quiet_since = time.monotonic()

  def emit(self, record: python_logging.LogRecord) -> None:
    if record.pathname.startswith(_OURS) and record.pathname != __file__:
      self.line, self.said = record.getMessage(), time.monotonic()
      self.quiet_since = self.said
