"""Flags that are there while a command runs, and imports that are light."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from ear_jax.system.console import COMMANDS

pytestmark = pytest.mark.multiprocess

ROOT = pathlib.Path(__file__).parents[2]
_FORBIDDEN = ('jax', 'grain', 'tensorflow_datasets', 'orbax', 'pandas')


_TWICE = """
import contextlib, sys
from absl import flags
from ear_jax.system import cli

def work(given):
  if 'of_a_library' not in flags.FLAGS:  # which is imported now
    flags.DEFINE_bool('of_a_library', True, '')
  print(given.number, given.words, flags.FLAGS.stderrthreshold, flags.FLAGS.of_a_library)

for words in (['--number=2', 'a', '--stderrthreshold=error'], []):
  sys.argv[1:] = words
  with contextlib.suppress(SystemExit):
    cli.run(work, flags.DEFINE_integer('number', 1, ''), words=1)
print(flags.FLAGS.stderrthreshold, 'number' in flags.FLAGS)
"""


def test_absls_flags_are_as_before_when_a_command_has_ended_and_those_of_libraries_stay():
  done = subprocess.run([sys.executable, '-c', _TWICE], cwd=ROOT, capture_output=True, text=True)
  assert done.stdout.splitlines() == ["2 ['a'] error True", '1 [] fatal True', 'fatal False'], done.stderr


def test_an_import_of_commands_is_light():
  names = [f'ear_jax.{name}' for name in COMMANDS]
  program = f'import json, sys, {", ".join(names)}; print(json.dumps(list(sys.modules)))'
  done = subprocess.run([sys.executable, '-c', program], cwd=ROOT, capture_output=True, text=True)
  assert done.returncode == 0, done.stderr
  found = json.loads(done.stdout)
  assert set(names) <= set(found)
  assert not set(_FORBIDDEN) & set(found)


_ODD_UID = """
import sys
from absl import logging
from ear_jax.system import cli

def work(given):
  import pydicom.config  # as readers do: later than the command line, and it sets the level of its logger
  from pydicom.uid import UID
  UID('1.2.03.planted', validation_mode=1)
  logging.warning('one of ours')

sys.argv[1:] = []
cli.run(work)
"""


def test_a_library_that_quotes_the_header_in_its_warnings_is_not_heard():
  done = subprocess.run([sys.executable, '-c', _ODD_UID], cwd=ROOT, capture_output=True, text=True)
  assert 'one of ours' in done.stderr, done.stderr
  assert 'planted' not in done.stderr


_STOPPED = """
import signal
from ear_jax.system import cli

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what is in the background without
cli.run(lambda given: signal.raise_signal(signal.SIGINT))
"""


def test_ctrl_c_ends_a_command_in_one_line():
  done = subprocess.run([sys.executable, '-c', _STOPPED], cwd=ROOT, capture_output=True, text=True)
  assert (done.returncode, done.stderr) == (130, 'error: stopped by Ctrl-C\n')


_SAYS = """
import sys
from ear_jax.system import cli, console

if sys.argv[1:]:
  console.main()
else:
  cli.run(lambda given: [print(k) for k in range(100_000)])
"""


@pytest.mark.parametrize('unbuffered', ['', '1'])
@pytest.mark.parametrize(('words', 'status'), [([], 1), (['--help'], 0), (['make-phantom', '--help'], 0)])
def test_output_that_nobody_reads_is_no_fault(monkeypatch, words, status, unbuffered):
  monkeypatch.setenv('PYTHONUNBUFFERED', unbuffered)
  reader, writer = os.pipe()
  os.close(reader)
  done = subprocess.run([sys.executable, '-c', _SAYS, *words], cwd=ROOT, stdout=writer, stderr=subprocess.PIPE)
  os.close(writer)
  assert (done.returncode, done.stderr) == (status, b'')


_OTHER_PIPE = """
from ear_jax.system import cli

def work(given):
  raise BrokenPipeError('of a worker')

cli.run(work)
"""


def test_a_broken_pipe_that_is_not_the_output_is_told():
  done = subprocess.run([sys.executable, '-c', _OTHER_PIPE], cwd=ROOT, capture_output=True, text=True)
  assert (done.returncode, done.stderr.splitlines()[-1]) == (1, 'BrokenPipeError: of a worker')
