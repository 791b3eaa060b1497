"""Evidence for a delineation: hand-made pictures for which each number is known."""

import dataclasses

import numpy as np
import pytest

from ear_jax.analysis import evidence
from ear_jax.analysis.motion import Contours
from ear_jax.analysis.places import place
from ear_jax.analysis.polar import RAYS
from ear_jax.analysis.rivals import rivals
from ear_jax.analysis.straightened import DEPTHS, REACH, SECTORS, between, by_sector, straighten
from ear_jax.cine import Cine

INNER, OUTER = 12.0, 20.0  # pixels


def rings(inner, outer, centre=(40.0, 38.0)):
  """Contours of circles, radii `[T]`."""
  endo, epi = (np.asarray(centre) + np.asarray(r)[:, None, None] * RAYS for r in (inner, outer))
  return Contours(endo, epi, ('',) * len(endo), np.zeros(len(endo), bool))


def picture(inner, outer, levels=(3.0, 1.0, 2.0), size=80, centre=(40.0, 38.0)):
  """`[T, H, W]`: a disc of blood, a ring of wall, and what is around."""
  rows, columns = np.indices((size, size))
  radius = np.hypot(rows - centre[0], columns - centre[1])
  return np.stack(
    [np.select([radius < i, radius < o], levels[:2], levels[2]) for i, o in zip(inner, outer, strict=True)]
  )


def cine(magnitude, velocity=None, venc=None):
  video = magnitude[..., None] if velocity is None else np.concatenate([magnitude[..., None], velocity], -1)
  frames = len(video)
  mask = np.zeros(video.shape[:3], np.uint8)
  return Cine(video.astype(np.float32), mask, np.zeros(frames, bool), venc, (1.0, 1.0), 20.0, 's', 'd', 'x')


def profile(borders=(0.0, 1.0), levels=(3.0, 1.0, 2.0)):
  """Brightness `[S, U]` that steps at two depths."""
  return np.tile(np.select([borders[0] > DEPTHS, borders[1] > DEPTHS], levels[:2], levels[2]), (SECTORS, 1))


def test_a_straight_wall_has_its_borders_at_0_and_1():
  one = straighten(cine(picture([INNER], [OUTER])), rings([INNER], [OUTER]))
  mean = by_sector(one.values[0, :, :, 0], 0)
  np.testing.assert_allclose(mean[:, between(-0.7, -0.3)], 3, atol=0.05)
  np.testing.assert_allclose(mean[:, between(0.3, 0.7)], 1, atol=0.05)
  np.testing.assert_allclose(mean[:, between(1.3, 1.8)], 2, atol=0.05)


def test_contours_that_leave_the_picture_are_sampled_at_its_border():
  beside = rings([INNER], [OUTER], centre=(200.0, -30.0))
  assert np.isfinite(straighten(cine(picture([INNER], [OUTER])), beside).values).all()


def test_edges_give_the_dice_with_the_ring_between_them():
  right = evidence.edges(np.gradient(profile(), DEPTHS, axis=1))
  # Borders half a wall too far inside: overlap 0.5 of two rings of one thickness.
  moved = evidence.edges(np.gradient(profile((0.5, 1.5)), DEPTHS, axis=1))
  assert right == pytest.approx(1, abs=0.1)
  assert moved == pytest.approx(0.5, abs=0.1)


def test_an_even_wall_and_one_that_is_not():
  even, uneven = profile(), profile()
  uneven[: SECTORS // 2, between(0, 1)] = 3.0
  assert evidence.evenness(even) == pytest.approx(0, abs=1e-6)
  assert evidence.evenness(uneven) > 0.9


def test_blood_is_brighter_all_the_way_round_or_only_here_and_there():
  half = profile()
  half[: SECTORS // 2] = profile(levels=(1.0, 3.0, 2.0))[: SECTORS // 2]
  assert evidence.sameness(profile()) == pytest.approx(1)
  assert evidence.sameness(half) == pytest.approx(0, abs=1e-6)


def test_contrast_is_the_share_of_variance_between_blood_and_wall():
  rng = np.random.default_rng(0)
  sides = between(-0.45, -0.12), between(0.12, 0.45)
  clear = np.repeat(profile()[None], 3, 1) + rng.normal(0, 0.1, (2, 72, len(DEPTHS)))
  none = rng.normal(0, 0.1, (2, 72, len(DEPTHS)))
  assert evidence.contrast(clear, sides) == pytest.approx(
    1 / (1 + 0.1**2), abs=0.01
  )  # two levels 2 apart have variance 1
  assert evidence.contrast(none, sides) < 0.2


def beating(moves):
  """A ring that beats, and velocities along column and row that go with it, or with nothing."""
  turn = np.arange(16) / 16 * 2 * np.pi
  inner, outer = INNER + 3 * np.cos(turn), OUTER + 2 * np.cos(turn)
  rows, columns = np.indices((80, 80)) - np.array([40.0, 38.0])[:, None, None]
  radius = np.maximum(np.hypot(rows, columns), 1)
  outward = -np.sin(turn)[:, None, None] * np.ones((80, 80)) if moves else np.zeros((16, 80, 80))
  noise = np.random.default_rng(1).normal(0, 0.2, (16, 80, 80, 3))
  velocity = np.stack([outward * columns / radius, outward * rows / radius, outward], -1) + noise
  return cine(picture(inner, outer), velocity, (20.0, 20.0, 30.0)), rings(inner, outer)


def test_contours_that_move_as_the_velocities_say_whatever_their_signs_and_order():
  one, contours = beating(moves=True)
  video = one.video
  for arranged in (video, video[..., [0, 2, 1, 3]], video * np.float32([1, -1, 1, 1])):
    found = evidence.motion(straighten(one.replace(video=np.ascontiguousarray(arranged)), contours), one)
    assert found > 0.95
  still, contours = beating(moves=False)
  assert evidence.motion(straighten(still, contours), still) < 0.5


def test_what_there_is_of_evidence_depends_on_the_cine():
  one, contours = beating(moves=True)
  grey = one.replace(video=one.video[..., :1], venc=None)
  of_all = evidence.evidence(straighten(one, contours), one)
  of_grey = evidence.evidence(straighten(grey, contours), grey)
  assert set(of_all) - set(of_grey) == {'motion', 'velocity depth', 'size'}
  assert set(of_grey) - set(of_all) == {'place'}  # `size` asks it of velocities
  assert set(of_grey) - set(evidence.of_pictures(straighten(grey, contours))) == {'steady', 'place'}
  first = Contours(contours.endo[:1], contours.epi[:1], contours.flags[:1], contours.failed[:1])
  alone = grey.replace(video=grey.video[:1], mask=grey.mask[:1], annotated=grey.annotated[:1])
  assert set(of_grey) ^ set(evidence.evidence(straighten(alone, first), alone)) == {'steady'}


def test_rays_cross_the_ring_where_its_borders_are_in_units_of_the_middle_of_the_wall():
  rays = straighten(cine(picture([INNER], [OUTER])), rings([INNER], [OUTER])).rays
  middle = (INNER + OUTER) / 2
  np.testing.assert_allclose(rays.endo, INNER / middle, atol=1e-6)
  np.testing.assert_allclose(rays.epi, OUTER / middle, atol=1e-6)
  bright = rays.values[0, :, :, 0].mean(0)
  for at, level in ((0.4, 3), (1.0, 1), (1.6, 2)):
    assert bright[np.abs(REACH - at).argmin()] == pytest.approx(level, abs=0.05)


def of_two(factor):
  """Dice of two round rings about one centre, one so many times as large."""
  low, high = sorted((1.0, factor))
  both = max((OUTER * low) ** 2 - (INNER * high) ** 2, 0)
  return 2 * both / ((OUTER**2 - INNER**2) * (1 + factor**2))


@pytest.mark.parametrize('factor', [0.5, 0.7, 0.85, 1.0, 1.15, 1.35, 1.7])
def test_a_ring_of_another_size_is_told_and_by_how_much(factor):
  one, contours = beating(moves=True)
  video = one.video.copy()
  video[..., 0] += np.random.default_rng(2).normal(0, 0.1, video.shape[:3])
  rows, columns = np.indices((80, 80)) - np.array([40.0, 38.0])[:, None, None]
  out = np.hypot(rows, columns)[..., None] > 23
  video[..., 1:] = np.where(out, video[::-1, ..., 1:] * 0.3, video[..., 1:])
  centre = contours.epi.mean((0, 1))
  scaled = dataclasses.replace(
    contours, **{side: centre + factor * (getattr(contours, side) - centre) for side in ('endo', 'epi')}
  )
  wall = straighten(one.replace(video=video), scaled)
  assert rivals(wall.rays) == pytest.approx(of_two(1 / factor), abs=0.15)


@pytest.mark.parametrize('by', [(0, 0), (4, -3), (-7, 7), (0, 14), (16, 12)])
@pytest.mark.parametrize('levels', [(3.0, 1.0, 2.0), (0.5, 2.0, 1.2)], ids=['bright blood', 'dark blood'])
def test_a_ring_of_another_place_is_told_and_by_how_much(by, levels):
  (shown,) = picture([INNER], [OUTER], levels, size=128, centre=(60.0, 66.0))
  shown = shown + np.random.default_rng(1).normal(0, 0.15, shown.shape)
  right = rings([INNER], [OUTER], centre=(60.0, 66.0))
  rows, columns = np.indices(shown.shape) - np.array([60.0, 66.0])[:, None, None]
  radius = [np.hypot(rows - a, columns - b) for a, b in ((0, 0), by)]
  one, other = ((r > INNER) & (r < OUTER) for r in radius)
  found = place(shown, right.endo[0] + by, right.epi[0] + by)
  assert found == pytest.approx(2 * (one & other).sum() / (one.sum() + other.sum()), abs=0.1)


def test_another_size_is_told_in_one_picture_and_an_oval_is_no_other_ring():
  shown = picture([INNER], [OUTER], size=128, centre=(60.0, 66.0))[0]
  for factor in (0.6, 1.5):
    larger = rings([factor * INNER], [factor * OUTER], centre=(60.0, 66.0))
    assert place(shown, larger.endo[0], larger.epi[0]) == pytest.approx(of_two(1 / factor), abs=0.15)
  oval = np.array([1.0, 1.3])
  right = rings([INNER], [OUTER], centre=(0, 0))
  rows, columns = np.indices(shown.shape) - np.array([60.0, 66.0])[:, None, None]
  radius = np.hypot(rows, columns / 1.3)
  drawn = np.select([radius < INNER, radius < OUTER], [3.0, 1.0], 2.0)
  assert place(drawn, *(side[0] * oval + (60.0, 66.0) for side in (right.endo, right.epi))) > 0.9
