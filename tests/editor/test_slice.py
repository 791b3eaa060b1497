"""One slice that is edited: others follow, and what was told is there again."""

import dataclasses
import json

import numpy as np
import pytest
from editing import PLANTED, dice, gesture

from ear_jax.analysis import carrying, septum
from ear_jax.analysis.motion import Settings
from ear_jax.analysis.polar import RAYS
from ear_jax.editor.edits import replayed
from ear_jax.editor.follow import Base, follow
from ear_jax.editor.handles import curve_of
from ear_jax.editor.slice import Slice, Stale
from ear_jax.system.errors import UserError


@pytest.fixture(scope='module')
def opened(phantom, tmp_path_factory):
  """`make(number, base)`: a slice with a log of its own, or one that is there."""

  def make(number=1, base=None, log=None, cine=None):
    log = log or tmp_path_factory.mktemp('log') / 'slice-01.jsonl'
    base = base or phantom.bases[number]
    return Slice(cine or phantom.cines[number], base, septum.find(None, None, None), Settings(), log)

  return make


def test_one_frame_by_hand_puts_its_neighbours_right_and_undo_takes_it_back(phantom, opened):
  one, mask = opened(), phantom.cines[1].mask
  begun = one.state()
  assert dice(one.view().followed.contours, mask)[list(PLANTED)].max() < 0.7
  proposed = one.edit(0, gesture(phantom.truths[1], [3]), preview=True)
  assert proposed['proposed']
  assert one.state() == begun
  assert not one.log.exists()
  state = one.edit(0, gesture(phantom.truths[1], [3]))
  assert state['frames'] == proposed['frames']
  assert [one['origin'] for one in state['frames']] == ['drawn' if t == 3 else 'carried' for t in range(16)]
  assert state['frames'][3] | {'endo': 0, 'epi': 0} == {
    'endo': 0,
    'epi': 0,
    'origin': 'drawn',
    'state': 'key',
    'suspicion': 0.0,
  }
  found = dice(one.view().followed.contours, mask)
  assert found[list(PLANTED)].min() > 0.95
  assert found.mean() > 0.95
  assert one.state()['dice_expected'] > begun['dice_expected']
  before, now = (np.array(state['curves'][name]['radial'], float) for name in ('before', 'now'))
  assert np.abs(before - now).max() > 0.1
  assert state['curves']['before'] == begun['curves']['now']
  back = one.edit(1, {'what': 'undo'})
  assert back['frames'] == begun['frames']
  assert (back['version'], back['undo'], back['redo']) == (2, 0, 1)
  assert one.edit(2, {'what': 'redo'})['frames'] == state['frames']


def border_of(contours, frames, side):
  """What the page sends where one border was pulled."""
  made = gesture(contours, frames)
  return made | {'border': side, 'frames': {t: {side: pair[side]} for t, pair in made['frames'].items()}}


def apart(found, kept):
  """`[T]` pixels that the points of curves lie off the chords of others, at most."""
  chord = (np.roll(kept, -1, 1) - kept)[:, None]
  way = found[:, :, None] - kept[:, None]
  share = np.clip((way * chord).sum(-1) / (chord**2).sum(-1), 0, 1)
  return np.hypot(*np.moveaxis(way - share[..., None] * chord, -1, 0)).min(2).max(1)


@pytest.mark.parametrize(('side', 'other', 'velocities'), [('epi', 'endo', True), ('endo', 'epi', False)])
def test_one_border_that_is_drawn_moves_the_other_in_no_frame(phantom, opened, side, other, velocities):
  one = (
    opened() if velocities else opened(cine=phantom.cines[1].replace(video=phantom.cines[1].video[..., :1], venc=None))
  )
  before = one.view().followed.contours
  state = one.edit(0, border_of(phantom.truths[1], [3], side))
  after = one.view().followed.contours
  assert apart(getattr(after, other), getattr(before, other)).max() < 0.2  # px: handles and rays, not moves
  rest = [t for t in range(16) if t != 3]
  assert apart(getattr(after, other), getattr(before, other))[rest].max() < 0.02
  moved = apart(getattr(after, side), getattr(before, side))
  assert moved[[2, 4]].min() > 1.0
  assert state['frames'][3]['state'] == 'key'
  assert state['frames'][4]['origin'] == 'carried'
  wall = np.hypot(*np.moveaxis(after.epi - after.endo, -1, 0))
  assert wall.min() > 0.49
  again = opened(log=one.log, cine=one.cine).view().followed.contours
  np.testing.assert_array_equal(again.epi, after.epi)


def test_a_border_follows_from_its_own_key_frames_whatever_becomes_of_the_other(phantom, opened):
  one, truth = opened(), phantom.truths[1]
  one.edit(0, gesture(truth, [0, 8]))
  both = one.view().followed.contours
  away = truth.epi - truth.epi.mean(1, keepdims=True)
  large = dataclasses.replace(truth, epi=truth.epi + 0.1 * away)
  one.edit(1, border_of(large, [0, 4], 'epi'))  # frame 0 is a key frame of both
  wide = one.view().followed.contours
  assert apart(wide.endo, both.endo).max() < 0.02
  assert apart(wide.epi, both.epi)[[0, 2, 4]].min() > 0.5
  assert one.edit(2, {'what': 'pin', 'frame': 4, 'state': 'pinned'})['frames'][4]['origin'] == 'drawn'
  one.edit(3, border_of(truth, [5], 'endo'))
  pinned = one.view().followed.contours
  assert apart(pinned.endo, wide.endo)[4] < 0.15  # pinned as it was shown
  assert apart(pinned.epi, wide.epi)[5:].max() < 0.15
  assert one.edit(4, {'what': 'pin', 'frame': 4, 'state': 'free'})['frames'][4]['state'] == 'free'


def test_a_border_that_would_cross_the_other_in_frames_that_follow_stops_before_it(phantom):
  cine, base = phantom.cines[1], phantom.bases[1]
  endo, drawn = base.network.endo, (6, 14)
  centre = endo.mean(1, keepdims=True)
  thin = dataclasses.replace(base.network, epi=centre + 1.1 * (endo - centre))  # the wall is gone, nearly
  marks = replayed([gesture(thin, drawn) | {'border': 'epi'}]).marks
  found = follow(cine, base, marks, Settings()).contours
  assert apart(found.endo, endo)[[t for t in range(16) if t not in drawn]].max() < 0.02
  wall = ((found.epi - found.endo) * RAYS).sum(-1)
  assert wall.min() > 0.49
  assert (wall.min(1) < 0.51).sum() > 1  # it would have crossed


def test_a_contour_that_reaches_further_out_has_no_other_carried_anew(phantom, opened, monkeypatch):
  """The window that is calculated with stays, so that an edit costs no more than the first one did."""
  way, ways = carrying._way, []
  monkeypatch.setattr(
    carrying, '_way', lambda cine, given, t, settings: ways.append(t) or way(cine, given, t, settings)
  )
  truth = phantom.truths[1]
  away = truth.epi - truth.endo.mean(1, keepdims=True)
  for base, further in ((None, 0.15), (Base(), 0.06)):
    one = opened(base=base)
    for contours, t in ((truth, 3), (dataclasses.replace(truth, epi=truth.epi + further * away), 9)):
      one.edit(one.version, gesture(contours, [t]))
  assert ways == [3, 9] * 2


def test_a_log_brings_back_the_very_state(phantom, opened):
  one, truth = opened(), phantom.truths[1]
  for made in (
    gesture(truth, [3]),
    {'what': 'undo'},
    {'what': 'redo'},
    {'what': 'pin', 'frame': 12, 'state': 'pinned'},
    gesture(phantom.bases[1].network, [11, 12, 13], 'm-mode'),
    {'what': 'clear', 'frame': 14},
    {'what': 'insertion', 'insertion': [[40.0, 60.0], [50.0, 62.0]]},
    {'what': 'pin', 'frame': 11, 'state': 'free'},
  ):
    quick = one.edit(one.version, made)
  state = one.state()
  assert quick['verdict'] is None  # the gate looks when there is time
  assert quick['curves'] == state['curves']
  assert state['verdict'] in ('warn', 'fail')
  assert [t for t, frame in enumerate(state['frames']) if frame['state'] != 'free'] == [3, 12, 13, 14]
  assert state['frames'][12]['state'] == 'pinned'
  assert state['frames'][14]['epi'] is None
  assert state['septum'] == {'point': [45.0, 61.0], 'certain': True}
  again = opened(log=one.log).state()
  assert json.dumps(again) == json.dumps(state)
  broken = one.log.read_bytes()
  one.log.write_bytes(broken[:-9])  # the server was killed in the middle of the last gesture
  less = opened(log=one.log)
  assert less.version == one.version - 1
  assert less.state()['frames'][11]['state'] == 'key'


def test_contours_of_a_frame_that_is_pinned_are_those_that_it_showed(phantom, opened):
  one = opened()
  shown = one.edit(0, gesture(phantom.truths[1], [3]))['frames'][12]
  pinned = one.edit(1, {'what': 'pin', 'frame': 12, 'state': 'pinned'})['frames'][12]
  for side in ('endo', 'epi'):
    apart = np.array(pinned[side])[:, None] - curve_of(np.array(shown[side]))  # points may lie elsewhere on the curve
    assert np.hypot(*np.moveaxis(apart, -1, 0)).min(1).max() < 0.15
  moved = one.edit(2, gesture(phantom.truths[1], [0, 12], 'm-mode'))['frames']
  assert moved[12] == pinned
  assert moved[0]['origin'] == 'drawn'


def test_without_a_network_one_frame_is_drawn_and_all_have_contours(phantom, opened):
  one = opened(base=Base())
  state = one.state()
  assert {frame['origin'] for frame in state['frames']} == {'none'}
  assert state['verdict'] == 'fail'
  state = one.edit(0, gesture(phantom.truths[1], [0], 'draw'))
  assert [frame['origin'] for frame in state['frames']] == ['drawn'] + ['carried'] * 15
  assert dice(one.view().followed.contours, phantom.cines[1].mask).mean() > 0.94
  assert one.edit(1, {'what': 'pin', 'frame': 0, 'state': 'free'})['frames'][5]['origin'] == 'none'


def test_contours_by_a_person_are_key_frames_from_the_beginning(phantom, opened):
  truth = phantom.truths[1]
  failed = ~np.isin(np.arange(16), [0, 8])
  drawn = type(truth)(truth.endo, truth.epi, truth.flags, failed, drawn=True)
  one = opened(base=Base(drawn=drawn, made='contours'))
  state = one.state()
  assert [t for t, frame in enumerate(state['frames']) if frame['origin'] == 'drawn'] == [0, 8]
  assert {frame['origin'] for frame in state['frames']} == {'drawn', 'carried'}
  freed = one.edit(0, {'what': 'pin', 'frame': 8, 'state': 'free'})
  assert [t for t, frame in enumerate(freed['frames']) if frame['origin'] == 'drawn'] == [0]


def test_a_window_that_has_not_seen_the_last_gesture_is_told(phantom, opened):
  one = opened()
  one.edit(0, gesture(phantom.truths[1], [3]))
  for made in (gesture(phantom.truths[1], [4]), {'what': 'undo'}):
    with pytest.raises(Stale, match='another window'):
      one.edit(0, made)
  assert (one.version, len(one.history.done)) == (1, 1)


@pytest.mark.parametrize(
  ('made', 'said'),
  [
    ({'what': 'clear', 'frame': 16}, 'no frame 16'),
    ({'what': 'pin', 'frame': 99, 'state': 'pinned'}, 'no frame 99'),
    ({'what': 'septum', 'septum': [40.0, 96.0]}, 'leaves the picture'),
    ({'what': 'insertion', 'insertion': [[0.0, 0.0], [-1.0, 3.0]]}, 'leaves the picture'),
  ],
)
def test_what_cannot_be_is_refused_and_leaves_no_trace(opened, made, said):
  one = opened()
  with pytest.raises(UserError, match=said):
    one.edit(0, made)
  assert not one.log.exists()
  assert one.version == 0


@pytest.mark.parametrize(
  ('line', 'said'),
  [
    ({'what': 'clear', 'frame': 16}, 'there is no frame 16'),
    ({'what': 'handle', 'frames': {'0': {'endo': []}}}, 'not as this version'),
    ({'what': 'septum'}, 'not as this version'),
  ],
)
def test_a_log_of_another_study_is_refused(phantom, opened, tmp_path, line, said):
  log = tmp_path / 'slice-01.jsonl'
  log.write_text(json.dumps(line) + '\n')
  with pytest.raises(UserError, match=said):
    opened(log=log)
