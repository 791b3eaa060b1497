"""A release: version, citation and log of changes agree; sdist and wheel, built offline, hold the package as it is."""

import email
import pathlib
import re
import subprocess
import sys
import tarfile
import zipfile

import pytest

import ear_jax

ROOT = pathlib.Path(__file__).parent.parent


def test_version_citation_and_log_of_changes_agree():
  """Case N16."""
  citation = (ROOT / 'CITATION.cff').read_text()
  heads = re.findall(r'^## \[(.+?)\](.*)$', (ROOT / 'CHANGELOG.md').read_text(), re.MULTILINE)
  released = next((version, date.strip(' -')) for version, date in heads if version != 'Unreleased')
  assert heads[0][0] == 'Unreleased'  # where the next change is written
  assert released[0] == ear_jax.__version__ == re.search(r'^version: (\S+)$', citation, re.MULTILINE)[1]
  assert released[1] == re.search(r"^date-released: '(\S+)'$", citation, re.MULTILINE)[1]
  # What SECURITY.md sends a reader to is there.
  security = (ROOT / 'SECURITY.md').read_text()
  assert 'CITATION' not in security or 'contact:' in citation
  assert all((ROOT / path).exists() for path in re.findall(r'`((?:tests|docs)/[\w./]+)`', security))


@pytest.mark.slow
@pytest.mark.multiprocess
def test_sdist_and_wheel_hold_the_package_and_the_wheel_works_elsewhere(tmp_path):
  kept = subprocess.run(['git', '-C', str(ROOT), 'ls-files', 'ear_jax'], capture_output=True, text=True)
  if kept.returncode:
    pytest.skip('not a clone: what belongs to the package is not known')
  files = kept.stdout.split()

  def build(folder, kind):
    program = f'from setuptools import build_meta; print(build_meta.build_{kind}({str(tmp_path)!r}))'
    done = subprocess.run([sys.executable, '-c', program], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return tmp_path / done.stdout.splitlines()[-1]

  source = tmp_path / 'clone'
  for name in [*files, 'pyproject.toml', 'README.md', 'LICENSE']:
    (source / name).parent.mkdir(parents=True, exist_ok=True)
    (source / name).write_bytes((ROOT / name).read_bytes())
  sdist = build(source, 'sdist')
  assert sdist.name == f'ear_jax-{ear_jax.__version__}.tar.gz'
  with tarfile.open(sdist) as archive:
    archive.extractall(tmp_path / 'unpacked', filter='data')
  wheel = build(next((tmp_path / 'unpacked').iterdir()), 'wheel')  # so the sdist has all that a wheel is made of
  with zipfile.ZipFile(wheel) as archive:
    names = archive.namelist()
    assert {name for name in names if '.dist-info/' not in name} == set(files)
    assert all(archive.read(name) == (ROOT / name).read_bytes() for name in files)
    about = email.message_from_bytes(archive.read(next(name for name in names if name.endswith('/METADATA'))))
    assert b'ear-jax = ear_jax.system.console:main' in archive.read(
      next(name for name in names if name.endswith('/entry_points.txt'))
    )
    archive.extractall(tmp_path / 'installed')
  assert (about['Version'], about['License-Expression']) == (ear_jax.__version__, 'Apache-2.0')
  assert about.get_payload().startswith('# ear_jax')
  assert {'build', 'slurm', 'edit', 'cuda12', 'cuda13'} <= set(about.get_all('Provides-Extra'))
  program = "import ear_jax; print(ear_jax.__file__, ear_jax.load_network('ear3d-phantom').step)"
  done = subprocess.run(
    [sys.executable, '-c', program],
    cwd=tmp_path,
    env={'PYTHONPATH': str(tmp_path / 'installed'), 'JAX_PLATFORMS': 'cpu'},
    capture_output=True,
    text=True,
  )
  assert done.stdout.split() == [str(tmp_path / 'installed/ear_jax/__init__.py'), '1500'], done.stderr[-2000:]
