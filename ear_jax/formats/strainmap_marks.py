"""What our own StrainMap files hold beside StrainMap's arrays: by which pictures, and by whom, the contours were made.

One attribute of the root, `ear_jax: cines`, JSON: for each cine a fingerprint of its pictures, its position along the
normal in mm, whether a person drew the contours, where those of each frame are from, by which networks, and whether a
person set the septal point; and sums of the coordinates of each frame's contours and of the septal points. StrainMap
keeps attributes whose names are identifiers and passes over others. It saves into the file that it opened, where the
attribute stays: other sums then say in which frames a person has been at work. There is no identifier of a person in
it: a fingerprint is made of pixels alone, so it outlives new identifiers.
"""

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np

from ear_jax.cine import MAGNITUDE, Cine

_NAME = 'ear_jax: cines'
_MOST = 1_000_000  # characters
_MOVED = 0.01  # pixels: what packing a file anew changes of a sum over a curve is a hundredth of it
IN_FILE = 'the septal point in the file'
_UNSAID = 'the septal point in the file, of which it is not said that a person set it'  # by versions up to 0.2


@dataclasses.dataclass(frozen=True)
class Mark:
  """What is known of one cine.

  Attributes:
    fingerprint: of its pictures (`fingerprint`); '' when unknown.
    position: mm along the slice normal; NaN when unknown.
    drawn: by a person, as far as is known.
    corrected: by a person who began with those of a network.
    origins, networks, error: as of `Contours`.
    flags: what was noted of the contours of each frame (`Contours.flags`); empty when unknown.
    septum: where the septal point comes from, in words.
    septum_stated: by a person, not estimated.
  """

  fingerprint: str = ''
  position: float = math.nan
  drawn: bool = True
  corrected: bool = False
  origins: tuple[str, ...] = ()
  networks: tuple[str, ...] = ()
  error: tuple[float, ...] = ()
  flags: tuple[str, ...] = ()
  septum: str = IN_FILE
  septum_stated: bool = True

  @property
  def by_hand(self) -> np.ndarray:
    """`[T]` bool, frames that a person drew or agreed to; all of them where that is not known."""
    return ~np.isin(self.origins, ('carried', 'network'))


UNMARKED = Mark()


def fingerprint(cine: Cine) -> str:
  """Returns 16 hexadecimal digits made of the magnitudes of the first and the middle frame, pixel by pixel."""
  frames = len(cine.video)
  pictures = np.ascontiguousarray(cine.video[[0, frames // 2], ..., MAGNITUDE], '<f4') + np.float32(0)  # -0 becomes 0
  return hashlib.sha256(repr((frames, *pictures.shape[1:])).encode() + pictures.tobytes()).hexdigest()[:16]


def sums(endo: np.ndarray, epi: np.ndarray) -> np.ndarray:
  """Returns `[T, 4]`, sums of row and column over the points of curves `[T, P, 2]`; 0 where a frame has none.

  A person who changes a curve changes them; a program that packs the same numbers anew does not, by more than `_MOVED`.
  """
  return np.concatenate([np.nansum(side, 1) for side in (endo, epi)], -1)


def write(h5: h5py.File, marks: Mapping[str, Mark], known: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
  """Writes the marks, by StrainMap's name of the cine, into a file.

  Args:
    h5: open for writing.
    marks: of each cine.
    known: of each cine the `sums` of its contours, and its septal points `[T, 2]`, as the file holds them.
  """
  cines = {name: dataclasses.asdict(mark) for name, mark in marks.items()}
  for name, one in cines.items():
    one['position'] = None if math.isnan(one['position']) else round(one['position'], 4)
    one['error'] = [None if math.isnan(error) else error for error in one['error']]
    one['sums'], one['septum_sum'] = known[name][0].round(4).tolist(), np.nansum(known[name][1], 0).round(4).tolist()
  h5.attrs[_NAME] = json.dumps({'cines': cines})


def read(h5: h5py.File) -> dict[str, dict]:
  """Returns what a file states of each cine, for `mark`; empty where it states nothing, or nothing that can be read."""
  try:
    text = h5.attrs[_NAME]
    if not isinstance(text, str) or len(text) > _MOST:
      return {}
    stated = json.loads(text)
    changed: dict[str, bool] = {}
    if 'contours' in stated:  # by versions up to 0.2, which told whether anything in the file was changed
      changed['touched'] = stated['contours'] != _digest(h5, 'segments')
      changed['moved'] = stated.get('septum', '') not in ('', _digest(h5, 'septum'))
    return {str(name): one | changed for name, one in stated['cines'].items()}
  except (KeyError, ValueError, TypeError, AttributeError, OSError):
    return {}


def mark(stated: dict | None, now: np.ndarray, septum: np.ndarray) -> Mark:
  """Returns the mark of a cine whose contours are as they are now; frames that a person changed since are by hand.

  Args:
    stated: of `read`; None: nothing.
    now: `sums` of its contours.
    septum: its septal points `[T, 2]`.
  """
  if stated is None:
    return UNMARKED
  try:
    return _mark(stated, now, septum)
  except (KeyError, ValueError, TypeError, AttributeError):
    return UNMARKED


def _mark(stated: dict, now: np.ndarray, septum: np.ndarray) -> Mark:
  position = math.nan if stated['position'] is None else float(stated['position'])
  drawn, corrected = bool(stated['drawn']), bool(stated.get('corrected'))
  origins, flags = ([str(one) for one in stated.get(key, ())] for key in ('origins', 'flags'))
  error = [math.nan if one is None else float(one) for one in stated.get('error', ())]
  if 'sums' in stated:
    before = np.array(stated['sums'], float).reshape(-1, now.shape[1])
    touched = abs(now - before).max(1) > _MOVED if len(before) == len(now) else np.ones(len(now), bool)
    moved = bool((abs(np.nansum(septum, 0) - stated['septum_sum']) > _MOVED).any())
  else:
    followed = [int(t) for t in stated.get('followed', ())]
    if not corrected or followed:
      origins = ['carried' if t in followed else 'drawn' if drawn or followed else 'network' for t in range(len(now))]
    touched, moved = np.full(len(now), bool(stated['touched'])), bool(stated['moved'])
    if touched.any():  # which of them is not known
      return Mark(str(stated['fingerprint']), position, True, corrected or not drawn, **_septum(stated, moved))
  by_now = touched.tolist() + [False] * len(origins)
  origins = ['drawn' if new else old for old, new in zip(origins, by_now, strict=False)]
  flags = ['' if new else old for old, new in zip(flags, by_now, strict=False)]
  error = [math.nan if new else old for old, new in zip(error, by_now, strict=False)]
  by = bool(touched.any())
  networks = tuple(str(one) for one in stated.get('networks', ()))
  told: dict[str, Any] = {'origins': tuple(origins), 'networks': networks, 'error': tuple(error), 'flags': tuple(flags)}
  return Mark(
    str(stated['fingerprint']), position, drawn or by, corrected or (by and not drawn), **told, **_septum(stated, moved)
  )


def _septum(stated: dict, moved: bool) -> dict[str, Any]:
  if moved:
    return {'septum': IN_FILE, 'septum_stated': True}
  return {'septum': str(stated.get('septum', _UNSAID)), 'septum_stated': bool(stated.get('septum_stated', False))}


def _digest(h5: h5py.File, group: str) -> str:
  if group not in h5:
    return ''
  stored = h5[group][group]
  return hashlib.sha256(np.ascontiguousarray(stored[()]).tobytes() + repr(stored.shape).encode()).hexdigest()[:16]
