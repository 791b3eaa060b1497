"""Roughness and jumps worked out by hand on a few pixels, and around the end of the cycle."""

import math

import numpy as np
import pytest

from ear_jax.analysis.motion import Contours
from ear_jax.scoring.temporal import METRICS, compare_temporal, temporal_metrics

UNKNOWN = (math.nan, math.nan)


def square(*corners, side=2, frames=None):
  """`[T, 12, 12]` with a square at each corner; None is an empty frame."""
  mask = np.zeros((frames or len(corners), 12, 12), np.uint8)
  for frame, corner in zip(mask, corners, strict=True):
    if corner is not None:
      frame[corner[0] : corner[0] + side, corner[1] : corner[1] + side] = 1
  return mask


def ring(hole=True):
  mask = np.zeros((12, 12), np.uint8)
  mask[3:8, 3:8] = 1
  mask[4:7, 4:7] = not hole
  return mask


def test_area_and_its_roughness():
  mask = np.zeros((4, 12, 12), np.uint8)
  for frame, pixels in zip(mask, (4, 6, 4, 6), strict=True):
    frame[0, :pixels] = 1
  found = temporal_metrics(mask, (2.0, 0.5))
  # |A'' | = |6 - 2 * 4 + 6| = 4 everywhere, mean A = 5 pixels of 1 mm2
  assert found['area'] == 5
  assert found['area_roughness'] == pytest.approx(4 / 5)
  assert temporal_metrics(mask[[0, 0, 0]], UNKNOWN)['area_roughness'] == 0


def test_jumps_of_the_centroid_go_around_the_cycle_in_mm():
  mask = square((0, 0), (0, 1), (0, 2), (4, 2))
  found = temporal_metrics(mask, (0.5, 2.0))
  # 2 mm, 2 mm, then 4 rows of 0.5 mm; back to the start: 4 rows and 2 columns, sqrt(2^2 + 4^2)
  assert found['centroid_jump_mean'] == pytest.approx((2 + 2 + 2 + math.sqrt(20)) / 4)
  assert found['centroid_jump_max'] == pytest.approx(math.sqrt(20))
  assert temporal_metrics(mask, UNKNOWN)['centroid_jump_max'] == pytest.approx(math.sqrt(4**2 + 2**2))


def test_successive_dice():
  found = temporal_metrics(square((0, 0), (0, 1), (0, 1)), UNKNOWN)  # half of 4 pixels shared; all; half
  assert found['successive_dice_mean'] == pytest.approx((0.5 + 1 + 0.5) / 3)
  assert found['successive_dice_min'] == 0.5
  one_empty = temporal_metrics(square((0, 0), None, None, (0, 0)), UNKNOWN)  # 0, undefined, 0, 1
  assert one_empty['successive_dice_mean'] == pytest.approx(1 / 3)


def test_open_rings_are_counted_around_the_cycle():
  mask = np.stack([ring(hole) for hole in (False, True, False, True, True, False)])
  found = temporal_metrics(mask, UNKNOWN)
  assert found['closed_ring'] == 0.5
  assert found['longest_open_run'] == 2  # the last frame and the first
  assert temporal_metrics(mask[[1, 3]], UNKNOWN)['longest_open_run'] == 0
  assert temporal_metrics(mask[[0, 2, 5]], UNKNOWN)['longest_open_run'] == 3


def contours(endo, epi):
  return Contours(endo, epi, ('',) * len(endo), np.zeros(len(endo), bool))


def test_wall_thickness_at_24_angles():
  turn = np.deg2rad(np.arange(360.0))
  circle = np.stack([np.cos(turn), np.sin(turn)], -1)
  walls = np.array([4.0, 6.0, 5.0])  # pixels of 0.5 mm
  endo, epi = np.stack([10 * circle] * 3), np.stack([(10 + wall) * circle for wall in walls])
  mask = square((0, 0), (0, 0), (0, 0))
  found = temporal_metrics(mask, (0.5, 0.5), contours=contours(endo, epi))
  # |steps| 1, 0.5 and 0.5 mm, 24 of each: of 72 ranked values the 95th percentile is a 1
  assert found['wall_jump_p95'] == pytest.approx(1.0)
  bulge = np.repeat(epi[:1], 3, axis=0)
  bulge[1, 7] *= 2  # between two of the angles
  assert temporal_metrics(mask, (0.5, 0.5), contours=contours(endo, bulge))['wall_jump_p95'] == pytest.approx(
    0, abs=1e-9
  )
  epi[1] = np.nan  # one step is left, 0.5 mm
  assert temporal_metrics(mask, (0.5, 0.5), contours=contours(endo, epi))['wall_jump_p95'] == pytest.approx(0.5)


def test_a_shift_of_the_cycle_changes_nothing():
  rng = np.random.default_rng(0)
  mask = (rng.random((7, 12, 12)) < 0.4).astype(np.uint8)
  found, shifted = (temporal_metrics(m, (0.8, 0.9)) for m in (mask, np.roll(mask, 3, axis=0)))
  assert shifted == pytest.approx(found, nan_ok=True)


def test_frames_that_are_not_used_take_no_part():
  mask = square((0, 0), (0, 0), (9, 9), (0, 0), (0, 1))
  found = temporal_metrics(mask, UNKNOWN, use=np.array([True, True, False, True, True]))
  # Steps 0-1, 3-4 and 4-0 are left
  assert found['centroid_jump_mean'] == pytest.approx((0 + 1 + 1) / 3)
  assert found['successive_dice_mean'] == pytest.approx((1 + 0.5 + 0.5) / 3)


def test_nothing_to_measure_is_nan_and_no_warning():
  empty = temporal_metrics(np.zeros((4, 12, 12), np.uint8), UNKNOWN)
  assert (empty['area'], empty['closed_ring'], empty['longest_open_run']) == (0, 0, 4)
  undefined = {'area_roughness', 'centroid_jump_mean', 'wall_jump_p95', 'successive_dice_mean'}
  assert all(math.isnan(empty[key]) for key in undefined)
  single = temporal_metrics(square((0, 0)), UNKNOWN)
  assert all(math.isnan(single[key]) for key in undefined)


def test_prediction_beside_reference():
  values = dict.fromkeys(METRICS, 2.0)
  table = compare_temporal(values | {'area': 3.0}, values | {'longest_open_run': 0.0}, 'mm').set_index('metric')
  assert table.loc['area', ['unit', 'prediction', 'reference', 'ratio']].tolist() == ['mm2', 3.0, 2.0, 1.5]
  assert math.isnan(table.loc['longest_open_run', 'ratio'])
  assert table.loc['wall_jump_p95', 'unit'] == 'mm'


def test_shapes_that_do_not_belong_together():
  with pytest.raises(ValueError, match=r'expected \[T, H, W\] and \[T\]'):
    temporal_metrics(square((0, 0)), UNKNOWN, use=np.ones(2, bool))
