"""Two groups, a normal group and visits: numbers by hand and by scipy."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ear_jax.scoring import groups, normal_group, visit_changes
from ear_jax.scoring.cohort import KEYS
from ear_jax.scoring.repeatability import repeatability

SECOND = np.arange(10) >= 5


def _peaks(values, quantity='velocity'):
  names = [('mid', 'radial', marker, quantity) for marker in ('PS', 'PD', 'PAS')][: values.shape[1]]
  index = [f'p{k}' for k in range(len(values))]
  return pd.DataFrame(values, index=index, columns=pd.MultiIndex.from_tuples(names, names=KEYS))


def test_peaks_are_welchs_t_with_holm_by_hand():
  values = np.random.default_rng(0).normal(size=(10, 3))
  values[SECOND] += [3.0, 1.0, 0.0]
  found = groups.compare_peaks(_peaks(values), SECOND)
  p = stats.ttest_ind(values[SECOND], values[~SECOND], equal_var=False).pvalue
  np.testing.assert_allclose(found['p'], p)
  first, second, third = np.sort(p)
  by_hand = [3 * first, max(3 * first, 2 * second), max(3 * first, 2 * second, third)]
  np.testing.assert_allclose(np.sort(found['p_holm']), np.minimum(by_hand, 1))
  assert found['claimed'].tolist() == (2 * found['p_holm'] <= 0.05).tolist()  # two families are named
  assert found['claimed'].any()
  assert not groups.compare_peaks(_peaks(values), SECOND, families=['velocities', 'times'] * 50)['claimed'].any()
  assert not groups.compare_peaks(_peaks(values), SECOND, families=['curves', 'times'])['claimed'].any()


def test_a_peak_that_people_lack_has_its_own_n_and_one_that_nobody_has_is_not_in_the_family():
  values = np.random.default_rng(1).normal(size=(10, 3))
  values[0, 0] = np.nan
  values[:4, 2] = np.nan
  found = groups.compare_peaks(_peaks(values), SECOND)
  assert found['n_1'].tolist() == [4, 5, 1]
  assert found['p'].isna().tolist() == [False, False, True]
  assert found['p_holm'].min() == pytest.approx(min(1, 2 * found['p'].min()))


def test_curves_have_t_bands_and_claims_by_the_number_of_families():
  columns = pd.MultiIndex.from_product([['mid'], ['radial'], range(4)], names=['level', 'component', 'point'])
  values = np.random.default_rng(2).normal(size=(10, 4))
  values[SECOND, 1] += 4
  curves = pd.DataFrame(values, columns=columns)
  lines, test = groups.compare_curves(curves, SECOND, families=['curves', 'velocities'])
  one = values[~SECOND, 1]
  half = stats.t.ppf(0.975, 4) * one.std(ddof=1) / np.sqrt(5)
  assert lines['low_1'][1] == pytest.approx(one.mean() - half)
  assert lines['cycle_percent'].tolist() == [0, 25, 50, 75]
  assert test.permutations == 252
  assert lines['p'][1] == pytest.approx(2 / 252)
  assert lines['claimed'].tolist() == [False, True, False, False]
  many = groups.compare_curves(curves, SECOND, families=['curves'] * 7)[0]
  assert not many['claimed'].any()


def test_z_and_prediction_interval_by_hand():
  normal = _peaks(np.array([[4.0], [5.0], [6.0], [7.0], [8.0]]))
  (line,) = normal_group.against_normal(_peaks(np.array([[10.5]])), normal).to_dict('records')
  sd = np.sqrt(2.5)
  assert line['z'] == pytest.approx(4.5 / sd)
  half = 2.7764451 * sd * np.sqrt(1.2)  # t of 4 degrees of freedom
  assert line['high'] == pytest.approx(6 + half)
  assert line['high'] == pytest.approx(10.81, abs=0.01)
  assert not line['outside']  # though z is 2.8: five people are few
  assert line['p'] > 0.05
  assert normal_group.against_normal(_peaks(np.array([[10.9]])), normal)['outside'].all()


def test_one_more_person_of_the_same_people_lies_outside_in_one_of_twenty():
  rng = np.random.default_rng(3)
  low, high = normal_group.prediction_band(pd.DataFrame(rng.normal(size=(6, 4000))))
  more = rng.normal(size=4000)
  assert ((more < low) | (more > high)).mean() == pytest.approx(0.05, abs=0.012)


def _visits(people):
  study = [f's{k}' for k in range(2 * people)]
  return pd.DataFrame({'person': np.repeat([f'p{k}' for k in range(people)], 2), 'visit': ['a', 'b'] * people}, study)


def test_a_change_is_measured_by_the_visits_of_the_others():
  values = np.random.default_rng(4).normal(5, 1, size=(4, 1)) + np.random.default_rng(5).normal(0, 0.1, size=(4, 2))
  values[3, 1] += 3
  peaks = _peaks(values.reshape(-1, 1)).set_axis([f's{k}' for k in range(8)])
  found = visit_changes.changes(peaks, _visits(4))
  differences = values[:, 1] - values[:, 0]
  s_w = np.sqrt((differences[:3] ** 2).sum() / 6)  # of the other three
  last = found.iloc[-1]
  assert last['s_w'] == pytest.approx(s_w)
  assert last['df'] == 3
  assert last['limit'] == pytest.approx(stats.t.ppf(0.975, 3) * np.sqrt(2) * s_w)
  assert last['repeatability_coefficient'] == pytest.approx(2.77 * s_w)
  assert found['beyond'].tolist() == [False, False, False, True]


def test_repeatability_is_that_of_two_visits_and_is_taken_from_another_cohort():
  values = np.random.default_rng(6).normal(5, 1, size=(6, 2))
  peaks = _peaks(values.reshape(-1, 1)).set_axis([f's{k}' for k in range(12)])
  table = visit_changes.repeatability_table(peaks, _visits(6))
  known = repeatability(values[:, 0], values[:, 1])
  assert table['s_w'][0] == pytest.approx(known['s_w'])
  assert table.loc[0, ['low', 'high']].tolist() == pytest.approx(known['s_w_interval'])
  one = visit_changes.changes(peaks.iloc[:2], _visits(1), table)
  assert one['s_w'][0] == pytest.approx(known['s_w'])
  alone = visit_changes.changes(peaks.iloc[:2], _visits(1))
  assert np.isnan(alone['limit'][0])
  assert not alone['beyond'][0]
