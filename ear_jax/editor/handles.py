"""Closed curves by a few handles: what a person drags, and what the analysis takes.

A handle is a point (row, column) in pixels that the curve goes through; between handles it is a periodic cubic spline,
knots at equal steps. The analysis has 360 points a curve, at equal angles about the centre of the endocardium.
"""

import functools

import numpy as np
from scipy.interpolate import CubicSpline

from ear_jax.analysis.contours import MIN_WALL, polygon_area
from ear_jax.analysis.drawn import Pair, on_rays
from ear_jax.analysis.motion import Contours
from ear_jax.analysis.polar import RAYS
from ear_jax.system.errors import UserError

HANDLES = 32
FEWEST, MOST = 8, 360  # handles of a curve that comes in
SIDES = {'endo': 'endocardium', 'epi': 'epicardium'}
_BETWEEN = 24  # points of the curve from one handle to the next
_SMALLEST = 2.0  # pixels, mean radius of a cavity
_FOLDED = 0.02  # of the area within a curve that may be lost or gained when it is seen from its centre


def handles_of(curve: np.ndarray) -> np.ndarray:
  """Returns the handles `[32, 2]` of a curve `[P, 2]`: its points at equal steps."""
  return curve[np.round(np.arange(HANDLES) * (len(curve) / HANDLES)).astype(int)]


def curve_of(handles: np.ndarray) -> np.ndarray:
  """Returns the curve `[24 N, 2]` through handles `[N, 2]`."""
  count = len(handles)
  spline = CubicSpline(np.arange(count + 1), np.concatenate([handles, handles[:1]]), bc_type='periodic')
  return spline(np.arange(count * _BETWEEN) / _BETWEEN)


def rings(frames: list[Pair | None]) -> Contours:
  """Returns the contours of frames that have handles, those of the others failed."""
  return on_rays([None if pair is None else _curves(*(side.tobytes() for side in pair)) for pair in frames])


@functools.lru_cache(256)
def _curves(endo: bytes, epi: bytes) -> Pair:
  """The curves through handles of float64 `[N, 2]`."""
  inner, outer = (curve_of(np.frombuffer(side).reshape(-1, 2)) for side in (endo, epi))
  return inner, outer


def require_ring(pair: Pair, shape: tuple[int, int], where: str) -> None:
  """Checks that two curves are an endo- and an epicardium within a picture.

  Args:
    pair: handles `[N, 2]` of both.
    shape: rows and columns of the picture.
    where: 'frame 3', what a sentence begins with.

  Raises: UserError that says what is wrong.
  """
  for (side, name), handles in zip(SIDES.items(), pair, strict=True):
    if handles.ndim != 2 or handles.shape[1] != 2 or not FEWEST <= len(handles) <= MOST:
      raise UserError(f'{where}: the {name} ({side}) needs {FEWEST} to {MOST} points of two numbers')
    if not np.isfinite(handles).all():
      raise UserError(f'{where}: a point of the {name} is not a number')
    if _outside(handles, shape) or _outside(curve_of(handles), shape):
      raise UserError(f'{where}: the {name} leaves the picture of {shape[0]} x {shape[1]} pixels')
  curves = [curve_of(handles) for handles in pair]
  ring = on_rays([(curves[0], curves[1])])
  areas = np.array([polygon_area(curve[None])[0] for curve in curves])
  if areas.min() < np.pi * _SMALLEST**2:
    raise UserError(f'{where}: a contour is smaller than {_SMALLEST:g} pixels about its centre')
  if ring.failed[0]:
    raise UserError(f'{where}: the contours are no rings about the centre of the endocardium')
  seen = np.array([polygon_area(ring.endo)[0], polygon_area(ring.epi)[0]])
  for name, area, whole in zip(SIDES.values(), areas, seen, strict=True):
    if abs(whole - area) > _FOLDED * area:
      raise UserError(f'{where}: the {name} crosses itself, or folds back')
  wall = ((ring.epi[0] - ring.endo[0]) * RAYS).sum(-1)
  if wall.min() < MIN_WALL - 1e-6:
    raise UserError(f'{where}: the endocardium crosses the epicardium, or comes nearer than {MIN_WALL:g} pixels')


def _outside(points: np.ndarray, shape: tuple[int, int]) -> bool:
  return bool((points < -0.5).any() or (points > np.array(shape) - 0.5).any())
