"""Who is silent, by a clock of our own; tests/runs/test_processes.py kills a real process."""

from ear_jax.devices.heartbeat import Silence


def test_who_says_nothing_new_for_longer_than_the_limit_is_silent():
  silence = Silence([1, 2], 60, now=0)
  for now in range(5, 61, 5):
    assert silence.look({1: '7', 2: str(now)}, now) == []
  assert silence.look({1: '7', 2: '61'}, 65) == []  # 1 was heard first at 5
  assert silence.look({1: '7', 2: '66'}, 66) == [1]


def test_who_never_said_anything_is_silent_too():
  silence = Silence([1], 60, now=0)
  assert [silence.look({}, now) for now in (20, 40, 60, 61)] == [[], [], [], [1]]


def test_who_left_in_peace_is_not_silent():
  silence = Silence([1], 60, now=0)
  assert [silence.look({1: 'left'}, now) for now in range(20, 400, 20)] == [[]] * 19


def test_after_a_pause_of_this_process_all_are_heard_anew():
  silence = Silence([1], 60, now=0)
  assert silence.look({1: '3'}, 5) == []
  assert silence.look({1: '3'}, 1000) == []
  assert [silence.look({1: '3'}, now) for now in (1020, 1040, 1060, 1061)] == [[], [], [], [1]]
