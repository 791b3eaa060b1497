"""Memory of this process: what it holds now, and the most that it held since a mark."""

import ctypes
import gc
import pathlib
import sys

_STATUS = pathlib.Path('/proc/self/status')
_MARK = pathlib.Path('/proc/self/clear_refs')


def resident() -> float | None:
  """Returns the resident memory in MB (10^6 bytes) after giving free memory back, or None off Linux."""
  gc.collect()
  if sys.platform == 'linux':
    ctypes.CDLL(None).malloc_trim(0)
  return _read('VmRSS')


def mark() -> None:
  """Forgets the high-water mark: `peak` counts from here."""
  if _MARK.exists():
    _MARK.write_text('5')  # resets VmHWM, see proc(5)


def peak() -> float | None:
  """Returns the most resident memory in MB since `mark`, or None off Linux."""
  return _read('VmHWM')


def _read(field: str) -> float | None:
  if not _STATUS.exists():
    return None
  line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(field))
  return int(line.split()[1]) * 1024 / 1e6
