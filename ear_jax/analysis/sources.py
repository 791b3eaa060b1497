"""Combines what several sources give for one radius over the cycle, each weighted by its errors.

A contour that was carried is right in the given frames, and less certain further away. A network's contours have
errors of their own: some that last through the cycle, some of single frames; and so have contours that pictures
carried. All are Gaussian processes round the cycle, so what two sources together say of the radius in every frame, and
how sure it is, is one linear equation: where a network differs from a given frame, that much of its difference is taken
off in the other frames too.
"""

import itertools
from collections.abc import Sequence

import numpy as np

from ear_jax.analysis.motion import POINTS

# Errors of a network's radius, mm: through the whole cycle, over a part of it, of a frame.
_LASTING, _PASSING, _FRAME = 0.45, (0.6, 0.35), 0.25
_PART = 0.1  # of the cycle
_SCALES = (1.0, 2.0, 4.0, 8.0, 16.0, 64.0)  # of variances that may be larger than expected
# Errors of what pictures carry, mm: over a part of the cycle, of a frame, and a mm a frame of the wall's speed.
_SEEN, _SEEN_FRAME, _LAG = 0.2, 0.3, 2.0
_GIVEN = 0.05  # mm, of a given frame; keeps equations from being singular


def bridge(keys: np.ndarray, frames: int) -> np.ndarray:
  """Returns `[T, T]`, the covariance of a walk of unit steps round a cycle that is 0 at the frames `keys`, sorted."""
  t = np.arange(frames)
  part = np.searchsorted(keys, t, 'right') % len(keys)  # number of the given frame after
  length = (keys - np.roll(keys, 1)) % frames
  length = np.where(length == 0, frames, length)[part]
  since = (t - keys[part - 1]) % frames
  walk = np.minimum.outer(since, since) - np.outer(since, since) / length
  return np.where(part[:, None] == part, walk, 0.0)


def heard(
  radius: np.ndarray,
  prior: Sequence[np.ndarray],
  other: np.ndarray,
  known: np.ndarray,
  own: Sequence[np.ndarray],
  size: float,
  scales: Sequence[float] = (1.0,),
) -> tuple[np.ndarray, list[np.ndarray]]:
  """Returns radii and covariances of their errors when another source has been heard.

  Args:
    radius, prior: `[T, 2, 360]` px, and for each side `[T, T]` mm^2.
    other: `[F, 2, 360]` px of the frames `known`.
    own: for each side `[F, F]` mm^2, covariance of the source's errors; it may be too small by a factor, which is taken
      as the differences make it likely.
    size: mm a pixel.
    scales: factors by which `prior` may be too small, likewise.
  """
  apart, radius, after = (other - radius[known]) * size, radius.copy(), []
  for side, before in enumerate(prior):
    mine, theirs, given = before[np.ix_(known, known)], own[side], _GIVEN**2 * np.eye(len(known))
    square = apart[:, side] @ apart[:, side].T / POINTS
    a, b = max(
      itertools.product(scales, _SCALES), key=lambda ab: _likelihood(square, ab[0] * mine + ab[1] * theirs + given)
    )
    gain = a * before[:, known] @ np.linalg.inv(a * mine + b * theirs + given)
    radius[:, side] += gain @ apart[:, side] / size
    after.append(a * (before - gain @ before[known]))
  return radius, after


def with_pictures(
  radius: np.ndarray, prior: Sequence[np.ndarray], seen: np.ndarray, size: float
) -> tuple[np.ndarray, list[np.ndarray]]:
  """Returns `heard` of contours that pictures carried, which are wrong where the wall moves fast.

  Args:
    radius, prior, size: of `heard`.
    seen: `[T, 2, 360]` px.
  """
  known, own = np.arange(len(radius)), []
  for side in range(2):
    speed = (np.roll(radius[:, side], -1, 0) - np.roll(radius[:, side], 1, 0)).mean(1) * size / 2
    wrong = np.hypot(_SEEN, _LAG * speed)
    own.append(np.outer(wrong, wrong) * _near(known, len(radius)) + _SEEN_FRAME**2 * np.eye(len(known)))
  return heard(radius, prior, seen, known, own, size, _SCALES)


def with_network(
  radius: np.ndarray, prior: Sequence[np.ndarray], other: np.ndarray, known: np.ndarray, size: float
) -> tuple[np.ndarray, list[np.ndarray]]:
  """Returns `heard` of the contours of a network; arguments as there."""
  own = [_LASTING**2 + passing**2 * _near(known, len(radius)) + _FRAME**2 * np.eye(len(known)) for passing in _PASSING]
  return heard(radius, prior, other, known, own, size)


def _near(known: np.ndarray, frames: int) -> np.ndarray:
  """`[F, F]`, correlation of what lasts for a part of the cycle."""
  gap = np.abs(known[:, None] - known)
  return np.exp(-0.5 * (np.minimum(gap, frames - gap) / frames / _PART) ** 2)


def _likelihood(square: np.ndarray, covariance: np.ndarray) -> float:
  """Log likelihood of a draw of a Gaussian whose mean product is `square` `[F, F]`, but for a constant."""
  return -0.5 * float((np.linalg.inv(covariance) * square).sum() + np.linalg.slogdet(covariance)[1])
