"""Curves of contours that were moved, against rings by formula and against the analysis itself."""

import dataclasses

import numpy as np
import pytest
from known_motion import make, ring

from ear_jax.analysis.contours import from_mask
from ear_jax.analysis.motion import GROUPS, Settings
from ear_jax.analysis.redrawn import ANGLES, along_rays, by_region, redraw
from ear_jax.analysis.slices import analyse_with_contours
from ear_jax.analysis.wall import wall_velocity

FRAMES, CENTRE, INNER, OUTER = 3, np.array([31.3, 33.8]), 14.0, 22.0
SPACING = (1.25, 1.25)


def field(size=64):
  """A smooth velocity everywhere: inward twice as fast at twice the distance, turning, and tilted through the plane."""
  row, column = np.indices((size, size)) - CENTRE[:, None, None]
  along_column, along_row = -0.1 * column + 0.05 * row, -0.1 * row - 0.05 * column
  through = 3 + 0.1 * row + 0.05 * column + 0.004 * row * column
  beat = np.array([1.0, 0.3, -1.0])[:, None, None]
  still = np.full((FRAMES, size, size), 100.0)
  return np.stack([still, along_column * beat, along_row * beat, through * beat], -1)


@pytest.fixture(scope='module')
def cine():
  mask = np.repeat(ring((64, 64), CENTRE, INNER, OUTER)[None], FRAMES, 0)
  return make(field(), mask, spacing=SPACING)


@pytest.fixture(scope='module')
def motion(cine):
  return analyse_with_contours(cine, from_mask(cine.mask), septum=0.7, settings=Settings(remove_mean=False))


def redrawn(cine, motion, endo=0.0, epi=0.0, aside=(0.0, 0.0), rim=0.0):
  """The curves `[regions, T, 3]` of contours that lie further out by so many mm."""
  rays = along_rays(cine, motion, reach=8.0)
  off = np.broadcast_to(np.asarray(aside, float), (1, FRAMES, 2))
  moved = np.einsum('dfk,fak->dfa', off, rays.direction)
  values = redraw(rays, rays.endo + endo + moved, rays.epi + epi + moved, off, np.array([rim]), 1)
  return np.moveaxis(by_region(*values)[:, 0], 0, -1).swapaxes(0, 1)


def test_contours_that_stay_give_the_curves_of_the_analysis(cine, motion):
  expected = np.concatenate([motion.curves[group] for group in GROUPS])
  found = redrawn(cine, motion)
  assert abs(found[0] - expected[0]).max() < 0.02
  assert abs(found - expected).max() < 0.12  # a sector of 24 is 60 pixels


@pytest.mark.parametrize(('endo', 'epi'), [(2.0, 0.0), (0.0, 3.0), (-1.5, 1.5)])
def test_the_mean_between_two_circles_is_that_of_the_formula(cine, motion, endo, epi):
  a, b = INNER + endo / SPACING[0], OUTER + epi / SPACING[0]
  mean = 2 / 3 * (b**3 - a**3) / (b**2 - a**2)  # distance from the centre, pixels
  longitudinal, radial, circumferential = redrawn(cine, motion, endo, epi)[0].T
  beat = np.array([1.0, 0.3, -1.0])
  assert longitudinal == pytest.approx(3 * beat, abs=0.02)
  assert radial == pytest.approx(0.1 * mean * beat, abs=0.01)
  assert circumferential == pytest.approx(0.05 * mean * beat, abs=0.01)


def test_a_ring_moved_aside_gives_what_the_analysis_gives_there(cine, motion):
  shift = np.array([1.5, 2.0])  # mm
  exact = motion.contours
  there = dataclasses.replace(exact, endo=exact.endo + shift / 1.25, epi=exact.epi + shift / 1.25)
  expected = analyse_with_contours(cine, there, septum=0.7, settings=motion.settings).curves
  found, before = redrawn(cine, motion, aside=shift), redrawn(cine, motion)
  assert abs(expected['global'][0] - motion.curves['global'][0]).max() > 0.1  # it matters
  assert (found - before)[0] == pytest.approx(expected['global'][0] - motion.curves['global'][0], abs=0.03)


def test_the_rim_is_left_out_as_by_the_setting(cine, motion):
  settings = dataclasses.replace(motion.settings, border=1.5)
  expected = analyse_with_contours(cine, motion.contours, septum=0.7, settings=settings).curves
  found = redrawn(cine, motion, rim=1.5)
  assert found[0] == pytest.approx(expected['global'][0], abs=0.03)
  assert found[-GROUPS['layers'] :] == pytest.approx(expected['layers'], abs=0.08)


def test_rays_see_the_signs_and_the_wraps_that_the_analysis_undid(cine):
  wrapped = cine.video.copy()
  wrapped[..., 3] = (wrapped[..., 3] * 4 + 30) % 60 - 30  # the wall's 20 cm/s and more, at a venc of 30
  wrapped[..., 1] *= -1
  one = make(wrapped, cine.mask, spacing=SPACING)
  settings = Settings(remove_mean=False, signs=(-1, 1, 1))
  motion = analyse_with_contours(one, from_mask(one.mask), septum=0.7, settings=settings)
  assert motion.wraps
  assert wall_velocity(one, motion.mask.astype(bool), settings)[2] == motion.wraps
  # Pixels next to the wall, which rays at its border share in, stay wrapped.
  assert redrawn(one, motion)[0] == pytest.approx(motion.curves['global'][0], abs=1.0)
  assert abs(redrawn(one, dataclasses.replace(motion, wraps=0))[0] - motion.curves['global'][0]).max() > 3


def test_rays_begin_at_the_septum_and_frames_without_contours_have_none(cine, motion):
  rays = along_rays(cine, motion, reach=0.0)
  first = np.arctan2(rays.direction[:, 0, 1], rays.direction[:, 0, 0])
  assert first == pytest.approx(0.7 - np.pi / ANGLES, abs=1e-6)
  assert rays.endo * np.ones(1) == pytest.approx(INNER * SPACING[0], abs=0.8)
  lost = dataclasses.replace(motion.contours, failed=np.array([False, True, False]))
  assert along_rays(cine, dataclasses.replace(motion, contours=lost), 0.0).frames.tolist() == [0, 2]
