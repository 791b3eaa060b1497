"""Where do two groups' curves differ? A permutation test at every point, with the family-wise error rate controlled.

The statistic of a point is Welch's t. Labels are permuted over people, whole curves with them, and each permutation
leaves its largest |t| over all points: the share of permutations whose largest reaches a point's |t| is the point's p.
The chance to call any point different when no difference exists is then at most the level, over all points, components
and slice levels that were given together, however they hang together (Westfall and Young 1993; Nichols and Holmes
2002).
"""

import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

_CHUNK = 500  # permutations at once
_ROUNDING = 1e-9


class MaxT(NamedTuple):
  """What the test found.

  Attributes:
    t: `[K]` Welch's t, second minus first group.
    p: `[K]`, adjusted for all K points.
    threshold: the |t| from which p is 0.05 or less; infinite where so few people allow none.
    permutations: how many labellings were looked at, the true one among them.
    exact: they are all that there are.
  """

  t: np.ndarray
  p: np.ndarray
  threshold: float
  permutations: int
  exact: bool


def max_t(values: np.ndarray, second: np.ndarray, *, permutations: int = 10_000, seed: int = 0) -> MaxT:
  """Returns Welch's t and the p of each point, adjusted over all points by the largest |t| of permutations.

  Args:
    values: `[n, K]` float, finite, one line a person.
    second: `[n]` bool, who is in the second group; two or more in each.
    permutations: labellings, with the true one. Where there are no more than these in all, all are used and p is exact.
    seed: of the random ones.

  Raises:
    ValueError: a value is not finite, or a group has fewer than two people.
  """
  values, second = np.asarray(values, float), np.asarray(second, bool)
  count = int(second.sum())
  if not np.isfinite(values).all() or min(count, len(second) - count) < 2:
    raise ValueError(f'groups of {len(second) - count} and {count}, expected two or more each, all values finite')
  centred = values - values.mean(0)
  t = welch_t(centred, second[None])[0]
  total = math.comb(len(second), count)
  exact = total <= permutations
  labels = _every(len(second), count) if exact else _random(second, permutations - 1, seed)
  largest = np.concatenate([np.abs(welch_t(centred, chunk)).max(1) for chunk in labels])
  largest = largest if exact else np.append(largest, np.abs(t).max())  # all labellings hold the true one
  largest.sort()
  reached = len(largest) - np.searchsorted(largest, np.abs(t) * (1 - _ROUNDING))
  allowed = math.floor(0.05 * len(largest))
  threshold = float(largest[-allowed]) if allowed else math.inf
  return MaxT(t, reached / len(largest), threshold, len(largest), exact)


def welch_t(values: np.ndarray, second: np.ndarray) -> np.ndarray:
  """Returns Welch's t `[B, K]` of `values` `[n, K]` for labels `[B, n]`, second minus first; 0 where nothing varies."""
  labels = second.astype(float)
  n2 = labels.sum(1, keepdims=True)
  n1 = labels.shape[1] - n2
  sums, squares = labels @ values, labels @ values**2
  rest, rest_squares = values.sum(0) - sums, (values**2).sum(0) - squares
  error = sum((q - s**2 / n) / (n - 1) / n for q, s, n in ((squares, sums, n2), (rest_squares, rest, n1)))
  small = error <= 1e-20 * np.maximum((values**2).sum(0), 1e-300)
  return np.where(small, 0.0, (sums / n2 - rest / n1) / np.sqrt(np.where(small, 1.0, error)))


def _every(n: int, count: int) -> Iterator[np.ndarray]:
  chosen = itertools.combinations(range(n), count)
  while rows := list(itertools.islice(chosen, _CHUNK)):
    labels = np.zeros((len(rows), n), bool)
    np.put_along_axis(labels, np.array(rows), True, 1)
    yield labels


def _random(second: np.ndarray, count: int, seed: int) -> Iterator[np.ndarray]:
  rng = np.random.default_rng(seed)
  for begin in range(0, count, _CHUNK):
    yield rng.permuted(np.tile(second, (min(_CHUNK, count - begin), 1)), axis=1)
