"""Masks to contours and back, against circles, the phantom's exact borders and damage done by hand."""

import numpy as np
import pytest
from known_motion import exact, ring
from scipy.spatial import cKDTree
from skimage.draw import polygon2mask

from ear_jax.analysis import contours as contours_lib
from ear_jax.analysis.motion import Contours
from ear_jax.analysis.polar import RAYS
from ear_jax.phantom import study


def dice(a, b):
  return 2 * (a & b).sum((-2, -1)) / (a.sum((-2, -1)) + b.sum((-2, -1)))


def radii(line, centre):
  return np.hypot(*np.moveaxis(line - centre, -1, 0))


def distance(points, line):
  """Mean distance in pixels of points to a densely sampled closed line."""
  dense = (line[:, None] + np.linspace(0, 1, 20)[:, None] * (np.roll(line, -1, 0) - line)[:, None]).reshape(-1, 2)
  return cKDTree(dense).query(points)[0].mean()


def breathing(frames=12, shape=(101, 97), inner=15.0):
  """A ring that beats smoothly and sways."""
  t = 2 * np.pi * np.arange(frames) / frames
  return np.stack([ring(shape, (50 + np.sin(a), 48 + np.cos(a)), inner + 2 * np.cos(a), 24 + np.cos(a)) for a in t])


@pytest.mark.parametrize(('inner', 'outer'), [(15, 24), (26, 36)])
def test_circles_come_back(inner, outer):
  centre = (256.3, 241.8)
  mask = np.stack([ring((512, 512), centre, inner, outer)])
  found = contours_lib.from_mask(mask)
  for line, radius in ((found.endo, inner), (found.epi, outer)):
    errors = radii(line[0], centre) - radius
    assert abs(errors.mean()) < 0.06
    assert np.sqrt((errors**2).mean()) < 0.3
  assert dice(contours_lib.to_mask(found, (512, 512)), mask)[0] > 0.98
  assert found.flags == ('',)
  assert not found.failed.any()


def test_both_lines_lie_on_the_same_rays():
  found = contours_lib.from_mask(breathing())
  across = found.epi - found.endo
  across /= np.linalg.norm(across, axis=-1, keepdims=True)
  np.testing.assert_allclose(across, np.broadcast_to(RAYS, across.shape), atol=1e-6)


@pytest.mark.parametrize('level', [0, 1, 2])
def test_the_phantoms_borders_are_found(level):
  truth, _ = exact(level)
  found = contours_lib.from_mask(truth.mask)
  assert set(found.flags) == {''}
  assert dice(contours_lib.to_mask(found, truth.mask.shape[1:]), truth.mask).min() > 0.99
  for t in range(0, 50, 7):
    assert distance(found.endo[t], truth.endo[t]) < 0.3
    assert distance(found.epi[t], truth.epi[t]) < 0.3


def test_a_short_cycle_of_sound_masks_is_not_flagged():
  for plan in study.plan(study.MINI)[:3]:
    assert set(contours_lib.from_mask(study.truth(plan).mask).flags) == {''}


def test_probability_places_the_border_between_pixels():
  row, column = np.indices((80, 80))
  errors = []
  for radius in (18.0, 18.25, 18.5, 18.75):
    away = np.hypot(row - 40.0, column - 40.0)
    soft = np.clip(0.5 - (away - radius) / 1.5, 0, 1) * np.clip(0.5 + (away - 10) / 1.5, 0, 1)
    found = contours_lib.from_mask(soft[None])
    errors.append(radii(found.epi[0], (40, 40)) - radius)
  assert abs(np.mean(errors, 1)).max() < 0.06
  assert np.std(errors) < 0.1


def test_mask_is_that_of_polygons_at_pixel_centres():
  found = contours_lib.from_mask(breathing(2))
  expected = [
    polygon2mask((101, 97), o) ^ polygon2mask((101, 97), i) for i, o in zip(found.endo, found.epi, strict=True)
  ]
  np.testing.assert_array_equal(contours_lib.to_mask(found, (101, 97)), np.stack(expected))


def test_layers_cut_the_wall_at_thirds_of_its_depth():
  angle = np.arctan2(RAYS[:, 1], RAYS[:, 0])
  inner, outer = 12 + 2 * np.cos(2 * angle), 24 + 3 * np.sin(3 * angle)
  centre = np.array([40.3, 39.6])
  given = Contours(*(centre + (r[:, None] * RAYS)[None] for r in (inner, outer)), ('',), np.zeros(1, bool))
  layers = contours_lib.layer_masks(given, (80, 80), 3)
  row, column = np.argwhere(np.ones((80, 80), bool)).T
  a = np.arctan2(column - centre[1], row - centre[0])
  i, o = 12 + 2 * np.cos(2 * a), 24 + 3 * np.sin(3 * a)
  depth = (np.hypot(row - centre[0], column - centre[1]) - i) / (o - i)
  clear = (abs(depth * 3 - np.rint(depth * 3)) > 0.02).reshape(80, 80)  # chords differ from arcs
  for k in range(3):
    expected = ((depth > k / 3) & (depth < (k + 1) / 3)).reshape(80, 80)
    np.testing.assert_array_equal(layers[k, 0][clear], expected[clear])
  np.testing.assert_array_equal(layers.sum(0), contours_lib.to_mask(given, (80, 80)))


def test_one_failed_frame_is_interpolated_and_says_so_but_two_are_not():
  mask = breathing()
  whole = contours_lib.from_mask(mask)
  mask[0] = mask[5] = mask[6] = 0
  found = contours_lib.from_mask(mask)
  assert found.flags[0] == 'no mask; interpolated from neighbours'
  np.testing.assert_allclose(found.endo[0], (whole.endo[1] + whole.endo[-1]) / 2)
  assert found.failed.tolist() == [t in (5, 6) for t in range(12)]
  assert np.isnan(found.epi[5:7]).all()
  assert found.flags[5] == 'no mask'
  rebuilt = contours_lib.to_mask(found, mask.shape[1:])
  assert not rebuilt[5:7].any()
  assert rebuilt[0].any()


def test_a_mask_without_any_wall_fails_in_every_frame():
  found = contours_lib.from_mask(np.zeros((6, 20, 20), np.uint8))
  assert found.failed.all()
  assert not contours_lib.to_mask(found, (20, 20)).any()


def test_an_area_that_jumps_is_flagged_and_left_alone():
  mask = breathing()
  mask[4] = ring(mask.shape[1:], (50, 48), 20, 27)
  found = contours_lib.from_mask(mask)
  assert found.flags[4].startswith('area of the cavity jumps by +')
  assert 'area of the heart jumps by +' in found.flags[4]
  assert not any(found.flags[t] for t in (0, 1, 7, 8))
  assert dice(contours_lib.to_mask(found, mask.shape[1:])[4], mask[4]) > 0.98


def test_smoothing_over_the_cycle_takes_jitter_off_and_keeps_the_beat():
  rng = np.random.default_rng(1)
  t = 2 * np.pi * np.arange(32) / 32
  clean = 15 + 3 * np.cos(t)
  jitter = clean + rng.normal(0, 0.5, 32)
  mask = np.stack([ring((81, 81), (40, 40), r, 26) for r in jitter])
  rough, smooth = (radii(contours_lib.from_mask(mask, smooth=s).endo, (40, 40)).mean(1) for s in (0, 1.5))
  assert rough.std() == pytest.approx(jitter.std(), abs=0.1)
  assert np.std(smooth - clean) < 0.6 * np.std(rough - clean)
  rolled = contours_lib.from_mask(np.roll(mask, 20, 0), smooth=1.5)
  np.testing.assert_allclose(radii(rolled.endo, (40, 40)).mean(1), np.roll(smooth, 20), atol=1e-6)


def test_shaving_moves_both_borders_into_the_wall_by_mm():
  centre, spacing = np.array([45.2, 60.3]), np.array([1.0, 0.75])
  found = contours_lib.from_mask(ring((90, 120), centre, 12, 20, spacing)[None])
  little, most = contours_lib.shave(found, 0.8, spacing), contours_lib.shave(found, 100.0, spacing)

  def size(line):
    return np.hypot(*np.moveaxis((line - centre) * spacing, -1, 0)).mean()

  assert size(little.endo) - size(found.endo) == pytest.approx(0.8, abs=0.01)
  assert size(found.epi) - size(little.epi) == pytest.approx(0.8, abs=0.01)
  assert size(found.epi) - size(most.epi) == pytest.approx(2, abs=0.05)  # a quarter of the wall at most


def test_a_mask_of_one_frame_without_time_axis_is_refused():
  with pytest.raises(ValueError, match=r'expected \[T, H, W\]'):
    contours_lib.from_mask(np.ones((5, 5)))
