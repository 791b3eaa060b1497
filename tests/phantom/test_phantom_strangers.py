"""The other hand's studies: formulas against finite differences, and the scan against the formulas."""

import ast
import pathlib

import numpy as np
import pytest
import strangers
from scipy import ndimage

PEOPLE = list(strangers.strangers(4, frames=5))
TIMES = (0.0, 0.07, 0.2, 0.45, 0.6, 0.9)


def rings():
  return [strangers._ring(np.random.default_rng(seed), 0.2) for seed in range(3)]


@pytest.mark.parametrize('ring', rings())
@pytest.mark.parametrize('t', TIMES)
def test_velocity_is_the_derivative_and_the_inverse_finds_the_point(ring, t):
  s, alpha = np.meshgrid(np.linspace(0, 1, 5), np.linspace(-3, 3, 13))
  step = 1e-6
  numeric = (ring.where(s, alpha, t + step) - ring.where(s, alpha, t - step)) / (2 * step * ring.rr) / 10
  np.testing.assert_allclose(ring.velocity(s, alpha, t), numeric, atol=1e-4)
  found, angle = ring.material(*np.moveaxis(ring.where(s, alpha, t)[..., :2], -1, 0), t)
  np.testing.assert_allclose(found, s, atol=1e-9)
  np.testing.assert_allclose(np.exp(1j * angle), np.exp(1j * alpha), atol=1e-9)


@pytest.mark.parametrize('ring', rings())
def test_the_cycle_closes(ring):
  s, alpha = np.linspace(0, 1, 5), np.linspace(-3, 3, 5)
  np.testing.assert_allclose(ring.where(s, alpha, 1.0), ring.where(s, alpha, 0.0), atol=1e-9)


def test_it_shares_nothing_with_the_phantom():
  tree = ast.parse(pathlib.Path(strangers.__file__).read_text())
  modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
  assert {name for name in modules if name.startswith('ear_jax')} == {'ear_jax.cine'}


def test_the_scan_shows_the_exact_velocity_with_the_noise_of_its_snr():
  for one in PEOPLE:
    inside = ndimage.binary_erosion(one.cine.mask, np.ones((1, 3, 3)))
    error = (one.cine.video[..., 1:] - one.velocity)[inside]
    expected = np.sqrt(2) * np.array(strangers.VENC) / (np.pi * one.snr)
    assert (np.abs(np.median(error, 0)) < 3).all()
    spread = 1.4826 * np.median(np.abs(error - np.median(error, 0)), 0)
    assert (spread > 0.5 * expected).all()
    assert (spread < 2.5 * expected + 0.5).all()
    assert not one.velocity[one.cine.mask == 0].any()


def test_people_slices_and_contrast():
  assert [one.cine.level for one in PEOPLE[:3]] == ['base', 'mid', 'apex']
  assert len({one.cine.subject for one in PEOPLE}) == 4
  wall, cavity = [], []
  for one in PEOPLE[1::3]:
    frame, mask = one.cine.video[0, ..., 0], one.cine.mask[0].astype(bool)
    row, column = np.rint(np.argwhere(mask).mean(0)).astype(int)
    wall.append(np.median(frame[mask]))
    cavity.append(np.median(frame[row - 3 : row + 4, column - 3 : column + 4]))
    assert (ndimage.label(mask)[1], ndimage.label(~mask)[1]) == (1, 2)
  assert [w > c for w, c in zip(wall, cavity, strict=True)] == [True, False, True, False]


def test_curves_are_means_of_the_velocity():
  for one in PEOPLE:
    means = [v[m == 1][:, 2].mean() for v, m in zip(one.velocity, one.cine.mask, strict=True)]
    np.testing.assert_allclose(one.curves[0], means, atol=1e-6)
    assert one.curves[:2, 1].min() > 0.3  # in systole towards the apex and inwards


def test_signs_of_the_curves_by_hand():
  away = np.array([[10.0, 0], [0, 10], [-10, 0], [0, -10]])  # right, below, left, above
  clockwise = np.stack([-away[:, 1], away[:, 0], np.full(4, 3.0)], -1)
  np.testing.assert_allclose(strangers._curves(away, clockwise), (3, 0, -10), atol=1e-12)
  inward = np.concatenate([-away + [5.0, 0], np.zeros((4, 1))], -1)  # with bulk motion to the right
  np.testing.assert_allclose(strangers._curves(away, inward), (0, 10, 0), atol=1e-12)
