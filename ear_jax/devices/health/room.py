"""Checks memory, disk space, and write permission for the folder of a run and the caches of libraries."""

import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence

import jax
import matplotlib

from ear_jax.devices.health.finding import Finding, Result
from ear_jax.devices.memory import memory_limit
from ear_jax.system.lock import lock_file

_MEMORY: dict[Result, float] = {'fail': 1e9, 'warn': 4e9}  # quickstart.py needs 1 GB, ear3d.py 3 GB
# A run keeps three checkpoints of up to 0.4 GB, a data set may be as large.
_DISK: dict[Result, float] = {'fail': 0.5e9, 'warn': 5e9}


def check_devices(devices: Sequence[jax.Device]) -> Iterator[Finding]:
  """Yields the devices of each kind and the memory that each has."""
  for kind in dict.fromkeys(device.device_kind for device in devices):
    alike = [device for device in devices if device.device_kind == kind]
    limit = memory_limit(alike[:1])
    in_words = f'{len(alike)} x {kind}' + ('' if limit is None else f', {limit / 1e9:.3g} GB free')
    yield _judge(f'memory, {alike[0].platform}', limit, _MEMORY, in_words, 'a smaller --config.data.crop or batch_size')
  if all(device.platform == 'cpu' for device in devices) and pathlib.Path('/dev/nvidia0').exists():
    yield Finding('GPU', 'warn', 'there is one, and jax does not see it', 'pip install "ear_jax[cuda12]", or [cuda13]')


def check_room(folder: pathlib.Path) -> Iterator[Finding]:
  """Yields findings about the file system of a folder, and about the places that libraries write to."""
  there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
  free = shutil.disk_usage(there).free
  yield _judge(f'disk of {folder}', free, _DISK, f'{free / 1e9:.3g} GB free', 'make room, or choose another --workdir')
  places = {'working directory': there, 'temporary files': pathlib.Path(tempfile.gettempdir())}
  if cache := os.environ.get('JAX_COMPILATION_CACHE_DIR'):
    places['JAX_COMPILATION_CACHE_DIR'] = pathlib.Path(cache)
  places['MPLCONFIGDIR (matplotlib)'] = pathlib.Path(matplotlib.get_cachedir())
  for what, place in places.items():
    yield check_writable(what, place)


def check_writable(what: str, folder: pathlib.Path) -> Finding:
  """Returns whether a file can be made and locked in a folder, by doing it; what is made is removed."""
  try:
    with tempfile.TemporaryFile(dir=folder) as file:
      file.write(b'x' * 4096)
      file.flush()
      try:
        lock_file(file)
      except OSError as fault:
        remedy = 'mount it with locks, or see to it that two runs never share a --workdir'
        return Finding(what, 'warn', f'{folder} cannot lock files ({fault.strerror})', remedy)
  except OSError as fault:
    return Finding(what, 'fail', f'{folder}: {fault.strerror}', 'make it writable, or name another place')
  return Finding(what, 'pass', f'{folder} can be written')


def _judge(what: str, amount: int | None, bounds: dict[Result, float], in_words: str, remedy: str) -> Finding:
  if amount is None:
    return Finding(what, 'warn', f'{in_words}, memory unknown', 'watch the first step')
  result: Result = next((name for name, bound in bounds.items() if amount < bound), 'pass')
  return Finding(what, result, in_words, '' if result == 'pass' else remedy)
