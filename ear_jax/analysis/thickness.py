"""Thickness of the wall by sector, from its contours."""

import math

import numpy as np

from ear_jax.analysis.drawn import on_rays
from ear_jax.analysis.motion import GROUPS, SliceMotion
from ear_jax.analysis.regions import screen_angle, sector_numbers


def thickness(motion: SliceMotion) -> np.ndarray:
  """Returns the mean radial thickness `[6, T]` of the wall's sectors, mm.

  On 360 rays from the frame's centre, the part between both contours; a sector holds the rays of its angle about the
  slice's centre, as the velocity curves have it. NaN in frames without contours, and where the spacing is unknown.
  """
  contours = motion.contours
  frames, count = len(contours.failed), GROUPS['angular6']
  thick = np.full((count, frames), math.nan)
  if any(math.isnan(s) for s in motion.spacing):
    return thick
  if contours.drawn:  # whose points lie where they like
    pairs = zip(contours.endo, contours.epi, contours.failed, strict=True)
    contours = on_rays([None if failed else (endo, epi) for endo, epi, failed in pairs])
  spacing = np.asarray(motion.spacing)
  across = np.hypot(*np.moveaxis((contours.epi - contours.endo) * spacing, -1, 0))  # [T, 360]
  middle = ((contours.epi + contours.endo) / 2 - motion.centre[:, None]) * spacing
  septum = screen_angle((motion.septum - motion.centre) * spacing)
  for t in np.flatnonzero(~contours.failed):
    alpha = screen_angle(middle[t])
    sector = sector_numbers(alpha, np.full_like(alpha, septum[t]), count)
    total, rays = (np.bincount(sector, weights, count) for weights in (across[t], None))
    thick[:, t] = np.where(rays > 0, total / np.maximum(rays, 1), math.nan)
  return thick
