"""What our own StrainMap files hold beside StrainMap's arrays: by which pictures, and by whom, the contours were made.

One attribute of the root, `ear_jax: cines`, JSON: for each cine a fingerprint of its pictures, its position along the
normal in mm, whether a person drew the contours, in which frames they were carried from those, and whether a person set
the septal point; and digests of all contours and of all septal points. StrainMap keeps attributes whose names are
identifiers and passes over others. It saves into the file that it opened, where the attribute stays: another digest
then says that a person has been at work. There is no identifier of a
person in it: a fingerprint is made of pixels alone, so it outlives new identifiers.
"""

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping

import h5py
import numpy as np

from ear_jax.cine import MAGNITUDE, Cine

_NAME = 'ear_jax: cines'
_MOST = 1_000_000  # characters
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
    followed: frames whose contours were carried from those that a person drew (`analysis.carrying`).
    flags: what was noted of the contours of each frame (`Contours.flags`); empty when unknown.
    septum: where the septal point comes from, in words.
    septum_stated: by a person, not estimated.
  """

  fingerprint: str = ''
  position: float = math.nan
  drawn: bool = True
  corrected: bool = False
  followed: tuple[int, ...] = ()
  flags: tuple[str, ...] = ()
  septum: str = IN_FILE
  septum_stated: bool = True


UNMARKED = Mark()


def fingerprint(cine: Cine) -> str:
  """Returns 16 hexadecimal digits made of the magnitudes of the first and the middle frame, pixel by pixel."""
  frames = len(cine.video)
  pictures = np.ascontiguousarray(cine.video[[0, frames // 2], ..., MAGNITUDE], '<f4') + np.float32(0)  # -0 becomes 0
  return hashlib.sha256(repr((frames, *pictures.shape[1:])).encode() + pictures.tobytes()).hexdigest()[:16]


def write(h5: h5py.File, marks: Mapping[str, Mark]) -> None:
  """Writes the marks, by StrainMap's name of the cine, into a file that holds its contours already."""
  cines = {name: dataclasses.asdict(mark) for name, mark in marks.items()}
  for one in cines.values():
    one['position'] = None if math.isnan(one['position']) else round(one['position'], 4)
  h5.attrs[_NAME] = json.dumps({'contours': _digest(h5, 'segments'), 'septum': _digest(h5, 'septum'), 'cines': cines})


def read(h5: h5py.File) -> dict[str, Mark]:
  """Returns the marks of a file; empty where it has none, or none that can be read."""
  try:
    text = h5.attrs[_NAME]
    if not isinstance(text, str) or len(text) > _MOST:
      return {}
    stated = json.loads(text)
    touched = stated['contours'] != _digest(h5, 'segments')
    moved = stated.get('septum', '') not in ('', _digest(h5, 'septum'))
    return {str(name): _mark(one, touched, moved) for name, one in stated['cines'].items()}
  except (KeyError, ValueError, TypeError, AttributeError, OSError):
    return {}


def _mark(stated: dict, touched: bool, moved: bool) -> Mark:
  position = math.nan if stated['position'] is None else float(stated['position'])
  drawn, corrected = bool(stated['drawn']), bool(stated.get('corrected'))
  # Of what a person has been at work on it is not known which were changed.
  followed = () if touched else tuple(map(int, stated.get('followed', ())))
  flags = () if touched else tuple(map(str, stated.get('flags', ())))
  septum = (IN_FILE, True) if moved else (str(stated.get('septum', _UNSAID)), bool(stated.get('septum_stated', False)))
  by = touched or drawn, corrected or (touched and not drawn)
  return Mark(str(stated['fingerprint']), position, *by, followed, flags, *septum)


def _digest(h5: h5py.File, group: str) -> str:
  if group not in h5:
    return ''
  stored = h5[group][group]
  return hashlib.sha256(np.ascontiguousarray(stored[()]).tobytes() + repr(stored.shape).encode()).hexdigest()[:16]
