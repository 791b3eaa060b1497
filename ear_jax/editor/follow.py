"""The contours of a slice from what was there before and what a person has done: key frames, and frames that follow.

Pure. Everything is done in a window about the heart; contours come and go in pixels of the whole picture.
"""

import dataclasses
from collections.abc import MutableMapping
from typing import Any, NamedTuple

import numpy as np

from ear_jax.analysis.carrying import carry
from ear_jax.analysis.drawn import NOT_DRAWN, Pair
from ear_jax.analysis.motion import POINTS, Contours, Settings
from ear_jax.cine import Cine, crop
from ear_jax.editor.edits import Marks
from ear_jax.editor.handles import rings
from ear_jax.report.overlay import heart_window

BY_HAND, AGREED, CLEARED = 'by hand', 'agreed to by hand', 'no ventricle here, by hand'
ORIGINS = ('network', 'drawn', 'agreed', 'carried', 'none')
SEEN, NEEDED = 1.0, 0.4  # of the heart's extent on each side: what a person sees, what is calculated with


class Box(NamedTuple):
  """A window of the picture."""

  top: int
  left: int
  height: int
  width: int


@dataclasses.dataclass(frozen=True, eq=False)
class Base:
  """What a slice begins with.

  Attributes:
    network: contours of all frames by a network, frames without a ring failed; None without a network.
    drawn: contours by a person that lay beside the study or in results, the others failed; None without.
    made: what they are from, for people: 'network ear3d, step 12', 'contours'; '' where there is nothing.
  """

  network: Contours | None = None
  drawn: Contours | None = None
  made: str = ''


class Followed(NamedTuple):
  """Contours of all frames, and for each one of `ORIGINS`."""

  contours: Contours
  origins: tuple[str, ...]


def box_of(base: Base, marks: Marks, shape: tuple[int, int], margin: float = SEEN) -> Box:
  """Returns the window that holds all known contours and what is about them; where there are none the whole picture."""
  known = [
    side[~one.failed].reshape(-1, 2) for one in (base.network, base.drawn) if one for side in (one.endo, one.epi)
  ]
  known += [side for pair in marks.keys.values() for side in pair]
  points = np.concatenate([*known, np.empty((0, 2))])
  seen = np.zeros(shape, bool)
  rows, columns = np.clip(np.rint(points), 0, np.array(shape) - 1).astype(int).T
  seen[rows, columns] = True
  found_rows, found_columns = heart_window(seen, margin)
  return Box(
    found_rows.start,
    found_columns.start,
    found_rows.stop - found_rows.start,
    found_columns.stop - found_columns.start,
  )


def moved(contours: Contours, by: tuple[float, float]) -> Contours:
  """Returns the contours with `by` (row, column) added to every point."""
  return dataclasses.replace(contours, endo=contours.endo + by, epi=contours.epi + by)


def key_frames(base: Base, marks: Marks) -> list[int]:
  """Returns the frames whose contours a person made, in order."""
  drawn = set() if base.drawn is None else set(np.flatnonzero(~base.drawn.failed).tolist())
  return sorted({*marks.keys, *(drawn - marks.freed - marks.cleared)})


def follow(
  cine: Cine,
  base: Base,
  marks: Marks,
  settings: Settings,
  corner: tuple[int, int] = (0, 0),
  kept: MutableMapping[Any, Any] | None = None,
) -> Followed:
  """Returns the contours of all frames.

  Args:
    cine: of the slice, or a window of it.
    base: what the slice began with, in pixels of the whole picture, as all contours here.
    marks: what a person has settled.
    settings: of the analysis.
    corner: (row, column) at which the window begins.
    kept: of `carrying.carry`.
  """
  frames, keys = len(cine.video), key_frames(base, marks)
  given, network = _given(base, marks, frames), base.network
  free = [t for t in range(frames) if t not in keys and t not in marks.cleared]
  found = network if network is not None else _nothing(frames)
  if keys and free:
    back = (-corner[0], -corner[1])
    heard = None if network is None or network.failed.all() else moved(network, back)
    carried = carry(_carrying(cine), moved(given, back), keys, network=heard, settings=settings, kept=kept)
    found = moved(carried.contours, corner)
  endo, epi = (_points(side) for side in (found.endo, found.epi))
  flags, failed = list(found.flags), found.failed.copy()
  origins = ['none' if bad else 'carried' if keys else 'network' for bad in failed]
  for t in keys:
    endo[t], epi[t], failed[t] = given.endo[t], given.epi[t], False
    flags[t], origins[t] = (AGREED, 'agreed') if t in marks.agreed else (BY_HAND, 'drawn')
  for t in marks.cleared:
    endo[t], epi[t], failed[t], flags[t], origins[t] = np.nan, np.nan, True, CLEARED, 'none'
  corrected = 'carried' in origins or (network is not None and bool(marks.keys))
  drawn = bool(keys or marks.cleared)
  return Followed(Contours(endo, epi, tuple(flags), failed, drawn=drawn, corrected=corrected), tuple(origins))


def _given(base: Base, marks: Marks, frames: int) -> Contours:
  """The contours that a person made, the other frames failed."""
  by_hand: list[Pair | None] = [marks.keys.get(t) for t in range(frames)]
  found = rings(by_hand)
  if base.drawn is None:
    return found
  endo, epi, failed = found.endo.copy(), found.epi.copy(), found.failed.copy()
  for t in key_frames(base, marks):
    if t not in marks.keys:
      endo[t], epi[t], failed[t] = base.drawn.endo[t], base.drawn.epi[t], False
  return dataclasses.replace(found, endo=endo, epi=epi, failed=failed)


def _carrying(cine: Cine) -> Cine:
  """The cine as `carry` can take it: without velocities where nobody knows how long a frame lasts."""
  if cine.venc is None or np.isfinite(cine.frame_interval):
    return cine
  return cine.replace(video=cine.video[..., :1], venc=None)


def _points(side: np.ndarray) -> np.ndarray:
  """A copy with 360 points a frame; curves of the editor have no other number."""
  if side.shape[1] != POINTS:
    raise ValueError(f'contours of {side.shape[1]} points, expected {POINTS}')
  return side.copy()


def _nothing(frames: int) -> Contours:
  nowhere = np.full((frames, POINTS, 2), np.nan)
  return Contours(nowhere, nowhere.copy(), (NOT_DRAWN,) * frames, np.ones(frames, bool))


def window(cine: Cine, box: Box) -> Cine:
  """Returns the window of a cine."""
  return crop(cine, *box)
