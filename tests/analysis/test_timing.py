"""Peaks between frames and the indices of asynchrony, against values worked out by hand."""

import numpy as np
import pytest

from ear_jax.analysis.timing import dyssynchrony_index, finer, lag, peak, spread, time_to_peak, uniformity

T = 50
TIME = np.arange(T)


def wave(centre, width=3.0):
  """A periodic Gaussian of height 1 about a frame."""
  away = (TIME - centre + T / 2) % T - T / 2
  return np.exp(-0.5 * (away / width) ** 2)


@pytest.mark.parametrize('centre', [7.0, 7.37, 7.5, 48.9, 0.2])
@pytest.mark.parametrize('sign', [1, -1])
def test_a_peak_is_found_between_frames(centre, sign):
  first = centre - 5
  place, value = peak(sign * 4 * wave(centre), first, first + 12, sign)
  assert place == pytest.approx(centre, abs=0.01)
  assert value == pytest.approx(sign * 4, abs=0.01)


def test_a_window_without_a_peak_gives_its_edge():
  place, value = peak(wave(20), 22, 30, 1)
  assert (place, value) == (22, pytest.approx(np.exp(-0.5 * (2 / 3) ** 2), abs=1e-3))


def test_an_unknown_curve_has_no_peak_and_gaps_are_bridged():
  assert np.isnan(peak(np.full(T, np.nan), 0, 10, 1)).all()
  curve = wave(10.3)
  curve[30] = np.nan
  assert peak(curve, 5, 15, 1)[0] == pytest.approx(10.3, abs=0.02)


@pytest.mark.parametrize('frames', [16, 17])
def test_a_finer_curve_goes_through_the_frames(frames):
  t = np.arange(frames) / frames
  fine = finer(np.cos(2 * np.pi * t) + 0.3 * np.sin(4 * np.pi * t))
  np.testing.assert_allclose(fine[::8], np.cos(2 * np.pi * t) + 0.3 * np.sin(4 * np.pi * t), atol=1e-12)
  assert len(fine) == 8 * frames


@pytest.mark.parametrize('delay', [0.0, 2.6, -3.25])
def test_lag_is_the_delay(delay):
  assert lag(wave(12 + delay), wave(12)) == pytest.approx(delay, abs=0.02)


def test_lag_of_what_rests_is_unknown():
  assert np.isnan(lag(np.zeros(T), wave(3)))


def test_spread_by_hand():
  assert spread(np.array([100.0, 110.0, 120.0])) == pytest.approx(10)  # squares 100 + 0 + 100 over 2


def test_uniformity_by_hand():
  angle = np.arange(24) * 2 * np.pi / 24
  even = np.ones((24, 1)) * wave(10)
  assert uniformity(even) == pytest.approx(1)
  # 2 + cos a at every time: the mean's power is 4, the first harmonic's 1/2.
  assert uniformity((2 + np.cos(angle))[:, None] * np.ones((24, 5))) == pytest.approx(4 / 4.5)
  assert uniformity(np.sin(angle + 0.3)[:, None] * wave(10)) == pytest.approx(0, abs=1e-12)
  # The second harmonic has no part.
  assert uniformity((1 + np.cos(2 * angle))[:, None] * wave(10)) == pytest.approx(1)


def test_dyssynchrony_index_by_hand():
  assert dyssynchrony_index(np.array([300.0, 320.0, 340.0]), 1000.0) == pytest.approx(2.0)


def test_the_time_of_a_noisy_peak_has_its_error():
  rng = np.random.default_rng(0)
  found = np.array([time_to_peak(5 * wave(9.4) + rng.normal(0, 0.1, T), 2, 20, 1, noise=0.1) for _ in range(300)])
  assert found[:, 0].mean() == pytest.approx(9.4, abs=0.02)
  assert found[:, 1].mean() == pytest.approx(found[:, 0].std(), rel=0.12)
  assert np.isnan(time_to_peak(np.full(T, np.nan), 2, 20, 1)).all()
