"""Sectors, names, centre and septum, by hand."""

import numpy as np
import pytest
from known_motion import ring

from ear_jax.analysis import regions
from ear_jax.analysis.contours import from_mask
from ear_jax.analysis.motion import GROUPS, region_names


def sector(row, column, septum, count):
  alpha = regions.screen_angle(np.array([[row, column]], float))
  return int(regions.sector_numbers(alpha, np.array([septum]), count)[0])


@pytest.mark.parametrize(
  ('row', 'column', 'expected'),
  # Septum to the right. Clockwise on screen from 3 o'clock: 60 degrees each.
  [
    (0.1, 1, 0),  # a little below 3 o'clock
    (1, 0.7, 0),  # 55 degrees on
    (1, 0.5, 1),  # 63 degrees on
    (1, -0.5, 1),  # beyond 6 o'clock
    (0.1, -1, 2),
    (-0.1, -1, 3),
    (-1, 0, 4),
    (-0.1, 1, 5),  # a little above 3 o'clock
    (0, 1, 5),  # the septal point itself closes the circle
  ],
)
def test_six_sectors_run_clockwise_from_the_septum(row, column, expected):
  assert sector(row, column, np.pi / 2, 6) == expected


def test_24_sectors_divide_the_six():
  rng = np.random.default_rng(3)
  alpha, septum = rng.uniform(-np.pi, np.pi, (2, 500))
  six, many = (regions.sector_numbers(alpha, septum, n) for n in (6, 24))
  np.testing.assert_array_equal(many // 4, six)
  assert set(many) == set(range(24))


def test_names():
  assert region_names('angular6', 'CCW') == ('IS', 'I', 'IL', 'AL', 'A', 'AS')
  assert region_names('angular6', 'CW') == ('AS', 'A', 'AL', 'IL', 'I', 'IS')
  assert region_names('angular24', 'CCW')[4:6] == ('I 1', 'I 2')
  for group, count in GROUPS.items():
    assert len(set(region_names(group, 'CW'))) == count
  with pytest.raises(ValueError, match="orientation 'ccw'"):
    region_names('global', 'ccw')


def test_the_centre_is_averaged_over_seven_of_fifty_frames():
  columns = 40 + 5 * (np.arange(50) == 10)
  contours = from_mask(np.stack([ring((81, 91), (40, c), 10, 18) for c in columns]))
  centre = regions.find_centre(contours)
  np.testing.assert_allclose(centre[:, 1], 40 + 5 / 7 * (abs(np.arange(50) - 10) <= 3), atol=0.02)
  np.testing.assert_allclose(centre[:, 0], 40, atol=0.02)


def test_failed_frames_do_not_pull_the_centre():
  mask = np.stack([ring((81, 91), (40, 40), 10, 18)] * 50)
  mask[3:25] = 0
  centre = regions.find_centre(from_mask(mask))
  np.testing.assert_allclose(centre[[0, 3, 5, 24]], 40, atol=0.02)
  assert np.isnan(centre[12]).all()


def test_an_angle_becomes_a_point_in_the_middle_of_the_wall():
  spacing = (1.0, 0.5)
  contours = from_mask(np.stack([ring((81, 141), (40, 70), 10, 18, spacing)] * 3))
  centre = regions.find_centre(contours)
  point = regions.septal_points(np.pi / 4, contours, centre, spacing, 'd/s')
  np.testing.assert_allclose((point - centre) * spacing, 14 / np.sqrt(2) * np.ones((3, 2)), atol=0.1)
  np.testing.assert_array_equal(regions.septal_points([3, 4], contours, centre, spacing, ''), [[3, 4]] * 3)
  with pytest.raises(ValueError, match='d/s: septum'):
    regions.septal_points([1.0, 2.0, 3.0], contours, centre, spacing, 'd/s')
