"""Versions: Python, the pinned packages, and cuDNN where there is a GPU."""

from __future__ import annotations

import ctypes
import importlib.metadata
import platform
import sys
from collections.abc import Iterator, Sequence

import jax
from packaging.requirements import Requirement

from ear_jax.devices.health.finding import Finding

# bfloat16 3-D convolutions: pytorch #163539, #166122, #166643.
_BAD_CUDNN = ((9, 8), (9, 15))  # from, to and without
_INSTALL = 'pip install -r requirements.txt'


def check_software() -> Iterator[Finding]:
  """Yields findings about Python and the packages that this project pins."""
  python = platform.python_version()
  if sys.version_info[:2] == (3, 11):
    yield Finding('Python', 'pass', python)
  else:
    yield Finding('Python', 'fail', python, 'install Python 3.11')
  yield _check_packages()
  yield Finding('jax', 'pass', f'{jax.__version__}, jaxlib {importlib.metadata.version("jaxlib")}')


def _check_packages() -> Finding:
  try:
    pins = importlib.metadata.requires('ear_jax') or ()
  except importlib.metadata.PackageNotFoundError:
    found = 'ear_jax is not installed, so that what it needs is not known here'
    return Finding('packages', 'warn', found, f'{_INSTALL}; pip install --no-deps --editable .')
  missing, others, count = [], [], 0
  for text in pins:
    requirement, count = Requirement(text), count + 1
    try:
      installed = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
      missing.append(requirement.name)
      continue
    if not requirement.specifier.contains(installed, prereleases=True):
      others.append(f'{requirement.name} {installed}, tested with {requirement.specifier}')
  result = 'fail' if missing else 'warn' if others else 'pass'
  found = '; '.join([*(f'{name} is missing' for name in missing), *others]) or f'all {count} as pinned'
  return Finding('packages', result, found, '' if result == 'pass' else _INSTALL)


def check_cudnn(devices: Sequence[jax.Device]) -> Iterator[Finding]:
  """Yields a finding about cuDNN where one of the devices is an NVIDIA GPU."""
  if not any(device.platform in ('gpu', 'cuda') for device in devices):
    return
  try:
    yield judge_cudnn(ctypes.CDLL('libcudnn.so.9').cudnnGetVersion())
  except (OSError, AttributeError) as fault:
    yield Finding('cuDNN', 'warn', f'its version cannot be read ({fault})', 'pip install "nvidia-cudnn-cu12>=9.15"')


def judge_cudnn(number: int) -> Finding:
  """Returns what to think of a version as cuDNN tells it: 91002 is 9.10.2."""
  version = number // 10000, number // 100 % 100, number % 100
  text = '.'.join(map(str, version))
  low, high = _BAD_CUDNN
  if low <= version[:2] < high:
    return Finding(
      'cuDNN',
      'fail',
      f'{text}: bfloat16 3-D convolutions are reported wrong in 9.8 to 9.14',
      'pip install "nvidia-cudnn-cu12>=9.15", or train with --config.model.dtype=float32',
    )
  if version[:2] < low:
    return Finding('cuDNN', 'warn', f'{text}: jax wants 9.8 or newer', 'pip install "nvidia-cudnn-cu12>=9.15"')
  return Finding('cuDNN', 'pass', text)
