"""Comparison of two models on the same subjects: paired differences, an exact test, and Holm's correction.

The family of comparisons is declared before the results are seen; `holm` takes it whole. A test over four subjects
cannot reach p = 0.05 whatever the data: the smallest two-sided p is 2 / 2^n.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ear_jax.scoring.intervals import describe

_ENUMERABLE = 20  # 2^20 sums are 8 MB and some milliseconds
_FLIPS = 100_000


def sign_flip_p(differences: np.ndarray, *, seed: int = 0) -> float:
  """Returns the two-sided p of the sign-flip test that paired differences are symmetric about 0.

  Under that hypothesis every sign is as likely as its opposite. p is the share of all 2^n assignments of signs whose
  |sum| is at least the one found (Fisher 1935); above 20 subjects it is estimated from 100,000 random assignments as
  (1 + hits) / (1 + assignments), which is never 0.

  Args:
    differences: `[n]` float, one per subject, finite, n >= 1.
    seed: of the random assignments; without effect up to 20 subjects.

  Raises:
    ValueError: no difference, or one that is not finite.
  """
  differences = np.asarray(differences, float)
  if not differences.size or not np.isfinite(differences).all():
    raise ValueError(f'{differences.size} differences: expected at least one, all finite')
  # Sums that are equal on paper differ by rounding, and they must count as reached.
  observed = abs(differences.sum()) - 1e-9 * np.abs(differences).sum()
  if differences.size <= _ENUMERABLE:
    sums = np.zeros(1)
    for difference in differences:
      sums = np.concatenate([sums + difference, sums - difference])
    return float((np.abs(sums) >= observed).mean())
  signs = np.random.default_rng(seed).choice([-1.0, 1.0], (_FLIPS, differences.size))
  return float((1 + (np.abs(signs @ differences) >= observed).sum()) / (1 + _FLIPS))


def compare(first: Mapping[Any, float], second: Mapping[Any, float], *, seed: int = 0) -> dict[str, Any]:
  """Returns the difference of two models, first minus second, over the subjects both were scored on.

  Args:
    first: subject to value, for instance a column of the subject table of `aggregate.hierarchy`.
    second: the same subjects, another model.
    seed: of the bootstrap and, above 20 subjects, of the test.

  Returns:
    `intervals.describe` of the differences (the effect size is 'mean' with its intervals), 'p' of `sign_flip_p`, and
    'smallest_p' that so many subjects allow.

  Raises:
    ValueError: the subjects differ; leaving some out would choose the result.
  """
  odd = sorted(set(first) ^ set(second))
  if odd:
    raise ValueError(f'subjects scored with one model only: {", ".join(odd)}')
  differences = np.array([first[subject] - second[subject] for subject in sorted(first)])
  p, n = sign_flip_p(differences, seed=seed), differences.size
  smallest = 2 / 2**n if n <= _ENUMERABLE else 1 / (1 + _FLIPS)
  return describe(differences, seed=seed) | {'p': p, 'smallest_p': smallest}


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
  """Returns the p values of a family of comparisons, adjusted by the method of Holm (1979).

  In rising order the i-th of m (from 0) is multiplied by m - i, at most 1, and never below the one before it.

  Args:
    p_values: name of the comparison to its p.
  """
  adjusted, running = {}, 0.0
  for index, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
    running = max(running, min(1.0, (len(p_values) - index) * p))
    adjusted[name] = running
  return {name: adjusted[name] for name in p_values}
