"""Agreement of two measurements of the same subjects: bias, limits of agreement and how far they can be trusted.

One pair of values a subject: slices and visits have been averaged (`aggregate` says why). Bland and Altman, Lancet
1986;1:307.
"""

import math
from typing import Any

import numpy as np
from scipy import stats

from ear_jax.scoring.intervals import describe

_NORMAL = 1.96  # limits hold 95 % of differences, if these are normal
_FEWEST_FOR_SLOPE = 3


def bland_altman(measured: np.ndarray, reference: np.ndarray, *, seed: int = 0) -> dict[str, Any]:
  """Returns the bias of `measured` against `reference`, its limits of agreement and the 95 % interval of each.

  With d = measured - reference: bias = mean(d), limits = bias -+ 1.96 SD(d). The standard error of a limit is
  SD sqrt(1/n + 1.96^2 / (2 (n - 1))), its interval t(n-1) times that to either side.

  Args:
    measured: `[n]` float, one per subject, finite, n >= 1.
    reference: `[n]`, the same subjects in the same order and unit.
    seed: of the bootstrap.

  Returns:
    'n'; 'mean_measured', 'mean_reference'; 'bias', 'sd' (n - 1), 'bias_t_interval', 'bias_bca_interval';
    'limits' [low, high], 'limit_se', 'limit_intervals' [[low, high] of the lower, of the upper limit];
    'slope', 'slope_interval', 'slope_p' of d against the mean of both, the test for proportional bias; 'note'.
    Undefined values are None: for one subject all but the means and the bias; the slope below three subjects and
    without any spread of differences or means; the bootstrap as in `intervals`, whose 'note' says why.

  Raises:
    ValueError: the shapes differ, there is no subject, or a value is not finite.
  """
  measured, reference = np.asarray(measured, float), np.asarray(reference, float)
  if measured.shape != reference.shape or measured.ndim != 1:
    raise ValueError(f'measured has shape {measured.shape}, reference {reference.shape}; expected [n] twice')
  differences = measured - reference
  spread = describe(differences, seed=seed)
  summary = {
    'n': spread['n'],
    'mean_measured': float(measured.mean()),
    'mean_reference': float(reference.mean()),
    'bias': spread['mean'],
    'sd': spread['sd'],
    'bias_t_interval': spread['t_interval'],
    'bias_bca_interval': spread['bca_interval'],
  }
  summary |= limits_of_agreement(spread['n'], spread['mean'], spread['sd'])
  return summary | _slope(differences, (measured + reference) / 2) | {'note': spread['note']}


def limits_of_agreement(n: int, bias: float, sd: float | None) -> dict[str, Any]:
  """Returns 'limits', 'limit_se' and 'limit_intervals' of n differences with this mean and SD; None without an SD."""
  if sd is None:
    return {'limits': None, 'limit_se': None, 'limit_intervals': None}
  limits = [bias - _NORMAL * sd, bias + _NORMAL * sd]
  error = sd * math.sqrt(1 / n + _NORMAL**2 / (2 * (n - 1)))
  half = float(stats.t.ppf(0.975, n - 1)) * error
  return {'limits': limits, 'limit_se': error, 'limit_intervals': [[x - half, x + half] for x in limits]}


def _slope(differences: np.ndarray, means: np.ndarray) -> dict[str, Any]:
  """Least squares of differences on means; the t test that its slope is 0."""
  undefined = {'slope': None, 'slope_interval': None, 'slope_p': None}
  rounding = 1e-12 * max(1.0, np.abs(means).max())
  if means.size < _FEWEST_FOR_SLOPE or np.ptp(means) <= rounding or np.ptp(differences) <= rounding:
    return undefined
  fit = stats.linregress(means, differences)
  half = float(stats.t.ppf(0.975, means.size - 2)) * fit.stderr
  return {
    'slope': float(fit.slope),
    'slope_interval': [float(fit.slope - half), float(fit.slope + half)],
    'slope_p': float(fit.pvalue),
  }
