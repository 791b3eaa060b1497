"""How far apart the slices of a stack lie along its normal, and how much of the long axis each of them stands for."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from ear_jax.cine import Place

FARTHEST = 15.0  # mm between neighbours in which nothing of the ventricle hides
UNEVEN = 1.5  # times the usual distance above which a slice is missing between two
LOST = 2.5  # the same, above which more than one is
TILT = 5.0  # deg between planes of one stack
_SAME = 0.1  # mm between planes of two slices


@dataclasses.dataclass(frozen=True, eq=False)
class Stack:
  """Slices along a normal.

  Attributes:
    height: `[S]` mm: half of the way to either neighbour, to its only one twice half; NaN when unknown.
    fault: why they are no stack to sum up, in a sentence; ''.
    notes: what a reader must know of it.
  """

  height: np.ndarray
  fault: str = ''
  notes: tuple[str, ...] = ()


def usual_normal(normals: np.ndarray) -> np.ndarray:
  """Returns the normal that most of `[N, 3]` are closest to."""
  return normals[np.argmax(np.median(np.abs(normals @ normals.T), axis=1))]


def depths(places: Sequence[Place | None]) -> tuple[np.ndarray, str]:
  """Returns where planes at one place or more lie along their usual normal, `[S]` mm; or NaN, and why in words."""
  unknown = np.full(len(places), np.nan)
  known = [place for place in places if place is not None]
  if len(known) < len(places):
    return unknown, 'where the slices lie in the patient is not known for all of them, so their distance is not'
  normals = np.array([np.cross(place.across, place.down) for place in known])
  axis = usual_normal(normals)
  tilt = float(np.degrees(np.arccos(np.clip(np.abs(normals @ axis), 0, 1))).max())
  if tilt > TILT:
    return unknown, f'slices are tilted against each other by {tilt:.0f} deg (at most {TILT:g} are expected)'
  depth = np.array([place.corner for place in known]) @ axis
  if (np.diff(np.sort(depth)) < _SAME).any():
    return unknown, 'two slices lie at one place: neither can be told to be the right one'
  return depth, ''


def stack_of(places: Sequence[Place | None]) -> Stack:
  """Returns the stack of slices at these places, in any order."""
  nothing = np.full(len(places), np.nan)
  if len(places) == 1:
    return Stack(nothing, 'a single slice has no volume')
  depth, fault = depths(places)
  if fault:
    return Stack(nothing, fault)
  order = np.argsort(depth)
  gaps = np.diff(depth[order])  # [S - 1]
  usual, widest = float(np.median(gaps)), float(gaps.max())
  edges = np.concatenate([[-gaps[0] / 2], np.cumsum(gaps) - gaps / 2, [gaps.sum() + gaps[-1] / 2]])
  height = np.empty(len(places))
  height[order] = np.diff(edges)
  if usual > FARTHEST or widest > LOST * usual:
    return Stack(
      height, f'slices lie up to {widest:.0f} mm apart: what is between them is not seen (the limit is {FARTHEST:g} mm)'
    )
  notes = []
  if widest > UNEVEN * usual:
    lost = int((gaps > UNEVEN * usual).sum())
    notes.append(
      f'{lost} slice{"s" * (lost > 1)} of the stack missing: neighbours lie {widest:.1f} mm apart where {usual:.1f} mm '
      'is usual; the volume between is taken from both'
    )
  return Stack(height, notes=tuple(notes))
