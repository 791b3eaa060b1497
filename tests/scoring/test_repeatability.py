"""Repeatability against published worked examples, hand values, and how often the intervals hold."""

import math

import numpy as np
import pytest

from ear_jax.scoring.repeatability import icc_agreement, repeatability, sd_ratio

# Six targets, four judges: Shrout and Fleiss, Psychol Bull 1979;86:420, Table 2. ICC(2,1) there is .29; the interval
# 0.019 to 0.761 is what R's psych::ICC prints for these data.
JUDGES = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]])
# Two readings of peak expiratory flow by one meter, l/min: Bland and Altman, Lancet 1986;1:307; s_w is 15.3.
FIRST = np.array([494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427])
SECOND = np.array([490, 397, 512, 401, 470, 611, 415, 431, 638, 429, 420, 633, 275, 492, 165, 372, 421])


def test_icc_of_the_published_example():
  icc, interval = icc_agreement(JUDGES)
  assert icc == pytest.approx(0.29, abs=0.005)
  assert interval == pytest.approx([0.019, 0.761], abs=0.0015)


def test_icc_by_hand():
  # Rows (1, 2), (3, 4), (5, 6): MSR = 2 * (4 + 0 + 4) / 2 = 8, MSC = 3 * (1/4 + 1/4) = 1.5, MSE = 0;
  # 8 / (8 + 2 * 1.5 / 3) = 8/9: the shift of one between visits counts.
  icc, _ = icc_agreement(np.array([[1, 2], [3, 4], [5, 6]]))
  assert icc == pytest.approx(8 / 9)
  # Without it the two visits are the same.
  assert icc_agreement(np.array([[1, 1], [3, 3], [5, 5]])) == (pytest.approx(1), None)


def test_icc_interval_holds_as_often_as_it_says():
  rng, hits = np.random.default_rng(3), []
  for _ in range(500):  # subjects SD 2, visits SD 0, error SD 1: the true coefficient is 4 / 5
    _, (low, high) = icc_agreement(rng.normal(0, 2, (18, 1)) + rng.normal(0, 1, (18, 2)))
    hits.append(low <= 0.8 <= high)
  assert 0.91 <= np.mean(hits) <= 0.985


def test_the_published_repeatability():
  found = repeatability(FIRST, SECOND)
  # The sum of squared differences is 7966: sqrt(7966 / 34) = 15.31
  assert found['s_w'] == pytest.approx(15.31, abs=0.005)
  assert found['repeatability_coefficient'] == pytest.approx(2.77 * 15.31, abs=0.02)
  assert found['mean'] == pytest.approx((FIRST.mean() + SECOND.mean()) / 2)
  assert found['cov'] == pytest.approx(15.31 / found['mean'], abs=1e-5)
  assert found['bland_altman']['bias'] == pytest.approx((SECOND - FIRST).mean())


def test_the_interval_of_s_w_at_8_subjects():
  rng = np.random.default_rng(0)
  found = repeatability(rng.normal(10, 1, 8), rng.normal(10, 1, 8))
  low, high = found['s_w_interval']
  # chi-squared with 8 degrees of freedom: 17.53 and 2.180; sqrt(8 / 17.53) = 0.68, sqrt(8 / 2.180) = 1.92
  assert low / found['s_w'] == pytest.approx(0.676, abs=1e-3)
  assert high / found['s_w'] == pytest.approx(1.916, abs=1e-3)


def test_a_shift_between_visits_is_a_lack_of_repeatability():
  first = np.array([3.0, 5.0, 9.0])
  assert repeatability(first, first + 2)['s_w'] == pytest.approx(math.sqrt(2))


def test_cov_is_undefined_about_zero():
  assert repeatability(np.array([-1.0, 1.0, 2.0]), np.array([1.0, -1.0, 2.5]))['cov'] is None
  assert repeatability(np.array([-1.0, -1.2, -2.0]), np.array([-1.1, -1.0, -2.5]))['cov'] > 0


def test_one_subject_and_no_spread():
  one = repeatability(np.array([2.0]), np.array([3.0]))
  assert one['s_w'] == pytest.approx(1 / math.sqrt(2))
  assert (one['icc'], one['icc_interval']) == (None, None)
  assert icc_agreement(np.full((4, 2), 3.0)) == (None, None)
  assert icc_agreement(np.array([[1.0, 2.0], [1.0, 2.0]])) == (0, None)


def test_ratio_of_two_delineations():
  rng = np.random.default_rng(5)
  manual = rng.normal(size=8)
  assert sd_ratio(2 * manual, manual) == (pytest.approx(2), pytest.approx([2, 2]))
  automatic = rng.normal(size=8)
  ratio, (low, high) = sd_ratio(automatic, manual)
  inverse, (inverse_low, inverse_high) = sd_ratio(manual, automatic)
  assert low < ratio < high
  assert (ratio, low, high) == pytest.approx((1 / inverse, 1 / inverse_high, 1 / inverse_low))
  assert sd_ratio(np.ones(1), np.full(1, 2.0)) == (0.5, None)
  assert sd_ratio(np.ones(3), np.zeros(3)) == (None, None)
  assert sd_ratio(np.zeros(3), np.ones(3)) == (0, None)


def test_the_interval_of_a_ratio_holds_as_often_as_it_says():
  rng, hits = np.random.default_rng(7), []
  for _ in range(1000):  # correlated 0.8, true ratio 1.5
    shared, own = rng.normal(size=(2, 8))
    _, (low, high) = sd_ratio(1.5 * (0.8 * shared + 0.6 * own), shared)
    hits.append(low <= 1.5 <= high)
  assert 0.93 <= np.mean(hits) <= 0.97
