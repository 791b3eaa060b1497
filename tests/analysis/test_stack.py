"""A ring beside its stack, a tilted plane and a wrong order are named; a sound stack passes."""

import dataclasses
import math

import numpy as np
import pytest

from ear_jax.analysis.contours import from_mask
from ear_jax.analysis.motion import Settings
from ear_jax.analysis.outline import outline
from ear_jax.analysis.septum import given
from ear_jax.analysis.stack import beyond, check_end_systole, check_stack, ring_centre
from ear_jax.cine import Cine, Place, flip

ACROSS, DOWN = np.array([0.8, 0.6, 0.0]), np.array([0.36, -0.48, -0.8])
NORMAL = np.cross(ACROSS, DOWN)


def slice_at(depth, centre=(40.0, 40.0), name='s', normal_tilt=0.0, frames=2):
  """The motion of a slice with a ring of 12 to 20 mm about `centre` (row, column) of a picture of 80 pixels of 1 mm."""
  rows, columns = np.indices((80, 80))
  r = np.hypot(rows - centre[0], columns - centre[1])
  mask = np.repeat(((r > 6) & (r < 10))[None], frames, 0).astype(np.uint8)
  c, s = math.cos(math.radians(normal_tilt)), math.sin(math.radians(normal_tilt))
  place = Place(tuple(depth * NORMAL), tuple(ACROSS), tuple(c * DOWN + s * NORMAL), 8.0)
  video = np.ones((frames, 80, 80, 1), np.float32)
  blank = np.zeros((frames, 80, 80), np.uint8)
  cine = Cine(video, blank, np.zeros(frames, bool), None, (1.0, 1.0), 40.0, 'x', 'x', name, place=place)
  return outline(cine, from_mask(mask), septum=given(None), settings=Settings())


def stack(*centres, **changes):
  return [slice_at(8.0 * k, centre, f's{k}', **changes) for k, centre in enumerate(centres)]


SOUND = [(40.0 + k, 38.0 - k) for k in range(6)]  # the axis of the heart is oblique to the slices


def statuses(checks):
  return {check.slice_id: check.status for check in checks}


def test_a_sound_stack_passes():
  assert statuses(check_stack(stack(*SOUND))) == dict.fromkeys(('s0', 's1', 's2', 's3', 's4', 's5'), 'pass')


@pytest.mark.parametrize('k', range(6))
def test_a_ring_beside_its_stack_fails_alone(k):
  """Case A1: the ring lay 90 mm from those of its neighbours."""
  centres = list(SOUND)
  centres[k] = (12.0, 66.0)
  found = check_stack(stack(*centres))
  assert [check.slice_id for check in found if check.status == 'fail'] == [f's{k}']
  expected = round(math.dist(centres[k], SOUND[k]))
  (reason,) = [check.reason for check in found if check.status == 'fail']
  assert abs(int(reason.split()[4]) - expected) <= 2, reason


def test_the_picture_may_be_stored_any_way_round():
  """The centre in the patient does not depend on the order of rows and columns."""
  motion = slice_at(8.0, (30.0, 50.0))
  np.testing.assert_allclose(ring_centre(motion), 8 * NORMAL + 50 * ACROSS + 30 * DOWN, atol=0.05)
  video = np.ones((2, 80, 80, 1), np.float32)
  cine = Cine(video, motion.mask, np.ones(2, bool), None, (1.0, 1.0), 40.0, 'x', 'x', 's', place=motion.place)
  turned = flip(cine, 'row')
  again = outline(turned, from_mask(turned.mask), septum=given(None), settings=Settings())
  np.testing.assert_allclose(ring_centre(again), ring_centre(motion), atol=0.05)


def test_a_tilted_plane_fails():
  slices = [*stack(*SOUND[:3]), slice_at(24.0, SOUND[3], 'tilted', normal_tilt=30.0)]
  (check,) = [check for check in check_stack(slices) if check.status == 'fail']
  assert check.slice_id == 'tilted'
  assert check.reason.startswith('its plane is tilted by 30 deg')


def test_another_order_is_said():
  first, second, third = stack(*SOUND[:3])
  (check,) = [check for check in check_stack([second, first, third]) if not check.slice_id]
  assert (check.status, check.reason) == ('warn', 'slices are not in the order of their position (0.0, -8.0, 8.0 mm)')
  repeated = check_stack([first, first, third])
  assert any(check.status == 'warn' for check in repeated)


def test_without_places_nothing_is_said():
  assert check_stack([dataclasses.replace(one, place=None) for one in stack(*SOUND)]) == []


@pytest.mark.parametrize(
  ('holds', 'expected'),
  [
    ('01110', [0, 4]),
    ('0110', []),
    ('00111110', [0, 1, 7]),
    ('1111', []),
    ('11011', []),  # a hole in the stack is a failure
    ('0100', []),  # found in half of them or fewer: it is not the stack that is too long
    ('0', []),
    ('', []),
  ],
)
def test_slices_beyond_the_ventricle_are_those_at_the_ends(holds, expected):
  """Case N5."""
  assert beyond([letter == '1' for letter in holds]) == expected


def beating(name, smallest, frames=20, failed=False):
  """A motion whose cavity is smallest at a frame."""
  one = slice_at(0.0, name=name, frames=frames)
  size = 1 + 0.2 * np.cos(2 * np.pi * (np.arange(frames) - smallest) / frames + np.pi)[:, None, None]
  endo = one.contours.endo.mean(1, keepdims=True) * (1 - size) + one.contours.endo * size
  contours = dataclasses.replace(one.contours, endo=endo, failed=np.arange(frames) < failed)
  return dataclasses.replace(one, contours=contours)


@pytest.mark.parametrize(('frames', 'status'), [((8, 8, 9), 'pass'), ((8, 6, 8), 'pass'), ((8, 4, 8), 'warn')])
def test_end_systole_is_at_one_time_in_a_heart(frames, status):
  """Case N13; a frame lasts 40 ms, so that up to 80 ms are no difference."""
  (found,) = check_end_systole([beating(f's{k}', smallest) for k, smallest in enumerate(frames)])
  assert found.status == status
  assert f'{40 * frames[1]:.0f}, ' in found.reason


def test_end_systole_is_asked_where_all_frames_have_contours():
  assert check_end_systole([beating('a', 8), beating('b', 4, failed=True)]) == []
