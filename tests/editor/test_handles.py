"""Handles and curves: what is dragged is what is analysed, and what is no pair of rings is refused in a sentence."""

import numpy as np
import pytest

from ear_jax.analysis.contours import polygon_area
from ear_jax.editor.handles import curve_of, handles_of, require_ring, rings
from ear_jax.system.errors import UserError

TURN = np.arange(32) * (2 * np.pi / 32)
SHAPE = (60, 50)


def circle(radius, centre=(30.0, 25.0), count=32):
  turn = np.arange(count) * (2 * np.pi / count)
  return np.asarray(centre) + np.asarray(radius)[..., None] * np.stack([np.cos(turn), np.sin(turn)], -1)


def test_a_curve_goes_through_its_handles_and_is_round_between_them():
  handles = circle(10.0)
  curve = curve_of(handles)
  np.testing.assert_allclose(curve[::24], handles, atol=1e-12)
  np.testing.assert_allclose(np.hypot(*(curve - (30, 25)).T), 10.0, atol=1e-4)


def test_handles_of_a_curve_make_that_curve_again():
  turn = np.linspace(0, 2 * np.pi, 360, endpoint=False)
  ellipse = np.stack([30 + 12 * np.cos(turn), 25 + 9 * np.sin(turn)], -1)
  again = rings([(handles_of(ellipse * 0.6 + (12, 10)), handles_of(ellipse))])
  assert abs(polygon_area(again.epi)[0] / (np.pi * 12 * 9) - 1) < 1e-3
  assert abs(polygon_area(again.endo)[0] / (np.pi * 12 * 9 * 0.36) - 1) < 1e-3


def test_a_sound_pair_is_taken_whatever_its_number_of_points():
  for count in (8, 32, 360):
    require_ring((circle(8.0, count=count), circle(12.0, count=count)), SHAPE, 'frame 0')


def folded():
  radius = np.full(32, 8.0)
  loop = circle(radius)
  loop[4:8] = loop[4:8][::-1]
  return loop


@pytest.mark.parametrize(
  ('endo', 'epi', 'said'),
  [
    (circle(12.0), circle(8.0), 'crosses the epicardium'),
    (circle(8.0), circle(np.where(TURN < 1, 7.0, 12.0)), 'crosses the epicardium'),
    (circle(8.0, (30, 31)), circle(12.0), 'crosses the epicardium'),
    (circle(8.0, (30, 70)), circle(12.0), 'leaves the picture'),
    (circle(8.0), circle(26.0), 'epicardium leaves the picture'),
    (circle(8.0) * np.nan, circle(12.0), 'not a number'),
    (circle(8.0) * 1e300, circle(12.0), 'leaves the picture'),
    (circle(8.0)[:7], circle(12.0), '8 to 360 points'),
    (circle(8.0, count=361), circle(12.0), '8 to 360 points'),
    (circle(0.5), circle(12.0), 'smaller than'),
    (np.full((32, 2), 30.0), circle(12.0), 'smaller than'),
    (folded(), circle(12.0), 'crosses itself'),
    (circle(8.0, (10, 10)), circle(8.0, (45, 38)), 'no rings'),
  ],
)
def test_what_is_no_pair_of_rings_is_refused_in_a_sentence(endo, epi, said):
  with pytest.raises(UserError, match=said):
    require_ring((endo, epi), SHAPE, 'frame 3')
