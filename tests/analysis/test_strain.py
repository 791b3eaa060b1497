"""Strain rates, strains and their errors on a ring whose motion is a formula."""

import numpy as np
import pytest

from ear_jax.analysis.gradients import fit, means, sums
from ear_jax.analysis.motion import GROUPS, Settings
from ear_jax.analysis.periodic import closed_integral
from ear_jax.analysis.strain import CIRCUMFERENTIAL, RADIAL, SHEAR, measure, readable, unknown
from ear_jax.analysis.wall import Wall

FRAMES, INTERVAL, INNER, OUTER, PIXEL = 24, 40.0, 20.0, 28.0, 1.6  # ms, mm
TIME = np.arange(FRAMES) / FRAMES
SEPTUM = np.tile([0.0, 24.0], (FRAMES, 1))


def pulse(t):
  """How far the ring has contracted, and its rate per cycle."""
  return 0.5 - 0.5 * np.cos(2 * np.pi * t), np.pi * np.sin(2 * np.pi * t)


def ring(*, squeeze=6.0, turn=0.15, swell=0.0, descent=0.0, noise=0.0, background=(0.0, 0.0, 0.0), sign=1, seed=0):
  """A ring of tissue as pixels: r^2 = a(t)^2 + (R^2 - A^2) g(t), turned by turn(t); velocities are formulas."""
  grid = np.stack(np.meshgrid(np.arange(-32.0, 33, PIXEL), np.arange(-32.0, 33, PIXEL), indexing='ij'), -1).reshape(
    -1, 2
  )
  rng, parts = np.random.default_rng(seed), []
  period = FRAMES * INTERVAL / 1000
  for frame, t in enumerate(TIME):
    f, rate = pulse(t)
    a, da, g, dg = INNER - squeeze * f, -squeeze * rate, 1 + swell * f, swell * rate
    outside = np.sqrt(a**2 + (OUTER**2 - INNER**2) * g)
    radius = np.hypot(*grid.T)
    inside = (radius > a) & (radius < outside)
    place, r = grid[inside], radius[inside]
    rest = (r**2 - a**2) / g  # R^2 - A^2
    out = (a * da + 0.5 * rest * dg) / r / period
    around = sign * r * turn * rate / period
    velocity = np.stack([np.full_like(r, descent * rate / period), -out, around], -1) / 10  # cm/s
    velocity += np.asarray(background) + noise * rng.normal(size=velocity.shape)
    depth = np.sqrt(rest + INNER**2) - INNER
    layer = np.clip((3 * depth / (OUTER - INNER)).astype(int), 0, 2)
    parts.append((np.full(r.size, frame), place, layer, velocity))
  frame, place, layer, velocity = (np.concatenate(part) for part in zip(*parts, strict=True))
  row, column = (place + 40).astype(int).T
  return Wall(frame, row, column, layer, np.ones(frame.size, bool), place, velocity, 0)


def true_strain(squeeze=6.0, swell=0.0, t=0.5):
  """Mean engineering strains (radial, circumferential) over the material, %, by r(R): dr/dR = R g / r, and r / R."""
  f, _ = pulse(t)
  edges = np.sqrt(np.linspace(INNER**2, OUTER**2, 2001))  # rings of equal area
  rest = 0.5 * (edges[1:] + edges[:-1])
  g = 1 + swell * f
  r = np.sqrt((INNER - squeeze * f) ** 2 + (rest**2 - INNER**2) * g)
  return 100 * (rest * g / r - 1).mean(), 100 * (r / rest - 1).mean()


def by_pixel(wall):
  """Rates and turning of every pixel: each is a region of its own."""
  found = fit(wall, FRAMES)
  number = np.arange(wall.frame.size) - np.searchsorted(wall.frame, wall.frame)
  mean, _ = means(found, sums(found, number, number.max() + 1))
  return mean[number, wall.frame]


def test_rates_of_a_ring_are_its_formulas():
  wall = ring(swell=0.1)
  found = by_pixel(wall)
  t = TIME[wall.frame]
  f, rate = pulse(t)
  period, r = FRAMES * INTERVAL / 1000, np.hypot(*wall.offset.T)
  growth = 0.1 * rate / (1 + 0.1 * f) / period
  inward = (INNER - 6 * f) * -6 * rate / period - 0.5 * (INNER - 6 * f) ** 2 * growth
  np.testing.assert_allclose(found[:, RADIAL], -inward / r**2 + growth / 2, atol=1e-6)
  np.testing.assert_allclose(found[:, CIRCUMFERENTIAL], inward / r**2 + growth / 2, atol=1e-6)
  np.testing.assert_allclose(found[:, 2], 0, atol=1e-6)  # it turns as a whole
  np.testing.assert_allclose(found[:, 4], 0.15 * rate / period, atol=1e-6)


def test_shear_of_layers_that_turn_past_each_other():
  # v_c = w r^-1 has D_rc = (dv/dr - v/r) / 2 = -w / r^2
  wall = ring(squeeze=0, turn=0)
  r = np.hypot(*wall.offset.T)
  wall.velocity[:, 2] = 30 / r / 10
  np.testing.assert_allclose(by_pixel(wall)[:, 2], -30 / r**2, atol=1e-6)


def test_rates_of_a_field_that_changes_round_the_wall():
  # v_r = 30 cos 2a / r, v_c = 20 sin 2a / r: D_cc = (30 + 2 * 20) cos 2a / r^2, D_rc = (-20 - 20 - 60) / 2 sin 2a / r^2
  wall = ring(squeeze=0, turn=0)
  r, angle = np.hypot(*wall.offset.T), np.arctan2(wall.offset[:, 1], wall.offset[:, 0])
  wall.velocity[:, 1:] = np.stack([-30 * np.cos(2 * angle) / r, 20 * np.sin(2 * angle) / r], -1) / 10
  expected = np.stack([-30 * np.cos(2 * angle), 70 * np.cos(2 * angle), -50 * np.sin(2 * angle)], -1) / r[:, None] ** 2
  np.testing.assert_allclose(by_pixel(wall)[:, :3], expected, atol=1e-6)


@pytest.mark.parametrize('swell', [0.0, 0.2])
def test_strain_is_that_of_material_points(swell):
  found = measure(ring(swell=swell), SEPTUM, INTERVAL, Settings())
  radial, circumferential = true_strain(swell=swell)
  half = FRAMES // 2
  at = found.strain['global'][0, half]
  assert at[CIRCUMFERENTIAL] == pytest.approx(circumferential, abs=0.3)  # pixels come and go at the borders
  assert at[RADIAL] == pytest.approx(radial, abs=1.5)
  assert at[SHEAR] == pytest.approx(0, abs=0.1)
  inner, _, outer = found.strain['layers'][:, half, CIRCUMFERENTIAL]
  assert inner < circumferential - 2
  assert outer > circumferential + 2
  assert found.strain['angular6'][:, half, CIRCUMFERENTIAL] == pytest.approx(circumferential, abs=0.6)
  assert found.rotation[half] == pytest.approx(np.rad2deg(0.15), abs=0.01)


def test_strain_closes_and_background_has_no_part():
  plain, shifted = (measure(ring(background=b), SEPTUM, INTERVAL, Settings()) for b in ((0, 0, 0), (1.0, 0.4, 0.8)))
  np.testing.assert_allclose(shifted.descent, plain.descent, atol=0.01)
  # Radial background of 0.4 cm/s all round is strain rate 4 / r, which the moving wall sees change a little.
  assert np.abs(shifted.strain['global'] - plain.strain['global'])[..., CIRCUMFERENTIAL].max() < 1.0


def test_descent_is_its_formula():
  found = measure(ring(descent=9.0), SEPTUM, INTERVAL, Settings())
  np.testing.assert_allclose(found.descent, np.tile(9.0 * pulse(TIME)[0], (24, 1)), atol=0.01)


def test_the_sense_of_turning_is_the_settings():
  found = measure(ring(sign=-1), SEPTUM, INTERVAL, Settings(circumferential_sign=-1))
  assert found.rotation[FRAMES // 2] == pytest.approx(-np.rad2deg(0.15), abs=0.01)


def test_standard_errors_are_the_spread_of_scans():
  # A ring that rests has no strain but noise.
  scans = [measure(ring(squeeze=0, turn=0, noise=0.5, seed=k), SEPTUM, INTERVAL, Settings()) for k in range(5)]
  kinds = [RADIAL, CIRCUMFERENTIAL, SHEAR]
  for name, groups in (('strain', ('angular6', 'angular24')), ('rate', ('global', 'angular6'))):
    for group in groups:
      values, errors = (
        np.array([getattr(one, name + of)[group] for one in scans])[..., kinds] for of in ('', '_error')
      )
      seen = np.sqrt((values[:, :, 1:] ** 2).mean((0, 1, 2)))
      np.testing.assert_allclose(np.sqrt((errors[:, :, 1:] ** 2).mean((0, 1, 2))), seen, rtol=0.3)
  assert scans[0].noise == pytest.approx([0.5] * 3, rel=0.2)  # cm/s


def test_what_cannot_be_known_is_nan():
  assert np.isnan(measure(ring(), SEPTUM, np.nan, Settings()).strain['global']).all()
  assert unknown(5).strain['angular24'].shape == (GROUPS['angular24'], 5, 4)


def test_noise_is_not_read():
  values, error = np.ones((1, 1, 4)), np.array([[[7.9, 5.1, np.nan, 0.1]]])
  np.testing.assert_array_equal(readable(values, error), [[[1, np.nan, np.nan, 1]]])


@pytest.mark.parametrize('frames', [24, 25])
def test_closed_integral_of_a_sine(frames):
  whole = closed_integral(frames, 1000 / frames)  # a cycle of 1 s
  t = np.arange(frames) / frames
  np.testing.assert_allclose(whole @ (2 * np.pi * np.sin(2 * np.pi * t) + 3.0), 1 - np.cos(2 * np.pi * t), atol=1e-12)
