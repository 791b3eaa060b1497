"""Mean, spread and confidence intervals of one value per subject.

Whatever is undefined is None, never NaN, and a short text says why. The intervals speak of subjects like these, not
of retraining; below about 50 subjects their coverage is poor (arXiv 2601.17103), whichever method is used.
"""

import math
import warnings
from typing import Any

import numpy as np
from scipy import stats

RESAMPLES = 10_000
# Fewer subjects have at most ten distinct resamples, and a tail of 2.5 % cannot be read from them.
FEWEST_FOR_BOOTSTRAP = 4
_CONFIDENCE = 0.95


def describe(values: np.ndarray, *, seed: int = 0) -> dict[str, Any]:
  """Returns mean, SD, median, extremes and two 95 % intervals of the mean.

  Args:
    values: `[n]` float, one per subject, finite, n >= 1.
    seed: of the bootstrap.

  Returns:
    'n', 'mean', 'sd' (ddof 1), 'median', 'min', 'max', 't_interval' and 'bca_interval' as [low, high], and 'note'.
    'sd' and 't_interval' are None for n = 1, 'bca_interval' as in `bca_interval`; 'note' gives the reasons, '' if
    all is defined. The intervals are not clipped to the range of the metric.

  Raises:
    ValueError: no value, or one that is not finite.
  """
  values = np.asarray(values, float)
  if not values.size or not np.isfinite(values).all():
    finite = int(np.isfinite(values).sum())
    raise ValueError(f'{values.size} values, {finite} of them finite: expected at least one, all finite')
  interval, note = bca_interval(values, seed=seed)
  if values.size == 1:
    note = 'one subject: no spread and no interval'
  return {
    'n': int(values.size),
    'mean': float(values.mean()),
    'sd': float(values.std(ddof=1)) if values.size > 1 else None,
    'median': float(np.median(values)),
    'min': float(values.min()),
    'max': float(values.max()),
    't_interval': t_interval(values),
    'bca_interval': interval,
    'note': note,
  }


def t_interval(values: np.ndarray) -> list[float] | None:
  """Returns mean -+ t(n-1, 97.5 %) SD / sqrt(n) as [low, high]; None for fewer than two values."""
  if values.size < 2:
    return None
  half = stats.t.ppf((1 + _CONFIDENCE) / 2, values.size - 1) * values.std(ddof=1) / math.sqrt(values.size)
  return [float(values.mean() - half), float(values.mean() + half)]


def bca_interval(values: np.ndarray, *, seed: int) -> tuple[list[float] | None, str]:
  """Returns the bias-corrected and accelerated bootstrap interval of the mean, or None and the reason.

  10,000 resamples of the subjects (Efron 1987). None when there are fewer than `FEWEST_FOR_BOOTSTRAP` subjects, when
  all values are equal, and when the correction is undefined.
  """
  if values.size < FEWEST_FOR_BOOTSTRAP:
    return None, f'no bootstrap interval below {FEWEST_FOR_BOOTSTRAP} subjects'
  if np.ptp(values) <= 1e-12 * max(1.0, np.abs(values).max()):
    return None, 'no bootstrap interval: all subjects have the same value'
  with warnings.catch_warnings():
    warnings.simplefilter('ignore', stats.DegenerateDataWarning)  # answered below, in words
    result = stats.bootstrap(
      (values,), np.mean, n_resamples=RESAMPLES, confidence_level=_CONFIDENCE, rng=np.random.default_rng(seed)
    ).confidence_interval
  if not (math.isfinite(result.low) and math.isfinite(result.high)):
    return None, 'no bootstrap interval: the bias correction is undefined for these values'
  return [float(result.low), float(result.high)], ''
