"""Velocity gradients of one slice by regression inside the wall: strain rates of its regions, with standard errors.

In every frame the radial (outward), circumferential and through-plane velocities of the wall's pixels are fitted, by
least squares, with sums of 1/r and r times low harmonics of the angle a. That is the field of a ring that keeps or
changes its area evenly: v_r = A/r + B r (Fung, Biomechanics, ch. 8.3), so that few numbers hold the gradients:

  D_rr = dv_r/dr,  D_cc = v_r/r + (1/r) dv_c/da,  D_rc = (dv_c/dr - v_c/r + (1/r) dv_r/da) / 2

of the rate of deformation D = (grad v + grad v') / 2, as means over the pixels of a region. The standard error is that
of the fit, with the noise that its harmonics beyond those of the motion hold: noise of neighbouring pixels hangs
together, and what a residual alone would say is too little.
"""

from typing import NamedTuple

import numpy as np

from ear_jax.analysis.velocity import means_over
from ear_jax.analysis.wall import Wall

HARMONICS = 4, 1  # of 1/r and of r round the wall: what the motion of a ring and of its sectors needs
_NOISE = tuple(range(6, 10))  # harmonics of 1/r that hold noise
_FEWEST = 60  # pixels of a frame
_MM_PER_CM = 10.0


class Gradients(NamedTuple):
  """The fitted motion of N pixels; lengths mm, times s.

  Attributes:
    rates: `[N, 3]` 1/s: radial, circumferential, and the shear between them.
    through: `[N]` mm/s towards the apex, fitted.
    turning: `[N]` rad/s about the centre, fitted.
    design: `[N, 4, K]`: of the K functions at a pixel, the derivative by radius, the value, the value over the radius,
      and the derivative by angle over the radius.
    spread: `[T, K, K]` of the coefficients of a frame for noise of 1.
    noise: `[3]` mm/s: of radial, circumferential and through-plane velocity, as one pixel's that is free of others'.
  """

  rates: np.ndarray
  through: np.ndarray
  turning: np.ndarray
  design: np.ndarray
  spread: np.ndarray
  noise: np.ndarray


def fit(wall: Wall, frames: int, sign: int = 1) -> Gradients:
  """Returns the fitted motion of the wall's pixels; NaN in frames with fewer than `_FEWEST`.

  Only `Wall.core` is fitted, whose pixels hold nothing else, and what it says holds for the whole wall.

  Args:
    wall: offsets in mm.
    frames: T.
    sign: +1 where the circumferential velocities of `wall` are positive counter-clockwise, as angles grow; else -1.
  """
  radius, angle = np.hypot(*wall.offset.T), np.arctan2(wall.offset[:, 1], wall.offset[:, 0])
  radius = np.maximum(radius, 1e-3)
  values, across, around = _basis(radius / 10, angle)  # cm: columns of like size
  across = across / 10
  columns = values.shape[1] - 4 * len(_NOISE) // 2
  measured = wall.velocity[:, [1, 2, 0]] * (-_MM_PER_CM, sign * _MM_PER_CM, _MM_PER_CM)
  coefficients = np.full((frames, values.shape[1], 3), np.nan)
  spread = np.full((frames, values.shape[1], values.shape[1]), np.nan)
  for t in range(frames):
    used = (wall.frame == t) & wall.core
    if used.sum() >= _FEWEST:
      x = values[used]
      spread[t] = np.linalg.pinv(x.T @ x)
      coefficients[t] = spread[t] @ (x.T @ measured[used])
  noise = _noise(coefficients[:, columns:], np.diagonal(spread, 0, 1, 2)[:, columns:])
  values, across, around = (part[:, :columns] for part in (values, across, around))
  found = coefficients[wall.frame, :columns]  # [N, K, 3]
  r = radius[:, None]
  design = np.stack([across, values, values / r, around / r], 1)  # [N, 4, K]
  (dr, _, over, da), (out, turned) = np.moveaxis(design, 1, 0), np.moveaxis(found[..., :2], 2, 0)
  rates = np.stack([dr * out, over * out + da * turned, (da * out + (dr - over) * turned) / 2], 1).sum(-1)
  rates[:, 2] *= sign
  through, turning = (values * found[..., 2]).sum(1), sign * (over * turned).sum(1)
  return Gradients(rates, through, turning, design, spread[:, :columns, :columns], noise)


def means(found: Gradients, group: np.ndarray, frame: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
  """Returns means over regions and their standard errors, `[count, T, 5]` both.

  They are radial, circumferential and shear rate (1/s), through-plane velocity (mm/s) and turning (rad/s).

  Args:
    found: of N pixels.
    group: `[N]` int, the region of each.
    frame: `[N]` int.
    count: of regions.
  """
  frames, columns = len(found.spread), found.design.shape[-1]
  values = np.concatenate([found.rates, found.through[:, None], found.turning[:, None]], 1)
  both = np.concatenate([values, found.design.reshape(len(frame), -1)], 1)
  mean = means_over(both, group * frames + frame, count * frames).reshape(count, frames, -1)
  dr, value, over, da = np.moveaxis(mean[..., 5:].reshape(count, frames, 4, columns), 2, 0)
  none = np.zeros_like(dr)
  # What the coefficients of the radial and of the circumferential fit (of the through-plane one: the first) add.
  of = np.stack([[dr, over, da / 2, value, none], [none, da, (dr - over) / 2, none, over]])  # [2, 5, count, T, K]
  variance = np.einsum('cqgtk,tkl,cqgtl->cqgt', of, found.spread, of, optimize=True)
  noise = np.repeat(found.noise[:2, None], 5, 1)
  noise[0, 3] = found.noise[2]
  error = np.sqrt((np.maximum(variance, 0) * (noise**2)[:, :, None, None]).sum(0))
  return mean[..., :5], np.moveaxis(error, 0, -1)


def _basis(radius: np.ndarray, angle: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Returns `[N, K + M]` values, derivatives by radius and by angle of the columns; the last M are those of noise."""
  orders = [(-1, n) for n in range(HARMONICS[0] + 1)] + [(1, n) for n in range(HARMONICS[1] + 1)]
  columns = []
  for power, n in orders + [(-1, n) for n in _NOISE]:
    f, slope = radius**power, power * radius ** (power - 1)
    waves = [(np.cos(n * angle), -n * np.sin(n * angle)), (np.sin(n * angle), n * np.cos(n * angle))]
    columns += [(f * wave, slope * wave, f * turned) for wave, turned in waves[: 2 if n else 1]]
  values, across, around = (np.stack(part, -1) for part in zip(*columns, strict=True))
  return values, across, around


def _noise(coefficients: np.ndarray, variance: np.ndarray) -> np.ndarray:
  """Returns `[3]`: root mean square over frames of `[T, M, 3]` about their mean, for a variance `[T, M]` of 1."""
  known = np.isfinite(coefficients).all((1, 2))
  if known.sum() < 2:
    return np.full(3, np.nan)
  away = coefficients[known] - coefficients[known].mean(0)
  return np.sqrt((away**2 / variance[known][..., None]).mean((0, 1)) * (known.sum() / (known.sum() - 1)))
