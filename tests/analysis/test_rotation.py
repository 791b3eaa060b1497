"""Integrals over the cycle, against closed forms and the phantom's own displacement."""

import numpy as np
import pytest
from known_motion import PLANS, exact

from ear_jax.analysis.deformation import deform
from ear_jax.analysis.function import measures, turning
from ear_jax.analysis.motion import Settings
from ear_jax.analysis.periodic import bridge_gaps, integrate, undo_view_sharing
from ear_jax.analysis.rotation import displacement, rotation_rate
from ear_jax.analysis.slices import analyse
from ear_jax.phantom import study

T = np.arange(64) / 64


def test_the_integral_of_a_cosine_is_a_sine():
  found = integrate(np.cos(2 * np.pi * T), 1000 / 64)  # a cycle of one second
  np.testing.assert_allclose(found, np.sin(2 * np.pi * T) / (2 * np.pi), atol=2e-4)


def test_integral_bridges_unknown_frames_around_the_cycle():
  rate = np.cos(2 * np.pi * T)
  gap = np.isin(np.arange(64), (0, 63, 30))
  found = integrate(np.where(gap, np.nan, rate), 1000 / 64)
  np.testing.assert_array_equal(np.isnan(found), gap)
  np.testing.assert_allclose(found[~gap], integrate(rate, 1000 / 64)[~gap], atol=1e-3)
  np.testing.assert_allclose(bridge_gaps(np.array([np.nan, 1, np.nan, 3])), [2, 1, 2, 3])


def test_displacement_comes_back_whatever_the_mean():
  velocity = np.stack([np.cos(2 * np.pi * T), np.cos(2 * np.pi * T) + 3], -1)
  found = displacement(velocity, 1000 / 64)
  np.testing.assert_allclose(found[:, 0], 10 * np.sin(2 * np.pi * T) / (2 * np.pi), atol=2e-3)
  np.testing.assert_allclose(found[:, 1], found[:, 0], atol=1e-9)


def test_displacement_is_the_weighted_sum_of_forward_and_backward():
  velocity = np.random.default_rng(2).normal(0.7, 1, 20)
  closed, seconds = np.append(velocity, velocity[0]), 0.02
  steps = (closed[1:] + closed[:-1]) / 2 * seconds
  forward = np.array([steps[:f].sum() for f in range(20)])
  backward = np.array([steps[f:].sum() for f in range(20)])
  w = np.arange(20) / 20
  np.testing.assert_allclose(displacement(velocity, 20.0), 10 * (forward * (1 - w) - backward * w), atol=1e-12)


@pytest.mark.parametrize('level', [0, 2])
def test_the_phantoms_descent_and_rotation_come_back(level):
  truth, cine = exact(level)
  motion = study.people(PLANS[level])[2]
  times = np.arange(50) / 50
  found = analyse(cine, truth.mask, septum=truth.septal_angle)
  descent = motion.descent.displacement(times)
  # The tilt averages to little over the wall; sampling 50 frames blunts the integral's corners by less than 2 %.
  assert np.abs(found.displacement[:, 0] - descent).max() < 0.06 * descent.max() + 0.05
  turned = -np.rad2deg(motion.rotation.displacement(times))  # the phantom counts clockwise
  assert np.abs(found.rotation - turned).max() < 0.1 * np.abs(turned).max() + 0.1


def test_rotation_rate_is_velocity_over_radius():
  np.testing.assert_allclose(rotation_rate(np.array([2.0, -1.0]), np.array([20.0, 25.0])), [1.0, -0.4])


def test_twist_is_that_of_the_phantom():
  slices = [analyse(c, t.mask, septum=t.septal_angle) for t, c in (exact(0), exact(2))]
  found = turning(deform(slices))
  motions = [study.people(PLANS[k])[2].rotation for k in (0, 2)]
  time = found['normalised_cycle'].to_numpy()
  expected = -np.rad2deg(motions[1].displacement(time) - motions[0].displacement(time))
  assert 5 < np.abs(expected).max() < 25
  assert np.abs(found['twist_deg'] - expected).max() < 0.1 * np.abs(expected).max()
  turned = integrate(found['twist_rate_deg_s'].to_numpy(), slices[0].frame_interval)
  np.testing.assert_allclose(turned, found['twist_deg'] - found['twist_deg'][0], atol=0.5)
  assert (
    found[['torsion_deg_cm', 'torsion_rate_deg_s_cm', 'torsion_deg']].isna().all(axis=None)
  )  # no place, no distance


@pytest.mark.parametrize(('varied', 'sign'), [(False, 1), (False, -1), (True, 1)])  # varied: shown from the apex
def test_twist_is_said_as_seen_from_the_apex(varied, sign):
  """Seen from there the phantom's apex turns counter-clockwise against its base in systole, as hearts do."""
  size = study.Size('told', 1, 0, (1,), 12, 64, 1.8, 1.8, offset=2.0, varied=varied)
  slices = []
  for plan in (study.plan(size)[k] for k in (0, 2)):
    settings = Settings(orientation='CW' if varied else 'CCW', circumferential_sign=sign)
    cine = study.exact(plan)
    slices.append(analyse(cine, cine.mask, septum=study.truth(plan).septal_angle, settings=settings))
  found = deform(slices)
  twist = turning(found).iloc[found.at_end_systole(0)]
  counter = twist['positive'] == 'counter-clockwise seen from the apex'
  assert counter or twist['positive'] == 'clockwise seen from the apex'
  assert abs(twist['twist_deg']) > 5
  assert (twist['twist_deg'] > 0) == counter
  assert f'counter-clockwise seen from the apex, is {"positive" if counter else "negative"} here' in found.notes[-1]
  table = measures(found).set_index('quantity')
  assert table.loc['twist', 'where'] == f'sax3 against sax1; positive = {twist["positive"]}'


def test_view_sharing_is_undone_exactly():
  rng = np.random.default_rng(4)
  curves = rng.normal(size=(51, 2, 3))
  shared = 0.7 * curves + 0.15 * (np.roll(curves, 1, 0) + np.roll(curves, -1, 0))
  np.testing.assert_allclose(undo_view_sharing(shared, 0.15), curves, atol=1e-12)
  assert undo_view_sharing(shared, 0.0) is shared
  shared[7, 1] = np.nan
  found = undo_view_sharing(shared, 0.15)
  assert np.isnan(found[7, 1]).all()
  assert np.isfinite(np.delete(found, 7, 0)).all()
  with pytest.raises(ValueError, match=r'view sharing 0\.3'):
    undo_view_sharing(shared, 0.3)
