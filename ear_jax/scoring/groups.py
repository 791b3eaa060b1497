"""Two groups of people: mean curves with bands and where they differ, and peaks with what lies between them.

One value a person (`cohort.people`). A mean's band is its 95 % t interval at each point alone. Tests are of
families, each with its own adjustment: all curves, of velocity and of strain, over all points, components, levels and
regions together (`max_t`); peak velocities, times to peak and peak strains, each over all markers, components, levels
and regions (Welch's t, Holm). A difference is claimed only in the families
that were named beforehand, and where p times their number is at most 0.05: so the chance of any false claim about the
groups is at most 5 %.
"""

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from ear_jax.scoring.cohort import KEYS, keys
from ear_jax.scoring.intervals import t_interval
from ear_jax.scoring.max_t import MaxT, max_t
from ear_jax.scoring.statistics import holm

# Name to quantity of the peaks.
FAMILIES = {'curves': '', 'velocities': 'velocity', 'times': 'time', 'strains': 'strain'}
LEVEL = 0.05
FEWEST = 2  # people of a group


def compare_curves(
  curves: pd.DataFrame,
  second: np.ndarray,
  *,
  families: Collection[str] = ('curves',),
  permutations: int = 10_000,
  seed: int = 0,
) -> tuple[pd.DataFrame, MaxT]:
  """Returns one line a level, component and point, and the test behind its p.

  Columns: 'level', 'component', 'point', 'cycle_percent'; 'mean_1', 'low_1', 'high_1' and the same of group 2, cm/s;
  'difference' (second minus first), 't', 'p' (adjusted in its family), 'claimed'.

  Args:
    curves: one line a person, without NaN, a column a (level, component, point).
    second: `[n]` bool, who is in the second group.
    families: of `FAMILIES`, in which claims are made.
    permutations: labellings of `max_t`.
    seed: of these.

  Raises: ValueError as `max_t`.
  """
  compared = max_t(curves.to_numpy(), second, permutations=permutations, seed=seed)
  lines = curves.columns.to_frame(index=False)
  lines['cycle_percent'] = 100 * lines['point'] / (lines['point'].max() + 1)
  for number, group in ((1, curves[~second]), (2, curves[second])):
    lines[f'mean_{number}'] = group.mean().to_numpy()
    bands = [t_interval(column) or [np.nan, np.nan] for column in group.to_numpy().T]
    lines[[f'low_{number}', f'high_{number}']] = bands
  lines['difference'] = lines['mean_2'] - lines['mean_1']
  lines['t'], lines['p'] = compared.t, compared.p
  lines['claimed'] = ('curves' in families) & (lines['p'] * len(families) <= LEVEL)
  return lines, compared


def compare_peaks(
  peaks: pd.DataFrame, second: np.ndarray, *, families: Collection[str] = ('velocities', 'times')
) -> pd.DataFrame:
  """Returns one line a peak: Welch's t test of the second against the first group, Holm over the peaks of a quantity.

  Columns: `KEYS`; 'n_1', 'mean_1', 'sd_1' and those of group 2; 'difference' with its 95 % interval 'low', 'high',
  unadjusted; 'd' (difference over the pooled SD); 'p', 'p_holm', 'claimed'. A peak that fewer than two people of a
  group have, or that does not vary, has no test and is not of the family.

  Args:
    peaks: one line a person, a column for each of `KEYS`; NaN where a person lacks it.
    second: `[n]` bool.
    families: of `FAMILIES`, in which claims are made.
  """
  rows = []
  for key in keys(peaks):
    column = peaks[key]
    one, two = (side.dropna().to_numpy() for side in (column[~second], column[second]))
    row: dict[str, Any] = dict(zip(KEYS, key, strict=True))
    for number, side in ((1, one), (2, two)):
      spread = side.std(ddof=1) if len(side) > 1 else np.nan
      row |= {f'n_{number}': len(side), f'mean_{number}': side.mean() if len(side) else np.nan, f'sd_{number}': spread}
    row |= dict.fromkeys(('difference', 'low', 'high', 'd', 'p'), np.nan)
    if min(len(one), len(two)) >= FEWEST and max(row['sd_1'], row['sd_2']) > 1e-12:
      test = stats.ttest_ind(two, one, equal_var=False)
      between = test.confidence_interval()
      pooled = np.sqrt(np.average([row['sd_1'] ** 2, row['sd_2'] ** 2], weights=[len(one) - 1, len(two) - 1]))
      row['difference'] = two.mean() - one.mean()
      row |= {'low': between.low, 'high': between.high, 'd': row['difference'] / pooled, 'p': test.pvalue}
    rows.append(row)
  lines = with_holm(pd.DataFrame(rows), ['quantity'])
  named = lines['quantity'].isin([FAMILIES[name] for name in families])
  return lines.assign(claimed=named & (lines['p_holm'] * len(families) <= LEVEL))


def with_holm(lines: pd.DataFrame, family: list[str]) -> pd.DataFrame:
  """Returns lines with 'p_holm', 'p' adjusted over those that are alike in the columns `family`."""
  adjusted = pd.Series(np.nan, lines.index)
  for _, part in lines[lines['p'].notna()].groupby(family):
    adjusted.update(pd.Series(holm({str(k): p for k, p in part['p'].items()}), dtype=float).set_axis(part.index))
  return lines.assign(p_holm=adjusted)
