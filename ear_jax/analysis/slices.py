"""The analysis of one slice: mask or contours to velocity curves, markers, rotation and displacement.

Everything is done in the window that holds the wall, on the list of its pixels over all frames, so that a slice of
50 frames of 512 x 512 pixels takes a fraction of a second.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ear_jax.analysis import contours as contours_lib
from ear_jax.analysis import velocity as velocity_lib
from ear_jax.analysis.markers import find_markers
from ear_jax.analysis.motion import COMPONENTS, GROUPS, Contours, Settings, SliceMotion
from ear_jax.analysis.regions import lengths, screen_angle, sector_numbers
from ear_jax.analysis.rotation import displacement, integrate, rotation_rate
from ear_jax.analysis.unwrap import unwrap
from ear_jax.cine import Cine

_CENTRE_REACH = 3  # frames on either side of 50, over which the centre is averaged
_WINDOW_MARGIN = 2


class _Wall(NamedTuple):
  """The wall's pixels, of all frames in one list."""

  frame: np.ndarray  # [N] int
  layer: np.ndarray  # [N] int
  offset: np.ndarray  # [N, 2] mm from the centre, row and column
  velocity: np.ndarray  # [N, 3] cm/s along column, along row, through the plane; signs applied, unwrapped
  where: tuple[np.ndarray, np.ndarray]  # row and column in the picture
  wraps: int


def analyse(
  cine: Cine, mask: np.ndarray, *, septum: float | np.ndarray, settings: Settings | None = None
) -> SliceMotion:
  """Returns the motion of a slice from a mask of its wall.

  Args:
    cine: with velocities.
    mask: `[T, H, W]`, bool or {0, 1}, or the probability of the wall; mended as `contours.from_mask` says.
    septum: direction of mid septum from the centre, rad, atan2(column, row) in mm: 0 is down, pi/2 right; or the
      mid-septal point `[2]` or `[T, 2]` (row, column) in pixels.
    settings: conventions; the default ones when None.

  Raises:
    ValueError: the cine has no velocities; mask or septum has the wrong shape.
  """
  settings = settings or Settings()
  if np.shape(mask) != cine.video.shape[:3]:
    raise ValueError(f'{cine.name}: the mask has shape {np.shape(mask)}, the cine {cine.video.shape[:3]}')
  found = contours_lib.from_mask(mask, smooth=settings.smooth_contours)
  return analyse_with_contours(cine, found, septum=septum, settings=settings)


def analyse_with_contours(
  cine: Cine, contours: Contours, *, septum: float | np.ndarray, settings: Settings | None = None
) -> SliceMotion:
  """Returns the motion of a slice from given contours, which are used as they are; arguments as in `analyse`."""
  settings = settings or Settings()
  if cine.venc is None:
    raise ValueError(
      f'{cine.name}: the cine holds no velocities, only magnitude; velocity curves need all four channels'
    )
  if len(contours.failed) != len(cine.video):
    raise ValueError(f'{cine.name}: contours of {len(contours.failed)} frames, the cine has {len(cine.video)}')
  layers = contours_lib.layer_masks(contours, cine.video.shape[1:3], GROUPS['layers'])
  mask = contours_lib.to_mask(contours, cine.video.shape[1:3])
  centre = find_centre(contours)
  septum = septal_points(septum, contours, centre, cine.spacing, cine.name)
  wall = _wall_pixels(cine, mask, layers, centre, settings)
  cylindrical = _cylindrical(wall, len(mask), settings)
  curves, offset = _curves(cylindrical, wall, (septum - centre) * lengths(cine.spacing), settings, len(mask))
  overall = curves['global'][0]
  radius = velocity_lib.means_over(np.hypot(*wall.offset.T)[:, None], wall.frame, len(mask))[:, 0]
  known = np.nan if np.isnan(cine.spacing).any() else 1.0
  rate = rotation_rate(overall[:, COMPONENTS.index('circumferential')], radius * known)
  return SliceMotion(
    name=cine.name,
    level=cine.level,
    spacing=cine.spacing,
    frame_interval=cine.frame_interval,
    mask=mask,
    contours=contours,
    centre=centre,
    septum=septum,
    curves=curves,
    offset=offset,
    markers=find_markers(curves, cine.frame_interval, settings.orientation),
    rotation_rate=rate,
    rotation=np.rad2deg(integrate(rate, cine.frame_interval)),
    displacement=displacement(overall, cine.frame_interval),
    wraps=wall.wraps,
    settings=settings,
  )


def velocity_maps(cine: Cine, motion: SliceMotion) -> np.ndarray:
  """Returns `[T, H, W, 3]` float32 cm/s, longitudinal, radial and circumferential velocity of every pixel of the wall.

  As in the curves, bulk motion is removed and wraps are undone; the mean over the cycle is still in them. NaN outside
  the wall.

  Args:
    cine: the one that `motion` was made from.
    motion: its analysis.
  """
  wall = _wall_pixels(cine, motion.mask, None, motion.centre, motion.settings)
  maps = np.full((*motion.mask.shape, 3), np.nan, np.float32)
  maps[(wall.frame, *wall.where)] = _cylindrical(wall, len(motion.mask), motion.settings)
  return maps


def find_centre(contours: Contours) -> np.ndarray:
  """Returns `[T, 2]` (row, column): the mean of the epicardial points, averaged over 7 of 50 frames around the cycle.

  Failed frames do not count, and take the mean of the good ones in reach; NaN when there is none.
  """
  frames = len(contours.failed)
  reach = round(_CENTRE_REACH * frames / 50)
  means = np.where(contours.failed[:, None], 0.0, contours.epi.mean(1))
  shifts = range(-reach, reach + 1)
  total = sum(np.roll(means, k, 0) for k in shifts)
  count = sum(np.roll(~contours.failed, k) for k in shifts)
  return np.where(count[:, None] > 0, total / np.maximum(count, 1)[:, None], np.nan)


def septal_points(
  septum, contours: Contours, centre: np.ndarray, spacing: tuple[float, float], name: str
) -> np.ndarray:
  """Returns the mid-septal point `[T, 2]` (row, column).

  Args:
    septum: as in `analyse`; of a direction, the point at the mean distance of the contours from the centre is taken.
    contours, centre: of the slice.
    spacing: mm.
    name: of the slice, for the fault.

  Raises:
    ValueError: `septum` is neither an angle, nor a point, nor a point for every frame.
  """
  septum = np.asarray(septum, float)
  if septum.shape not in ((), (2,), centre.shape) or not np.isfinite(septum).all():
    raise ValueError(f'{name}: septum {septum}: expected an angle in rad, a point (row, column) or {centre.shape}')
  if septum.ndim:
    return np.broadcast_to(septum, centre.shape).copy()
  size = lengths(spacing)
  middle = (contours.endo + contours.epi) / 2 - centre[:, None]
  distance = np.hypot(*np.moveaxis(middle * size, -1, 0)).mean(1)
  known = np.isfinite(distance)
  distance = np.where(known, distance, distance[known].mean() if known.any() else np.nan)
  return centre + distance[:, None] * np.array([np.cos(septum), np.sin(septum)]) / size


def _wall_pixels(cine, mask, layers, centre, settings):
  box = contours_lib.bounding_box(mask.astype(bool), _WINDOW_MARGIN)
  wall = mask[box].astype(bool)
  velocity = cine.video[box][..., 1:] * np.asarray(settings.signs, cine.video.dtype)
  wraps = 0
  if settings.unwrap:
    velocity, wraps = unwrap(velocity, wall, cine.venc)
  frame, row, column = np.nonzero(wall)
  layer = np.zeros(frame.size, int) if layers is None else _layer_numbers(layers[(slice(None), *box)], wall)
  where = row + box[1].start, column + box[2].start
  offset = (np.stack(where, -1) - centre[frame]) * lengths(cine.spacing)
  return _Wall(frame, layer, offset, velocity[wall].astype(np.float64), where, wraps)


def _layer_numbers(layers, wall):
  """`[N]` int; a pixel between contours that cross counts for the outermost layer that holds it."""
  number = np.zeros(wall.shape, int)
  for k, layer in enumerate(layers):
    number[layer.astype(bool)] = k
  return number[wall]


def _cylindrical(wall, frames, settings):
  moving = velocity_lib.remove_bulk_motion(wall.velocity, wall.frame, frames)
  return velocity_lib.project(moving, wall.offset, settings.circumferential_sign)


def _curves(cylindrical, wall, to_septum, settings, frames):
  """Curves and means over the cycle of all groups of regions."""
  alpha, septum = screen_angle(wall.offset), screen_angle(to_septum)[wall.frame]
  numbers = {
    'global': np.zeros_like(wall.frame),
    'angular6': sector_numbers(alpha, septum, GROUPS['angular6']),
    'angular24': sector_numbers(alpha, septum, GROUPS['angular24']),
    'layers': wall.layer,
  }
  curves, offset = {}, {}
  for group, count in GROUPS.items():
    raw = velocity_lib.region_curves(cylindrical, wall.frame, numbers[group], (count, frames))
    curves[group], offset[group] = velocity_lib.remove_cycle_mean(raw, settings)
  return curves, offset
