"""How much memory there is: a GPU's own, or what the system has to spare for the devices on its CPU."""

import pathlib
import re
from collections.abc import Iterator, Sequence

import jax
import psutil

_GROUPS, _OWN_GROUPS = pathlib.Path('/sys/fs/cgroup'), pathlib.Path('/proc/self/cgroup')


def memory_limit(devices: Sequence[jax.Device]) -> int | None:
  """Returns the bytes that each of some like devices may use, None where it is not stated.

  For CPU devices, which share it, an equal part of the memory that is available now, swap not counted.
  """
  if devices[0].platform != 'cpu':
    return (devices[0].memory_stats() or {}).get('bytes_limit')
  known = [free for free in (_group_free(), address_space_free()) if free is not None]
  return min(psutil.virtual_memory().available, *known) // len(devices)


def address_space_free() -> int | None:
  """Returns the bytes that `ulimit -v` leaves, which some schedulers set; None without a limit."""
  if not hasattr(psutil, 'RLIMIT_AS'):  # macOS and Windows
    return None
  own = psutil.Process()
  limit, _ = own.rlimit(psutil.RLIMIT_AS)
  return None if limit == psutil.RLIM_INFINITY else max(0, limit - own.memory_info().vms)


def _group_free():
  """Returns what the limits of a container or scheduler leave; file cache, which can be given up, counts as free."""
  known = [_free_in(folder, *names) for folder, names in _groups()]
  return min((free for free in known if free is not None), default=None)


def _groups() -> Iterator[tuple[pathlib.Path, tuple[str, str]]]:
  """Yields the control groups of this process and those above them, with the names of limit and use (version 2, 1)."""
  for line in _OWN_GROUPS.read_text().splitlines() if _OWN_GROUPS.exists() else ():
    _, controllers, path = line.split(':', 2)
    if controllers and 'memory' not in controllers.split(','):
      continue
    root = _GROUPS / 'memory' if controllers else _GROUPS
    names = ('memory.limit_in_bytes', 'memory.usage_in_bytes') if controllers else ('memory.max', 'memory.current')
    own = root / path.lstrip('/')
    yield from ((folder, names) for folder in (own, *own.parents) if folder.is_relative_to(root))


def _free_in(group, limit, used):
  try:
    limit, used, statistics = ((group / name).read_text() for name in (limit, used, 'memory.stat'))
  except OSError:
    return None
  if not limit.strip().isdigit():  # 'max': no limit
    return None
  cache = re.search(r'^(?:total_)?inactive_file (\d+)', statistics, re.MULTILINE)
  return max(0, int(limit) - int(used) + (int(cache[1]) if cache else 0))
