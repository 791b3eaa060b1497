"""The contours of a slice from what was there before and what a person has done: key frames, and frames that follow.

Pure. Everything is done in a window about the heart; contours come and go in pixels of the whole picture.
"""

import dataclasses
import hashlib
import math
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ear_jax.analysis.carrying import carry, radii
from ear_jax.analysis.contours import MIN_WALL
from ear_jax.analysis.drawn import NOT_DRAWN, Pair
from ear_jax.analysis.motion import POINTS, Contours, Settings
from ear_jax.analysis.polar import RAYS
from ear_jax.cine import Cine, crop
from ear_jax.editor.edits import Marks
from ear_jax.editor.handles import SIDES, rings
from ear_jax.report.overlay import heart_window

BY_HAND, AGREED, CLEARED = 'by hand', 'agreed to by hand', 'no ventricle here, by hand'
_BORDERS = 'borders'
ORIGINS = ('network', 'drawn', 'agreed', 'carried', 'none')
# Of the heart's extent on each side: what a person sees, what is calculated with, and the least of that.
SEEN, NEEDED, LEAST = 1.0, 0.4, 0.2


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


def needed_box(base: Base, marks: Marks, shape: tuple[int, int]) -> Box:
  """Returns the window that is calculated with: the first one, as long as it holds what is known and some more.

  With another window all that was carried would be carried anew.
  """
  begun = any(one and not one.failed.all() for one in (base.network, base.drawn))
  first = {} if begun else dict(sorted(marks.keys.items())[:1])
  box, least = (
    box_of(base, own, shape, margin) for own, margin in ((Marks(endo=first, epi=first), NEEDED), (marks, LEAST))
  )
  return box if common(box, least) == least else box_of(base, marks, shape, NEEDED)


def common(one: Box, other: Box) -> Box:
  """Returns the window that two have in common."""
  top, left = max(one.top, other.top), max(one.left, other.left)
  bottom = min(one.top + one.height, other.top + other.height)
  right = min(one.left + one.width, other.left + other.width)
  return Box(top, left, bottom - top, right - left)


def moved(contours: Contours, by: tuple[float, float]) -> Contours:
  """Returns the contours with `by` (row, column) added to every point."""
  return dataclasses.replace(contours, endo=contours.endo + by, epi=contours.epi + by)


def follow(
  cine: Cine,
  base: Base,
  marks: Marks,
  settings: Settings,
  corner: tuple[int, int] = (0, 0),
  kept: MutableMapping[Any, Any] | None = None,
) -> Followed:
  """Returns the contours of all frames.

  A border follows from the frames in which a person made this border; where it would meet the other one it stops.

  Args:
    cine: of the slice, or a window of it.
    base: what the slice began with, in pixels of the whole picture, as all contours here.
    marks: what a person has settled.
    settings: of the analysis.
    corner: (row, column) at which the window begins.
    kept: of `carrying.carry`, of one base, window and settings.
  """
  frames = len(cine.video)
  first = base.drawn and dataclasses.replace(
    base.drawn, failed=base.drawn.failed | np.isin(np.arange(frames), [*marks.freed, *marks.cleared])
  )
  alike = {t: id(pair) for t, pair in marks.endo.items()} == {t: id(pair) for t, pair in marks.epi.items()}
  network = _nothing(frames) if base.network is None else base.network
  kept = {} if kept is None else kept
  before, now = kept.pop(_BORDERS, {}), {}  # of the last call: one gesture mostly leaves one border as it was
  given, start = [], []
  for own in (marks.endo, *[marks.epi] * (not alike)):
    given.append(_given(first, own, frames))
    keys = np.flatnonzero(~given[-1].failed).tolist()
    start.append(network)
    if 0 < len(keys) < frames - len(marks.cleared):
      back = (-corner[0], -corner[1])
      heard = None if network.failed.all() else moved(network, back)
      name = hashlib.sha256(given[-1].endo.tobytes() + given[-1].epi.tobytes()).digest()
      if name not in before:
        carried = carry(_carrying(cine), moved(given[-1], back), keys, network=heard, settings=settings, kept=kept)
        before[name] = moved(carried.contours, corner)
      now[name] = start[-1] = before[name]
  kept[_BORDERS] = now
  whole = np.array([marks.endo.get(t) is marks.epi.get(t) for t in range(frames)])
  endo, epi, by_hand = _together(start, given, whole)
  failed = np.isnan(endo).any((1, 2)) | np.isnan(epi).any((1, 2))
  source = next((one for one in start if one is not network), network)
  flags, origins = list(source.flags), np.where(failed, 'none', 'carried' if by_hand.any() else 'network').tolist()
  for t in np.flatnonzero(by_hand).tolist():
    flags[t], origins[t] = (AGREED, 'agreed') if t in marks.agreed else (BY_HAND, 'drawn')
  for t in marks.cleared:
    endo[t], epi[t], failed[t], flags[t], origins[t] = np.nan, np.nan, True, CLEARED, 'none'
  told = _told(base, marks, origins, [one for one in start if one is not network])
  return Followed(Contours(endo, epi, tuple(flags), failed, **told), tuple(origins))


def _told(base: Base, marks: Marks, origins: Sequence[str], carried: Sequence[Contours]) -> dict[str, Any]:
  """Who made the contours, as `Contours` states it: of what nobody touched, what was said of it at the beginning."""
  touched, said = {*marks.endo, *marks.epi}, [*origins]
  error = list(base.network.error) if base.network and base.network.error else [math.nan] * len(origins)
  for t, origin in enumerate(origins):
    first = {'drawn': base.drawn, 'network': base.network}.get(origin)
    if t in marks.cleared:
      said[t] = 'cleared'
    elif origin == 'carried':
      error[t] = max((one.error[t] for one in carried if one.error), default=math.nan)
    elif first is not None and first.origins and t not in touched:
      said[t] = first.origins[t]
  edited = bool(touched or marks.cleared)
  whole = None if edited or {'carried', 'drawn'} & {*origins} else base.network  # all as it was
  began = base.network is not None and (edited or bool({'carried', 'network'} & {*origins}))
  networks = [*(base.network.networks if base.network and began else ()), *(base.drawn.networks if base.drawn else ())]
  return {
    'drawn': whole.drawn if whole else edited or 'drawn' in origins,
    'corrected': whole.corrected if whole else 'carried' in origins or (began and edited),
    'origins': tuple(said),
    'networks': tuple(dict.fromkeys(networks)),
    'error': tuple(error) if 'carried' in said else (),
  }


def _given(first: Contours | None, own: Mapping[int, Pair], frames: int) -> Contours:
  """The contours that a person made, in the editor or `first`, the other frames failed."""
  given_rings = rings([own.get(t) for t in range(frames)])
  if first is None:
    return given_rings
  before = ~first.failed & given_rings.failed
  for side in SIDES:
    getattr(given_rings, side)[before] = getattr(first, side)[before]
  return dataclasses.replace(given_rings, failed=given_rings.failed & ~before)


def _together(
  found: Sequence[Contours], given: Sequence[Contours], whole: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Endo- and epicardium `[T, 360, 2]` of all frames, and `[T]` bool where a person made one of them.

  Args:
    found: what follows from the endocardium that was given, and from the epicardium, or from both at once; the
      network's where none was given. A frame without a border takes the other's.
    given: by a person, likewise.
    whole: `[T]` bool, frames in which a person made both at once, or none.
  """
  borders = []
  for side, number in zip(SIDES, (0, -1), strict=True):
    mine, other, made = found[number], found[-1 - number], given[number]
    points = np.where(mine.failed[:, None, None], getattr(other, side), getattr(mine, side))
    borders.append(np.where(made.failed[:, None, None], points, getattr(made, side)))
  endo, epi = borders
  inner, outer = ~given[0].failed, ~given[-1].failed
  if len(found) > 1:
    both = np.isfinite(endo).all((1, 2)) & np.isfinite(epi).all((1, 2)) & ~(whole & inner)
    stops = (outer & ~inner) | (~outer & ~inner & ~outer.any())
    endo[both], epi[both] = _in_order(endo[both], epi[both], stops[both])
  return endo, epi, inner | outer


def _in_order(endo: np.ndarray, epi: np.ndarray, inner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Curves `[F, 360, 2]` at the same angles, the endocardium within; it is the one that stops where `inner` `[F]`."""
  centre = endo.mean(1)
  inside, outside = np.moveaxis(radii(np.stack([endo, epi], 1), centre), 1, 0)
  stopped = np.maximum(np.minimum(inside, outside - MIN_WALL), MIN_WALL)
  inside = np.where(inner[:, None], stopped, inside)
  outside = np.maximum(outside, inside + MIN_WALL)
  endo, epi = (centre[:, None] + r[..., None] * RAYS for r in (inside, outside))
  return endo, epi


def _carrying(cine: Cine) -> Cine:
  """The cine as `carry` can take it: without velocities where nobody knows how long a frame lasts."""
  if cine.venc is None or np.isfinite(cine.frame_interval):
    return cine
  return cine.replace(video=cine.video[..., :1], venc=None)


def _nothing(frames: int) -> Contours:
  nowhere = np.full((frames, POINTS, 2), np.nan)
  return Contours(nowhere, nowhere.copy(), (NOT_DRAWN,) * frames, np.ones(frames, bool))


def window(cine: Cine, box: Box) -> Cine:
  """Returns the window of a cine."""
  return crop(cine, *box)
