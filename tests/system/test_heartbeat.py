"""The last line is said again while nothing else is, and not where something is."""

import threading

from absl import logging

from ear_jax.system import heartbeat as heartbeat_lib
from ear_jax.system.heartbeat import heartbeat


class Said(list):
  """Collects lines, and lets a test wait for some of them."""

  def __init__(self):
    self.beaten = threading.Semaphore(0)

  def info(self, text, *values):
    self.append(text % values)
    self.beaten.release()


def test_the_last_line_of_ours_is_said_again_with_its_age(monkeypatch):
  said = Said()
  monkeypatch.setattr(heartbeat_lib.logging, 'info', said.info)
  monkeypatch.setattr(heartbeat_lib, '_OURS', __file__.removesuffix('test_heartbeat.py'))
  with heartbeat(0.01):
    logging.warning('compiling %s', 'the step')
    assert all(said.beaten.acquire(timeout=60) for _ in range(3))
  assert {line.partition(' ... ')[0] for line in said} == {'compiling the step'}
  assert said[0].endswith(' 0 s')


def test_it_is_still_before_the_first_line_and_when_the_block_has_ended(monkeypatch):
  said = Said()
  monkeypatch.setattr(heartbeat_lib.logging, 'info', said.info)
  before = threading.active_count(), len(logging.get_absl_logger().handlers)
  with heartbeat(0.01):
    logging.warning('of somebody else')  # this file is none of ours
    assert not said.beaten.acquire(timeout=0.1)
  assert (threading.active_count(), len(logging.get_absl_logger().handlers)) == before
