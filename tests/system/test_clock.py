"""Seconds add up by part, and the peak memory is the process' own, on Windows too."""

import types

import numpy as np
import psutil
import pytest

from ear_jax.system import clock
from ear_jax.system.clock import Clock


def test_a_part_that_comes_twice_is_one_row_with_the_sum(monkeypatch):
  ticks = iter([0.0, 2.0, 10.0, 11.0, 20.0, 24.5])
  monkeypatch.setattr(clock.time, 'perf_counter', lambda: next(ticks))
  watch = Clock()
  for part in ('read', 'write', 'read'):
    with watch.measure(part):
      pass
  assert {part: row['seconds'] for part, row in watch.table().items()} == {'read': 6.5, 'write': 1.0}


def test_the_peak_counts_memory_that_was_given_back():
  watch, before = Clock(), psutil.Process().memory_info().rss
  with watch.measure('work'):
    np.ones(2 * 10**8, np.uint8)
  assert watch.table()['work']['peak_memory_gb'] * 1e9 > before + 1.5e8


def test_windows_says_its_peak_by_another_name(monkeypatch):
  monkeypatch.setattr(clock, 'resource', None)
  monkeypatch.setattr(
    clock.psutil,
    'Process',
    lambda: types.SimpleNamespace(memory_info=lambda: types.SimpleNamespace(peak_wset=3_250_000_000)),
  )
  watch = Clock()
  with watch.measure('work'):
    pass
  assert watch.table()['work']['peak_memory_gb'] == pytest.approx(3.25)
