"""Flags that are there while a command runs, and imports that are light."""

import json
import os
import pathlib
import signal
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


_COMPILES = """
from ear_jax.system import cli

def work(given):
  import jax
  found = []
  jax.monitoring.register_event_listener(lambda name, **_: found.append(name.rpartition('/')[2]))
  jax.config.update('jax_persistent_cache_min_compile_time_secs', 0)
  jax.jit(lambda x: x * 2 + 1)(3.0).block_until_ready()
  print(found.count('cache_hits'))

cli.run(work)
"""


def _hits(**environment) -> int:
  """Returns how many of its programs a command finds compiled."""
  others = {name: value for name, value in os.environ.items() if name != 'JAX_COMPILATION_CACHE_DIR'}
  done = subprocess.run(
    [sys.executable, '-c', _COMPILES], cwd=ROOT, capture_output=True, text=True, env=others | environment
  )
  assert done.returncode == 0, done.stderr
  assert done.stderr == ''
  return int(done.stdout)


def test_a_command_finds_what_the_one_before_it_compiled(tmp_path):
  assert _hits(XDG_CACHE_HOME=str(tmp_path)) == 0
  folder = tmp_path / 'ear_jax/compiled'
  assert folder.stat().st_mode & 0o777 == 0o700
  old = folder / 'of_long_ago-cache'
  old.touch()
  os.utime(old, (0, 0))
  assert _hits(XDG_CACHE_HOME=str(tmp_path)) == 1
  assert not old.exists()
  folder.chmod(0o770)  # whoever can write there could have us run anything
  assert _hits(XDG_CACHE_HOME=str(tmp_path)) == 0


def test_the_user_says_where_what_was_compiled_is_kept(tmp_path):
  for place, hits in ((str(tmp_path / 'mine'), 1), ('', 0)):
    said = {'JAX_COMPILATION_CACHE_DIR': place, 'XDG_CACHE_HOME': str(tmp_path / 'home')}
    assert [_hits(**said), _hits(**said)] == [0, hits]
  assert not (tmp_path / 'home').exists()


_DEVICES = """
from ear_jax.system import cli

def work(given):
  import jax
  if jax.devices():
    raise RuntimeError('of something else')

cli.run(work)
"""


@pytest.mark.parametrize('platforms', ['cuda', 'gpu,cpu'])
def test_devices_that_are_not_there_are_a_sentence(monkeypatch, platforms):  # case T3
  monkeypatch.setenv('JAX_PLATFORMS', platforms)
  done = subprocess.run([sys.executable, '-c', _DEVICES], cwd=ROOT, capture_output=True, text=True)
  assert done.returncode == 1
  assert done.stderr.startswith(f'error: jax cannot start the devices here (JAX_PLATFORMS={platforms}')
  assert 'JAX_PLATFORMS=cpu, or install jax for the GPU' in done.stderr
  assert done.stderr.count('\n') == 1


def test_what_goes_wrong_elsewhere_keeps_its_traceback(monkeypatch):
  monkeypatch.setenv('JAX_PLATFORMS', 'cpu')
  done = subprocess.run([sys.executable, '-c', _DEVICES], cwd=ROOT, capture_output=True, text=True)
  assert done.stderr.splitlines()[-1] == 'RuntimeError: of something else'


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
import gc, signal, sys, time
from ear_jax.system import cli

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what is in the background without
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup starts what it starts without
where, number = sys.argv.pop(), int(sys.argv.pop())

def collected(phase, _, once=[True]):
  if once and once.pop():
    signal.raise_signal(number)

class Deleted:
  def __del__(self):
    signal.raise_signal(number)

def work(given):
  if where == 'gc':
    gc.callbacks.append(collected)
    gc.collect()
  elif where == 'del':
    Deleted()
  else:
    signal.raise_signal(number)
  time.sleep(20)
  print('went on')

cli.run(work)
"""


@pytest.mark.parametrize('where', ['gc', 'del', 'work'])  # Python drops what is raised in the first two
@pytest.mark.parametrize(('name', 'told'), [('SIGINT', 'Ctrl-C'), ('SIGTERM', 'SIGTERM'), ('SIGHUP', 'SIGHUP')])
def test_what_stops_a_command_is_said_in_one_line(name, told, where):
  number = signal.Signals[name]
  given = [sys.executable, '-c', _STOPPED, str(int(number)), where]
  done = subprocess.run(given, cwd=ROOT, capture_output=True, text=True)
  assert (done.returncode, done.stderr) == (128 + number, f'error: stopped by {told}\n')


_WRITING = """
import contextlib, importlib, sys

commands, output = sys.argv[1].split(','), sys.argv[2]
for command in commands:
  sys.argv[1:] = ['--output', output]
  try:
    importlib.import_module('ear_jax.' + command).main()
  except SystemExit as end:
    print(command, end.code)
"""


@pytest.mark.parametrize('place', ['taken', 'taken/within'])
def test_a_file_in_the_way_of_the_output_is_one_sentence_of_every_command(tmp_path, place):
  (tmp_path / 'taken').write_text('mine')
  writing = [name for name in COMMANDS if "'output'" in (ROOT / f'ear_jax/{name}.py').read_text()]
  assert len(writing) >= 10
  given = [sys.executable, '-c', _WRITING, ','.join(writing), str(tmp_path / place)]
  done = subprocess.run(given, cwd=ROOT, capture_output=True, text=True)
  said = (
    f'error: --output={tmp_path / place}: {tmp_path / "taken"} is a file, not a folder: give another name, or move '
    'that file away'
  )
  files = {'export', 'measure_accuracy'} if place == 'taken' else set()  # they write one, over another if need be
  lines = dict(zip(writing, done.stdout.splitlines(), strict=True))
  assert {line for name, line in lines.items() if name not in files} == {f'{name} 1' for name in {*writing} - files}
  assert done.stderr.splitlines().count(said) == len(writing) - len(files), done.stderr
  assert (tmp_path / 'taken').read_text() == 'mine'


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


def test_the_package_itself_lists_and_runs_its_commands():
  def run(*words):
    return subprocess.run([sys.executable, '-m', 'ear_jax', *words], cwd=ROOT, capture_output=True, text=True)

  listed = run().stdout
  assert [name for name in COMMANDS if f'  {name.replace("_", "-")} ' not in listed] == []
  wrong = run('predikt')
  assert (wrong.returncode, wrong.stderr.endswith('; nearest: predict\n')) == (2, True)
  missing = run('export')
  assert (missing.returncode, missing.stderr.startswith('error: give --checkpoint')) == (2, True)


def test_words_of_flags_are_taken_in_any_case():
  """Of all commands: `--orientation=ccw`, `--circumferential=CW`, `--size=DEMO`."""
  program = f"""
import sys
from unittest import mock
from absl import flags
import {', '.join(f'ear_jax.{name}' for name in COMMANDS)}
from ear_jax.system import cli

seen = 0
def run(work, *made, **_):
  global seen
  for flag in made:
    parser = getattr(flags.FLAGS[flag.name], 'parser', None)
    for word in getattr(parser, 'enum_values', None) or ():
      seen += 1
      assert parser.parse(word.swapcase()) == word, (flag.name, word)
  flags.FLAGS.remove_flag_values([flag.name for flag in made])

with mock.patch.object(cli, 'run', run):
  for name in {list(COMMANDS)}:
    sys.modules['ear_jax.' + name].main()
assert seen > 20, seen
"""
  done = subprocess.run([sys.executable, '-c', program], cwd=ROOT, capture_output=True, text=True)
  assert done.returncode == 0, done.stderr


_OTHER_PIPE = """
from ear_jax.system import cli

def work(given):
  raise BrokenPipeError('of a worker')

cli.run(work)
"""


def test_a_broken_pipe_that_is_not_the_output_is_told():
  done = subprocess.run([sys.executable, '-c', _OTHER_PIPE], cwd=ROOT, capture_output=True, text=True)
  assert (done.returncode, done.stderr.splitlines()[-1]) == (1, 'BrokenPipeError: of a worker')
