"""Projection and means against loops written from the formulas, pixel by pixel."""

import math

import numpy as np
import pytest
from known_motion import make, ring

from ear_jax.analysis.contours import layer_masks
from ear_jax.analysis.motion import GROUPS, Settings
from ear_jax.analysis.slices import analyse, velocity_maps
from ear_jax.analysis.velocity import means_over, project, remove_cycle_mean

SHAPE = (40, 44)


def random_slice(spacing=(1.1, 0.8), frames=4):
  rng = np.random.default_rng(5)
  video = rng.uniform(-4, 4, (frames, *SHAPE, 4))
  mask = np.stack([ring(SHAPE, (19 + 0.3 * t, 22), 7, 13, spacing) for t in range(frames)])
  return make(video, mask, spacing=spacing)


def by_loops(cine, motion, signs=(1, 1, 1), circumferential_sign=1):
  """Curves of all groups before removal of the mean over the cycle, from the formulas."""
  layers = layer_masks(motion.contours, SHAPE, 3)
  frames = len(cine.video)
  found = {group: np.zeros((count, frames, 3)) for group, count in GROUPS.items()}
  counts = {group: np.zeros((count, frames, 1)) for group, count in GROUPS.items()}
  for t in range(frames):
    pixels = np.argwhere(motion.mask[t])
    velocity = [[signs[k] * float(cine.video[t, r, c, 1 + k]) for k in range(3)] for r, c in pixels]
    bulk = [sum(v[k] for v in velocity) / len(velocity) for k in (0, 1)]
    south = math.atan2(*((motion.septum[t] - motion.centre[t]) * cine.spacing)[::-1])
    for (r, c), (v_col, v_row, v_long) in zip(pixels, velocity, strict=True):
      dr, dc = (r - motion.centre[t, 0]) * cine.spacing[0], (c - motion.centre[t, 1]) * cine.spacing[1]
      radius = math.hypot(dr, dc)
      x, y = -(v_col - bulk[0]), v_row - bulk[1]  # StrainMap's X and Y, and its formulas
      radial, circumferential = (dc * x - dr * y) / radius, -(dr * x + dc * y) / radius
      theta = 2 * math.pi - (math.atan2(dc, dr) - south) % (2 * math.pi)
      regions = {'global': 0, 'layers': next(k for k in range(3) if layers[k, t, r, c])}
      for n in (6, 24):
        (regions[f'angular{n}'],) = (k for k in range(n) if 2 * math.pi * k / n < theta <= 2 * math.pi * (k + 1) / n)
      for group, k in regions.items():
        found[group][k, t] += v_long, radial, circumferential_sign * circumferential
        counts[group][k, t] += 1
  return {group: found[group] / counts[group] for group in found}


@pytest.mark.parametrize(('signs', 'circumferential_sign'), [((1, 1, 1), 1), ((1, -1, -1), -1)])
def test_curves_are_those_of_loops_over_pixels(signs, circumferential_sign):
  cine = random_slice()
  settings = Settings(signs=signs, circumferential_sign=circumferential_sign, remove_mean=False)
  motion = analyse(cine, cine.mask, septum=0.7, settings=settings)
  expected = by_loops(cine, motion, signs, circumferential_sign)
  for group in GROUPS:
    np.testing.assert_allclose(motion.curves[group], expected[group], atol=1e-6)
    assert not motion.offset[group].any()
  removed = analyse(cine, cine.mask, septum=0.7, settings=Settings(signs=signs))
  np.testing.assert_allclose(removed.curves['layers'].mean(1), 0, atol=1e-12)
  assert removed.offset['layers'].shape == (3, 3)


def test_maps_have_the_curves_as_their_means():
  cine = random_slice()
  motion = analyse(cine, cine.mask, septum=0.7, settings=Settings(remove_mean=False))
  maps = velocity_maps(cine, motion)
  np.testing.assert_array_equal(np.isfinite(maps).all(-1), motion.mask.astype(bool))
  np.testing.assert_allclose(np.nanmean(maps, (1, 2)), motion.curves['global'][0], atol=1e-5)


@pytest.mark.parametrize(
  (
    'offset',
    'velocity',
    'expected',
  ),  # velocity along column (right), row (down); longitudinal, radial, circumferential
  [
    ((0, 2), (-1, 0, 5), (5, 1, 0)),  # right of the centre, moving left: inward
    ((3, 0), (0, -1, 0), (0, 1, 0)),  # below, moving up: inward
    ((3, 0), (1, 0, 0), (0, 0, 1)),  # below, moving right: counter-clockwise on screen
    ((0, 2), (0, -1, 0), (0, 0, 1)),  # right, moving up: counter-clockwise
    ((0, -2), (0, 1, 0), (0, 0, 1)),  # left, moving down: counter-clockwise
    ((0, 0), (3, 4, 1), (1, 0, 0)),  # on the centre there is no direction
  ],
)
def test_directions(offset, velocity, expected):
  found = project(np.array([velocity], float), np.array([offset], float))
  np.testing.assert_allclose(found, [expected], atol=1e-12)
  np.testing.assert_allclose(project(np.array([velocity], float), np.array([offset], float), -1)[0, 2], -expected[2])


def test_a_group_without_members_has_no_mean():
  found = means_over(np.array([[1.0], [3.0], [10.0]]), np.array([0, 0, 2]), 3)
  np.testing.assert_array_equal(found, [[2], [np.nan], [10]])


def test_the_mean_over_the_cycle_leaves_unknown_frames_out():
  curves = np.full((2, 4, 1), np.nan)
  curves[0, [0, 1, 3], 0] = 1, 2, 6
  without, mean = remove_cycle_mean(curves)
  np.testing.assert_array_equal(without[0, :, 0], [-2, -1, np.nan, 3])
  np.testing.assert_array_equal(mean, [[3], [np.nan]])
