"""Which region of the wall a pixel belongs to: angular sectors from the septum, layers from inside to outside."""

from __future__ import annotations

import math

import numpy as np

from ear_jax.analysis.motion import GROUPS

# Sector k of six begins k * 60 degrees clockwise on screen from mid septum.
SECTORS = {'CCW': ('IS', 'I', 'IL', 'AL', 'A', 'AS'), 'CW': ('AS', 'A', 'AL', 'IL', 'I', 'IS')}
LAYERS = ('endo', 'mid', 'epi')


def region_names(group: str, orientation: str) -> tuple[str, ...]:
  """Returns the names of a group's regions in the order of their numbers.

  Args:
    group: a key of `motion.GROUPS`.
    orientation: 'CCW' or 'CW'; sectors run clockwise on screen, and it says in which order anatomy meets them.

  Raises:
    ValueError: unknown group or orientation.
  """
  if group not in GROUPS or orientation not in SECTORS:
    raise ValueError(
      f'group {group!r}, orientation {orientation!r}: expected one of {list(GROUPS)} and {list(SECTORS)}'
    )
  six = SECTORS[orientation]
  return {
    'global': ('global',),
    'angular6': six,
    'angular24': tuple(f'{name} {part + 1}' for name in six for part in range(4)),
    'layers': LAYERS,
  }[group]


def lengths(spacing: tuple[float, float]) -> np.ndarray:
  """Returns the spacing `[2]`, or 1 and 1 where the source lost it: the shape of the pixels is then taken as square."""
  return np.ones(2) if any(math.isnan(s) for s in spacing) else np.asarray(spacing, float)


def screen_angle(offset: np.ndarray) -> np.ndarray:
  """Returns alpha = atan2(column, row) in rad of offsets `[..., 2]` (row, column): 0 is down, pi/2 right."""
  return np.arctan2(offset[..., 1], offset[..., 0])


def sector_numbers(alpha: np.ndarray, septum: np.ndarray, count: int) -> np.ndarray:
  """Returns the sector `[N]` int of each pixel.

  theta = 2 pi - mod(alpha - septum, 2 pi) grows clockwise on screen; k holds 2 pi k / n < theta <= 2 pi (k + 1) / n.

  Args:
    alpha: `[N]` rad, `screen_angle` of the pixels.
    septum: `[N]` rad, that of the mid-septal point in the pixel's frame.
    count: n, the number of sectors.
  """
  theta = 2 * np.pi - np.mod(alpha - septum, 2 * np.pi)
  return np.clip(np.ceil(theta * (count / (2 * np.pi))).astype(int) - 1, 0, count - 1)
