"""The analysis of one slice: mask or contours to velocity curves, markers, rotation and displacement.

Everything is done in the window that holds the wall, on the list of its pixels over all frames, so that a slice of
50 frames of 512 x 512 pixels takes a fraction of a second. The definitions are in `docs/analysis.md`.
"""

import dataclasses

import numpy as np
import numpy.typing as npt

from ear_jax.analysis.contours import from_mask
from ear_jax.analysis.markers import find_markers
from ear_jax.analysis.motion import COMPONENTS, GROUPS, Contours, Settings, SliceMotion
from ear_jax.analysis.outline import outline
from ear_jax.analysis.periodic import integrate, undo_view_sharing
from ear_jax.analysis.regions import lengths, screen_angle, sector_numbers
from ear_jax.analysis.rotation import displacement, rotation_rate
from ear_jax.analysis.septum import Septum, given
from ear_jax.analysis.strain import BORDER, Strain, measure
from ear_jax.analysis.velocity import means_over, remove_cycle_mean
from ear_jax.analysis.wall import Wall, away_from, collect_wall
from ear_jax.cine import Cine


def analyse(
  cine: Cine,
  mask: npt.ArrayLike,
  *,
  septum: Septum | float | np.ndarray | None = None,
  settings: Settings | None = None,
) -> SliceMotion:
  """Returns the motion of a slice from a mask of its wall.

  Args:
    cine: with velocities; of a magnitude alone there are contours, and NaN for every velocity.
    mask: `[T, H, W]`, bool or {0, 1}, or the probability of the wall, or what a network delineated; repaired as
      `contours.from_mask` says.
    septum: direction of mid septum from the centre, rad, atan2(column, row) in mm: 0 is down, pi/2 right; or the
      mid-septal point `[2]` or `[T, 2]` (row, column) in pixels. None: unknown. The curves of the whole wall, of layers
      and the rotation do not need it; sectors then begin at the right of the picture, and `septal_reference` says so.
    settings: conventions; the default ones when None.

  Returns:
    The motion. Frames without a ring are NaN in it and named in `contours.flags`; a mask without any ring gives
    nothing but NaN.

  Raises:
    ValueError: mask, septum or a setting is out of shape or range.

  >>> cine = ear_jax.phantom_study()[0]
  >>> motion = ear_jax.analyse(cine, cine.mask)
  >>> bool(abs(motion.to_xarray().curves.sel(component='radial', region='global')).max() > 1)  # cm/s
  True
  >>> motion.septal_reference.origin
  'unknown: taken to be on the right of the picture (90 deg)'
  """
  mask, settings = np.asarray(mask), settings or Settings()
  if mask.shape != cine.video.shape[:3]:
    raise ValueError(f'{cine.name}: the mask has shape {mask.shape}, the cine {cine.video.shape[:3]}')
  contours = from_mask(mask, smooth=settings.smooth_contours)
  return analyse_with_contours(cine, contours, septum=septum, settings=settings)


def analyse_with_contours(
  cine: Cine,
  contours: Contours,
  *,
  septum: Septum | float | np.ndarray | None = None,
  settings: Settings | None = None,
) -> SliceMotion:
  """Returns the motion of a slice from given contours.

  Args:
    cine, septum, settings: as for `analyse`.
    contours: of all frames of the cine, used as they are.

  Raises:
    ValueError: the contours are of another number of frames, septum or a setting is out of shape or range.
  """
  settings = settings or Settings()
  if len(contours.failed) != len(cine.video):
    raise ValueError(f'{cine.name}: contours of {len(contours.failed)} frames, the cine has {len(cine.video)}')
  still = outline(cine, contours, septum=given(septum), settings=settings)
  if cine.venc is None:
    return still
  wall = collect_wall(cine, contours, still.mask, still.centre, settings)
  to_septum, sized = (still.septum - still.centre) * lengths(cine.spacing), bool(np.isfinite(cine.spacing).all())
  curves, offset = _curves(wall, to_septum, settings)
  whole = curves['global'][0]
  rate = rotation_rate(whole[:, COMPONENTS.index('circumferential')], _mean_radius(wall, cine))
  return dataclasses.replace(
    still,
    curves=curves,
    offset=offset,
    markers=find_markers(curves, cine.frame_interval, settings.orientation),
    rotation_rate=rate,
    rotation=np.rad2deg(integrate(rate, cine.frame_interval)),
    displacement=displacement(whole, cine.frame_interval),
    strain=_strain(cine, contours, wall, to_septum, settings) if sized else still.strain,
    wraps=wall.wraps,
    inward=_inward(wall, len(still.mask), settings.circumferential_sign),
  )


def velocity_maps(cine: Cine, motion: SliceMotion, window: tuple[slice, slice] | None = None) -> np.ndarray:
  """Returns `[T, h, w, 3]` float32 cm/s, longitudinal, radial and circumferential velocity of every pixel of the wall.

  As in the curves, bulk motion is removed and wraps are undone; the mean over the cycle is still in them, and view
  sharing is not undone. NaN outside the wall.

  Args:
    cine: the one that `motion` was made from.
    motion: its analysis.
    window: rows and columns `[h, w]` that hold the wall; None: the whole picture, which may take 150 MB.
  """
  rows, columns = window or (slice(0, motion.mask.shape[1]), slice(0, motion.mask.shape[2]))
  wall = collect_wall(cine, motion.contours, motion.mask, motion.centre, motion.settings)
  maps = np.full((*motion.mask[:, rows, columns].shape, len(COMPONENTS)), np.nan, np.float32)
  maps[wall.frame, wall.row - rows.start, wall.column - columns.start] = wall.velocity
  return maps


def _curves(
  wall: Wall, to_septum: np.ndarray, settings: Settings
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
  """Curves and means over the cycle of all groups of regions; `to_septum` `[T, 2]` in mm from the centre."""
  frame, core, frames = wall.frame[wall.core], wall.core, len(to_septum)
  alpha, septum = screen_angle(wall.offset[core]), screen_angle(to_septum)[frame]
  numbers = {
    'global': np.zeros_like(frame),
    'angular6': sector_numbers(alpha, septum, GROUPS['angular6']),
    'angular24': sector_numbers(alpha, septum, GROUPS['angular24']),
    'layers': wall.layer[core],
  }
  curves, offset = {}, {}
  for group, count in GROUPS.items():
    measured = means_over(wall.velocity[core], numbers[group] * frames + frame, count * frames)
    sharp = undo_view_sharing(measured.reshape(count, frames, 3).swapaxes(0, 1), settings.view_sharing).swapaxes(0, 1)
    curves[group], offset[group] = remove_cycle_mean(sharp, settings.remove_mean)
  return curves, offset


def _strain(cine: Cine, contours: Contours, wall: Wall, to_septum: np.ndarray, settings: Settings) -> Strain:
  border = max(settings.border, BORDER)
  core = away_from(contours, border, lengths(cine.spacing), cine.video.shape[1:3])
  return measure(wall._replace(core=core[wall.frame, wall.row, wall.column]), to_septum, cine.frame_interval, settings)


def _inward(wall: Wall, frames: int, sign: int) -> np.ndarray:
  """`SliceMotion.inward`: velocities along column and row again, from those in the heart's directions."""
  row, column = (wall.offset / np.maximum(np.hypot(*wall.offset.T), 1e-9)[:, None]).T
  through, radial, turning = wall.velocity.T
  along = np.stack([sign * row * turning - column * radial, -row * radial - sign * column * turning], -1)
  along -= means_over(along, wall.frame, frames)[wall.frame]  # bulk motion of the whole wall, not of its core
  return means_over(np.stack([-column * along[:, 0], -row * along[:, 1], through], -1), wall.frame, frames)


def _mean_radius(wall: Wall, cine: Cine) -> np.ndarray:
  """`[T]` mm; NaN where the spacing is unknown."""
  radius = np.hypot(*wall.offset[wall.core].T)[:, None]
  known = np.nan if np.isnan(cine.spacing).any() else 1.0
  return known * means_over(radius, wall.frame[wall.core], len(cine.video))[:, 0]
