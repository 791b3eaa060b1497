"""Every rule of mending a frame, on rings that were damaged by hand."""

import numpy as np
import pytest
from known_motion import ring

from ear_jax.analysis.ring import find_ring

SHAPE, CENTRE = (61, 63), (30.2, 31.4)
WHOLE = ring(SHAPE, CENTRE, 12, 19)
ROW, COLUMN = np.indices(SHAPE)
TURN = np.rad2deg(np.arctan2(COLUMN - CENTRE[1], ROW - CENTRE[0])) % 360


def dice(a, b):
  return 2 * (a & b).sum() / (a.sum() + b.sum())


def wall(found):
  return found.filled & ~found.cavity


def test_a_sound_ring_is_left_alone():
  found = find_ring(WHOLE)
  np.testing.assert_array_equal(wall(found), WHOLE)
  assert (found.notes, found.bridged, found.failure) == ((), False, '')


def test_islands_inside_and_outside_are_removed():
  mask = WHOLE.copy()
  mask[2:5, 2:6] = mask[30, 31] = True
  found = find_ring(mask)
  np.testing.assert_array_equal(wall(found), WHOLE)
  assert found.notes == ('13 pixels apart from the wall removed',)


def test_pinholes_are_filled_and_the_cavity_is_not():
  mask = WHOLE.copy()
  mask[30, 46:48] = False
  found = find_ring(mask)
  np.testing.assert_array_equal(wall(found), WHOLE)
  assert found.notes == ('2 pixels of holes in the wall filled',)


@pytest.mark.parametrize('start', [0, 75, 340])  # the last one lies across 0
@pytest.mark.parametrize('gap', [8, 20, 50])
def test_a_gap_is_bridged(start, gap):
  mask = WHOLE & ~((TURN - start) % 360 < gap)
  found = find_ring(mask)
  assert found.bridged
  assert not found.failure
  assert dice(wall(found), WHOLE) > 0.96
  degrees = int(found.notes[0].split()[3])
  assert found.notes[0] == f'ring closed over {degrees} degrees'
  assert abs(degrees - gap) <= 4


def test_two_halves_become_one_ring():
  mask = WHOLE & (TURN % 180 > 15)
  found = find_ring(mask)
  assert dice(wall(found), WHOLE) > 0.96
  assert [note[:16] for note in found.notes] == ['ring closed over']


def test_half_a_ring_with_an_island_far_away_is_not_joined_to_it():
  mask = WHOLE & (TURN > 30)
  mask[1:9, 1:9] = True
  found = find_ring(mask)
  assert found.notes[0] == '64 pixels apart from the wall removed'
  assert dice(wall(found), WHOLE) > 0.96


@pytest.mark.parametrize(
  ('mask', 'failure'),
  [
    (np.zeros(SHAPE, bool), 'no mask'),
    (WHOLE & (TURN > 100), 'ring open over'),
    (ring(SHAPE, CENTRE, 0, 15), 'no cavity'),
    (ring(SHAPE, CENTRE, 1.2, 15), 'no cavity'),  # a pinhole is no cavity
    (np.pad(np.ones((1, 9), bool), ((0, 60), (0, 54))), 'no ring'),  # a line
    (np.pad(np.ones((1, 1), bool), ((30, 30), (31, 31))), 'no ring'),  # a pixel
  ],
  ids=['empty', 'open', 'disc', 'pinhole', 'line', 'pixel'],
)
def test_what_cannot_be_mended_fails_with_its_reason(mask, failure):
  found = find_ring(mask)
  assert found.failure.startswith(failure)
  assert not found.filled.any()
  assert not found.cavity.any()
