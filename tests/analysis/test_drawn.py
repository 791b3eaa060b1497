"""Curves that a person drew: kept point by point, filled by the rule of scikit-image, put on rays by hand values."""

import numpy as np
import pytest
from skimage.draw import polygon2mask

from ear_jax.analysis import drawn
from ear_jax.analysis.contours import to_mask
from ear_jax.analysis.slices import analyse_with_contours

SQUARE = np.array([[4.0, 6.0], [4.0, 14.0], [12.0, 14.0], [12.0, 6.0]])  # (row, column), centre (8, 10), half width 4


def scribble(radius, points, seed, centre=(20.3, 22.1)):
  """A curve as hands draw it: no circle, no even steps, closed."""
  rng = np.random.default_rng(seed)
  turn = np.sort(rng.uniform(0, 2 * np.pi, points))
  curve = np.array(centre) + (radius + rng.uniform(-1, 1, points))[:, None] * np.stack([np.cos(turn), np.sin(turn)], -1)
  return np.concatenate([curve, curve[:1]])


@pytest.mark.parametrize('points', [37, 359, 360])
def test_every_point_stays_where_it_was_drawn(points):
  """Case S11: contours were made a mask and contoured again, 0.18 px off in the mean."""
  frames = [(scribble(7, points, 1), scribble(12, points, 2)), None, (scribble(8, points, 3), scribble(13, points, 4))]
  found = drawn.as_drawn(frames)
  assert found.drawn
  assert found.failed.tolist() == [False, True, False]
  assert found.flags == ('', 'not drawn', '')
  for t in (0, 2):
    endo = frames[t][0][:-1]
    first = int(np.flatnonzero((found.endo[t] == endo[0]).all(1))[0])  # it begins where the epicardium does
    np.testing.assert_array_equal(np.roll(found.endo[t], -first, 0), endo)
    np.testing.assert_array_equal(found.epi[t], frames[t][1][:-1])
  assert np.isnan(found.endo[1]).all()


def test_the_wall_is_filled_by_strainmaps_rule(make_cine):
  frames = [(scribble(7, 50, 1), scribble(12, 50, 2)), None]
  expected = np.logical_xor(*(polygon2mask((40, 44), side) for side in frames[0]))
  mask = drawn.wall_mask(frames, (40, 44))
  np.testing.assert_array_equal(mask, [expected, np.zeros_like(expected)])
  np.testing.assert_array_equal(to_mask(drawn.as_drawn(frames), (40, 44)), mask)
  cine = make_cine(frames=2, video=np.ones((2, 40, 44, 4), np.float32), mask=mask)
  motion = analyse_with_contours(cine, drawn.as_drawn(frames), septum=0.0)
  np.testing.assert_array_equal(motion.mask, mask)
  assert motion.contours.endo.shape == (2, 50, 2)


@pytest.mark.parametrize('change', [lambda side: np.roll(side, 90, 0), lambda side: np.roll(side[::-1], 30, 0)])
def test_points_of_both_sides_belong_together_wherever_somebody_began(change):
  """Layers of the wall, its border and its thickness are taken point by point."""
  turn = np.deg2rad(np.arange(360.0))
  endo, epi = (np.stack([20 + r * np.cos(turn), 22 + r * np.sin(turn)], -1) for r in (7, 12))
  found = drawn.as_drawn([(change(endo), epi)])
  np.testing.assert_allclose(np.hypot(*(found.epi - found.endo)[0].T), 5, atol=0.01)
  assert {*map(tuple, found.endo[0].tolist())} == {*map(tuple, endo.tolist())}
  np.testing.assert_array_equal(found.epi[0], epi)


def test_a_frame_of_fewer_points_keeps_its_lines():
  frames = [(scribble(7, 50, 1), scribble(12, 50, 2)), (scribble(7, 30, 3), scribble(12, 30, 4))]
  found = drawn.as_drawn(frames)
  np.testing.assert_array_equal(found.epi[1, :30], frames[1][1][:-1])
  assert (found.epi[1, 30:] == found.epi[1, 29]).all()
  np.testing.assert_array_equal(to_mask(found, (40, 44))[1], drawn.wall_mask(frames, (40, 44))[1])


def test_polygons_are_met_by_rays_from_the_centre_of_their_area():
  uneven = np.insert(SQUARE, 1, np.linspace(SQUARE[0], SQUARE[1], 9)[1:-1], axis=0)  # more points on one edge
  found = drawn.on_rays([(uneven, 2 * SQUARE - [8, 10])])
  turn = np.deg2rad(np.arange(360))
  radius = 4 / np.maximum(abs(np.cos(turn)), abs(np.sin(turn)))  # of a square of half width 4
  direction = np.stack([np.cos(turn), np.sin(turn)], -1)
  np.testing.assert_allclose(found.endo[0], [8, 10] + radius[:, None] * direction, atol=1e-9)
  np.testing.assert_allclose(found.epi[0], [8, 10] + 2 * radius[:, None] * direction, atol=1e-9)


def test_sides_of_different_numbers_of_points_are_put_on_rays():
  found = drawn.as_drawn([(SQUARE, scribble(12, 50, 2, (8, 10)))])
  assert found.endo.shape == found.epi.shape == (1, 360, 2)
  assert not found.failed.any()


def test_a_curve_that_is_no_ring_is_said():
  crescent = SQUARE + np.array([0, 30])  # the centre of the endocardium lies outside it
  found = drawn.on_rays([(SQUARE, crescent)])
  assert found.failed.tolist() == [True]
  assert found.flags == ('drawn, but not a ring about its centre',)
