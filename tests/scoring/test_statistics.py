"""Paired comparison: hand values, scipy's permutation test, and Holm's own steps."""

import numpy as np
import pytest
from scipy import stats

from ear_jax.scoring import statistics


def test_sign_flip_by_hand():
  # Sums of +-1 +-2 +-3: 6, 4, 2, 0, 0, -2, -4, -6. |sum| >= 4 (of 3 + 2 - 1): 4 of 8.
  assert statistics.sign_flip_p(np.array([3, 2, -1.0])) == 0.5
  assert statistics.sign_flip_p(np.array([3, 2, 1.0])) == 0.25
  assert statistics.sign_flip_p(np.zeros(5)) == 1


def test_equal_sums_are_reached_despite_rounding():
  # On paper |+-0.1 +-0.2 +-0.1| is 0.4 twice, 0.2 four times and 0 twice: 6 of 8 reach the 0.2 that was found.
  assert statistics.sign_flip_p(np.array([0.1, 0.2, -0.1])) == 6 / 8


@pytest.mark.parametrize('n', [4, 9])
def test_sign_flip_is_the_exact_test_of_scipy(n):
  differences = np.random.default_rng(n).normal(0.3, 1, n)
  expected = stats.permutation_test((differences,), np.sum, permutation_type='samples', n_resamples=np.inf).pvalue
  assert statistics.sign_flip_p(differences) == pytest.approx(expected)


def test_many_subjects_are_sampled_near_the_t_test():
  differences = np.random.default_rng(0).normal(0.3, 1, 40)
  p = statistics.sign_flip_p(differences, seed=1)
  assert p == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, rel=0.1)
  assert p == statistics.sign_flip_p(differences, seed=1)
  assert statistics.sign_flip_p(np.ones(40)) == 1 / 100_001


def test_four_subjects_never_reach_five_percent():
  first = {'a': 0.9, 'b': 0.8, 'c': 0.9, 'd': 0.7}
  found = statistics.compare(first, dict.fromkeys('dcba', 0.1))
  assert found['p'] == found['smallest_p'] == 0.125
  assert found['mean'] == pytest.approx(0.725)
  assert found['n'] == 4


def test_pairs_are_matched_by_subject_and_complete():
  assert statistics.compare({'a': 1.0, 'b': 2.0}, {'b': 2.0, 'a': 1.0})['mean'] == 0
  with pytest.raises(ValueError, match='one model only: b, c'):
    statistics.compare({'a': 1.0, 'b': 2.0}, {'a': 1.0, 'c': 2.0})
  with pytest.raises(ValueError, match='all finite'):
    statistics.sign_flip_p(np.array([1, np.nan]))


def test_holm():
  # Sorted 0.01, 0.03, 0.04 times 3, 2, 1: 0.03, 0.06, 0.04, and the last may not fall below 0.06.
  adjusted = statistics.holm({'y': 0.04, 'x': 0.01, 'z': 0.03})
  assert adjusted == pytest.approx({'y': 0.06, 'x': 0.03, 'z': 0.06})
  assert list(adjusted) == ['y', 'x', 'z']
  assert statistics.holm({'x': 0.7, 'y': 0.9}) == {'x': 1.0, 'y': 1.0}
  assert statistics.holm({}) == {}
