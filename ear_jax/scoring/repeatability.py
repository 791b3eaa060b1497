"""How well a measurement repeats when a subject is scanned twice.

Two values a subject, one of each visit. The spread within subjects holds what differs between visits (the person, the
position, the noise) and what the delineation adds; with manual and automatic masks of the same scans, only the last
differs, and the ratio of the two spreads is the result.
"""

import math
from typing import Any

import numpy as np
from scipy import stats

from ear_jax.scoring.bland_altman import bland_altman

_COEFFICIENT = 2.77  # 1.96 sqrt(2): two measurements of one subject differ by less in 95 % of cases


def repeatability(first: np.ndarray, second: np.ndarray, *, seed: int = 0) -> dict[str, Any]:
  """Returns within-subject SD, repeatability coefficient, CoV, ICC(A,1) and Bland-Altman of two visits.

  s_w = sqrt(sum(d^2) / (2 n)) with d = second - first, which counts a shift between visits as a lack of
  repeatability; its interval is from chi-squared with n degrees of freedom. CoV = s_w / |mean of all|.

  Args:
    first: `[n]` float, one value per subject, finite, n >= 1.
    second: `[n]`, the same subjects at their second visit.
    seed: of the bootstrap.

  Returns:
    'n', 'mean', 's_w', 's_w_interval', 'repeatability_coefficient' (2.77 s_w), 'cov', 'icc', 'icc_interval' and
    'bland_altman' (second against first). None where undefined: the CoV of values of both signs (a mean near 0 says
    nothing of their size), the ICC of one subject or of values without any spread.

  Raises:
    ValueError: as `bland_altman`.
  """
  agreement = bland_altman(second, first, seed=seed)
  both = np.stack([first, second], axis=1).astype(float)  # [n, 2]
  n, s_w = len(both), float(np.sqrt((np.diff(both) ** 2).mean() / 2))
  one_sign = bool((both > 0).all() or (both < 0).all())
  icc, interval = icc_agreement(both)
  return {
    'n': n,
    'mean': float(both.mean()),
    's_w': s_w,
    's_w_interval': [s_w * math.sqrt(n / stats.chi2.ppf(q, n)) for q in (0.975, 0.025)],
    'repeatability_coefficient': _COEFFICIENT * s_w,
    'cov': s_w / abs(float(both.mean())) if one_sign else None,
    'icc': icc,
    'icc_interval': interval,
    'bland_altman': agreement,
  }


def sd_ratio(automatic: np.ndarray, manual: np.ndarray) -> tuple[float | None, list[float] | None]:
  """Returns s_w of automatic over manual masks and its 95 % interval.

  The two come from the same scans, so the interval is that of Pitman and Morgan (1939) for correlated variances, with
  the mean known to be 0: w (K -+ sqrt(K^2 - 1)) for the ratio of variances w, K = 1 + 2 (1 - r^2) t^2 / (n - 1).

  Args:
    automatic: `[n]` differences between the visits, by automatic masks.
    manual: `[n]`, of the same subjects, by manual masks.

  Returns:
    The ratio, None when manual masks repeat exactly; the interval, None then, for one subject, or when automatic
    masks repeat exactly.
  """
  automatic, manual = np.asarray(automatic, float), np.asarray(manual, float)
  squares = float((automatic**2).sum()), float((manual**2).sum())
  if not squares[1]:
    return None, None
  ratio, n = math.sqrt(squares[0] / squares[1]), automatic.size
  if n < 2 or not squares[0]:
    return ratio, None
  r2 = float((automatic * manual).sum()) ** 2 / (squares[0] * squares[1])
  k = 1 + 2 * max(1 - r2, 0.0) * float(stats.t.ppf(0.975, n - 1)) ** 2 / (n - 1)
  width = math.sqrt(k * k - 1)
  # The lower end as a reciprocal: k - width loses all digits where the interval is wide.
  return ratio, [ratio / math.sqrt(k + width), ratio * math.sqrt(k + width)]


def icc_agreement(values: np.ndarray) -> tuple[float | None, list[float] | None]:
  """Returns ICC(A,1), the absolute agreement of single measurements, and its 95 % interval.

  Two-way random effects: (MSR - MSE) / (MSR + (k - 1) MSE + k (MSC - MSE) / n), with the mean squares of subjects
  (rows), visits (columns) and error; coefficient and interval of McGraw and Wong, Psychol Methods 1996;1:30, the
  ICC(2,1) of Shrout and Fleiss 1979. Below 0 when visits differ more than subjects.

  Args:
    values: `[n, k]` float, n subjects measured k times.

  Returns:
    The coefficient and [low, high]; None and None for fewer than two subjects or values that are all equal. The
    interval is None, too, where every subject repeats exactly and where subjects do not differ at all.
  """
  values = np.asarray(values, float)
  n, k = values.shape
  scale = float(np.abs(values).max())
  if n < 2 or np.ptp(values) <= 1e-12 * scale:
    return None, None
  rows, columns, grand = values.mean(1), values.mean(0), values.mean()
  msr = k * ((rows - grand) ** 2).sum() / (n - 1)
  msc = n * ((columns - grand) ** 2).sum() / (k - 1)
  mse = ((values - rows[:, None] - columns + grand) ** 2).sum() / ((n - 1) * (k - 1))
  denominator = msr + (k - 1) * mse + k * (msc - mse) / n
  icc = float((msr - mse) / denominator) if denominator > 0 else None
  nothing = (1e-12 * scale) ** 2  # rounding
  if icc is None or max(msc, mse) <= nothing or max(msr, mse) <= nothing:
    return icc, None
  a, b = k * icc / (n * (1 - icc)), 1 + k * icc * (n - 1) / (n * (1 - icc))
  freedom = (a * msc + b * mse) ** 2 / ((a * msc) ** 2 / (k - 1) + (b * mse) ** 2 / ((n - 1) * (k - 1)))
  low_f, high_f = stats.f.ppf(0.975, n - 1, freedom), stats.f.ppf(0.975, freedom, n - 1)
  rest = k * msc + (k * n - k - n) * mse
  low = n * (msr - low_f * mse) / (low_f * rest + n * msr)
  high = n * (high_f * msr - mse) / (rest + n * high_f * msr)
  return icc, [float(low), float(high)]
