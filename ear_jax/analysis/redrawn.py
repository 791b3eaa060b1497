"""The velocity curves that other contours of the same wall would give, for hundreds of contours at once.

Velocities are sampled once along rays from the centre of every frame and summed up outward. The mean of a part of the
wall is then a difference of sums at two borders, so that contours moved along the rays cost only look-ups.
"""

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from ear_jax.analysis.contours import MOST_SHAVED
from ear_jax.analysis.motion import GROUPS, SliceMotion
from ear_jax.analysis.regions import lengths, screen_angle
from ear_jax.analysis.wall import wall_velocity
from ear_jax.cine import Cine

ANGLES = 72  # rays of a frame: three for each of the smallest sectors
_LAYERS = GROUPS['layers']
_STEP = 0.5  # pixels along a ray


class Rays(NamedTuple):
  """The wall of F frames along rays; lengths in mm, or pixels where the spacing is unknown.

  Attributes:
    frames: `[F]` int, those that have contours.
    direction: `[F, A, 2]` (row, column) unit vectors; sector 0 begins at the first, and they go on clockwise on screen.
    endo, epi: `[F, A]` distance of the contours from the centre.
    sums: `[4, F, A, R]` float32, integrals over the distance from the centre of the velocity along column, along row
      and through the plane (cm/s) and of 1, each times the distance.
    step: between two of the R distances.
  """

  frames: np.ndarray
  direction: np.ndarray
  endo: np.ndarray
  epi: np.ndarray
  sums: np.ndarray
  step: float


def along_rays(cine: Cine, motion: SliceMotion, reach: float) -> Rays:
  """Returns the velocities around the wall along rays, as far as `reach` beyond the largest epicardium.

  Args:
    cine: with velocities, the one that `motion` was made from.
    motion: its analysis, with contours in a frame at least.
    reach: mm.
  """
  size, frames = lengths(cine.spacing), np.flatnonzero(~motion.contours.failed)
  septum = screen_angle((motion.septum - motion.centre)[frames] * size)
  angle = septum[:, None] - (np.arange(ANGLES) + 0.5) * (2 * np.pi / ANGLES)
  direction = np.stack([np.cos(angle), np.sin(angle)], -1)
  endo, epi = (
    np.array([_distance((side[t] - motion.centre[t]) * size, a) for t, a in zip(frames, angle, strict=True)])
    for side in (motion.contours.endo, motion.contours.epi)
  )
  step = _STEP * float(size.min())
  distance = (np.arange(int(np.ceil((epi.max() + reach) / step))) + 0.5) * step  # middles of the steps
  points = motion.centre[frames, None, None] + distance[:, None] * (direction / size)[:, :, None]  # [F, A, R, 2]
  velocity = _sample(cine, motion, frames, points)
  weighted = np.stack([*velocity, np.ones_like(velocity[0])]) * (distance * step)
  sums = np.pad(np.cumsum(weighted, -1, dtype=np.float64), [(0, 0), (0, 0), (0, 0), (1, 0)])
  return Rays(frames, direction, endo, epi, sums.astype(np.float32), step)


def redraw(
  rays: Rays, endo: np.ndarray, epi: np.ndarray, aside: np.ndarray, rim: np.ndarray, circumferential_sign: int
) -> tuple[np.ndarray, np.ndarray]:
  """Returns what D other contours would give: velocities of parts of the wall, and the size of the parts.

  Args:
    rays: of the slice.
    endo, epi: `[D, F, A]` mm, distance of the contours from the frames' centres as they were.
    aside: `[D, F, 2]` (row, column) mm, how far the centres are off.
    rim: `[D]` mm of wall next to either contour that is left out, a quarter of it at most.
    circumferential_sign: as in `Settings`.

  Returns:
    `[3, D, F, A, 3]` cm/s, longitudinal, radial and circumferential in the three layers of each ray, without in-plane
    bulk motion; `[D, F, A, 3]` their area, any unit.
  """
  thick = (epi - endo).astype(np.float32)
  shaved = np.minimum(rim.astype(np.float32)[:, None, None], MOST_SHAVED * thick)
  inner, outer = endo + shaved, epi - shaved
  borders = [np.clip(endo + thick * (k / _LAYERS), inner, outer) for k in range(_LAYERS + 1)]
  distance = np.stack(borders, -1).astype(np.float32)  # [D, F, A, 4]
  along_column, along_row, through, area = np.diff(_look_up(rays, distance), axis=-1)
  whole = area.sum((-2, -1), keepdims=True)
  size = np.maximum(area, 1e-6)
  through, column_rate, row_rate = (
    through / size,
    along_column / size - along_column.sum((-2, -1), keepdims=True) / whole,
    along_row / size - along_row.sum((-2, -1), keepdims=True) / whole,
  )
  middle = (distance[..., 1:] + distance[..., :-1]) / 2
  row, column = (
    middle * rays.direction[..., k, None].astype(np.float32) - aside[..., k, None, None].astype(np.float32)
    for k in range(2)
  )
  far = np.maximum(np.hypot(row, column), 1e-6)
  radial = -(column * column_rate + row * row_rate) / far
  turning = circumferential_sign * (row * column_rate - column * row_rate) / far
  return np.stack([through, radial, turning]), area


def by_region(values: np.ndarray, area: np.ndarray) -> np.ndarray:
  """Returns means `[3, ..., regions]` over parts of the wall, in the regions of all `GROUPS` one after another.

  Args:
    values: `[3, ..., A, 3]`, of layers of rays or sectors in the order of the sectors; A is a multiple of 24.
    area: `[..., A, 3]`.
  """
  members = _members(area.shape[-2])
  flat = (*area.shape[:-2], -1)
  with np.errstate(invalid='ignore'):
    return (values * area).reshape(3, *flat) @ members / (area.reshape(flat) @ members)


def _members(angles: int) -> np.ndarray:
  """`[A * 3, regions]` float32, 1 where a part of the wall belongs to a region."""
  ray, layer = (axis.ravel() for axis in np.indices((angles, _LAYERS)))
  numbers = {group: ray * count // angles for group, count in GROUPS.items()} | {'layers': layer}
  return np.concatenate([number[:, None] == np.arange(GROUPS[group]) for group, number in numbers.items()], 1).astype(
    np.float32
  )


def _look_up(rays: Rays, distance: np.ndarray) -> np.ndarray:
  """The sums `[4, D, F, A, K]` at distances `[D, F, A, K]`."""
  count = rays.sums.shape[-1]
  at = np.clip(distance / np.float32(rays.step), 0, count - 1.001)
  below = at.astype(np.int32)
  part = at - below
  index = below + (np.arange(rays.endo.size, dtype=np.int32) * count).reshape(*rays.endo.shape, 1)
  return np.stack([flat[index] * (1 - part) + flat[index + 1] * part for flat in rays.sums.reshape(4, -1)])


def _distance(points: np.ndarray, angle: np.ndarray) -> np.ndarray:
  """Distance `[A]` from the origin of a closed curve `[P, 2]` at angles `[A]`."""
  turn, length = screen_angle(points), np.hypot(*points.T)
  order = np.argsort(turn)
  return np.interp(angle, turn[order], length[order], period=2 * np.pi)


def _sample(cine: Cine, motion: SliceMotion, frames: np.ndarray, points: np.ndarray) -> np.ndarray:
  """Velocities `[3, F, A, R]` at points (row, column), with the signs of the analysis and the wall's wraps undone."""
  last = np.array(cine.video.shape[1:3]) - 1
  low = np.clip(np.floor(points.min((0, 1, 2))).astype(int), 0, last)
  high = np.clip(np.ceil(points.max((0, 1, 2))).astype(int) + 1, low + 1, last + 1)
  window = slice(None), slice(low[0], high[0]), slice(low[1], high[1])
  velocity = cine.video[window][..., 1:] * np.asarray(motion.settings.signs, cine.video.dtype)
  if motion.wraps:
    inside = motion.mask.astype(bool)
    velocity, box, _ = wall_velocity(cine, inside, motion.settings)
    whole = cine.video[..., 1:] * np.asarray(motion.settings.signs, cine.video.dtype)
    whole[box] = np.where(inside[box][..., None], velocity, whole[box])
    velocity = whole[window]
  frame = np.broadcast_to(frames[:, None, None], points.shape[:-1])
  where = [frame, points[..., 0] - low[0], points[..., 1] - low[1]]
  return np.stack([ndimage.map_coordinates(velocity[..., k], where, order=1, mode='nearest') for k in range(3)])
