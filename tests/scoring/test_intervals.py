"""Intervals of a mean: scipy's own, small samples, and the coverage they promise."""

import json

import numpy as np
import pytest
from scipy import stats

from ear_jax.scoring import intervals

VALUES = np.array([0.91, 0.88, 0.93, 0.79, 0.90, 0.86])


def test_moments():
  found = intervals.describe(np.array([1.0, 2.0, 6.0]))
  # Deviations -2, -1, 3: sum of squares 14, over n - 1 = 2.
  assert (found['n'], found['mean'], found['median'], found['min'], found['max']) == (3, 3.0, 2.0, 1.0, 6.0)
  assert found['sd'] == pytest.approx(7**0.5)


def test_t_interval_is_that_of_scipy():
  expected = stats.ttest_1samp(VALUES, 0).confidence_interval(0.95)
  assert intervals.describe(VALUES)['t_interval'] == pytest.approx([expected.low, expected.high])


def test_half_width_of_the_published_spread():
  rng = np.random.default_rng(0)
  values = stats.zscore(rng.normal(size=18), ddof=1) * 0.03 + 0.91
  low, high = intervals.t_interval(values)
  assert (high - low) / 2 == pytest.approx(0.015, abs=2e-4)


def test_bca_by_its_definition():
  rng = np.random.default_rng(5)
  n = VALUES.size
  means = VALUES[rng.integers(0, n, (200_000, n))].mean(axis=1)
  bias = stats.norm.ppf((means < VALUES.mean()).mean() / 2 + (means <= VALUES.mean()).mean() / 2)
  left_out = np.array([np.delete(VALUES, i).mean() for i in range(n)])
  deviation = left_out.mean() - left_out
  acceleration = (deviation**3).sum() / (6 * (deviation**2).sum() ** 1.5)
  z = bias + stats.norm.ppf([0.025, 0.975])
  expected = np.quantile(means, stats.norm.cdf(bias + z / (1 - acceleration * z)))
  found, note = intervals.bca_interval(VALUES, seed=0)
  # Two bootstraps, 10,000 and 200,000 resamples: their tails differ by chance.
  assert found == pytest.approx(expected, abs=2e-3)
  assert note == ''


def test_the_seed_decides():
  first, again, other = (intervals.bca_interval(VALUES, seed=s)[0] for s in (1, 1, 2))
  assert first == again
  assert first != other


@pytest.mark.parametrize(
  ('values', 'note'),
  [
    ([0.9], 'one subject'),
    ([0.9, 0.8, 0.7], 'below 4 subjects'),
    ([0.3, 0.3, 0.3, 0.1 + 0.2], 'same value'),
  ],
)
def test_undefined_is_none_with_a_reason(values, note):
  found = intervals.describe(np.array(values))
  assert found['bca_interval'] is None
  assert note in found['note']
  assert (found['sd'] is None) == (found['t_interval'] is None) == (len(values) == 1)
  json.dumps(found, allow_nan=False)


@pytest.mark.parametrize('values', [[], [0.5, np.nan]])
def test_nan_does_not_enter(values):
  with pytest.raises(ValueError, match='all finite'):
    intervals.describe(np.array(values))
