"""Rays and polygons against scikit-image and hand values."""

import numpy as np
from skimage.draw import polygon2mask

from ear_jax.analysis.polar import RAYS, fill_polygons, last_crossing, sample_rays


def test_polygons_are_filled_as_by_scikit_image():
  rng = np.random.default_rng(0)
  # Wavy stars, some over the edge of the picture, and ones that cross themselves.
  radius = 12 + 4 * rng.standard_normal((8, 360)).cumsum(-1) / 10
  stars = rng.uniform(5, 30, (8, 1, 2)) + radius[..., None] * RAYS
  tangles = rng.uniform(-5, 40, (8, 360, 2))
  polygons = np.concatenate([stars, tangles])
  filled = fill_polygons(polygons, (31, 37))
  expected = np.stack([polygon2mask((31, 37), polygon) for polygon in polygons])
  assert 0.1 < expected.mean() < 0.9
  np.testing.assert_array_equal(filled, expected)


def test_a_polygon_with_nan_is_empty():
  polygons = np.stack([5 + 3 * RAYS] * 2)
  polygons[0, 17] = np.nan
  filled = fill_polygons(polygons, (11, 11))
  assert not filled[0].any()
  assert 25 <= filled[1].sum() <= 29  # 25 whole-number points within the circle and 4 on it


def test_rays_see_a_ramp_along_rows_and_columns():
  row, column = np.indices((21, 21))
  rays = sample_rays(np.stack([row, column]).astype(float), np.array([[10.0, 10.0], [10.0, 8.0]]), 5)
  np.testing.assert_allclose(rays[0, 0], [10, 11, 12, 13, 14], atol=1e-5)  # alpha 0 is down
  np.testing.assert_allclose(rays[1, 90], [8, 9, 10, 11, 12], atol=1e-5)  # pi/2 is right
  np.testing.assert_allclose(rays[0, 180], [10, 9, 8, 7, 6], atol=1e-5)


def test_the_last_crossing_is_interpolated():
  profiles = np.array([
    [1, 1, 1, 0, 0],  # half way between 2 and 3
    [1, 0, 1, 0.8, 0.2],  # the outer one, half way between 3 and 4
    [0, 0, 0, 0, 0.4],
    [1, 1, 1, 1, 1],  # half way beyond the last sample
  ])  # fmt: skip
  np.testing.assert_allclose(last_crossing(profiles), [2.5, 3.5, np.nan, 4.5])
