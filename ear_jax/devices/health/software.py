"""Versions: Python and the packages against the ranges of pyproject.toml, and cuDNN where there is a GPU."""

import ctypes
import importlib.metadata
import platform
from collections.abc import Iterator, Sequence

import jax
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from ear_jax.devices.health.finding import Finding, Result

# bfloat16 3-D convolutions: pytorch #163539, #166122, #166643.
_BAD_CUDNN = ((9, 8), (9, 15))  # from, to and without
_INSTALL_CUDNN = 'pip install "nvidia-cudnn-cu12>=9.15", with CUDA 13 "nvidia-cudnn-cu13>=9.15"'


def check_software() -> Iterator[Finding]:
  """Yields findings about Python, the packages that this one needs, and jax."""
  try:
    about = importlib.metadata.metadata('ear_jax')
  except importlib.metadata.PackageNotFoundError:
    yield Finding('packages', 'warn', 'ear_jax is not installed: its ranges are not known', 'pip install -e .')
  else:
    yield _check_python(SpecifierSet(about['Requires-Python']))
    yield _check_packages([Requirement(text) for text in about.get_all('Requires-Dist', [])])
  yield Finding('jax', 'pass', f'{jax.__version__}, jaxlib {importlib.metadata.version("jaxlib")}')


def _check_python(tried: SpecifierSet) -> Finding:
  python = platform.python_version()
  if tried.contains(python, prereleases=True):
    return Finding('Python', 'pass', python)
  return Finding('Python', 'fail', python, f'install a Python {tried}')


def _check_packages(required: list[Requirement]) -> Finding:
  """Returns whether all that the package needs is there; what an extra needs (its marker says so) may be missing."""
  faults: dict[str, str] = {}
  result: Result = 'warn'
  count = 0
  for one in required:
    needed = one.marker is None or one.marker.evaluate({'extra': ''})
    count += needed
    try:
      installed = importlib.metadata.version(one.name)
    except importlib.metadata.PackageNotFoundError:
      if needed:
        faults[f'"{one.name}{one.specifier}"'], result = f'{one.name} is missing', 'fail'
      continue
    if not one.specifier.contains(installed, prereleases=True):
      faults[f'"{one.name}{one.specifier}"'] = f'{one.name} {installed}, tried with {one.specifier}'
  if not faults:
    return Finding('packages', 'pass', f'all {count} as tried')
  return Finding('packages', result, '; '.join(faults.values()), f'pip install {" ".join(faults)}')


def check_cudnn(devices: Sequence[jax.Device]) -> Iterator[Finding]:
  """Yields a finding about cuDNN where one of the devices is an NVIDIA GPU."""
  if not any(device.platform in ('gpu', 'cuda') for device in devices):
    return
  try:
    yield judge_cudnn(ctypes.CDLL('libcudnn.so.9').cudnnGetVersion())
  except (OSError, AttributeError) as fault:
    yield Finding('cuDNN', 'warn', f'its version cannot be read ({fault})', _INSTALL_CUDNN)


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
      f'{_INSTALL_CUDNN}, or train with --config.model.dtype=float32',
    )
  if version[:2] < low:
    return Finding('cuDNN', 'warn', f'{text}: jax wants 9.8 or newer', _INSTALL_CUDNN)
  return Finding('cuDNN', 'pass', text)
