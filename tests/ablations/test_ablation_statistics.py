"""Which cells are compared, Holm by hand, and ranks by hand."""

import itertools

import numpy as np
import pandas as pd
import pytest
from grids import planned

from ear_jax.ablations.statistics import comparisons, family, ranking
from ear_jax.system.errors import UserError


def test_pairs_that_differ_in_one_axis_are_compared():
  _, cells, _ = planned()
  pairs = family(cells)
  # Three networks in each of three losses are 3 x 3 pairs, and three losses in each of three networks as many.
  assert len(set(pairs)) == len(pairs) == 18
  assert ('ear3d-dice', 'unet3d-dice') in pairs
  assert ('ear3d-dice_iou', 'ear3d-dice') in pairs
  assert ('ear3d-dice_iou', 'unet3d-dice') not in pairs
  assert ('unet3d-dice', 'ear3d-dice') not in pairs, 'the later cell comes first'


def test_differences_and_their_p_by_hand():
  # b - a is 1, 2, 3, 4, 5: of 32 assignments of signs only all + and all - reach a sum of 15: p = 2/32.
  # c - a is 1, -1, 1, -1, 0: every |sum| of 0 or more is reached: p = 1.
  # c - b is 0, -3, -2, -5, -5: no other signs of 3, 2, 5, 5 reach 15; the zero has two: p = 2 * 2/32.
  values = pd.DataFrame({'a': [0] * 5, 'b': [1, 2, 3, 4, 5], 'c': [1, -1, 1, -1, 0]}, index=list('pqrst'))
  found = comparisons(values, [('b', 'a'), ('c', 'a'), ('c', 'b'), ('d', 'a')])
  assert [(line['first'], line['second']) for line in found] == [('b', 'a'), ('c', 'a'), ('c', 'b')]
  assert [line['mean'] for line in found] == [3, 0, -3]
  assert [line['p'] for line in found] == [0.0625, 1.0, 0.125]
  # Holm: 3 x 0.0625; then 2 x 0.125; then 1 x 1.
  assert [line['holm'] for line in found] == [0.1875, 1.0, 0.25]


def test_cells_with_other_subjects_are_not_compared():
  values = pd.DataFrame({'a': [0.5, 0.6], 'b': [0.5, np.nan]}, index=['p', 'q'])
  with pytest.raises(UserError, match=r'a and b cannot be compared.* q'):
    comparisons(values, [('a', 'b')])


def test_ranks_of_all_cohorts_by_hand():
  # Two subjects are drawn as pp, pq, qp, qq with equal chance. Means of a, b: pp 0.9, 0.5; pq 0.55, 0.6; qq 0.2, 0.7.
  values = pd.DataFrame({'a': [0.9, 0.2], 'b': [0.5, 0.7]}, index=['p', 'q'])
  shares = ranking(values, lower=False)
  assert list(shares.index) == ['b', 'a']
  assert shares.loc['b', 1] == pytest.approx(0.75, abs=0.02)  # 10,000 draws: SD 0.004
  assert shares.loc['a', 1] == pytest.approx(0.25, abs=0.02)
  np.testing.assert_allclose(shares.sum(axis=1), 1)
  lower = ranking(values, lower=True)
  assert lower.loc['a', 1] == shares.loc['b', 1]


def test_a_cell_that_is_best_on_every_subject_is_always_first_and_equals_share_a_rank():
  rng = np.random.default_rng(0)
  a = rng.random(9)
  values = pd.DataFrame({'low': a, 'high': a + 0.1, 'twin': a + 0.1})
  shares = ranking(values, lower=False)
  assert (shares.loc['high', 1], shares.loc['twin', 1], shares.loc['low', 3]) == (1, 1, 1)
  for one, other in itertools.permutations(values, 2):
    assert np.isfinite(shares.loc[one].to_numpy()).all(), other
