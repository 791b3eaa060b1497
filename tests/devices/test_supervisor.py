"""A process and the parent that waits for it, looked on from outside: they end as one process would."""

import os
import signal
import subprocess
import sys

import pytest

_CODE = """
import os, signal, sys, threading, time
from ear_jax.devices import supervisor
from ear_jax.system.errors import UserError

try:
  supervisor.go_on_in_child('farewell')
except UserError as fault:
  sys.exit(f'error: {fault}')
"""
_COUNTS = """
came = []
for number in (signal.SIGTERM, signal.SIGINT):
  signal.signal(number, lambda number, _: came.append(number))
print('ready', flush=True)
while not came:
  time.sleep(0.01)
time.sleep(1)
print(*(signal.Signals(number).name for number in came))
sys.exit(7)
"""


def _start(code):
  command = [sys.executable, '-c', _CODE + code]
  pipes = {'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE}
  return subprocess.Popen(command, text=True, start_new_session=True, **pipes)


def _end(process):
  """What a process comes to; its output ends when it and its child are gone."""
  with process:
    try:
      stdout, stderr = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
      process.kill()
      raise
  return process.returncode, stdout, stderr


@pytest.mark.parametrize(
  ('code', 'status', 'said'),
  [
    ('os.abort()', 1, 'error: farewell\n'),
    ('other = threading.Thread(target=os.abort); other.start(); other.join()', 1, 'error: farewell\n'),
    ('os.kill(os.getpid(), signal.SIGSEGV)', -signal.SIGSEGV, ''),
    ('os.kill(os.getpid(), signal.SIGKILL)', -signal.SIGKILL, ''),
    ('sys.exit(130)', 130, ''),
    ('sys.exit("fault")', 1, 'fault\n'),
    ('pass', 0, ''),
  ],
)
def test_the_parent_ends_as_its_child_did_and_tells_of_an_abort(code, status, said):
  assert _end(_start(code)) == (status, '', said)


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize('tell', [os.kill, os.killpg], ids=['the parent', 'its group, as a terminal does'])
def test_the_child_is_told_once(number, tell):
  process = _start(_COUNTS)
  assert process.stdout.readline() == 'ready\n'
  tell(process.pid, number)
  assert _end(process) == (7, f'{number.name}\n', '')


def test_a_signal_that_comes_before_the_parent_can_pass_it_on_is_not_lost():
  """The child may have said that it is ready before the parent has run another line; a shell may ignore Ctrl-C."""
  slow = """
import os, signal, time
fork = os.fork
def held_back():
  child = fork()
  if child:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.2)
  return child
os.fork = held_back
signal.signal(signal.SIGINT, signal.SIG_IGN)
"""
  process = subprocess.Popen(
    [sys.executable, '-c', slow + _CODE + _COUNTS], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
  )
  assert _end(process) == (7, 'ready\nSIGINT\n', '')


def test_a_parent_that_is_killed_leaves_no_child_behind():
  process = _start('print("ready", flush=True)\ntime.sleep(600)')
  assert process.stdout.readline() == 'ready\n'
  process.kill()
  assert _end(process) == (-signal.SIGKILL, '', '')
