"""The time of a step and the idle share of it by hand, however often they are asked for."""  # case T11

import queue

import jax.numpy as jnp
import pytest

from ear_jax.training import pace as pace_lib
from ear_jax.training.pace import Pace, Step


def _steps(pace, *times):
  """Counts steps of which (placed, ended) are known, and returns the figures after each."""
  found = []
  for placed, ended in times:
    end = queue.SimpleQueue()
    end.put(ended)
    pace.add(Step(None, placed, end))
    found.append(pace.take())
  return [(one['seconds_per_step'], one['wait_share']) for one in found]


@pytest.fixture
def clock(monkeypatch):
  """A clock that a test sets, by its `now`."""

  class Clock:
    now = 100.0

    def perf_counter(self):
      return self.now

  clock = Clock()
  monkeypatch.setattr(pace_lib, 'time', clock)
  return clock


def test_steps_of_half_a_second_take_that_at_every_line(clock):
  pace = Pace(host_computes=False)
  # The device is never idle: each step is placed before the one before it has ended.
  ends = [100.5, 101.0, 101.5, 102.0]
  found = _steps(pace, *((end - 0.9, end) for end in ends))
  assert found == [(pytest.approx(0.5), 0.0)] * 4
  clock.now = 110.0  # after a validation
  pace.restart()
  assert _steps(pace, (110.25, 111.0)) == [(pytest.approx(1.0), pytest.approx(0.25))]


def test_a_host_that_is_slower_than_the_device_shows_whatever_it_does(clock):
  pace = Pace(host_computes=False)
  # A step of 4 ms on the device, dispatched every 10 ms, data or not.
  found = _steps(pace, *((100.0 + 0.010 * k + 0.006, 100.0 + 0.010 * (k + 1)) for k in range(3)))
  assert found == [(pytest.approx(0.010), pytest.approx(0.6))] * 3


def test_several_steps_are_averaged(clock):
  pace = Pace(host_computes=False)
  for placed, ended in ((100.0, 101.0), (101.5, 102.5)):
    end = queue.SimpleQueue()
    end.put(ended)
    pace.add(Step(None, placed, end))
  assert pace.take() == {'seconds_per_step': pytest.approx(1.25), 'wait_share': pytest.approx(0.5 / 2.5)}


@pytest.mark.parametrize(('host_computes', 'placed'), [(True, 100.0), (False, 103.0)])
def test_where_the_host_computes_the_dispatch_is_the_step_and_elsewhere_idle_time(clock, host_computes, placed):
  with Pace(host_computes=host_computes) as pace:
    pace.dispatch()
    clock.now = 103.0
    step = pace.under_way({'loss': jnp.ones(())})
    assert step.placed == placed
    assert step.ended.get(timeout=60) == 103.0  # the thread has waited for it


def test_a_step_that_failed_has_an_end_too(clock):
  class Failed:
    def block_until_ready(self):
      raise RuntimeError('out of memory')

  with Pace(host_computes=False) as pace:
    assert pace.under_way({'loss': Failed()}).ended.get(timeout=60) == 100.0
