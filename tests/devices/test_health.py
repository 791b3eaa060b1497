"""What the doctor finds, on this machine and on worse ones."""

import email
import importlib.metadata
import pathlib

import jax
import numpy as np
import pytest
import scipy
import scipy.ndimage
from rich.console import Console

from ear_jax.devices.health import convolution, examination, room, software
from ear_jax.devices.health.examination import table
from ear_jax.devices.health.finding import Finding
from ear_jax.models.conv import conv3d


@pytest.mark.parametrize(
  ('number', 'version', 'result'),
  [
    (90700, '9.7.0', 'warn'),
    (90701, '9.7.1', 'warn'),
    (90800, '9.8.0', 'fail'),
    (91002, '9.10.2', 'fail'),
    (91402, '9.14.2', 'fail'),
    (91500, '9.15.0', 'pass'),
    (92000, '9.20.0', 'pass'),
    (100100, '10.1.0', 'pass'),
  ],
)
def test_the_versions_of_cudnn_that_are_reported_wrong_fail(number, version, result):
  finding = software.judge_cudnn(number)
  assert (finding.result, finding.found.split(':')[0]) == (result, version)
  assert ('cudnn' in finding.remedy) == (result != 'pass')


def test_without_a_gpu_nothing_is_said_of_cudnn():
  assert list(software.check_cudnn(jax.local_devices())) == []


def test_this_machine_computes_convolutions_right():
  finding = convolution.check_convolution(jax.local_devices()[1])
  assert (finding.what, finding.result) == ('convolution on cpu:1', 'pass')
  # float32 has 24 bits, bfloat16 8: half a unit in the last place of each is 6e-8 and 2e-3 of a value.
  assert 6e-8 < convolution.error_on(jax.local_devices()[0], 'float32') < 1e-6
  assert 1e-3 < convolution.error_on(jax.local_devices()[0], 'bfloat16') < 4e-3


def test_the_exact_convolution_is_that_of_another_implementation():
  rng = np.random.default_rng(0)
  video, kernel = rng.normal(size=(1, 3, 4, 5, 2)), rng.normal(size=(3, 3, 3, 2, 4))
  weight = rng.normal(size=(1, 3, 4, 5, 4))
  result, by_video, by_kernel = convolution._exact(video, kernel, weight)
  for f in range(4):
    expected = sum(scipy.ndimage.correlate(video[0, ..., c], kernel[..., c, f], mode='constant') for c in range(2))
    np.testing.assert_allclose(result[0, ..., f], expected, rtol=1e-12, atol=1e-12)
  # The convolution is linear in both, so that each gradient is its adjoint.
  assert np.vdot(weight, result) == pytest.approx(np.vdot(video, by_video), rel=1e-12)
  assert np.vdot(weight, result) == pytest.approx(np.vdot(kernel, by_kernel), rel=1e-12)


@pytest.mark.parametrize(('dtype', 'remedy'), [('bfloat16', 'dtype=float32'), ('float32', 'update driver')])
def test_a_device_that_forgets_a_tap_fails(monkeypatch, dtype, remedy):
  def forgetful(video, kernel):  # stands for the device: there is no wrong one at hand
    return conv3d(video, kernel.at[2, 2, 2].set(0) if video.dtype == dtype else kernel)

  monkeypatch.setattr(convolution, 'conv3d', forgetful)
  finding = convolution.check_convolution(jax.local_devices()[0])
  assert finding.result == 'fail'
  assert remedy in finding.remedy


def about(python, *required):
  """Metadata of a package, as pip writes it."""
  lines = [f'Requires-Python: {python}', *(f'Requires-Dist: {text}' for text in required)]
  return email.message_from_string('\n'.join(lines))


def test_this_environment_is_within_the_ranges():
  assert [finding.result for finding in software.check_software()] == ['pass', 'pass', 'pass']


def test_packages_are_compared_with_their_ranges_and_extras_may_be_missing(monkeypatch):
  ranges = 'numpy==1.0', 'jax>=0.1', 'no_such_package==1', 'no_such_extra; extra == "a"', 'scipy<1; extra == "b"'
  monkeypatch.setattr(software.importlib.metadata, 'metadata', lambda name: about('>=3.99', *ranges))
  python, packages, _ = software.check_software()
  assert (python.result, python.remedy) == ('fail', 'install a Python >=3.99')
  assert packages.result == 'fail'
  texts = f'numpy {np.__version__}, tried with ==1.0', 'no_such_package is missing'
  assert packages.found == '; '.join((*texts, f'scipy {scipy.__version__}, tried with <1'))
  assert packages.remedy == 'pip install "numpy==1.0" "no_such_package==1" "scipy<1"'


def test_a_package_that_lies_in_a_folder_only_is_said_not_to_be_installed(monkeypatch):  # case S15
  def missing(name):
    raise importlib.metadata.PackageNotFoundError(name)

  monkeypatch.setattr(software.importlib.metadata, 'metadata', missing)
  packages, jax_finding = software.check_software()
  assert packages.result == 'warn'
  assert 'ear_jax is not installed' in packages.found
  assert jax_finding.result == 'pass'


@pytest.mark.parametrize(('free', 'result'), [(0.4e9, 'fail'), (3e9, 'warn'), (9e9, 'pass')])
def test_disk_and_memory_are_judged(monkeypatch, free, result, tmp_path):
  monkeypatch.setattr(room.shutil, 'disk_usage', lambda path: type('Usage', (), {'free': free}))
  monkeypatch.setattr(room, 'memory_limit', lambda devices: int(free))
  disk, memory = next(room.check_room(tmp_path / 'not/yet')), next(room.check_devices(jax.local_devices()))
  assert (disk.result, memory.result) == (result, result)
  assert f'{free / 1e9:.3g} GB' in disk.found
  assert '2 x cpu' in memory.found
  assert bool(disk.remedy) == bool(memory.remedy) == (result != 'pass')


def test_a_folder_that_cannot_be_written_fails():
  finding = room.check_writable('working directory', pathlib.Path('/proc'))
  assert finding.result == 'fail'
  assert finding.found.startswith('/proc: ')


def test_the_table_shows_what_files_are_called(capsys):
  Console(width=100).print(table([Finding('a', 'warn', '/tmp/[red]x', 'do')]))
  assert '/tmp/[red]x' in capsys.readouterr().out


@pytest.mark.parametrize('fault', [AssertionError(), RuntimeError("Unable to initialize backend 'rocm'")])
def test_devices_that_do_not_start_are_a_finding(monkeypatch, fault, tmp_path):  # case T3
  def start():
    raise fault

  monkeypatch.setenv('JAX_PLATFORMS', 'cuda')
  monkeypatch.setattr(examination.jax, 'local_devices', start)
  (found,) = [one for one in examination.examine(tmp_path) if one.what == 'devices']
  assert found.result == 'fail'
  assert found.found == (str(fault) or 'jax starts none (JAX_PLATFORMS=cuda)')
  assert 'JAX_PLATFORMS=cpu' in found.remedy
