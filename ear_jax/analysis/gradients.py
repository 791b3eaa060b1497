"""Velocity gradients of one slice by regression inside the wall: strain rates of its regions, with standard errors.

In every frame the radial (outward), circumferential and through-plane velocities of the wall's pixels are fitted, by
least squares, with sums of 1/r and r times low harmonics of the angle a. That is the field of a ring that keeps or
changes its area evenly: v_r = A/r + B r (Fung, Biomechanics, ch. 8.3), so that few numbers hold the gradients:

  D_rr = dv_r/dr,  D_cc = v_r/r + (1/r) dv_c/da,  D_rc = (dv_c/dr - v_c/r + (1/r) dv_r/da) / 2

of the rate of deformation D = (grad v + grad v') / 2, as means over the pixels of a region. The standard error is that
of the fit, with the noise that its harmonics beyond those of the motion hold: noise of neighbouring pixels hangs
together, and what a residual alone would say is too little.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ear_jax.analysis.wall import Wall

HARMONICS = 4, 1  # of 1/r and of r round the wall: what the motion of a ring and of its sectors needs
_NOISE = tuple(range(6, 10))  # harmonics of 1/r that hold noise
_FEWEST = 60  # pixels of a frame
_MM_PER_CM = 10.0


class _Column(NamedTuple):
  """A function: a power of the radius times the cosine (0) or the sine (1) of a multiple of the angle."""

  power: int
  order: int
  wave: int


_COLUMNS = [
  _Column(power, n, wave)
  for power, most in zip((-1, 1), HARMONICS, strict=True)
  for n in range(most + 1)
  for wave in range(2 if n else 1)
]
_NOISY = [_Column(-1, n, wave) for n in _NOISE for wave in range(2)]
_POWERS = np.array([column.power for column in _COLUMNS])
# Which sum of functions the derivative of each by the angle is: -n sin of a cosine, n cos of a sine.
_TURNED = np.array(
  [
    [n * (2 * wave - 1) * (one[:2] == (power, n) and one.wave != wave) for power, n, wave in _COLUMNS]
    for one in _COLUMNS
  ]
)


class Gradients(NamedTuple):
  """The fitted motion of N pixels by K functions; lengths mm, times s.

  Attributes:
    frame: `[N]` int.
    values: `[2 K, N]`, the functions at the pixels, and the same over the radius.
    coefficients: `[T, K, 3]` of radial (outward), circumferential and through-plane velocity; NaN where not fitted.
    spread: `[T, K, K]` of the coefficients of a frame for noise of 1.
    noise: `[3]` mm/s: of radial, circumferential and through-plane velocity, as one pixel's that is free of others'.
    sign: +1 where circumferential velocities are positive counter-clockwise, as angles grow; else -1.
  """

  frame: np.ndarray
  values: np.ndarray
  coefficients: np.ndarray
  spread: np.ndarray
  noise: np.ndarray
  sign: int


def fit(wall: Wall, frames: int, sign: int = 1) -> Gradients:
  """Returns the fitted motion of the wall's pixels; NaN in frames with fewer than `_FEWEST`.

  Only `Wall.core` is fitted, whose pixels hold nothing else, and what it says holds for the whole wall.

  Args:
    wall: offsets in mm.
    frames: T.
    sign: of `Gradients`, for the circumferential velocities of `wall`.
  """
  radius, angle = np.maximum(np.hypot(*wall.offset.T), 1e-3), np.arctan2(wall.offset[:, 1], wall.offset[:, 0])
  functions = _functions(radius / 10, angle)  # cm: of like size
  measured = wall.velocity[:, [1, 2, 0]] * (-_MM_PER_CM, sign * _MM_PER_CM, _MM_PER_CM)
  core = np.flatnonzero(wall.core)
  core = core[np.argsort(wall.frame[core], kind='stable')]
  edges = np.searchsorted(wall.frame[core], np.arange(frames + 1))
  coefficients = np.full((frames, len(functions), 3), np.nan)
  spread = np.full((frames, len(functions), len(functions)), np.nan)
  used, wanted, count = functions[:, core], measured[core], len(_COLUMNS)
  for t, (first, last) in enumerate(pairwise(edges)):
    if last - first >= _FEWEST:
      x = used[:, first:last]
      spread[t] = np.linalg.pinv(x @ x.T)
      coefficients[t] = spread[t] @ (x @ wanted[first:last])
  noise = _noise(coefficients[:, count:], np.diagonal(spread, 0, 1, 2)[:, count:])
  values = np.concatenate([functions[:count], functions[:count] / radius])
  return Gradients(wall.frame, values, coefficients[:, :count], spread[:, :count, :count], noise, sign)


def sums(gradients: Gradients, number: np.ndarray, count: int) -> np.ndarray:
  """Returns `[count, T, 2 K + 1]`: sums of the functions over the pixels of each region, and how many there are.

  Those of regions that do not overlap add up to those of what they are together.

  Args:
    gradients: of N pixels.
    number: `[N]` int, the region of each.
    count: of regions.
  """
  frames = len(gradients.spread)
  cell = number * frames + gradients.frame
  of = [np.bincount(cell, weights, count * frames) for weights in (*gradients.values, None)]
  return np.stack(of, -1).reshape(count, frames, -1)


def means(gradients: Gradients, total: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Returns means over regions and their standard errors, `[count, T, 5]` both.

  They are radial, circumferential and shear rate (1/s), through-plane velocity (mm/s) and turning (rad/s).

  Args:
    gradients: the fit.
    total: `[count, T, 2 K + 1]` of `sums`.
  """
  size = total[..., -1:]
  value, over = np.split(np.where(size > 0, total[..., :-1] / np.maximum(size, 1), np.nan), 2, -1)  # [count, T, K]
  dr, da = _POWERS * over, over @ _TURNED
  out, turned, through = np.moveaxis(gradients.coefficients, -1, 0)
  parts = [
    dr * out,
    over * out + da * turned,
    gradients.sign * (da * out + (dr - over) * turned) / 2,
    value * through,
    gradients.sign * over * turned,
  ]
  none = np.zeros_like(dr)
  # What the coefficients of the radial and of the circumferential fit (of the through-plane one: the first) add.
  of = np.stack([[dr, over, da / 2, value, none], [none, da, (dr - over) / 2, none, over]])  # [2, 5, count, T, K]
  variance = np.einsum('cqgtk,tkl,cqgtl->cqgt', of, gradients.spread, of, optimize=True)
  noise = np.repeat(gradients.noise[:2, None], 5, 1)
  noise[0, 3] = gradients.noise[2]
  error = np.sqrt((np.maximum(variance, 0) * (noise**2)[:, :, None, None]).sum(0))
  return np.stack(parts, -2).sum(-1), np.moveaxis(error, 0, -1)


def _functions(radius: np.ndarray, angle: np.ndarray) -> np.ndarray:
  """Returns `[K + M, N]`, the functions; the last M are those of noise."""
  turn, powers = np.exp(1j * angle), {-1: 1 / radius, 1: radius}
  waves = [np.ones_like(turn)]
  for _ in range(max(column.order for column in _COLUMNS + _NOISY)):
    waves.append(waves[-1] * turn)
  columns = [powers[power] * (waves[n].imag if wave else waves[n].real) for power, n, wave in _COLUMNS + _NOISY]
  return np.stack(columns)


def _noise(coefficients: np.ndarray, variance: np.ndarray) -> np.ndarray:
  """Returns `[3]`: root mean square over frames of `[T, M, 3]` about their mean, for a variance `[T, M]` of 1."""
  known = np.isfinite(coefficients).all((1, 2))
  if known.sum() < 2:
    return np.full(3, np.nan)
  away = coefficients[known] - coefficients[known].mean(0)
  return np.sqrt((away**2 / variance[known][..., None]).mean((0, 1)) * (known.sum() / (known.sum() - 1)))
