"""Time and memory of the parts of a long piece of work."""

import contextlib
import sys
import time
from collections.abc import Iterator

import psutil

try:
  import resource
except ImportError:  # Windows
  resource = None  # type: ignore[assignment]  # a module elsewhere

_RSS_UNIT = 1 if sys.platform == 'darwin' else 1024  # bytes


class Clock:
  """Adds up the seconds of each part, and keeps the process' peak memory at the end of it."""

  def __init__(self):
    self._parts: dict[str, dict[str, float]] = {}

  @contextlib.contextmanager
  def measure(self, part: str) -> Iterator[None]:
    """Counts the block as a part of the work; a part may come many times."""
    start = time.perf_counter()
    yield
    row = self._parts.setdefault(part, {'seconds': 0.0})
    row['seconds'] += time.perf_counter() - start
    row['peak_memory_gb'] = _peak_memory() / 1e9

  def table(self) -> dict[str, dict[str, float]]:
    """Returns for each part, in the order of first coming, `seconds` and `peak_memory_gb` of the process so far."""
    return {part: {what: round(value, 2) for what, value in row.items()} for part, row in self._parts.items()}


def _peak_memory() -> int:
  """Returns the most bytes that this process has held so far."""
  if resource is None:
    return psutil.Process().memory_info().peak_wset
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT
