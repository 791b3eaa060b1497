"""Gestures, their log, undo and redo."""

import json

import numpy as np
import pytest

from ear_jax.editor import journal
from ear_jax.editor.edits import History, replayed
from ear_jax.system.errors import UserError


def drawn(at, size=8.0, what='handle', **more):
  ring = [[30 + size * np.cos(a), 25 + size * np.sin(a)] for a in np.arange(32) / 5]
  return {'what': what, 'frames': {str(t): {'endo': ring, 'epi': ring} for t in np.atleast_1d(at)}, **more}


GESTURES = [
  drawn(3),
  drawn([3, 4], 9.0, 'm-mode'),
  {'what': 'septum', 'septum': [1.0, 2.0]},
  {'what': 'undo'},
  {'what': 'undo'},
  {'what': 'redo'},
  drawn(7),
  {'what': 'redo'},  # nothing is left to do again
  {'what': 'clear', 'frame': 4},
  {'what': 'insertion', 'insertion': [[0.0, 0.0], [4.0, 8.0]]},
]


def settled(marks):
  return sorted(marks.keys), sorted(marks.pinned), sorted(marks.cleared), marks.septum


def test_gestures_settle_what_they_say():
  assert settled(replayed(GESTURES[:2]).marks) == ([3, 4], [], [], None)
  assert replayed(GESTURES[:3]).marks.septum == (1.0, 2.0)
  assert replayed(GESTURES[:4]).marks.septum is None
  assert settled(replayed(GESTURES[:5]).marks) == ([3], [], [], None)
  assert settled(replayed(GESTURES[:8]).marks) == ([3, 4, 7], [], [], None)
  assert settled(replayed(GESTURES).marks) == ([3, 7], [], [4], (2.0, 4.0))


def test_undo_goes_back_to_the_very_beginning_and_redo_to_the_very_end():
  history = replayed(GESTURES)
  steps = len(history.done)
  back = history
  for _ in range(steps + 3):
    back = back.after({'what': 'undo'})
  assert back.name == History().name == ''
  for _ in range(steps + 3):
    back = back.after({'what': 'redo'})
  assert back.name == history.name != ''
  assert len(back.after(drawn(1)).undone) == 0
  assert replayed([drawn(1)]).name != replayed([drawn(2)]).name


def test_a_pinned_frame_is_not_changed_by_a_gesture_over_many_frames():
  pinned = [drawn(3), drawn(3, what='pin', frame=3, state='pinned')]
  marks = replayed([*pinned, drawn([3, 4], 5.0, 'm-mode')]).marks
  assert np.hypot(*(marks.keys[3][0] - (30, 25)).T).max() == pytest.approx(8)
  assert np.hypot(*(marks.keys[4][0] - (30, 25)).T).max() == pytest.approx(5)
  freed = replayed([*pinned, {'what': 'pin', 'frame': 3, 'state': 'free'}]).marks
  assert settled(freed) == ([], [], [], None)


def test_a_log_is_what_was_told_whatever_byte_of_the_last_line_was_the_last(tmp_path):
  path = tmp_path / 'slice-00.jsonl'
  for gesture in GESTURES:
    journal.append(path, gesture)
  whole = path.read_bytes()
  before = len(b''.join(whole.splitlines(keepends=True)[:-1]))
  told = replayed(GESTURES[:-1]).name
  for end in range(before, len(whole)):
    path.write_bytes(whole[:end])
    assert replayed(journal.read(path)).name == told
    assert path.stat().st_size == before  # the next line does not begin in the middle of half a one
    journal.append(path, GESTURES[-1])
    assert path.read_bytes() == whole
  assert replayed(journal.read(path)).name == replayed(GESTURES).name


@pytest.mark.parametrize('broken', [b'{"what": "handle"', b'[]', b'\x00\xff', b'{}'])
def test_a_line_that_is_broken_before_the_last_is_said(tmp_path, broken):
  path = tmp_path / 'slice-00.jsonl'
  path.write_bytes(broken + b'\n' + json.dumps(GESTURES[0]).encode() + b'\n')
  with pytest.raises(UserError, match='line 1 is not a gesture'):
    journal.read(path)
