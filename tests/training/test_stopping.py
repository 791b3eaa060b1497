"""What a signal does before the first step, while something cannot be interrupted, and in the loop."""

import hashlib
import os
import signal
import threading
import time

import pytest

from ear_jax.training import stopping
from ear_jax.training.stopping import Stopped, StopRequest


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_before_the_first_step_a_run_stops_where_it_stands(number):
  before, request = signal.getsignal(number), StopRequest()
  request.before = 7
  with pytest.raises(Stopped, match='stopped at step 7: the same command goes on') as stopped, request:
    signal.raise_signal(number)
  assert stopped.value.status == (130 if number == signal.SIGINT else 0)
  assert not isinstance(stopped.value, Exception), 'what reads files takes any Exception for damage'
  assert signal.getsignal(number) == before


def test_in_the_loop_the_step_is_finished_first_and_a_second_ctrl_c_interrupts(capfd):
  with StopRequest() as request:
    request.before = None
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGINT)
    assert request.told(None, 1, every=10) == signal.SIGTERM
    with pytest.raises(KeyboardInterrupt):
      signal.raise_signal(signal.SIGINT)
  assert capfd.readouterr().err == 'SIGTERM: stopping after this step\n'


class _Swallows:
  """As what jax calls back while it compiles: Python drops an exception that leaves such a function."""

  def __del__(self):
    signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_what_jax_does_ends_first_and_then_the_run_stops(capfd, number):
  done = []

  def compile_patiently(request):
    with request.patiently():
      signal.raise_signal(number)
      _Swallows()
      done.append('compiled')

  with StopRequest() as request:
    request.before = 7
    with pytest.raises(Stopped, match=f'{number.name}: stopped at step 7'):
      compile_patiently(request)
  assert done == ['compiled']
  said = capfd.readouterr().err
  assert said.startswith(f'{number.name}: the step is being compiled, which cannot be interrupted')
  assert said.count('\n') == 1


def test_a_signal_is_not_lost_where_python_drops_exceptions():
  def load():
    _Swallows()
    time.sleep(20)

  with pytest.raises(Stopped, match='SIGTERM: stopped at step 0'), StopRequest():
    load()


def test_without_a_signal_patience_changes_nothing_and_a_fault_is_raised_as_it_is():
  with StopRequest() as request:
    with request.patiently():
      pass
    with pytest.raises(ValueError, match='as it is'), request.patiently():
      raise ValueError('as it is')


def test_what_cannot_be_interrupted_is_said_to_be_waited_for(capfd, monkeypatch):
  monkeypatch.setattr(stopping, '_LATE', 0.01)

  def compile_for_long():
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
    hashlib.pbkdf2_hmac('sha256', b'C, without the lock of Python', b'', 1_000_000)

  with pytest.raises(Stopped), StopRequest():
    compile_for_long()
  said = capfd.readouterr().err
  assert said.startswith('SIGINT: the step is being compiled, which cannot be interrupted: stopping before the first')
  assert f'`kill -9 {os.getpid()}`' in said
