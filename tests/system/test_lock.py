"""One writer a folder, whoever it is and however it ends."""

import contextlib
import errno
import pathlib
import shutil
import signal
import subprocess
import sys

import pytest

from ear_jax.system import lock
from ear_jax.system.errors import UserError
from ear_jax.system.lock import is_held, lock_file, only_writer

HOLD = """
import pathlib, sys, time
from ear_jax.system.lock import only_writer
with only_writer(pathlib.Path(sys.argv[1])):
  print('holding', flush=True)
  time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
  """A process that holds the folder `run`."""
  command = [sys.executable, '-c', HOLD, str(tmp_path / 'run')]
  with subprocess.Popen(command, cwd=pathlib.Path(__file__).parents[2], stdout=subprocess.PIPE, text=True) as process:
    assert process.stdout.readline() == 'holding\n'
    yield process
    process.kill()


def test_a_second_process_is_refused_until_the_first_is_killed(holder, tmp_path):
  with pytest.raises(UserError, match=rf'run is in use by process {holder.pid} on .*another folder'):
    only_writer(tmp_path / 'run').__enter__()
  holder.send_signal(signal.SIGKILL)
  holder.wait()
  with only_writer(tmp_path / 'run'):
    pass


def test_one_process_cannot_hold_a_folder_twice(tmp_path):
  with only_writer(tmp_path), pytest.raises(UserError, match='in use by process'):
    only_writer(tmp_path).__enter__()


def test_a_block_that_raises_lets_go_and_leaves_no_name(tmp_path):
  with pytest.raises(RuntimeError), only_writer(tmp_path):
    raise RuntimeError
  assert (tmp_path / '.lock').read_text() == ''
  with only_writer(tmp_path):
    assert 'process' in (tmp_path / '.lock').read_text()


@pytest.mark.parametrize('there', [False, True])
def test_what_is_refused_before_it_began_leaves_nothing(tmp_path, there):
  folder = tmp_path / 'runs/mine'
  if there:
    (folder / 'notes').mkdir(parents=True)

  def work(begins):
    (folder / 'log.txt').touch()
    (folder / 'checkpoints').mkdir(exist_ok=True)
    if begins:
      (folder / 'config.json').touch()
    raise UserError('no')

  def refused(begins):
    with pytest.raises(UserError, match='no'), only_writer(folder, 'config.json', ('log.txt', 'checkpoints')):
      work(begins)

  refused(begins=False)
  assert list(tmp_path.rglob('*')) == ([folder.parent, folder, folder / 'notes'] if there else [])
  refused(begins=True)
  assert {path.name for path in folder.iterdir()} >= {'log.txt', 'checkpoints', 'config.json', '.lock'}
  refused(begins=False)  # of a run that has begun nothing is taken
  assert {path.name for path in folder.iterdir()} >= {'log.txt', 'checkpoints', 'config.json', '.lock'}


def test_what_others_wrote_meanwhile_is_left_alone(tmp_path):
  """As where `--workdir=runs` is refused while a run begins in `runs/other`."""

  def work():
    (tmp_path / 'log.txt').touch()
    (tmp_path / 'checkpoints/7').mkdir(parents=True)
    (tmp_path / 'other').mkdir()
    raise UserError('no')

  with pytest.raises(UserError, match='no'), only_writer(tmp_path, 'config.json', ('log.txt', 'checkpoints')):
    work()
  assert sorted(path.name for path in tmp_path.rglob('*')) == ['7', 'checkpoints', 'other']


def test_a_folder_that_another_holds_is_left_alone(holder, tmp_path):
  with pytest.raises(UserError, match='in use'), only_writer(tmp_path / 'run', begun='config.json'):
    pass
  assert (tmp_path / 'run/.lock').read_text().startswith(f'process {holder.pid}')


@pytest.mark.parametrize('whole', [False, True])
def test_a_lock_that_was_taken_away_while_it_was_waited_for_guards_nothing(tmp_path, monkeypatch, whole):
  takes = [lambda: shutil.rmtree(tmp_path / 'run') if whole else (tmp_path / 'run/.lock').unlink()]
  with monkeypatch.context() as patched, contextlib.ExitStack() as held:
    patched.setattr(lock, 'lock_file', lambda file: (takes and takes.pop()(), lock_file(file)))
    held.enter_context(only_writer(tmp_path / 'run'))
    patched.undo()
    assert is_held(tmp_path / 'run'), 'the file that others look at is the one that is locked'


def test_other_folders_are_free(holder, tmp_path):
  with only_writer(tmp_path / 'other'):
    pass


def test_a_file_in_place_of_the_folder_is_an_os_error(tmp_path):
  (tmp_path / 'run').write_text('')
  with pytest.raises(FileExistsError):
    only_writer(tmp_path / 'run').__enter__()


def test_a_held_folder_is_told_from_a_free_one(tmp_path):
  assert not is_held(tmp_path), 'nobody was ever here'
  with only_writer(tmp_path):
    assert is_held(tmp_path)
    assert is_held(tmp_path), 'looking must not take it'
  assert not is_held(tmp_path)
  with only_writer(tmp_path):  # looking must not keep it
    pass


@pytest.mark.parametrize('number', [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF, 524])
def test_a_file_system_without_locks_is_a_warning(tmp_path, monkeypatch, caplog, number):  # case B20
  def flock(*_):
    raise OSError(number, f'error {number}')

  monkeypatch.setattr(lock.fcntl, 'flock', flock)
  with only_writer(tmp_path):
    assert not is_held(tmp_path)
  assert 'cannot be locked' in caplog.text


WINDOWS = """
import fcntl, os, sys, types
def locking(descriptor, mode, count):
  start = os.lseek(descriptor, 0, os.SEEK_CUR)  # some bytes from where the file stands
  for_writing = os.open(f'/proc/self/fd/{descriptor}', os.O_RDWR)  # which Windows does not ask for
  try:
    fcntl.lockf(for_writing, fcntl.LOCK_EX | fcntl.LOCK_NB, count, start)
  except OSError:
    raise PermissionError(13, 'Permission denied') from None
sys.modules['msvcrt'] = types.SimpleNamespace(locking=locking, LK_NBLCK=2)
sys.modules['fcntl'] = None
"""


@pytest.fixture
def windows_holder(tmp_path):
  command = [sys.executable, '-c', WINDOWS + HOLD, str(tmp_path / 'run')]
  with subprocess.Popen(command, cwd=pathlib.Path(__file__).parents[2], stdout=subprocess.PIPE, text=True) as process:
    assert process.stdout.readline() == 'holding\n'
    yield process
    process.kill()


def test_the_locks_of_windows_keep_the_same_promises(windows_holder, tmp_path):
  look = """
import pathlib
from ear_jax.system.errors import UserError
from ear_jax.system.lock import is_held, only_writer
folder = pathlib.Path(sys.argv[1])
print(is_held(folder))
try:
  with only_writer(folder):
    print('taken')
except UserError as fault:
  print(fault)
"""

  def looked():
    command = [sys.executable, '-c', WINDOWS + look, str(tmp_path / 'run')]
    done = subprocess.run(command, cwd=pathlib.Path(__file__).parents[2], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()

  held, said = looked()
  assert held == 'True'
  assert f'run is in use by process {windows_holder.pid} on' in said
  windows_holder.kill()
  windows_holder.wait()
  assert looked() == ['False', 'taken']
