"""Strain and strain rate of a slice's wall: rates from velocity gradients, strains by their integral over the cycle.

A region of the wall holds the same tissue in all frames: its borders are contours, and its sectors turn with it. The
integral of its rate of deformation is then its natural strain, and e = exp(integral of D dt) - 1 its engineering
strain since frame 0, length over length (Spencer, Continuum Mechanics, ch. 6; for velocities, Selskog et al., IEEE TMI
2002;21:1105). The cycle closes, so that the mean of a rate, background phase, has no say.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from ear_jax.analysis.gradients import Gradients, fit, means, sums
from ear_jax.analysis.motion import GROUPS, KINDS, Settings
from ear_jax.analysis.periodic import bridge_gaps, closed_integral, undo_view_sharing
from ear_jax.analysis.regions import screen_angle, sector_numbers
from ear_jax.analysis.velocity import remove_cycle_mean
from ear_jax.analysis.wall import Wall

RADIAL, CIRCUMFERENTIAL, LONGITUDINAL, SHEAR = range(len(KINDS))
# Standard errors above which a value is noise: a quarter of what healthy walls have, in % and 1/s.
LARGEST_ERROR = {'radial': 8.0, 'circumferential': 5.0, 'longitudinal': 5.0, 'shear': 3.0}
LARGEST_RATE_ERROR = {'radial': 0.6, 'circumferential': 0.3, 'longitudinal': 0.3, 'shear': 0.3}
BORDER = 0.85  # mm next to either contour that gradients do without at least: half a pixel of a usual scan
_FEWEST = 8  # frames that are a cycle


@dataclasses.dataclass(frozen=True, eq=False)
class Strain:
  """Deformation of a slice; each of the first four is a dict by group of `motion.GROUPS`.

  Attributes:
    strain: `[regions, T, 4]` %, engineering, since frame 0, kinds as in `KINDS`; shear is half the change of a right
      angle. Longitudinal is NaN until the neighbours are known (`deformation.deform`).
    strain_error: the same shape, standard error from the noise of the velocities.
    rate: `[regions, T, 4]` 1/s, without mean over the cycle.
    rate_error: the same shape.
    descent: `[24, T]` mm, towards the apex since frame 0, by sector.
    descent_rate: `[24, T]` mm/s, without mean over the cycle.
    descent_error: `[24, T]` mm, of the first.
    descent_rate_error: `[24, T]` mm/s.
    rotation: `[T]` deg since frame 0, counter-clockwise on the array times `Settings.circumferential_sign`.
    rotation_error: `[T]` deg.
    radius: `[T]` mm, mean of the wall.
    noise: `[3]` cm/s: of radial, circumferential and longitudinal velocity of a pixel.
  """

  strain: dict[str, np.ndarray]
  strain_error: dict[str, np.ndarray]
  rate: dict[str, np.ndarray]
  rate_error: dict[str, np.ndarray]
  descent: np.ndarray
  descent_rate: np.ndarray
  descent_error: np.ndarray
  descent_rate_error: np.ndarray
  rotation: np.ndarray
  rotation_error: np.ndarray
  radius: np.ndarray
  noise: np.ndarray


def unknown(frames: int) -> Strain:
  """Returns the strain of a slice without velocities, pixel size or ring: NaN."""
  four = {group: np.full((count, frames, 4), np.nan) for group, count in GROUPS.items()}
  lines, one = np.full((GROUPS['angular24'], frames), np.nan), np.full(frames, np.nan)
  return Strain(four, four, four, four, lines, lines, lines, lines, one, one, one, np.full(3, np.nan))


def measure(wall: Wall, to_septum: np.ndarray, frame_interval: float, settings: Settings) -> Strain:
  """Returns the deformation of a slice.

  Args:
    wall: its pixels, offsets in mm.
    to_septum: `[T, 2]` (row, column) mm from the centre to mid septum.
    frame_interval: ms.
    settings: those that `wall` was collected with; view sharing is undone, the sense of turning kept.
  """
  frames, sign = len(to_septum), settings.circumferential_sign
  if frames < _FEWEST or not len(wall.frame) or not np.isfinite(frame_interval):
    return unknown(frames)
  whole = closed_integral(frames, frame_interval)
  gradients = fit(wall, frames, sign)
  whole_ring = sums(gradients, np.zeros_like(wall.frame), 1)
  turning, turning_error = (part[0, :, 4] for part in _means(gradients, whole_ring, settings))
  rotation, rotation_error = integral(whole, turning, turning_error)
  # Tissue turns through sectors that do not: a sector of the tissue begins where the septum was and has turned since.
  septum = (screen_angle(to_septum) + sign * rotation)[wall.frame]
  fine, layers = GROUPS['angular24'], GROUPS['layers']
  number = sector_numbers(screen_angle(wall.offset), septum, fine) * layers + wall.layer
  cells = sums(gradients, number, fine * layers).reshape(fine, layers, frames, -1)
  by_sector = cells.sum(1)
  totals = {
    'global': whole_ring,
    'angular6': by_sector.reshape(GROUPS['angular6'], -1, *by_sector.shape[1:]).sum(1),
    'angular24': by_sector,
    'layers': cells.sum(0),
  }
  strain, strain_error, rate, rate_error = {}, {}, {}, {}
  for group, total in totals.items():
    mean, error = _means(gradients, total, settings)
    mean, _ = remove_cycle_mean(mean)
    rate[group], rate_error[group] = _four(mean), _four(error)
    strain[group], strain_error[group] = strains(whole, rate[group], rate_error[group])
    if group == 'angular24':
      through, through_error = mean[..., 3], error[..., 3]
  descent, descent_error = (part.T for part in integral(whole, through.T, through_error.T))
  radius = np.hypot(*wall.offset.T)
  size = np.bincount(wall.frame, minlength=frames)
  mean_radius = np.where(size > 0, np.bincount(wall.frame, radius, frames) / np.maximum(size, 1), np.nan)
  return Strain(
    strain,
    strain_error,
    rate,
    rate_error,
    descent,
    through,
    descent_error,
    through_error,
    np.rad2deg(rotation),
    np.rad2deg(rotation_error),
    mean_radius,
    gradients.noise / 10,
  )


def integral(whole: np.ndarray, rate: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Returns the integral of rates `[T, ...]` by `periodic.closed_integral`, and its standard error.

  Frames that are NaN are bridged for the others and stay NaN.
  """
  flat, spread = (bridge_gaps(part).reshape(len(whole), -1) for part in (rate, error))
  total, total_error = whole @ flat, np.sqrt(whole**2 @ spread**2)
  known = np.isfinite(rate)
  shape = rate.shape
  return np.where(known, total.reshape(shape), np.nan), np.where(known, total_error.reshape(shape), np.nan)


def strains(whole: np.ndarray, rate: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Returns engineering strains and their standard errors in %, of rates `[regions, T, 4]` and theirs in 1/s."""
  natural, natural_error = (part.swapaxes(0, 1) for part in integral(whole, rate.swapaxes(0, 1), error.swapaxes(0, 1)))
  stretch = np.exp(natural)
  stretch[..., SHEAR] = 1 + natural[..., SHEAR]
  return 100 * (stretch - 1), 100 * np.where(np.arange(4) == SHEAR, 1, stretch) * natural_error


def readable(values: np.ndarray, error: np.ndarray, limits: Mapping[str, float] = LARGEST_ERROR) -> np.ndarray:
  """Returns strains (or rates, with their limits) `[..., 4]` with NaN where the standard error is above its limit."""
  return np.where(error <= np.array([limits[kind] for kind in KINDS]), values, np.nan)


def _means(gradients: Gradients, total: np.ndarray, settings: Settings) -> tuple[np.ndarray, np.ndarray]:
  """Means of regions with view sharing undone."""
  mean, error = means(gradients, total)
  if not settings.view_sharing:
    return mean, error
  sharp = undo_view_sharing(mean.swapaxes(0, 1), settings.view_sharing).swapaxes(0, 1)
  alone = undo_view_sharing(
    np.eye(len(gradients.spread))[:, :1], settings.view_sharing
  )  # what one frame's noise becomes
  return sharp, error * np.linalg.norm(alone)


def _four(values: np.ndarray) -> np.ndarray:
  """Radial, circumferential, longitudinal (unknown) and shear of `gradients.means`."""
  none = np.full_like(values[..., 0], np.nan)
  return np.stack([values[..., 0], values[..., 1], none, values[..., 2]], -1)
