"""A person against a normal group of one's own: z scores, and whether the value lies where one more of the group would.

z = (x - mean) / SD counts in SDs of the group, and says too much where the group is small: mean and SD are uncertain
themselves. So the verdict is by the 95 % prediction interval, mean -+ t(n-1) SD sqrt(1 + 1/n), in which one more person
of the same population lies with that chance; at n = 8 it reaches 2.5 SD, not 1.96. p is of the same t, and Holm's
correction is over the peaks of a quantity of one person: of 24 peaks of a sound person one or two lie outside.
"""

import numpy as np
import pandas as pd
from scipy import stats

from ear_jax.scoring.cohort import KEYS, keys
from ear_jax.scoring.groups import with_holm

FEWEST = 3  # people of a normal group


def against_normal(peaks: pd.DataFrame, normal: pd.DataFrame) -> pd.DataFrame:
  """Returns one line a study and peak against the people of the normal group.

  Columns: 'study', `KEYS`, 'value', 'n', 'mean', 'sd', 'z', 'low', 'high' (of the prediction interval), 'p', 'p_holm',
  'outside' (of that interval). What the study, or all but two of the group, lack is NaN.

  Args:
    peaks: one line a study, a column for each of `KEYS`.
    normal: one line a person.
  """
  low, high = prediction_band(normal)
  n, mean, sd = normal.count(), normal.mean(), normal.std(ddof=1)
  rows = []
  for study, values in peaks.iterrows():
    for key in keys(peaks):
      row: dict[str, object] = {'study': study, **dict(zip(KEYS, key, strict=True)), 'value': values[key]}
      row |= {'n': 0, **dict.fromkeys(('mean', 'sd', 'z', 'low', 'high', 'p'), np.nan)}
      if key in normal and n[key] >= FEWEST and sd[key] > 0:
        z = (values[key] - mean[key]) / sd[key]
        p = 2 * stats.t.sf(abs(z) / np.sqrt(1 + 1 / n[key]), n[key] - 1)
        row |= {'n': n[key], 'mean': mean[key], 'sd': sd[key], 'z': z, 'low': low[key], 'high': high[key], 'p': p}
      rows.append(row)
  lines = with_holm(pd.DataFrame(rows), ['study', 'quantity'])
  return lines.assign(outside=(lines['value'] < lines['low']) | (lines['value'] > lines['high']))


def prediction_band(normal: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
  """Returns the ends of the 95 % prediction interval of one more person, for each column; NaN below `FEWEST` people."""
  n = normal.count()
  half = stats.t.ppf(0.975, np.maximum(n - 1, 1)) * normal.std(ddof=1) * np.sqrt(1 + 1 / np.maximum(n, 1))
  half = half.where(n >= FEWEST)
  return normal.mean() - half, normal.mean() + half
