"""Which way up a heart is shown: how a cine is turned so that a network sees it as in training, and turned back.

Scanners and converters store rows and columns in any of eight orders. A network learns one: its `Axes` are the patient
directions in which columns and rows of its training pictures increase, +x to the left, +y to the back, +z to the head.
A cine with a place in the patient is turned to the nearest of the eight. One without can be recognised by what it
shows: `looks` compares it with a `portrait`, the mean of training pictures about the heart.
"""

import itertools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import ndimage, stats

from ear_jax.cine import MAGNITUDE, Cine, Place, Vector, as_vector, flip, rot90

Axes = tuple[Vector, Vector]  # across, down
# As clinics show the short axis, from the apex: right ventricle on the left, feet below. Of patients SC-HF-I-2 and -4.
CLINICAL: Axes = ((0.744, 0.665, 0.062), (-0.233, 0.345, -0.909))
# As the phantom and its Siemens files show it, from the base: right ventricle on the right.
FROM_BASE: Axes = ((-0.664, -0.748, 0.0), (-0.419, 0.372, -0.829))
_NEAR = 1.0  # sum of two cosines, 2 for the same axes: below it the picture is no short axis, and nothing is up
_EXTENTS = (100.0, 200.0, 300.0)  # mm of the square about the heart: the ventricles; lung and liver; the whole chest
_SIDE = 16  # pixels of a portrait
_ROUNDS = 2  # of turning those who were scanned on their side to lie as the others do


class Turn(NamedTuple):
  """One of the eight symmetries of the square: mirrored along columns first, then quarter turns counter-clockwise."""

  quarters: int = 0
  mirrored: bool = False


TURNS = tuple(Turn(k, mirrored) for mirrored, k in itertools.product((False, True), range(4)))


def turned(cine: Cine, turn: Turn) -> Cine:
  """Returns the turned cine, velocities and place with it; the cine itself where there is nothing to turn."""
  cine = flip(cine, 'column') if turn.mirrored else cine
  return rot90(cine, turn.quarters) if turn.quarters else cine


def picture_turned(array: np.ndarray, turn: Turn) -> np.ndarray:
  """Returns `[..., H, W]` turned like a cine."""
  return np.rot90(np.flip(array, -1) if turn.mirrored else array, turn.quarters, axes=(-2, -1))


def undone(turn: Turn) -> Turn:
  """Returns the turn that leads back."""
  return turn if turn.mirrored else Turn(-turn.quarters % 4)


def axes_of(place: Place) -> Axes:
  """Returns the directions of columns and rows of a picture."""
  return place.across, place.down


def axes_turned(axes: Axes, turn: Turn) -> Axes:
  """Returns the directions of columns and rows of a picture that is turned."""
  across, down = np.array(axes)
  across = -across if turn.mirrored else across
  for _ in range(turn.quarters):
    across, down = down, -across
  return as_axes((across, down))


def as_axes(values: Iterable[Iterable[float]]) -> Axes:
  """Returns two vectors, of whatever type they came out of a file, as directions of columns and rows."""
  across, down = map(as_vector, values)
  return across, down


def turn_between(axes: Axes, wanted: Axes) -> Turn:
  """Returns the turn that brings a picture nearest to the wanted directions; none where it shows another plane."""
  near = {turn: float((np.array(axes_turned(axes, turn)) * wanted).sum()) for turn in TURNS}
  best = max(TURNS, key=near.__getitem__)
  return best if near[best] >= _NEAR else Turn()


def upright(cine: Cine, wanted: Axes) -> Cine:
  """Returns a cine turned to the wanted directions; as it is where its place is unknown."""
  return turned(cine, turn_between(axes_of(cine.place), wanted)) if cine.place else cine


def looks(frame: np.ndarray, centre: tuple[float, float], spacing: tuple[float, float]) -> np.ndarray:
  """Returns what lies about the heart, `[3, 16, 16]`: ranks of brightness within 100, 200 and 300 mm, mean 0, SD 1.

  NaN outside the picture: beyond a small field of view there is tissue that is not seen, not air.

  Args:
    frame: `[H, W]` magnitude.
    centre: (row, column) of the left ventricle in pixels.
    spacing: mm along row and column index.
  """
  return np.stack([_look(frame, centre, spacing, extent / _SIDE) for extent in _EXTENTS])


def _look(frame, centre, spacing, step):
  line = (np.arange(_SIDE) - (_SIDE - 1) / 2) * step  # mm
  rows, columns = (c + line / s for c, s in zip(centre, spacing, strict=True))
  blurred = ndimage.gaussian_filter(frame.astype(np.float32), [step / 2 / s for s in spacing])
  where = np.stack(np.meshgrid(rows, columns, indexing='ij'))
  values = ndimage.map_coordinates(blurred, where, order=1, cval=np.nan)
  return _standard(stats.rankdata(values, axis=None, nan_policy='omit').reshape(values.shape))


def _standard(values: np.ndarray) -> np.ndarray:
  return (values - np.nanmean(values)) / max(float(np.nanstd(values)), 1e-6)


def portrait(cines: Iterable[Cine]) -> list | None:
  """Returns the mean of `looks` over the first frame with a reference of each cine, as lists; None without any.

  The heart is where the reference is. A subject whose pictures look more like those of the others in another view, on
  the side on the table say, counts in that view.
  """
  seen: dict[str, list] = {}
  for cine in cines:
    frames = np.flatnonzero(cine.mask.any(axis=(1, 2)))
    if frames.size and np.isfinite(cine.spacing).all():
      where = np.argwhere(cine.mask[frames[0]]).mean(axis=0)
      look = looks(cine.video[frames[0], ..., MAGNITUDE], (where[0], where[1]), cine.spacing)
      seen.setdefault(cine.subject, []).append(look)
  if not seen:
    return None
  subjects = [np.array(own) for own in seen.values()]
  for _ in range(_ROUNDS):
    known = _mean(np.concatenate(subjects))
    subjects = [picture_turned(own, _most_alike(_mean(own), known)) for own in subjects]
  return _mean(np.concatenate(subjects)).round(3).tolist()


def _mean(seen: np.ndarray) -> np.ndarray:
  """Returns the mean of `[N, 3, 16, 16]`; 0, which says nothing, where no picture reaches."""
  count = np.isfinite(seen).sum(axis=0)
  mean = np.where(count, np.nansum(seen, axis=0), np.nan) / np.maximum(count, 1)
  return np.nan_to_num([_standard(one) for one in mean])


def _most_alike(own: np.ndarray, known: np.ndarray) -> Turn:
  return max(TURNS, key=lambda turn: likeness(picture_turned(own, turn), known))


def likeness(looks_: np.ndarray, portrait_: Sequence | np.ndarray) -> float:
  """Returns the correlation of `looks` with a portrait, from -1 to 1, over the pixels that lie in the picture.

  A portrait of earlier versions has no third extent: the first two are compared.
  """
  looks_ = looks_[: len(portrait_)]
  seen = np.isfinite(looks_)
  mine, theirs = looks_[seen], np.asarray(portrait_)[seen]
  return float(mine @ theirs / max(float(np.linalg.norm(mine) * np.linalg.norm(theirs)), 1e-6))
