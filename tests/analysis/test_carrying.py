"""Carried contours against the phantom's exact ones, rings by formula, and closed forms of their uncertainty."""

import dataclasses
import functools

import numpy as np
import pytest
from known_motion import make

import ear_jax
from ear_jax.analysis.carrying import CARRIED, carry, radii
from ear_jax.analysis.contours import from_mask
from ear_jax.analysis.motion import Contours
from ear_jax.analysis.polar import RAYS
from ear_jax.analysis.sources import bridge
from ear_jax.phantom import study

SIZE = dataclasses.replace(study.MINI, name='carried', subjects=1, slices=(1,), frames=24, matrix=72, spacing=1.5)
T = SIZE.frames


@functools.cache
def scan():
  """A scanned slice at mid level and its exact contours."""
  plan = study.plan(SIZE, 5)[1]
  truth = study.truth(plan)
  return study.render(plan), Contours(truth.endo, truth.epi, ('',) * T, np.zeros(T, bool), drawn=True)


def only(contours, *frames):
  """The contours of some frames; the others are not drawn."""
  return dataclasses.replace(contours, failed=~np.isin(np.arange(len(contours.failed)), frames))


def dice(one, other):
  """`[T]` of two masks `[T, H, W]`."""
  return 2 * (one & other).sum((1, 2)) / (one.sum((1, 2)) + other.sum((1, 2)))


def still(cine):
  """The cine without velocities."""
  return cine.replace(video=cine.video[..., :1], venc=None)


def error(found, true, spacing=1.5):
  """`[T]` mm, root mean square difference of radii."""
  centre = true.epi.mean(1)
  apart = [radii(np.stack([c.endo, c.epi], 1), centre) for c in (found, true)]
  return np.sqrt(((apart[0] - apart[1]) ** 2).mean((1, 2))) * spacing


@pytest.mark.parametrize('frame', [0, 9])
@pytest.mark.parametrize('moving', [True, False])
def test_one_frame_is_enough_for_all(frame, moving):
  cine, true = scan()
  found = carry(cine if moving else still(cine), only(true, frame))
  agreement, copied = dice(found.mask, cine.mask), dice(np.repeat(cine.mask[frame : frame + 1], T, 0), cine.mask)
  assert copied.mean() < 0.8
  assert agreement.mean() > 0.94
  assert agreement.min() > 0.82
  np.testing.assert_array_equal(found.contours.endo[frame], true.endo[frame])
  assert [flag == CARRIED for flag in found.contours.flags] == [t != frame for t in range(T)]
  assert not found.contours.failed.any()
  assert found.contours.made == 'SEMIAUTOMATIC'


def test_more_frames_are_better_and_stay_as_they_are():
  cine, true = scan()
  one, three = (carry(cine, only(true, *frames)) for frames in ([0], [0, 7, 15]))
  assert error(three.contours, true).mean() < 0.7 * error(one.contours, true).mean()
  for t in (0, 7, 15):
    np.testing.assert_array_equal(three.contours.epi[t], true.epi[t])
  assert three.uncertainty[[0, 7, 15]].max() < 1e-6
  assert three.uncertainty.max() < one.uncertainty.max()
  assert one.uncertainty[12] > 1.3 * one.uncertainty[1]
  ratio = np.sqrt((error(one.contours, true) ** 2).mean() / (one.uncertainty**2).mean())
  assert 0.5 < ratio < 2


def test_a_mask_does_as_well_as_its_contours_and_the_result_is_a_mask():
  cine, _ = scan()
  given = np.where(np.arange(T)[:, None, None] == 5, cine.mask, 0)
  found, same = carry(cine, given), ear_jax.carry(cine, cine.mask, [5])
  np.testing.assert_array_equal(found.mask, same.mask)
  motion = ear_jax.analyse(cine, found)
  assert np.isfinite(motion.curves['global']).all()


def test_contours_of_few_points_stay_polygons():
  cine, true = scan()
  few = Contours(true.endo[:, ::12], true.epi[:, ::12], true.flags, true.failed, drawn=True)
  found = carry(cine, only(few, 0))
  np.testing.assert_array_equal(np.unique(found.contours.endo[0], axis=0), np.unique(few.endo[0], axis=0))
  assert dice(found.mask, cine.mask).mean() > 0.93


def test_wrapped_velocities_carry_as_far():
  cine, true = scan()
  limit = np.array([3.5, 3.5, 30.0], np.float32)
  wrapped = cine.video.copy()
  wrapped[..., 1:] = (wrapped[..., 1:] + limit) % (2 * limit) - limit
  inside = cine.mask.astype(bool)
  assert np.mean(wrapped[inside] != cine.video[inside]) > 0.015
  folded = cine.replace(video=wrapped, venc=tuple(limit.tolist()))
  plain, mended, left = (
    error(carry(c, only(true, 0), settings=ear_jax.Settings(unwrap=unwrap)).contours, true).mean()
    for c, unwrap in ((cine, True), (folded, True), (folded, False))
  )
  assert mended < 1.3 * plain + 0.1
  assert left > 1.3 * mended


def _rings(inner, outer, frames=16):
  """A magnitude cine of a textured ring whose borders are cosines of time, and its contours."""
  swing = (1 - np.cos(2 * np.pi * np.arange(frames) / frames)) / 2
  borders = np.stack([inner[0] + (inner[1] - inner[0]) * swing, outer[0] + (outer[1] - outer[0]) * swing], 1)
  row, column = np.indices((64, 64)) - 31.0
  radius, angle = np.hypot(row, column), np.arctan2(column, row)
  pictures = []
  for endo, epi in borders:
    wall = 1 / (1 + np.exp(-3 * (radius - endo))) / (1 + np.exp(3 * (radius - epi)))
    blood = 1 / (1 + np.exp(3 * (radius - endo)))
    pictures.append(100 * (blood + wall * (0.3 + 0.05 * np.cos(3 * angle)) + 0.5 * (radius > epi + 2)))
  sides = 31.0 + borders.T[..., None, None] * RAYS
  cine = make(np.array(pictures)[..., None].repeat(4, -1))
  return still(cine), Contours(sides[0], sides[1], ('',) * frames, np.zeros(frames, bool))


def test_pictures_of_a_ring_carry_to_its_borders():
  cine, true = _rings((16, 11), (23, 20.5))
  found = carry(cine, only(true, 0))
  apart = np.hypot(*np.moveaxis(found.contours.endo - 31.0, -1, 0)).mean(1)
  np.testing.assert_allclose(apart, np.hypot(*np.moveaxis(true.endo - 31.0, -1, 0)).mean(1), atol=0.3)
  assert error(found.contours, true, 1.0).max() < 0.5
  assert (np.hypot(*np.moveaxis(found.contours.epi - found.contours.endo, -1, 0)) > 0.4).all()


def test_what_a_network_does_wrong_in_a_given_frame_is_taken_off_elsewhere():
  cine, true = scan()
  away = np.hypot(*np.moveaxis(true.endo - true.epi.mean(1, keepdims=True), -1, 0))[..., None]
  ray = (true.endo - true.epi.mean(1, keepdims=True)) / away
  wide = dataclasses.replace(true, endo=true.endo + 1.5 * ray, epi=true.epi + 1.5 * ray)
  alone, mixed = carry(cine, only(true, 0)), carry(cine, only(true, 0), network=wide)
  assert error(wide, true).mean() > 2
  assert error(mixed.contours, true).mean() < 1.05 * error(alone.contours, true).mean()


def test_a_network_is_heard_in_the_frames_that_it_has():
  cine, true = scan()
  plain = still(cine)
  alone, mixed, gaps = (
    error(carry(plain, only(true, 0), network=network).contours, true)
    for network in (None, true, only(true, *range(0, T, 2)))
  )
  assert mixed.mean() < 0.8 * alone.mean()
  assert mixed.mean() < gaps.mean() < alone.mean()


def test_a_walk_between_given_frames_has_the_covariance_of_a_brownian_bridge():
  walk = np.cumsum(np.random.default_rng(0).normal(size=(200_000, 8)), 1)  # from frame 2 to frame 10
  tied = walk[:, :7] - walk[:, 7:] * np.arange(1, 8) / 8
  found = bridge(np.array([2, 10]), 12)
  np.testing.assert_allclose(found[3:10, 3:10], np.cov(tied.T), atol=0.05)
  assert not found[[2, 10]].any()
  assert found[11, 5] == 0  # another part of the cycle
  np.testing.assert_allclose(found[[11, 0, 1], [11, 0, 1]], [0.75, 1, 0.75])
  np.testing.assert_allclose(np.diag(bridge(np.array([3]), 10)), [2.1, 1.6, 0.9, 0, 0.9, 1.6, 2.1, 2.4, 2.5, 2.4])


def test_what_cannot_be_carried_is_refused_with_its_reason():
  cine, true = scan()
  with pytest.raises(ValueError, match='no contours to be carried in frame 3'):
    carry(cine, only(true, 0), [0, 3])
  with pytest.raises(ValueError, match='no frame has contours'):
    carry(cine, np.zeros_like(cine.mask))
  with pytest.raises(ValueError, match=r'the mask has shape \(2, 72, 72\)'):
    carry(cine, cine.mask[:2])
  with pytest.raises(ValueError, match='contours of 3 frames, the cine has 24'):
    carry(cine, Contours(true.endo[:3], true.epi[:3], ('',) * 3, np.zeros(3, bool)))
  assert from_mask(cine.mask).failed.sum() == 0
