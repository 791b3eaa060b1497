"""Bland and Altman's own example, the standard errors worked out by hand, and what few subjects leave undefined."""

import numpy as np
import pytest
from scipy import stats

from ear_jax.scoring.bland_altman import bland_altman, limits_of_agreement

# Peak expiratory flow of 17 people by two meters, l/min (Bland and Altman, Lancet 1986;1:307, first readings).
WRIGHT = np.array([494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427])
MINI = np.array([512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451])


def test_the_published_example():
  found = bland_altman(WRIGHT, MINI)
  assert found['n'] == 17
  assert found['bias'] == pytest.approx(-2.1, abs=0.05)
  assert found['sd'] == pytest.approx(38.8, abs=0.05)
  assert found['bias_t_interval'] == pytest.approx([-22.0, 17.8], abs=0.1)
  assert found['limits'] == pytest.approx([-2.12 - 1.96 * 38.77, -2.12 + 1.96 * 38.77], abs=0.05)
  assert found['mean_measured'] - found['mean_reference'] == pytest.approx(found['bias'])
  assert found['bias_bca_interval'] == pytest.approx([-22.0, 17.8], abs=5)
  assert found['note'] == ''


def test_the_interval_of_a_limit_at_18_subjects_is_0_87_sd():
  values = np.random.default_rng(0).normal(size=18)
  values = (values - values.mean()) / values.std(ddof=1)
  found = bland_altman(values, np.zeros(18))
  # sqrt(1/18 + 1.96^2 / 34) = sqrt(0.05556 + 0.11299) = 0.4105; times t(17) = 2.110: 0.866
  assert found['limit_se'] == pytest.approx(0.4105, abs=1e-4)
  assert found['limits'] == pytest.approx([-1.96, 1.96])
  assert np.ravel(found['limit_intervals']) == pytest.approx([-2.826, -1.094, 1.094, 2.826], abs=1e-3)


def test_limits_and_their_intervals_hold_as_often_as_they_say():
  rng, hits = np.random.default_rng(1), []
  for _ in range(400):
    values = rng.normal(0.5, 2.0, 18)
    _, high_limit = limits_of_agreement(18, values.mean(), values.std(ddof=1))['limit_intervals']
    hits.append(high_limit[0] <= 0.5 + 1.96 * 2.0 <= high_limit[1])
  assert 0.91 <= np.mean(hits) <= 0.98  # 0.95 -+ 3.5 standard errors, and the formula is an approximation


def test_a_proportional_bias_shows_as_slope():
  reference = np.array([5.0, 8.0, 9.0, 12.0, 15.0])
  noise = np.array([0.1, -0.1, 0.05, -0.05, 0.0])
  found = bland_altman(1.2 * reference + noise, reference)
  # d = 0.2 x against the mean 1.1 x: slope 2/11
  assert found['slope'] == pytest.approx(2 / 11, abs=0.02)
  assert found['slope_interval'][0] > 0
  assert found['slope_p'] < 0.01
  flat = bland_altman(reference + noise, reference)
  assert flat['slope_interval'][0] < 0 < flat['slope_interval'][1]
  means, differences = reference + noise / 2, noise
  assert flat['slope_p'] == pytest.approx(stats.linregress(means, differences).pvalue)


def test_one_subject_has_a_bias_and_nothing_else():
  found = bland_altman(np.array([3.0]), np.array([2.5]))
  assert found['bias'] == 0.5
  undefined = {
    'sd',
    'bias_t_interval',
    'bias_bca_interval',
    'limits',
    'limit_se',
    'limit_intervals',
    'slope',
    'slope_p',
  }
  assert all(found[key] is None for key in undefined)
  assert 'one subject' in found['note']


def test_perfect_agreement_is_no_division_by_zero():
  found = bland_altman(np.array([1.0, 2.0, 4.0, 5.0]), np.array([1.0, 2.0, 4.0, 5.0]))
  assert (found['bias'], found['sd'], found['limits'], found['limit_intervals']) == (0, 0, [0, 0], [[0, 0], [0, 0]])
  assert found['slope'] is found['slope_interval'] is found['slope_p'] is None
  assert bland_altman(np.full(4, 2.0), np.full(4, 2.0))['slope'] is None


@pytest.mark.parametrize('values', [np.zeros((2, 2)), np.array([1.0, np.nan]), np.zeros(3)])
def test_unsound_input_is_refused(values):
  with pytest.raises(ValueError, match='expected'):
    bland_altman(values, np.zeros(2) if values.ndim == 1 else values)
