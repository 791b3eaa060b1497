"""Points followed by velocities, against motions that are known as formulas."""

import numpy as np
import pytest
from known_motion import PLANS, exact, rms

from ear_jax.analysis.tracking import DEPTHS, along, ring, ring_basis, track
from ear_jax.phantom import study

FRAMES, INTERVAL = 40, 25.0  # a cycle of one second


def _turning(spacing, peak, drift=(0.0, 0.0)):
  """Velocity `[T, H, W, 2]` cm/s of a disc that turns by up to `peak` rad about (30, 30) mm; and its angle `[T]`."""
  t = np.arange(FRAMES) / FRAMES
  angle, rate = peak / 2 * (1 - np.cos(2 * np.pi * t)), peak * np.pi * np.sin(2 * np.pi * t)
  y, x = np.meshgrid(*(np.arange(60 / s) * s - 30 for s in spacing), indexing='ij')
  velocity = np.stack([-y, x], -1) * (rate / 10)[:, None, None, None]  # mm/s to cm/s
  return (velocity + np.array(drift)).astype(np.float32), angle


@pytest.mark.parametrize('frame', [0, 17])
@pytest.mark.parametrize('drift', [(0.0, 0.0), (1.5, -2.0)])
def test_points_of_a_turning_disc_go_round_it_whatever_the_background(frame, drift):
  spacing = (1.0, 1.25)
  velocity, angle = _turning(spacing, 0.6, drift)
  start = np.array([[15.0, 0.0], [0.0, 18.0], [-9.0, 12.0], [4.0, 4.0]])  # (row, column) from the middle, mm
  found = track(velocity, (start + 30) / spacing, frame, spacing=spacing, frame_interval=INTERVAL)
  turn = angle - angle[frame]  # from +x to +y
  y, x = start.T
  cos, sin = np.cos(turn)[:, None], np.sin(turn)[:, None]
  expected = np.stack([x * sin + y * cos, x * cos - y * sin], -1)
  np.testing.assert_allclose(found * spacing - 30, expected, atol=0.03)
  np.testing.assert_array_equal(found[frame], (start + 30) / spacing)


def test_background_that_is_a_plane_is_told_from_motion():
  velocity, _ = _turning((1.0, 1.0), 0.5)
  across = np.linspace(-1, 1, 60)[:, None]  # cm/s, over the columns
  plane = np.stack(np.broadcast_arrays(0.7 * across.T, -1.2 * across.T), -1)
  turn = np.arange(24) / 24 * 2 * np.pi
  start = 30 + 20 * np.stack([np.cos(turn), np.sin(turn)], -1)
  given = {'spacing': (1.0, 1.0), 'frame_interval': INTERVAL}
  clean, found = (track(v, start, 0, **given) for v in (velocity, velocity + plane))
  assert np.abs(clean - start).max() > 8
  np.testing.assert_allclose(found, clean, atol=0.1)


def test_a_field_is_looked_up_between_pixels_and_at_the_nearest_outside():
  field = np.arange(2 * 3 * 4, dtype=float).reshape(2, 3, 4)[..., None]
  places = np.array([[[0.5, 1.25], [-3, 0]], [[2, 3], [1.5, 9]]])
  np.testing.assert_allclose(along(field, places)[..., 0], [[3.25, 0], [23, 21]])


@pytest.mark.parametrize('level', [0, 2])
def test_the_phantoms_wall_is_followed_from_end_diastole_to_any_frame(level):
  truth, cine = exact(level)
  motion, size = study.people(PLANS[level])[2], PLANS[level].size
  wall = ring(truth.endo[0], truth.epi[0])
  found = track(
    cine.video[..., 1:], wall.points, 0,
    spacing=cine.spacing, frame_interval=cine.frame_interval, basis=wall.basis, weight=wall.weight,
  )  # fmt: skip
  centred = (wall.points - (size.matrix - 1) / 2) * size.spacing
  material = motion.inverse(centred[:, ::-1], 0.0)
  true = np.stack([motion.forward(*material, t)[:, 1::-1] for t in study.times(size)])
  error = np.hypot(*np.moveaxis((found - (size.matrix - 1) / 2) * size.spacing - true, -1, 0))
  moved = np.hypot(*np.moveaxis(true - true[0], -1, 0))
  assert moved.max() > 5
  assert np.sqrt((error**2).mean()) < 0.25
  assert rms(error.T[..., None]).max() < 0.6


def test_points_next_to_the_borders_have_no_say():
  truth, cine = exact(2)
  wall = ring(truth.endo[0], truth.epi[0])
  assert {0.0, 1.0} == set(wall.weight)
  assert wall.weight.reshape(len(DEPTHS), -1)[[0, -1]].sum() == 0
  given = {'spacing': cine.spacing, 'frame_interval': cine.frame_interval, 'weight': wall.weight}
  plain = track(cine.video[..., 1:], wall.points, 0, **given)
  fitted = track(cine.video[..., 1:], wall.points, 0, basis=wall.basis, **given)
  edge = np.repeat([0, len(DEPTHS) - 1], len(wall.points) // len(DEPTHS))
  edge = edge * (len(wall.points) // len(DEPTHS)) + np.tile(np.arange(len(wall.points) // len(DEPTHS)), 2)
  radius = [np.ptp(np.hypot(*np.moveaxis(p - truth.centre[:, None], -1, 0))[:, edge].mean(1)) for p in (plain, fitted)]
  assert radius[0] < 0.8 * radius[1]  # nothing moves outside the wall of this cine: plain border points lag behind


def test_the_basis_holds_what_it_says():
  angle, depth = np.meshgrid(np.linspace(0, 6, 30), np.linspace(0, 1, 7))
  basis = ring_basis(angle, depth, order=3, degree=1).reshape(-1, 14)
  inside = (np.cos(3 * angle) * (2 + depth)).ravel()
  assert np.abs(basis @ np.linalg.lstsq(basis, inside, rcond=None)[0] - inside).max() < 1e-9
  outside = np.cos(4 * angle).ravel()
  assert np.abs(basis @ np.linalg.lstsq(basis, outside, rcond=None)[0] - outside).max() > 0.3
