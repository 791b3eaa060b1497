"""What the figures were measured on, without saying whose machine it is."""

import os
import pathlib
import platform

import psutil

_CPUINFO = pathlib.Path('/proc/cpuinfo')


def cores() -> tuple[int, ...]:
  """Returns the CPU cores that this process may use."""
  if hasattr(os, 'sched_getaffinity'):
    return tuple(sorted(os.sched_getaffinity(0)))
  return tuple(range(os.cpu_count() or 1))


def others() -> float:
  """Returns how many cores other programs kept busy over the last minute, where the system tells; else 0."""
  return os.getloadavg()[0] if hasattr(os, 'getloadavg') else 0.0


def describe() -> dict:
  """Returns processor, number of usable cores, memory in GB, vector extensions and system; no host, user or path."""
  lines = _CPUINFO.read_text().splitlines() if _CPUINFO.exists() else []
  fields = {key.strip(): value.strip() for key, _, value in (line.partition(':') for line in lines)}
  flags = set(fields.get('flags', '').split())
  return {
    'processor': fields.get('model name', platform.processor() or 'unknown'),
    'cores': len(cores()),
    'memory_gb': round(psutil.virtual_memory().total / 1e9, 1),
    'vectors': [name for name in ('avx2', 'avx512f', 'amx_tile') if name in flags],
    'system': f'{platform.system()} {platform.machine()}, Python {platform.python_version()}',
  }
