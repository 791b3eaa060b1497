"""The displacement field against independent routes: finite differences, quadrature, polygons, published ranges."""

import dataclasses

import numpy as np
import pytest
from skimage.draw import polygon2mask

from ear_jax.phantom import anatomy, look, study
from ear_jax.phantom.cycle import Cycle

TURN = np.linspace(0, 2 * np.pi, 720, endpoint=False)
TIMES = np.linspace(0, 1, 100, endpoint=False)
VARIED = dataclasses.replace(study.VARIED, turned=True)


def people(seed):
  rng = np.random.default_rng(seed)
  return anatomy.draw_subject(rng), anatomy.draw_visit(rng, offset=10)


def motion(seed, position):
  """Seeds from 100 on have a look of their own."""
  subject, visit = people(seed)
  if seed >= 100:
    subject, visit = look.dress(subject, visit, look.draw_look(np.random.default_rng(seed), turned=True))
  return anatomy.wall_motion(subject, visit, position)


def wall_points(m, rings=8, turn=TURN[::12]):
  """Material points of equal area share: R^2 in the middle of equal steps between the borders."""
  endo, epi = m.wall.borders(turn)
  share = (np.arange(rings)[:, None] + 0.5) / rings
  radius = np.sqrt(endo**2 + share * (epi**2 - endo**2))
  weight = np.broadcast_to(epi**2 - endo**2, radius.shape)
  return radius, np.broadcast_to(turn, radius.shape), weight / weight.sum()


def polygon_area(points):
  x, y = points[..., 0], points[..., 1]
  return 0.5 * abs((x * np.roll(y, -1) - y * np.roll(x, -1)).sum())


def wall_area(m, t):
  return np.diff([polygon_area(m.forward(r, TURN, t)) for r in m.wall.borders(TURN)])[0]


@pytest.mark.parametrize('position', [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize('seed', [0, 1, 2, 100, 101, 102])
class TestField:
  def test_velocity_is_the_time_derivative_of_the_displacement(self, seed, position):
    m = motion(seed, position)
    radius, angle, _ = wall_points(m)
    step = 1e-5  # cycles; the error of a central difference is about step^2 times the third derivative
    for t in (0.0, 0.05, 0.12, 0.3, 0.5, 0.88):
      numeric = (m.forward(radius, angle, t + step) - m.forward(radius, angle, t - step)) / (2 * step * m.rr) / 10
      np.testing.assert_allclose(m.velocity(radius, angle, t), numeric, atol=2e-4)

  def test_inverse_undoes_forward(self, seed, position):
    m = motion(seed, position)
    radius, angle, _ = wall_points(m)
    for t in (0.0, 0.2, 0.38, 0.6):
      found, turned = m.inverse(m.forward(radius, angle, t)[..., :2], t)
      np.testing.assert_allclose(found, radius, atol=1e-9)
      np.testing.assert_allclose(np.exp(1j * turned), np.exp(1j * angle), atol=1e-9)

  def test_the_cycle_closes(self, seed, position):
    m = motion(seed, position)
    radius, angle, _ = wall_points(m)
    np.testing.assert_allclose(m.forward(radius, angle, 1 - 1e-9), m.forward(radius, angle, 0.0), atol=1e-5)
    travelled = np.mean([m.velocity(radius, angle, t) for t in TIMES], 0) * 10 * m.rr  # mm over the cycle
    np.testing.assert_allclose(travelled, 0, atol=1e-6)
    assert np.abs(m.forward(radius, angle, 0.35) - m.forward(radius, angle, 0.0)).max() > 1

  def test_wall_area_times_thickness_is_kept_within_the_compressibility(self, seed, position):
    m = motion(seed, position)
    rest = wall_area(m, 0.0)
    volume = np.array([wall_area(m, t) * (1 - m.strain * float(m.descent.displacement(t))) / rest for t in TIMES[::4]])
    assert volume.max() < 1 + 1e-3  # late in the cycle the wall is a trace longer than at t = 0
    assert volume.min() > 1 - m.compressibility - 1e-4
    # The area alone grows by more than a tenth: the product is kept because thickness falls, not because nothing moves.
    assert max(wall_area(m, t) for t in TIMES[::4]) > (1.1 if seed < 100 else 1.04) * rest

  def test_every_part_of_the_wall_grows_alike(self, seed, position):
    m = motion(seed, position)
    radius, angle = np.array([m.wall.inner + 2.0]), np.linspace(0, 6, 13)[:, None]
    h, t = 1e-4, 0.33

    def area_element(t):
      d_radius = (m.forward(radius + h, angle, t) - m.forward(radius - h, angle, t))[..., :2] / (2 * h)
      d_angle = (m.forward(radius, angle + h, t) - m.forward(radius, angle - h, t))[..., :2] / (2 * h)
      return d_radius[..., 0] * d_angle[..., 1] - d_radius[..., 1] * d_angle[..., 0]

    np.testing.assert_allclose(area_element(t) / area_element(0.0), m.at(t).growth, rtol=1e-5)


@pytest.mark.parametrize('size', [study.MINI, VARIED], ids=['plain', 'varied'])
@pytest.mark.parametrize('index', [0, 1, 2, 10])
def test_mask_is_the_deformed_reference_mask(size, index):
  p = study.plan(size)[index]
  m, truth = study.people(p)[2], study.truth(p)
  size = p.size
  for t, mask in zip(study.times(size)[::3], truth.mask[::3], strict=True):
    inside = []
    for radius in m.wall.borders(TURN):
      x, y, _ = m.forward(radius, TURN, t).T
      vertices = np.stack([y, x], -1) / size.spacing + (size.matrix - 1) / 2
      inside.append(polygon2mask(mask.shape, vertices))
    ring = inside[1] & ~inside[0]
    # The polygon's chords and the rule for centres on an edge may move single pixels of a border of about 250.
    assert (ring != mask).sum() <= 2
    assert mask.sum() > 200


def curves(m):
  """Longitudinal, radial, circumferential `[3, 100]` cm/s by quadrature over the material wall, not over pixels."""
  radius, angle, weight = wall_points(m, rings=5, turn=TURN[::20])
  _, rim = m.wall.borders(TURN)
  found = []
  for t in TIMES:
    v, x = m.velocity(radius, angle, t), m.forward(radius, angle, t)[..., :2]
    away = x - m.forward(rim, TURN, t)[:, :2].mean(0)
    plane = v[..., :2] - (v[..., :2] * weight[..., None]).sum((0, 1))
    unit = away / np.hypot(away[..., 0], away[..., 1])[..., None]
    radial = -(unit * plane).sum(-1)
    circumferential = -(unit[..., 1] * -plane[..., 0] + unit[..., 0] * plane[..., 1])
    found.append([(weight * f).sum() for f in (v[..., 2], radial, circumferential)])
  return np.array(found).T


# Published or generic ranges in cm/s (docs/phantom.md): systole, early diastole, atrial systole.
LONGITUDINAL = {
  0.0: ((6, 9), (-16, -10), (-7, -4)),
  0.5: ((4, 8.5), (-15, -7), (-5, -2)),
  1.0: ((1, 3), (-5, -2), (-2, -1)),
}
RADIAL = {
  0.0: ((2.5, 4), (-6.2, -3.8), (-2.5, -1)),
  0.5: ((2.5, 4), (-6.2, -3.8), (-2.5, -1)),
  1.0: ((1, 4), (-6, -1.2), (-2.5, -0.4)),
}


@pytest.mark.parametrize('position', [0.0, 0.5, 1.0])
def test_peaks_lie_in_the_published_ranges(position):
  frame = TIMES * 50
  for seed in range(8):
    subject, visit = people(seed)
    m = anatomy.wall_motion(subject, visit, position)
    long, radial, circumferential = curves(m)
    for curve, ranges in ((long, LONGITUDINAL[position]), (radial, RADIAL[position])):
      windows = ((1, 15), (15, 35), (35, 47))
      parts = [np.where((frame >= a) & (frame <= b), curve, 0) for a, b in windows]
      peaks = parts[0].max(), parts[1].min(), parts[2].min()
      for peak, (low, high) in zip(peaks, ranges, strict=True):
        assert low <= peak <= high, (seed, peaks)
      assert 4 <= frame[parts[0].argmax()] <= 8
      assert 22 <= frame[parts[1].argmin()] <= 27
      assert 42 <= frame[parts[2].argmin()] <= 46
      assert abs(curve[int(0.68 * 100)]) < 0.15 * np.abs(curve).max()  # diastasis
    assert 1 <= np.abs(circumferential).max() <= 3
    assert 14 <= 50 * visit.timing.end_systole <= 21


@pytest.mark.parametrize(
  ('position', 'descent', 'thickening'), [(0.0, (12, 16), 4.3), (0.5, (6, 9), 4.4), (1.0, (0, 3.2), 3.2)]
)
def test_wall_and_cavity_move_as_published(position, descent, thickening):
  for seed in range(12):
    m = motion(seed, position)
    end_systole = TIMES[np.argmax(m.squeeze.displacement(TIMES))]
    endo, epi = m.wall.borders(TURN)
    rest, end = (
      np.hypot(*(m.forward(epi, TURN, t) - m.forward(endo, TURN, t))[:, :2].T).mean() for t in (0.0, end_systole)
    )
    assert 5 <= rest <= 9
    assert thickening - 1.5 <= end - rest <= thickening + 1.5  # about one standard deviation of the source
    assert descent[0] <= m.descent.displacement(end_systole) <= descent[1]
    assert 0.64 <= m.at(end_systole).inner / m.wall.inner <= 0.70


def test_base_and_apex_turn_against_each_other():
  subject, visit = people(3)
  base, apex = (float(anatomy.wall_motion(subject, visit, u).rotation.displacement(0.37)) for u in (0, 1))
  # The array shows the heart from the base, so the apex's counter-clockwise is clockwise (positive) here.
  assert np.rad2deg(base) == pytest.approx(-3, abs=1.5)
  assert np.rad2deg(apex) == pytest.approx(10, abs=1.5)


def test_a_cycle_that_does_not_close_is_refused():
  with pytest.raises(ValueError, match='would not close'):
    Cycle((1.0, -0.9), (0.2, 0.5), (0.05, 0.05))
