"""Where the septum is taken from, and that an estimate calls itself one."""

import dataclasses

import numpy as np
import pytest

from ear_jax.analysis import septum


def test_a_stated_angle_comes_before_points_before_the_patient():
  points = septum.Septum(np.ones((4, 2)), 'the septal point in the file', certain=True)
  across = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)  # columns to the back, rows to the feet
  assert septum.find(90, points, across).where == pytest.approx(np.pi / 2)
  assert septum.find(None, points, across) is points
  assert not septum.find(None, dataclasses.replace(points, where=np.full((4, 2), np.nan)), across).certain
  estimated = dataclasses.replace(points, certain=False)  # by whoever wrote the file
  assert septum.find(None, estimated, across) is estimated


@pytest.mark.parametrize(
  ('orientation', 'degrees'),
  [
    ((1, 0, 0, 0, 1, 0), -135),  # axial picture: columns to the patient's left, rows to the back: up and left
    ((-1, 0, 0, 0, 1, 0), 135),  # mirrored: up and right
    ((0, 1, 0, 0, 0, -1), -90),  # columns to the back, rows to the feet: the front is on the left
  ],
)
def test_the_right_ventricle_lies_to_the_right_and_in_front(orientation, degrees):
  found = septum.find(None, None, orientation)
  assert np.degrees(found.where) == pytest.approx(degrees)
  assert not found.certain
  assert 'estimated' in found.origin


@pytest.mark.parametrize('orientation', [None, (1 / 2**0.5, -1 / 2**0.5, 0, 0, 0, 1)])
def test_a_plane_that_does_not_tell_is_said_to_be_unknown(orientation):
  found = septum.find(None, None, orientation)
  assert (found.where, found.certain) == (np.pi / 2, False)
  assert 'unknown' in found.origin
