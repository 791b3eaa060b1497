"""A clone that has the name of the package, with its environment inside, is like any other; case N4."""

import pathlib
import shutil
import subprocess
import sys
import zipfile

import pytest

pytestmark = pytest.mark.multiprocess

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture
def clone(tmp_path) -> pathlib.Path:
  """The repository's sources in a folder `ear_jax`, with an environment and a built data set, as after a quickstart."""
  clone = tmp_path / 'ear_jax'
  shutil.copytree(ROOT / 'ear_jax', clone / 'ear_jax', ignore=shutil.ignore_patterns('__pycache__', '*.zip'))
  for path in ROOT.glob('*.*'):
    if path.is_file():
      shutil.copy(path, clone)
  shutil.copy(ROOT / 'LICENSE', clone)
  (clone / '.venv/lib').mkdir(parents=True)
  (clone / 'data/mvm_cmr').mkdir(parents=True)
  return clone


def test_it_prints_our_lines_and_the_warnings_of_libraries(clone):
  says = """
from absl import logging

def say():
  logging.info('%s tells', __name__)
  logging.warning('%s warns', __name__)
"""
  (clone / '.venv/lib/library.py').write_text(says)
  (clone / 'ear_jax/ours.py').write_text(says)
  program = """
import library
import ear_jax.ours
from ear_jax.system import cli

def work(given):
  library.say()
  ear_jax.ours.say()

cli.run(work)
"""
  done = subprocess.run(
    [sys.executable, '-c', program], cwd=clone, env={'PYTHONPATH': '.venv/lib'}, capture_output=True, text=True
  )
  assert done.returncode == 0, done.stderr
  said = [line.partition('] ')[2] for line in done.stderr.splitlines()]
  assert said == ['library warns', 'ear_jax.ours tells', 'ear_jax.ours warns']


def test_a_script_beside_it_imports_the_package_that_is_installed_editable(clone, tmp_path):
  # What pip asks of setuptools, and what it does with the answer.
  program = 'from setuptools import build_meta; print(build_meta.build_editable("wheel"))'
  made = subprocess.run([sys.executable, '-c', program], cwd=clone, capture_output=True, text=True)
  assert made.returncode == 0, made.stderr
  with zipfile.ZipFile(clone / 'wheel' / made.stdout.splitlines()[-1]) as wheel:
    wheel.extractall(clone / '.venv/lib')
  script = tmp_path / 'script.py'
  script.write_text('import site, sys; site.addsitedir(sys.argv[1]); import ear_jax.data; print(ear_jax.data.__file__)')
  command = [sys.executable, '-S', script, clone / '.venv/lib']  # without the packages of this environment
  done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
  assert done.stdout.strip() == str(clone / 'ear_jax/data/__init__.py'), done.stderr
