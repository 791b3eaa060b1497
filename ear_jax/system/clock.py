"""Time and memory of the parts of a long piece of work."""

import contextlib
import sys
import time
from collections.abc import Iterator

import psutil

try:
  import resource
except ImportError:  # Windows
  resource = None

_RSS_UNIT = 1 if sys.platform == 'darwin' else 1024  # bytes


class Clock:
  """Adds up the seconds of each part, and keeps the process' peak memory at the end of it."""

  def __init__(self):
    self._seconds: dict[str, float] = {}
    self._peak: dict[str, float] = {}

  @contextlib.contextmanager
  def measure(self, part: str) -> Iterator[None]:
    """Counts the block as a part of the work; a part may come many times."""
    start = time.perf_counter()
    yield
    self._seconds[part] = self._seconds.get(part, 0.0) + time.perf_counter() - start
    self._peak[part] = _peak_memory() / 1e9

  def table(self) -> dict[str, dict[str, float]]:
    """Returns for each part, in the order of first coming, `seconds` and `peak_memory_gb` of the process so far."""
    return {
      part: {'seconds': round(seconds, 2), 'peak_memory_gb': round(self._peak[part], 2)}
      for part, seconds in self._seconds.items()
    }


def _peak_memory() -> int:
  """The most bytes that this process has held so far."""
  if resource is None:
    return psutil.Process().memory_info().peak_wset
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT
