"""Phase wraps: undone where they are, and nothing else touched."""

import numpy as np
import pytest
from known_motion import exact, rms

from ear_jax.analysis.motion import Settings
from ear_jax.analysis.slices import analyse
from ear_jax.analysis.unwrap import unwrap

NOISE = 0.4  # cm/s


def wrapped(velocity, venc):
  venc = np.asarray(venc, np.float32)
  return np.mod(velocity + venc, 2 * venc) - venc


def noisy(level):
  truth, cine = exact(level)
  video = cine.video.copy()
  video[..., 1:] += np.random.default_rng(level).normal(0, NOISE, video[..., 1:].shape).astype(np.float32)
  return truth, cine.replace(video=video)


@pytest.mark.parametrize(('level', 'venc'), [(0, (4.5, 4.5, 9.0)), (1, (4.5, 4.0, 6.0)), (2, (3.5, 3.5, 30.0))])
def test_a_venc_below_the_peak_gives_the_same_curves(level, venc):
  truth, cine = noisy(level)
  video = np.concatenate([cine.video[..., :1], wrapped(cine.video[..., 1:], venc)], -1)
  low = cine.replace(video=video, venc=venc)
  expected = analyse(cine, truth.mask, septum=truth.septal_angle)
  found = analyse(low, truth.mask, septum=truth.septal_angle)
  beyond = (abs(video - cine.video)[..., 1:].max(-1) > 1) & found.mask.astype(bool)
  assert beyond.sum() > 100
  # A pixel between the contours whose centre is outside the true wall has velocity 0, which is no tissue's.
  assert abs(found.wraps - beyond.sum()) <= np.count_nonzero(found.mask > truth.mask)
  for group, curves in expected.curves.items():
    assert rms(found.curves[group] - curves).max() < 0.05, group
  left = analyse(low, truth.mask, septum=truth.septal_angle, settings=Settings(unwrap=False))
  assert rms(left.curves['global'][0] - expected.curves['global'][0]).max() > 0.05
  assert left.wraps == 0


def test_unwrapped_velocities_keep_their_bits():
  truth, cine = noisy(0)
  velocity = cine.video[..., 1:]
  found, count = unwrap(velocity, truth.mask.astype(bool), cine.venc)
  assert count == 0
  assert found is velocity


def test_single_pixels_are_mended_and_the_rest_keeps_its_bits():
  truth, cine = noisy(1)
  wall = truth.mask.astype(bool)
  velocity = cine.video[..., 1:].copy()
  spoiled = tuple(np.argwhere(wall)[[100, 5000, 20000]].T)
  velocity[(*spoiled, 2)] += 60  # as if seen at the other end of the scale
  outside = tuple(np.argwhere(~wall)[[50]].T)
  velocity[(*outside, 0)] += 40
  found, count = unwrap(velocity, wall, cine.venc)
  assert count == 3
  changed = found != velocity
  assert changed.sum() == 3
  np.testing.assert_allclose(found[changed], cine.video[..., 1:][changed], atol=1e-5)
  assert velocity[(*spoiled, 2)].min() > 20  # the argument is left alone


def test_the_end_of_the_cycle_is_followed_by_its_beginning():
  """Systole split over the end of the recording: the wrapped frames are the last and the first."""
  truth, cine = noisy(1)
  venc = (20.0, 20.0, 6.0)
  peak = int(np.argmin(truth.longitudinal))
  velocity = np.roll(cine.video[..., 1:], -peak, 0)
  wall = np.roll(truth.mask.astype(bool), -peak, 0)
  found, _ = unwrap(wrapped(velocity, venc), wall, venc)
  np.testing.assert_allclose(found[wall], velocity[wall], atol=1e-4)
  assert found[0, ..., 2][wall[0]].mean() < -6  # beyond venc


def test_a_wall_in_one_frame_and_no_wall_at_all():
  velocity = np.zeros((1, 12, 12, 3), np.float32)
  wall = np.zeros((1, 12, 12), bool)
  assert unwrap(velocity, wall, (20.0,) * 3)[1] == 0
  wall[0, 3:9, 3:9] = True
  velocity[0, 5, 5, 0] = 39
  found, count = unwrap(velocity, wall, (20.0,) * 3)
  assert count == 1
  assert found[0, 5, 5, 0] == -1
