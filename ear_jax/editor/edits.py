"""What a person has done to one slice: gestures one after another, undone and redone, and what they leave.

Pure. A gesture is a dict as the log on disk holds it, checked before it comes here (`requests`):

    {'what': 'handle' | 'push' | 'arc' | 'draw' | 'm-mode', 'frames': {'12': {'endo': [[r, c], ...], 'epi': ...}, ...}}
    {'what': 'handle', 'border': 'epi', 'frames': ...}   one border was drawn, the other is as it was shown
    {'what': 'keep', 'frames': ...}               as they were: a person agrees to them
    {'what': 'septum', 'septum': [r, c]}          {'what': 'insertion', 'insertion': [[r, c], [r, c]]}
    {'what': 'pin', 'frame': 3, 'state': 'free' | 'key' | 'pinned', 'frames': {'3': ...}}
    {'what': 'clear', 'frame': 3}                 {'what': 'undo'}          {'what': 'redo'}

A frame whose contour a person made or agreed to is a key frame; the others follow from those, border by border: what
was drawn of the epicardium moves no endocardium elsewhere.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from ear_jax.analysis.drawn import Pair

DRAWING = ('handle', 'push', 'arc', 'm-mode', 'draw', 'keep')  # gestures that bring contours
STATES = ('free', 'key', 'pinned')


@dataclasses.dataclass(frozen=True)
class Marks:
  """What a person has settled in a slice.

  Attributes:
    endo, epi: by frame in which a person made this border, handles `[N, 2]` of both borders as they were then.
    pinned: key frames that no gesture over several frames may change.
    agreed: key frames that nobody drew: a person agreed to what was there.
    cleared: frames that hold no ventricle.
    freed: frames that were drawn beforehand and shall follow now.
    septum: mid-septal point (row, column); None: as it was.
    insertion: the two points where the right ventricle meets the wall; None: not said.
  """

  endo: Mapping[int, Pair] = dataclasses.field(default_factory=dict)
  epi: Mapping[int, Pair] = dataclasses.field(default_factory=dict)
  pinned: frozenset[int] = frozenset()
  agreed: frozenset[int] = frozenset()
  cleared: frozenset[int] = frozenset()
  freed: frozenset[int] = frozenset()
  septum: tuple[float, float] | None = None
  insertion: tuple[tuple[float, float], tuple[float, float]] | None = None

  @property
  def keys(self) -> dict[int, Pair]:
    """Handles of both borders by frame in which a person made one of them or both."""
    frames = sorted({*self.endo, *self.epi})
    return {t: ((self.endo.get(t) or self.epi[t])[0], (self.epi.get(t) or self.endo[t])[1]) for t in frames}


class Step(NamedTuple):
  """A gesture, what is settled after it, and a name of all that was done so far."""

  gesture: dict
  marks: Marks
  name: str


@dataclasses.dataclass(frozen=True, eq=False)
class History:
  """Steps that hold, and those that were undone, the last one last."""

  done: tuple[Step, ...] = ()
  undone: tuple[Step, ...] = ()

  @property
  def marks(self) -> Marks:
    """What a person has settled."""
    return self.done[-1].marks if self.done else Marks()

  @property
  def name(self) -> str:
    """The same for the same gestures in the same order, and for no others."""
    return self.done[-1].name if self.done else ''

  def after(self, gesture: dict) -> 'History':
    """Returns the history after a gesture; undo and redo without anything to take back or do again change nothing."""
    if gesture['what'] == 'undo':
      return History(self.done[:-1], (*self.undone, *self.done[-1:]))
    if gesture['what'] == 'redo':
      return History((*self.done, *self.undone[-1:]), self.undone[:-1])
    name = hashlib.sha256(f'{self.name} {json.dumps(gesture, sort_keys=True)}'.encode()).hexdigest()
    return History((*self.done, Step(gesture, _with(self.marks, gesture), name)))


def replayed(gestures: Iterable[dict]) -> History:
  """Returns the history that a log of gestures leaves."""
  history = History()
  for gesture in gestures:
    history = history.after(gesture)
  return history


def _with(marks: Marks, gesture: dict) -> Marks:
  what = gesture['what']
  if what == 'septum':
    return dataclasses.replace(marks, septum=tuple(gesture['septum']))
  if what == 'insertion':
    first, second = gesture['insertion']
    middle = ((first[0] + second[0]) / 2, (first[1] + second[1]) / 2)  # the septum lies between
    return dataclasses.replace(marks, insertion=(tuple(first), tuple(second)), septum=middle)
  if what == 'clear':
    return _free(marks, gesture['frame'], cleared=True)
  if what == 'pin' and gesture['state'] == 'free':
    return _free(marks, gesture['frame'], cleared=False)
  drawn = {
    int(t): (np.array(pair['endo'], float), np.array(pair['epi'], float)) for t, pair in gesture['frames'].items()
  }
  if what == 'm-mode':
    drawn = {t: pair for t, pair in drawn.items() if t not in marks.pinned}
  pinned = marks.pinned
  if what == 'pin':
    pinned = pinned | {gesture['frame']} if gesture['state'] == 'pinned' else pinned - {gesture['frame']}
  own = frozenset(drawn)
  agreed = marks.agreed | (own - set(marks.keys)) if what in ('keep', 'pin') else marks.agreed - own
  cleared, freed = marks.cleared - own, marks.freed - own
  border = gesture.get('border')  # the one that was drawn; both without
  endo = marks.endo if border == 'epi' else {**marks.endo, **drawn}
  epi = marks.epi if border == 'endo' else {**marks.epi, **drawn}
  return dataclasses.replace(marks, endo=endo, epi=epi, pinned=pinned, agreed=agreed, cleared=cleared, freed=freed)


def pair_of(drawn: Mapping[str, list]) -> Pair:
  """Returns the handles of a frame of a gesture."""
  return np.array(drawn['endo'], float), np.array(drawn['epi'], float)


def _free(marks: Marks, frame: int, *, cleared: bool) -> Marks:
  one = frozenset([frame])
  return dataclasses.replace(
    marks,
    endo={t: pair for t, pair in marks.endo.items() if t != frame},
    epi={t: pair for t, pair in marks.epi.items() if t != frame},
    pinned=marks.pinned - one,
    agreed=marks.agreed - one,
    cleared=marks.cleared | one if cleared else marks.cleared - one,
    freed=marks.freed if cleared else marks.freed | one,
  )
