"""The command `ear-jax`: another way to the same commands."""

import ast
import importlib
import pathlib
import subprocess
import sys
import tomllib

import pytest

from ear_jax.system.console import COMMANDS

pytestmark = pytest.mark.multiprocess

ROOT = pathlib.Path(__file__).parents[2]


def run(*words):
  """Runs the entry point that is installed as `ear-jax`."""
  entry = tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']['scripts']['ear-jax']
  module, _, function = entry.partition(':')
  program = f'import sys; from {module} import {function}; sys.argv[0] = "ear-jax"; {function}()'
  return subprocess.run([sys.executable, '-c', program, *map(str, words)], cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize('words', [[], ['--help']])
def test_it_lists_every_command_with_a_line(words):
  done = run(*words)
  assert (done.returncode, done.stderr) == (0, '')
  lines = dict(line.split(maxsplit=1) for line in done.stdout.splitlines()[2:])
  files = {path.stem: path for path in (ROOT / 'ear_jax').glob('*.py')}
  assert set(COMMANDS) == set(files) - {'__init__', '__main__', 'cine'}
  assert {name.replace('-', '_'): what for name, what in lines.items()} == COMMANDS
  for name, what in COMMANDS.items():  # the first words of its page
    assert ast.get_docstring(ast.parse(files[name].read_text())).startswith(what.removesuffix('.')), name


def test_an_unknown_command_is_a_sentence():
  done = run('delineate', 'x')
  assert (done.returncode, done.stdout) == (2, '')
  assert done.stderr == "error: 'delineate' is not a command: ear-jax --help lists them\n"


def test_a_command_is_that_of_python_m(tmp_path):
  flags = ('--size=mini', '--seed=3', '--output')
  done = run('make-phantom', *flags, tmp_path / 'a')
  other = subprocess.run(
    [sys.executable, '-m', 'ear_jax.make_phantom', *flags, tmp_path / 'b'], cwd=ROOT, capture_output=True
  )
  assert (done.returncode, other.returncode) == (0, 0), done.stderr
  first, second = (
    {path.relative_to(tmp_path / x): path.read_bytes() for path in (tmp_path / x).rglob('*') if path.is_file()}
    for x in 'ab'
  )
  assert first == second != {}


def test_statuses_and_help_come_through():
  wrong, bare, helped = run('predict', '--no_such_flag'), run('predict'), run('predict', '--help')
  assert (wrong.returncode, wrong.stderr) == (2, "error: Unknown command line flag 'no_such_flag'\n")
  assert helped.returncode == 0
  assert (bare.returncode, bare.stderr.startswith('error: give one STUDY')) == (2, True)
  assert run('make_phantom').stderr == 'error: give --output, the folder to write into\n'
  assert helped.stdout.startswith(importlib.import_module('ear_jax.predict').__doc__)
  assert '--septum_angle: ' in helped.stdout


def test_no_command_is_imported_before_it_is_chosen():
  program = (
    'import sys; import ear_jax.system.console as console; sys.argv[1:] = []; console.main()\n'
    'print([name for name in sys.modules if name.startswith("ear_jax.")])'
  )
  done = subprocess.run([sys.executable, '-c', program], cwd=ROOT, capture_output=True, text=True)
  expected = ['ear_jax.system', 'ear_jax.system.pipes', 'ear_jax.system.errors', 'ear_jax.system.console']
  assert done.stdout.splitlines()[-1] == str(expected)
