"""How much memory there is: a GPU's own, or what the system has to spare for the devices on its CPU."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Sequence

import jax

_SYSTEM, _GROUP = pathlib.Path('/proc/meminfo'), pathlib.Path('/sys/fs/cgroup')


def memory_limit(devices: Sequence[jax.Device]) -> int | None:
  """Returns the bytes that each of some like devices may use, None where nobody says.

  For CPU devices, which share it, an equal part of the memory that is available now, swap not counted.
  """
  if devices[0].platform != 'cpu':
    return (devices[0].memory_stats() or {}).get('bytes_limit')
  known = [free for free in (_system_free(), _group_free()) if free is not None]
  return min(known) // len(devices) if known else None


def _system_free():
  found = re.search(r'MemAvailable:\s*(\d+) kB', _SYSTEM.read_text()) if _SYSTEM.exists() else None
  return int(found[1]) * 1024 if found else None


def _group_free():
  """What a container's limit leaves; its file cache, which can be given up, counts as free."""
  try:
    limit, used, statistics = ((_GROUP / f'memory.{name}').read_text() for name in ('max', 'current', 'stat'))
  except OSError:
    return None
  if not limit.strip().isdigit():  # 'max': no limit
    return None
  cache = re.search(r'^inactive_file (\d+)', statistics, re.MULTILINE)
  return max(0, int(limit) - int(used) + (int(cache[1]) if cache else 0))
