"""Two visits of a person: is the difference larger than measuring twice makes it?

The limit is t(df) sqrt(2) s_w, with s_w the SD within people and df its degrees of freedom: two measurements of an
unchanged person differ by more in 5 % of cases. With many degrees of freedom it is the repeatability coefficient
2.77 s_w, which stands beside it. s_w comes from people measured twice without a change (`repeatability_table` of
another cohort), or from the visits of the other people of the same table, whose own changes then widen it.
"""

import itertools
import math

import numpy as np
import pandas as pd
from scipy import stats

from ear_jax.scoring.cohort import KEYS, keys

COEFFICIENT = 2.77  # 1.96 sqrt(2)


def changes(peaks: pd.DataFrame, visits: pd.DataFrame, known: pd.DataFrame | None = None) -> pd.DataFrame:
  """Returns one line a person, later visit and peak, against that person's first visit.

  Columns: 'person', 'from', 'to' (visits), `KEYS`, 'first', 'later', 'difference', 's_w', 'df',
  'repeatability_coefficient', 'limit', 'beyond' (the difference is larger than the limit). Without an s_w the last are
  NaN and False.

  Args:
    peaks: one line a study, a column for each of `KEYS`.
    visits: index study; 'person', 'visit'. A person's visits are taken in the order of the lines.
    known: of `repeatability_table`; None: from the other people's visits.
  """
  squares, freedom = _within(peaks, visits)
  rows = []
  for person, part in visits.groupby('person', sort=False):
    others = squares.index != person
    first, *later = part.index
    for study, key in itertools.product(later, keys(peaks)):
      before, after = peaks[key][first], peaks[key][study]
      s_w, df = _pooled(squares[key][others], freedom[key][others]) if known is None else _given(known, key)
      limit = stats.t.ppf(0.975, df) * math.sqrt(2) * s_w if df else math.nan
      row = {'person': person, 'from': part['visit'][first], 'to': part['visit'][study]}
      row |= dict(zip(KEYS, key, strict=True)) | {'first': before, 'later': after, 'difference': after - before}
      row |= {'s_w': s_w, 'df': df, 'repeatability_coefficient': COEFFICIENT * s_w, 'limit': limit}
      rows.append(row | {'beyond': bool(abs(after - before) > limit)})
  return pd.DataFrame(rows)


def repeatability_table(peaks: pd.DataFrame, visits: pd.DataFrame) -> pd.DataFrame:
  """Returns one line a peak: `KEYS`, 'people', 'df', 's_w', its 95 % interval 'low', 'high', and the coefficient.

  s_w^2 is the mean square within people, sum over people of the squares about their mean over sum of (visits - 1).
  """
  squares, freedom = _within(peaks, visits)
  rows = []
  for key in keys(peaks):
    s_w, df = _pooled(squares[key], freedom[key])
    ends = [s_w * math.sqrt(df / stats.chi2.ppf(q, df)) if df else math.nan for q in (0.975, 0.025)]
    row = dict(zip(KEYS, key, strict=True)) | {'people': int((freedom[key] > 0).sum()), 'df': df, 's_w': s_w}
    rows.append(row | {'low': ends[0], 'high': ends[1], 'repeatability_coefficient': COEFFICIENT * s_w})
  return pd.DataFrame(rows)


def _within(peaks: pd.DataFrame, visits: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
  """Sum of squares about a person's mean, and degrees of freedom, of each peak: index person."""
  grouped = peaks.loc[visits.index].groupby(visits['person'])
  freedom = (grouped.count() - 1).clip(lower=0)
  return grouped.var(ddof=1).fillna(0.0) * freedom, freedom


def _pooled(squares: pd.Series, freedom: pd.Series) -> tuple[float, int]:
  df = int(freedom.sum())
  return (math.sqrt(squares.sum() / df), df) if df else (math.nan, 0)


def _given(known: pd.DataFrame, key: tuple[str, ...]) -> tuple[float, int]:
  line = known[np.all([known[name] == part for name, part in zip(KEYS, key, strict=True)], axis=0)]
  return (float(line['s_w'].iloc[0]), int(line['df'].iloc[0])) if len(line) else (math.nan, 0)
