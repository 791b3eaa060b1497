"""The permutation test of curves: against scipy's for one point, and its error over a family of points."""

import numpy as np
import pytest
from scipy import stats

from ear_jax.scoring.max_t import max_t, welch_t


def _t(a, b, axis=-1):
  return np.abs(stats.ttest_ind(a, b, equal_var=False, axis=axis).statistic)


def test_of_one_point_all_labellings_give_scipys_p():
  values = np.random.default_rng(0).normal(size=(9, 1))
  second = np.arange(9) >= 5
  values[second] += 1.2
  found = max_t(values, second)
  sides = values[second, 0], values[~second, 0]
  expected = stats.permutation_test(
    sides, _t, permutation_type='independent', n_resamples=np.inf, alternative='greater', vectorized=True
  )
  assert found.exact
  assert found.permutations == 126
  assert found.p[0] == pytest.approx(expected.pvalue)
  assert found.t[0] == pytest.approx(stats.ttest_ind(*sides, equal_var=False).statistic)


def test_a_point_of_a_family_is_measured_by_the_largest_of_all_points():
  rng = np.random.default_rng(1)
  values, second = rng.normal(size=(8, 6)), np.arange(8) % 2 == 1
  values[second, 2] += 2
  found = max_t(values, second, permutations=70)
  # By hand: every labelling, its largest |t|.
  labels = np.array([[(code >> k) & 1 for k in range(8)] for code in range(256)], bool)
  labels = labels[labels.sum(1) == 4]
  largest = np.array([_t(values[row], values[~row], axis=0).max() for row in labels])
  at = _t(values[second], values[~second], axis=0)
  np.testing.assert_allclose(found.p, [(largest >= value * (1 - 1e-9)).mean() for value in at])
  assert (found.p <= 0.05).tolist() == (at >= found.threshold * (1 - 1e-9)).tolist()
  alone = np.array([max_t(values[:, [k]], second).p[0] for k in range(6)])
  assert (alone <= found.p).all()
  assert (alone < found.p).any()


def test_random_labellings_hold_the_true_one_and_come_near_all_of_them():
  rng = np.random.default_rng(2)
  values, second = rng.normal(size=(12, 4)), np.arange(12) >= 6
  values[second, 0] += 1.5
  every, drawn = max_t(values, second, permutations=924), max_t(values, second, permutations=900, seed=3)
  assert every.exact
  assert not drawn.exact
  assert drawn.p == pytest.approx(every.p, abs=0.04)
  assert drawn.p.min() >= 1 / 900


def test_without_a_difference_any_point_is_called_different_in_one_of_twenty():
  rng = np.random.default_rng(4)
  second = np.arange(12) >= 6
  smooth = np.cumsum(rng.normal(size=(200, 12, 20)), axis=2)  # neighbouring points hang together
  called = [max_t(values, second, permutations=400, seed=k).p.min() <= 0.05 for k, values in enumerate(smooth[:120])]
  assert np.mean(called) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 120)


def test_constant_points_have_no_t_and_bad_input_is_refused():
  values = np.column_stack([np.ones(8), np.arange(8.0)])
  second = np.arange(8) >= 4
  assert welch_t(values - values.mean(0), second[None])[0, 0] == 0
  with pytest.raises(ValueError, match='groups of 7 and 1'):
    max_t(values, np.arange(8) >= 7)
  values[0, 0] = np.nan
  with pytest.raises(ValueError, match='finite'):
    max_t(values, second)
