"""The scanner against formulas: noise of magnitude and phase, wraps, 12 bits, band limit."""

import dataclasses

import numpy as np
import pytest

from ear_jax.phantom import scanner

VENC = (20.0, 20.0, 30.0)
SHAPE = (96, 96)


def machine(sigma, *, swirl=0.0, receive=1.0, acquired=1.7):
  band = scanner.band_limit(SHAPE, 0.85, acquired, swirl)
  return scanner.Scanner(band, np.full((4, *SHAPE), receive, np.complex64), sigma, 1000.0)


def uniform_signal(velocity):
  phase = np.pi * np.array([0.0, *velocity]) / np.array([1.0, *VENC])
  return np.broadcast_to(np.exp(1j * phase)[:, None, None], (4, *SHAPE)).astype(np.complex64)


def scan(sigma, velocity=(0.0, 0.0, 0.0), seed=0):
  magnitude, counts = scanner.acquire(machine(sigma), uniform_signal(velocity), np.random.default_rng(seed))
  return magnitude, counts, scanner.counts_to_velocity(counts, VENC)


@pytest.mark.parametrize('snr', [10, 20, 30])
def test_velocity_noise_follows_the_formula(snr):
  _, _, velocity = scan(1 / snr)
  expected = np.sqrt(2) * np.array(VENC) / (np.pi * snr)
  # Noise is correlated over two pixels: about 1800 free samples, a standard error of 1.7 %.
  np.testing.assert_allclose(velocity.std((1, 2)), expected, rtol=0.07)


def test_one_reference_is_shared_so_the_components_noise_is_half_correlated():
  _, _, velocity = scan(1 / 20)
  correlation = np.corrcoef(velocity.reshape(3, -1))
  np.testing.assert_allclose(correlation[np.triu_indices(3, 1)], 0.5, atol=0.07)


def test_magnitude_is_the_mean_of_four_encodes():
  magnitude, _, _ = scan(1 / 10)
  assert magnitude.std() == pytest.approx(1000 / 10 / 2, rel=0.07)


def test_phase_of_air_is_uniform_on_12_bits():
  signals = np.zeros((4, *SHAPE), np.complex64)
  magnitude, counts = scanner.acquire(machine(0.02), signals, np.random.default_rng(1))
  assert counts.dtype == np.uint16
  assert counts.max() < 4096
  np.testing.assert_allclose(np.histogram(counts, 8, (0, 4096))[0] / counts.size, 1 / 8, atol=0.012)
  # Mean of a Rayleigh magnitude: sigma sqrt(pi / 2), far from the zero that noise on velocity alone would leave.
  assert magnitude.mean() == pytest.approx(1000 * 0.02 * np.sqrt(np.pi / 2), rel=0.03)


def test_velocity_beyond_venc_wraps():
  _, _, velocity = scan(0.0, (25.0, -5.0, -31.0))
  np.testing.assert_allclose(velocity.mean((1, 2)), [25 - 40, -5, -31 + 60], atol=0.01)  # half a count is 0.007 cm/s


@pytest.mark.parametrize(
  ('phase', 'count'), [(0.0, 2048), (np.pi / 2, 3072), (-np.pi, 0), (np.pi, 0), (-np.pi / 2, 1024)]
)
def test_phase_counts_by_hand(phase, count):
  assert scanner.phase_counts(np.array(phase)) == count


def test_band_is_a_disc_of_the_acquired_resolution():
  band = scanner.band_limit(SHAPE, 0.85, 1.7)
  radius = np.hypot(*np.meshgrid(np.fft.fftfreq(96, 0.85), np.fft.fftfreq(96, 0.85)))
  assert (band[radius < 0.9 * 0.5 / 1.7] > 0.99).all()
  assert (band[radius > 1.07 * 0.5 / 1.7] == 0).all()


def test_noise_lies_inside_the_band_only():
  rng = np.random.default_rng(2)
  one = machine(0.05)
  magnitude, _ = scanner.acquire(one, uniform_signal((0, 0, 0)), rng)
  spectrum = np.abs(np.fft.fft2(magnitude - magnitude.mean()))
  assert spectrum[one.band == 0].mean() < 0.15 * spectrum[one.band > 0.5].mean()


def test_background_reaches_its_peak_near_the_heart_and_is_smooth():
  line = np.linspace(-60, 60, 61)
  x, y = np.meshgrid(line, line)
  field = scanner.background(np.random.default_rng(0), x, y, 2.5)
  assert np.abs(field[np.hypot(x, y) <= 60]).max() == pytest.approx(2.5, rel=0.05)
  np.testing.assert_allclose(np.diff(field, 3, axis=0), 0, atol=1e-9)  # order 2


def test_view_sharing_keeps_the_mean_and_a_still_frame():
  frames = np.random.default_rng(0).normal(size=(6, 4, 2, 2))
  shared = scanner.share_views(frames, 0.1)
  np.testing.assert_allclose(shared.mean(0), frames.mean(0))
  np.testing.assert_allclose(shared[0], 0.8 * frames[0] + 0.1 * frames[1] + 0.1 * frames[5])
  np.testing.assert_allclose(scanner.share_views(np.ones((4, 3)), 0.2), 1)


def response(**settings):
  """What the scanner makes of a bright point in the middle, `[96, 96]`."""
  point = np.zeros(SHAPE)
  point[48, 48] = 1
  band = scanner.band_limit(SHAPE, 0.85, 0.85, **settings)
  return np.fft.ifft2(np.fft.fft2(point) * band).real


def test_a_ghost_lies_above_and_below_with_half_its_weight():
  plain = response()
  ghosts = response(ghost=0.1, ghost_shift=20 * 0.85) - plain
  np.testing.assert_allclose(ghosts, 0.05 * (np.roll(plain, 20, 0) + np.roll(plain, -20, 0)), atol=1e-6)


def test_blur_is_a_gaussian_of_its_width():
  point = response(blur=2.0)
  distance = 0.85 * np.arange(4)
  np.testing.assert_allclose(point[48, 48:52] / point[48, 48], np.exp(-0.5 * (distance / 2.0) ** 2), rtol=0.02)


def test_a_rectangle_is_coarser_along_the_phase_encoding():
  band = scanner.band_limit(SHAPE, 0.85, 1.7, aspect=1.5, cartesian=True) > 0.5
  k = np.abs(np.fft.fftfreq(96, 0.85))
  np.testing.assert_array_equal(band, (k < 0.5 / 1.7 / 1.5)[:, None] & (k < 0.5 / 1.7)[None])


def test_small_coils_light_up_the_skin():
  line = np.linspace(-90, 90, 37)
  x, y = np.meshgrid(line, line)
  small, body = (scanner.shading(np.random.default_rng(0), x, y, depth, -80.0) for depth in (0.3, 1.0))
  assert small[18, 18] == pytest.approx(1)
  assert small[:4].max() > 2.5 * body[:4].max()


def test_a_blanked_field_is_black_outside_and_as_it_was_inside():
  whole = machine(0.05)
  part = dataclasses.replace(whole, field=scanner.field('circle', SHAPE))
  first, second = (scanner.acquire(m, uniform_signal((0, 0, 0)), np.random.default_rng(3))[0] for m in (whole, part))
  assert not second[0].any()
  assert (second > 0).mean() == pytest.approx(np.pi / 4 * 0.97**2, rel=0.03)
  np.testing.assert_array_equal(second[second > 0], first[second > 0])
  barrel = scanner.field('barrel', SHAPE)
  assert barrel[0].mean() == pytest.approx(1, abs=0.03)
  assert barrel[48].mean() == pytest.approx(0.8, abs=0.02)
  assert scanner.field('', SHAPE) == 1


def test_one_magnitude_is_the_reference_alone():
  one = dataclasses.replace(machine(1 / 10), magnitudes=1)
  magnitude, _ = scanner.acquire(one, uniform_signal((0, 0, 0)), np.random.default_rng(0))
  assert magnitude.std() == pytest.approx(1000 / 10, rel=0.07)


@pytest.mark.parametrize('swirl', [0.0, 0.08, 0.3])
def test_a_moving_body_amid_resting_tissue_is_measured_without_bias_whatever_the_swirl(swirl):
  y, x = np.indices(SHAPE) - 48.0
  disc = np.hypot(x, y) < 30
  phase = np.pi * np.array([0.0, 8.0, -6.0, 10.0]) / np.array([1.0, *VENC])
  signals = np.exp(1j * phase[:, None, None] * disc).astype(np.complex64)
  _, counts = scanner.acquire(machine(0.0, swirl=swirl), signals, np.random.default_rng(0))
  found = scanner.counts_to_velocity(counts, VENC)[:, np.hypot(x, y) < 25].mean(1)
  # The swirls of the border have three arms, whose mean over a circle is 0. Without care for the centre of k-space 8 %
  # more signal of the resting tissue lies over the disc, which slows it by some 4 %.
  np.testing.assert_allclose(found, [8.0, -6.0, 10.0], rtol=0.008)
