"""Material points of the wall followed round the cycle by the measured in-plane velocity.

A point that moves with the tissue is where the integral of the velocity *at the point itself* brings it; here the whole
cycle is solved at once: velocities are looked up where the points are thought to be, integrated to better places, and
looked up again, until the places stay (Picard's iteration). Tissue comes back after a cycle, so a point's velocity has
no mean over it: what mean is measured is background phase, a plane over the picture that does not move with the
points, and drift, of which every frame gets an equal share. Going forwards from the first frame and backwards from it
over the end of the cycle are then the same curve.

Single pixels are noise, and pixels at the wall's borders hold blood or fat as well. `Ring` therefore has points all
over the wall and what their velocities can be at most: low harmonics round it, a straight line across.
The velocities of all points of a frame are fitted by that, the border's points without a say.
"""

from typing import NamedTuple

import numpy as np

from ear_jax.analysis.regions import lengths

ORDER, DEGREE = 4, 1  # harmonics of a component of velocity round the wall, and its polynomial across
DEPTHS = np.linspace(0, 1, 9)  # of a ring's points, from endo- to epicardium
ANGLES = 72  # of a ring's points
_BORDER = 0.2  # of the wall's thickness next to either contour, where other tissue is mixed in
_PASSES = 30
_FLAT = 1e6  # condition of points that lie on a line: no plane goes through their velocities
_STILL = 0.02  # pixels: points that move by less between two passes have settled


class Ring(NamedTuple):
  """Points all over the wall at one frame, and how their velocities hang together.

  Attributes:
    points: `[U * A, 2]` (row, column): depth by depth from endo- to epicardium, each round the wall.
    basis: `[U * A, K]`, of which the velocity of a frame is a sum, component by component.
    weight: `[U * A]`, a point's say in that; 0 next to the borders.
  """

  points: np.ndarray
  basis: np.ndarray
  weight: np.ndarray


def ring(
  endo: np.ndarray,
  epi: np.ndarray,
  *,
  angles: int = ANGLES,
  depths: np.ndarray = DEPTHS,
  order: int = ORDER,
  degree: int = DEGREE,
) -> Ring:
  """Returns points on straight lines between an endo- and an epicardium.

  Args:
    endo, epi: `[P, 2]` (row, column) of one frame, point i of both at one angle, at equal angles.
    angles: A, of which the first is that of point 0.
    depths: `[U]`, 0 at the endocardium, 1 at the epicardium.
    order: of the harmonics round the wall.
    degree: of the polynomial across it.
  """
  at = np.arange(angles) * len(endo) // angles
  points = endo[at] + np.asarray(depths)[:, None, None] * (epi[at] - endo[at])  # [U, A, 2]
  turn = 2 * np.pi * at / len(endo)
  basis = ring_basis(*np.broadcast_arrays(turn, np.asarray(depths)[:, None]), order=order, degree=degree)
  inside = np.abs(np.asarray(depths) - 0.5) <= 0.5 - _BORDER + 1e-9
  weight = np.repeat(inside.astype(float), angles)
  return Ring(points.reshape(-1, 2), basis.reshape(-1, basis.shape[-1]), weight)


def ring_basis(angle: np.ndarray, depth: np.ndarray, *, order: int = ORDER, degree: int = DEGREE) -> np.ndarray:
  """Returns `[..., K]`: all products of harmonics of `angle` (rad) and Legendre polynomials of `depth` (0 to 1)."""
  k = np.arange(1, order + 1) * angle[..., None]
  around = np.concatenate([np.ones_like(k[..., :1]), np.cos(k), np.sin(k)], -1)
  across = np.polynomial.legendre.legvander(2 * depth - 1, degree)
  return (around[..., :, None] * across[..., None, :]).reshape(*np.shape(angle), -1)


def fit_matrix(basis: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
  """Returns `[K, N]`, which makes the coefficients of the weighted fit by a basis `[N, K]` from values at N points."""
  root = np.sqrt(np.ones(len(basis)) if weight is None else weight)
  return np.linalg.pinv(basis * root[:, None]) * root


def track(
  velocity: np.ndarray,
  points: np.ndarray,
  frame: int,
  *,
  spacing: tuple[float, float],
  frame_interval: float,
  basis: np.ndarray | None = None,
  weight: np.ndarray | None = None,
) -> np.ndarray:
  """Returns `[T, N, 2]` (row, column), where points of the tissue are in every frame of the cycle.

  Args:
    velocity: `[T, H, W, 2]` or more channels: cm/s along column, along row; without wraps where the points go.
    points: `[N, 2]` (row, column) at `frame`, to which they are exactly kept.
    frame: where the points are known.
    spacing: mm along row and column index; NaN: 1 mm.
    frame_interval: ms.
    basis: `[N, K]`, what the velocities of a frame are made of (`Ring`); None: each point's own is taken.
    weight: `[N]`, how much each point counts in that; None: all alike.
  """
  scale = frame_interval / 100 / lengths(spacing)  # of cm/s to pixels a frame
  field = (velocity[..., 1::-1] * scale).astype(np.float32)  # (row, column)
  solver = None if basis is None else fit_matrix(basis, weight)
  share = np.ones(len(points)) if weight is None else weight
  places = np.broadcast_to(points, (len(field), *points.shape)).astype(float)
  for _ in range(_PASSES):
    step = _without_background(along(field, places), places, share)
    moved = _integral(step if solver is None else basis @ (solver @ step))
    before, places = places, points + (moved - moved[frame])
    if np.abs(places - before).max() < _STILL:
      break
  return places


def along(field: np.ndarray, places: np.ndarray) -> np.ndarray:
  """Returns a field `[T, H, W, C]` at places `[T, N, 2]`, `[T, N, C]`; the nearest pixel outside the picture."""
  height, width = field.shape[1:3]
  at = np.clip(places, 0, (height - 1, width - 1))
  corner = np.minimum(at.astype(int), (max(height - 2, 0), max(width - 2, 0)))
  share = (at - corner).astype(field.dtype)
  pixels = np.ascontiguousarray(field).reshape(-1, field.shape[-1])
  first = (np.arange(len(field))[:, None] * height + corner[..., 0]) * width + corner[..., 1]
  below, beside = width if height > 1 else 0, 1 if width > 1 else 0
  down, right = share[..., :1], share[..., 1:]
  above, under = (  # `take` is seven times as fast as brackets
    pixels.take(at, 0) * (1 - right) + pixels.take(at + beside, 0) * right for at in (first, first + below)
  )
  return above * (1 - down) + under * down


def _without_background(step: np.ndarray, places: np.ndarray, weight: np.ndarray) -> np.ndarray:
  """Returns velocities `[T, N, 2]` minus a plane over the picture, then minus the mean that is left at each point.

  A plane b(x) that does not move is in the mean of a point's velocity as b(the point's mean place).
  """
  mean = places.mean(0)
  if len(mean) > 3:
    away = mean - (mean * weight[:, None]).sum(0) / weight.sum()
    plane = np.concatenate([np.ones((len(mean), 1)), away], 1)
    square = (plane * weight[:, None]).T @ plane
    if np.linalg.cond(square) < _FLAT:
      slope = np.linalg.solve(square, (plane * weight[:, None]).T @ step.mean(0))[1:]  # [2, 2]
      step = step - (places - mean) @ slope
  return step - step.mean(0)


def _integral(step: np.ndarray) -> np.ndarray:
  """Returns the integral `[T, ...]` of what is periodic and has no mean, by Fourier series; its mean is 0."""
  turn = 2 * np.pi * np.fft.rfftfreq(len(step))
  spectrum = np.fft.rfft(step, axis=0)
  spectrum[1:] /= (1j * turn[1:]).reshape(-1, *[1] * (step.ndim - 1))
  spectrum[0] = 0
  if len(step) % 2 == 0:
    spectrum[-1] = 0  # the fastest harmonic has no sine, and its integral is one
  return np.fft.irfft(spectrum, len(step), axis=0)
