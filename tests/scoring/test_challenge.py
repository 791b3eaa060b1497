"""The 2009 challenge's scores against circles on paper, and which frames have them."""

import math

import numpy as np
import pandas as pd
import pytest

from ear_jax.scoring import aggregate, challenge
from ear_jax.scoring.segmentation import cine_metrics, frame_metrics

SIZE = 160
ROWS, COLUMNS = np.mgrid[:SIZE, :SIZE]


def disc(radius, centre=(80.0, 80.0)):
  return np.hypot(ROWS - centre[0], COLUMNS - centre[1]) <= radius


def ring(endo, epi, centre=(80.0, 80.0)):
  return disc(epi, centre) & ~disc(endo, centre)


def test_circles_about_one_centre():
  scores = challenge.contour_scores(ring(30, 42), ring(33, 40), (1.3, 1.3), 5.0)
  # Dice of discs 2 r^2 / (r^2 + s^2); every point of one circle is |r - s| from the other.
  assert scores['endo_dice'] == pytest.approx(2 * 30**2 / (30**2 + 33**2), abs=0.01)
  assert scores['epi_dice'] == pytest.approx(2 * 40**2 / (40**2 + 42**2), abs=0.01)
  assert scores['endo_apd'] == pytest.approx(3 * 1.3, abs=0.13)  # a tenth of a pixel
  assert scores['epi_apd'] == pytest.approx(2 * 1.3, abs=0.13)
  assert (scores['endo_good'], scores['epi_good']) == (1, 1)


def test_a_circle_that_is_shifted():
  # A point at angle a of a circle of radius r that is shifted by d lies |sqrt(r^2 + d^2 + 2 r d cos a) - r| from it.
  angle = np.linspace(0, 2 * np.pi, 10_000)
  for radius, shift in ((30, 4), (40, 12)):
    expected = np.abs(np.sqrt(radius**2 + shift**2 + 2 * radius * shift * np.cos(angle)) - radius).mean()
    found = challenge.perpendicular_distance(disc(radius, (80 + shift, 80)), disc(radius), (1.0, 1.0))
    assert found == pytest.approx(expected, abs=0.1)


def test_a_contour_is_no_distance_from_itself_and_the_pixels_need_not_be_square():
  assert challenge.perpendicular_distance(disc(20), disc(20), (0.7, 1.1)) == 0
  left, right = np.zeros((2, 40, 400), bool)
  left[:, 100:200], right[:, 100:203] = True, True
  # One of four sides, 40 rows of 2 mm, is 3 columns of 0.5 mm away; top and bottom coincide, but for that end.
  found = challenge.perpendicular_distance(left, right, (2.0, 0.5))
  assert found == pytest.approx(1.5 * 40 / (2 * 100 + 2 * 40), abs=0.02)


@pytest.mark.parametrize(('shift', 'good'), [(5, 1), (9, 0)])
def test_a_good_contour_is_less_than_5_mm_away(shift, good):
  # APD of a shift d is about 2 d / pi: 3.2 and 5.7 mm.
  scores = challenge.contour_scores(ring(30, 40, (80 + shift, 80)), ring(30, 40), (1.0, 1.0), challenge.GOOD['mm'])
  assert (scores['endo_good'], scores['epi_good']) == (good, good)


def gap(mask, degrees):
  return mask & (np.degrees(np.abs(np.arctan2(COLUMNS - 80, ROWS - 80))) > degrees / 2)


def test_an_open_ring_has_no_good_contour_and_no_distance():
  wall = ring(30, 40)
  scores = challenge.contour_scores(gap(wall, 120), wall, (1.0, 1.0), 5.0)
  assert (scores['endo_dice'], scores['epi_dice'], scores['endo_good'], scores['epi_good']) == (0, 0, 0, 0)
  assert math.isnan(scores['endo_apd'])
  assert math.isnan(scores['epi_apd'])
  assert all(map(math.isnan, challenge.contour_scores(wall, gap(wall, 120), (1.0, 1.0), 5.0).values()))


def test_a_small_gap_is_bridged_and_islands_are_left_out():
  wall = ring(30, 40)
  island = gap(wall, 40)
  island[2:5, 2:5] = True
  scores = challenge.contour_scores(island, wall, (1.0, 1.0), 5.0)
  assert scores['endo_dice'] > 0.98
  assert scores['epi_apd'] < 0.5


def test_spacing_that_is_unknown_counts_in_pixels():
  scores = [
    frame_metrics(ring(30, 40, (80 + shift, 80)), ring(30, 40), (math.nan, math.nan))['epi_good'] for shift in (5, 7)
  ]
  assert scores == [1, 0]  # APD of 3.2 and 4.5 pixels, the limit is 3.8


def scored(subject, *predictions, reference=None, surface=True):
  reference = np.stack([ring(30, 40)] * len(predictions)) if reference is None else reference
  names = {'subject': subject, 'dataset': subject, 'slice_id': 'm'}
  return cine_metrics(np.stack(predictions), reference, np.ones(len(reference)), (1.0, 1.0), **names, surface=surface)


def test_the_summary_is_over_subjects_and_the_distance_of_good_contours_alone():
  same, far = ring(30, 40), ring(30, 40, (95, 80))
  rows = pd.concat([scored('a', same, same, same, far), scored('b', same)])
  found = aggregate.summarise(rows)['contours']
  assert (found['frames'], found['open_reference']) == (5, 0)
  for contour in ('endo', 'epi'):
    assert found[contour]['good']['mean'] == pytest.approx((0.75 + 1) / 2)
    assert found[contour]['apd_of_good']['mean'] == 0
    assert found[contour]['dice_of_good']['mean'] == 1
  low = rows['epi_dice'].min()
  assert low < 0.9
  assert found['epi']['dice']['mean'] == pytest.approx(((3 + low) / 4 + 1) / 2)


def test_references_without_a_closed_ring_are_counted_and_in_no_mean():
  wall = ring(30, 40)
  found = aggregate.summarise(scored('a', wall, wall, reference=np.stack([wall, gap(wall, 120)])))['contours']
  assert (found['frames'], found['open_reference']) == (1, 1)
  assert found['endo']['dice']['mean'] == 1
  assert aggregate.summarise(scored('a', wall, reference=gap(wall, 120)[None]))['contours'] is None
  assert aggregate.summarise(scored('a', wall, surface=False))['contours'] is None


def test_without_a_good_contour_their_distance_is_unknown():
  far = ring(30, 40, (110, 80))
  found = aggregate.summarise(scored('a', far))['contours']['endo']
  assert found['good']['mean'] == 0
  assert found['apd_of_good'] is None
