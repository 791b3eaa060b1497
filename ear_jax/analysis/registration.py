"""Image registration: finds the wall of one frame in the others. It carries contours where there are no velocities.

The tissue between a little inside the endocardium and a little outside the epicardium is moved by low harmonics round
the wall (`tracking.ring`), so that every frame looks there as it should: least squares of the brightness by Gauss and
Newton, robust against what looks otherwise; brightness may change as a whole. How it should look is half as in the
first frame, so that errors do not add up, and half as in the neighbours in time, since blood and muscle look otherwise
at another phase. A frame begins where its neighbour ended, on both ways round the cycle; then all frames are gone over
again with the neighbours on both sides, which closes the cycle.
"""

import numpy as np
from scipy import ndimage

from ear_jax.analysis.tracking import ANGLES, DEGREE, Ring, along, fit_matrix, ring_basis

_DEPTHS = np.linspace(-0.5, 1.25, 15)  # of the tissue that is looked at
_BLUR = 0.6  # pixels
_FIRST = 0.5  # how much a frame should look as the first one does, and not as its neighbours
_PASSES, _SWEEPS = 6, 3  # steps on the way round the cycle, and over all frames afterwards
_STIFF = 0.05  # cost of a pixel of the first harmonic away from the neighbours, of the pictures' mean square slope
_STIFF_MEAN = 0.5  # the same of the mean round the wall, relative
_ODD = 2.0  # differences of so many times their root mean square count half
_MARGIN = 16  # pixels about the wall


def follow(pictures: np.ndarray, wall: Ring, frame: int, start: np.ndarray | None = None) -> np.ndarray:
  """Returns `[T, N, 2]` (row, column), where the points of a ring are in every frame.

  Args:
    pictures: `[T, H, W]` magnitudes of a cycle; the last frame is followed by the first.
    wall: of `tracking.ring`.
    frame: that it is of.
    start: `[T, N, 2]`, where they are thought to be; None: a frame begins where its neighbour ended.
  """
  low = np.maximum(np.floor(wall.points.min(0)).astype(int) - _MARGIN, 0)
  high = np.maximum(np.ceil(wall.points.max(0)).astype(int) + _MARGIN + 1, low + 2)
  window = pictures[:, low[0] : high[0], low[1] : high[1]].astype(np.float32)
  inner, *_, outer = wall.points.reshape(-1, ANGLES, 2) - low
  points = (inner + _DEPTHS[:, None, None] * (outer - inner)).reshape(-1, 2)
  turn = np.arange(ANGLES) * (2 * np.pi / ANGLES)
  # Beyond the wall tissue moves as the border does.
  basis = ring_basis(*np.broadcast_arrays(turn, np.clip(_DEPTHS, 0, 1)[:, None])).reshape(len(points), -1)
  blurred = ndimage.gaussian_filter(window / max(float(window.std()), 1e-9), (0, _BLUR, _BLUR))
  moved = None if start is None else fit_matrix(wall.basis) @ (start - wall.points)
  return wall.points + wall.basis @ _aligned(blurred, points, basis, frame, moved)


def _aligned(
  pictures: np.ndarray, points: np.ndarray, basis: np.ndarray, frame: int, start: np.ndarray | None
) -> np.ndarray:
  """`[T, K, 2]`, coefficients of the displacement of every frame."""
  fields = np.stack([pictures, *np.gradient(pictures, axis=(1, 2))], -1)  # brightness, and its slopes
  frames = len(pictures)
  moved = np.zeros((frames, basis.shape[1], 2)) if start is None else start.copy()
  looks = along(fields, points + basis @ moved)  # [T, N, 3], where the points are thought to be
  key = looks[frame, :, 0] if start is None else along(fields[frame][None], points[None])[0, :, 0]

  def put(t: int, coefficients: np.ndarray) -> None:
    moved[t] = coefficients
    looks[t] = along(fields[t][None], (points + basis @ coefficients)[None])[0]

  def step(t: int, neighbours: tuple[int, ...]) -> None:
    wanted = _FIRST * key + (1 - _FIRST) * looks[list(neighbours), :, 0].mean(0)
    put(t, moved[t] + _step(looks[t], wanted, basis, moved[t] - moved[list(neighbours)].mean(0)))

  onward = [(k, k - 1) for k in range(1, frames // 2 + 1)]
  back = [(-k, 1 - k) for k in range(1, (frames + 1) // 2)]
  for k, from_k in onward + back if start is None else []:
    t, before = (frame + k) % frames, (frame + from_k) % frames
    put(t, moved[before])
    for _ in range(_PASSES):
      step(t, (before,))
  for _ in range(_SWEEPS):
    for t in range(frames):
      if t != frame:
        step(t, ((t - 1) % frames, (t + 1) % frames))
  return moved


def _step(look: np.ndarray, wanted: np.ndarray, basis: np.ndarray, apart: np.ndarray) -> np.ndarray:
  """One step of Gauss and Newton for a frame, `[K, 2]`; `apart` is how far it is from its neighbours."""
  seen, down, right = look.T
  weight = np.ones_like(seen)
  for _ in range(2):
    rest = _off_line(seen, wanted, weight**2)
    weight = 1 / np.sqrt(1 + (rest / (_ODD * np.sqrt(np.mean(rest**2)) + 1e-9)) ** 2)
  jacobian = np.concatenate([down[:, None] * basis, right[:, None] * basis], 1)  # [N, 2 K]
  weighed = jacobian * (weight**2)[:, None]
  stiff = _STIFF * np.mean(down**2 + right**2) * (basis**2).sum(0) * _roughness(basis.shape[1]) + 1e-6
  stiff = np.concatenate([stiff, stiff])
  wished = -weighed.T @ rest - stiff * apart.T.ravel()
  return np.linalg.solve(weighed.T @ jacobian + np.diag(stiff), wished).reshape(2, -1).T


def _roughness(size: int) -> np.ndarray:
  """`[K]`, relative cost of the functions of a basis: the square of the harmonic."""
  order = (size // (DEGREE + 1) - 1) // 2
  squares = np.arange(1.0, order + 1) ** 2
  return np.repeat(np.concatenate([[_STIFF_MEAN], squares, squares]), DEGREE + 1)


def _off_line(step: np.ndarray, wanted: np.ndarray, weight: np.ndarray) -> np.ndarray:
  """What is left `[N]` of one brightness by another when it may change as a whole: a weighted line is taken off."""
  total = weight.sum()
  away, other = wanted - (weight @ wanted) / total, step - (weight @ step) / total
  return other - away * (weight @ (away * other) / max(float(weight @ away**2), 1e-12))
