"""Turns the mask of one frame into one ring: which part is the wall, which is the cavity, and what was repaired.

Segmentations have islands, pinholes and gaps. The rules here are few, each leaves a note, and a frame that they do not
cover fails with its reason rather than with a guess.
"""

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from ear_jax.analysis.periodic import longest_run
from ear_jax.analysis.polar import RAYS, fill_polygons, last_crossing, sample_rays

MIN_CAVITY = 0.02  # of the area within the epicardium; a smaller hole is a pinhole
MAX_GAP = 60  # degrees of wall that may be bridged in one piece
MAX_GAPS = 90  # and in all
_RAGGED = 4  # degrees on either side of a gap that are not trusted
_ISLAND = 0.1  # a component below this part of the largest is never the wall
NOTHING = 'no mask'
NO_CAVITY = 'no cavity'
NO_RING = 'no ring'
_OPEN = 'ring open over '
_APART = 'apart from the wall removed'
_EIGHT_NEIGHBOURS = np.ones((3, 3), bool)


class Ring(NamedTuple):
  """A repaired ring.

  Attributes:
    filled: `[H, W]` bool, all within the epicardium.
    cavity: `[H, W]` bool, all within the endocardium.
    notes: what was repaired, in words.
    bridged: whether a gap was closed, so that the mask does not hold all of the wall.
    failure: why there is no ring, in words; '' when there is one.
  """

  filled: np.ndarray
  cavity: np.ndarray
  notes: tuple[str, ...] = ()
  bridged: bool = False
  failure: str = ''


def find_ring(mask: np.ndarray) -> Ring:
  """Returns the ring of a mask `[H, W]` bool.

  The wall is the largest component (8 neighbours) with a cavity; the cavity is its largest hole and holds at least
  `MIN_CAVITY` of the filled area; other holes belong to the wall. Without such a component all components near the
  circle that fits the largest one are joined, over gaps of up to `MAX_GAP` degrees each and `MAX_GAPS` in all.
  """
  labels, count = ndimage.label(mask, _EIGHT_NEIGHBOURS)
  if not count:
    return _failed(mask, NOTHING)
  areas = np.bincount(labels.ravel())[1:]
  for k in np.argsort(-areas, kind='stable'):
    if areas[k] < _ISLAND * areas.max():
      break
    filled, cavity, holes = _open_up(labels == k + 1)
    if cavity.sum() >= MIN_CAVITY * filled.sum():
      return Ring(filled, cavity, _said(areas.sum() - areas[k], _APART) + _said(holes, 'of holes in the wall filled'))
  return _bridge(labels, areas)


def opening(flag: str) -> int:
  """Returns over how many degrees a ring that failed was open, by its flag; 360 without any, 0 where it did not."""
  if flag.startswith(_OPEN):
    return int(flag.removeprefix(_OPEN).split()[0])
  return 360 if flag in (NOTHING, NO_CAVITY, NO_RING) else 0


def _open_up(component: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
  """The filled component, its largest hole, and the pixels of its other holes."""
  filled = ndimage.binary_fill_holes(component)
  holes, count = ndimage.label(filled & ~component)
  if not count:
    return filled, np.zeros_like(filled), 0
  sizes = np.bincount(holes.ravel())[1:]
  return filled, holes == 1 + np.argmax(sizes), int(sizes.sum() - sizes.max())


def _bridge(labels: np.ndarray, areas: np.ndarray) -> Ring:
  """Joins what lies on one circle, straight in polar coordinates, where the wall is missing."""
  largest = labels == 1 + np.argmax(areas)
  fit = _fit_circle(largest)
  if fit is None:
    return _failed(largest, NO_RING)
  centre, radius = fit
  rows, columns = np.indices(labels.shape)
  distance = np.hypot(rows - centre[0], columns - centre[1])
  near = np.unique(labels[(labels > 0) & (abs(distance - radius) < 0.35 * radius)])
  wall = np.isin(labels, near[np.isin(near, 1 + np.flatnonzero(areas >= 0.05 * areas.max()))]) | largest
  reach = int(np.ceil(np.hypot(*labels.shape)))
  profile = sample_rays(wall[None], centre[None], reach)[0]
  outer, inner = last_crossing(profile), reach - 1 - last_crossing(profile[:, ::-1])
  missing = np.isnan(outer)
  if longest_run(missing) > MAX_GAP or missing.sum() > MAX_GAPS:
    return _failed(wall, f'{_OPEN}{int(missing.sum())} degrees')
  # A ray that grazes the ragged end of the wall meets it too late or leaves it too early.
  degrees = np.flatnonzero(~ndimage.binary_dilation(np.tile(missing, 3), iterations=_RAGGED)[360:720])
  outer, inner = (np.interp(np.arange(360), degrees, r[degrees], period=360) for r in (outer, inner))
  filled, cavity = fill_polygons(centre + RAYS * np.stack([outer, inner])[..., None], labels.shape)
  if (inner <= 0).any() or cavity.sum() < MIN_CAVITY * filled.sum():
    return _failed(wall, NO_CAVITY)
  notes = (*_said((labels > 0).sum() - wall.sum(), _APART), f'ring closed over {int(missing.sum())} degrees')
  return Ring(filled, cavity & filled, notes, bridged=True)


def _fit_circle(component: np.ndarray) -> tuple[np.ndarray, float] | None:
  """Centre `[2]` and radius of the least-squares circle (Kasa) through the pixels; unlike their mean, an open ring
  leaves it in place."""
  points = np.argwhere(component).astype(float)
  system = np.column_stack([2 * points, np.ones(len(points))])
  solution, _, rank, _ = np.linalg.lstsq(system, (points**2).sum(1), rcond=None)
  square = solution[2] + (solution[:2] ** 2).sum()
  if rank < 3 or square <= 0 or not (solution[:2] >= 0).all() or not (solution[:2] < component.shape).all():
    return None
  return solution[:2], float(np.sqrt(square))


def _said(pixels: int, what: str) -> tuple[str, ...]:
  return (f'{pixels} pixels {what}',) if pixels else ()


def _failed(mask: np.ndarray, reason: str) -> Ring:
  nothing = np.zeros(mask.shape, bool)
  return Ring(nothing, nothing, failure=reason)
