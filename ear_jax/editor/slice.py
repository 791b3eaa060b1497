"""One slice as it is being edited: its window of the cine, its base, its log, and the state that the page shows."""

import dataclasses
import math
import pathlib
import threading
from collections import OrderedDict
from typing import Any, NamedTuple

import numpy as np

from ear_jax.analysis import origin
from ear_jax.analysis.checks_of_study import Check, worst
from ear_jax.analysis.contours import polygon_area
from ear_jax.analysis.expected_dice import Expected, expected_dice
from ear_jax.analysis.motion import COMPONENTS, KINDS, Contours, Settings, SliceMotion
from ear_jax.analysis.regions import lengths
from ear_jax.analysis.septum import Septum
from ear_jax.analysis.slices import analyse_with_contours
from ear_jax.cine import Cine
from ear_jax.editor import edits, journal
from ear_jax.editor.edits import History, Marks
from ear_jax.editor.follow import Base, Box, Followed, box_of, common, follow, moved, needed_box, window
from ear_jax.editor.handles import SIDES, handles_of, require_ring
from ear_jax.report import page_numbers
from ear_jax.system.errors import UserError
from ear_jax.workflows.examine import check

SET_HERE = 'set by the reader in the editor'
_KEPT, _KEPT_WAYS = 8, 32  # states that undo and redo find again; contours carried round the cycle


class Stale(UserError):
  """The page that asks has not seen the last gesture: another window is at work on the slice."""


class View(NamedTuple):
  """What a slice is with some marks: contours in pixels of the whole picture, the motion's in the window `box`."""

  followed: Followed
  motion: SliceMotion


class Verdict(NamedTuple):
  """What the quality gate says of a view; the contours of its motion are a person's where one has agreed to them."""

  motion: SliceMotion
  expected: Expected
  checks: tuple[Check, ...]


class Slice:
  """A slice that is being edited. Every method may be called from any thread.

  Args:
    cine: the whole slice; a window of it is kept.
    base: what it begins with.
    septum: of the study; a person's own goes before.
    settings: of the analysis.
    log: the file that gestures are kept in; those in it are replayed.

  Raises: UserError when the log cannot be replayed.
  """

  def __init__(self, cine: Cine, base: Base, septum: Septum, settings: Settings, log: pathlib.Path):
    self.slice_id, self.level, self.shape, self.frames = cine.slice_id, cine.level, cine.mask.shape[1:], len(cine.video)
    self.base, self.log, self._septum, self._settings = base, log, septum, settings
    gestures = journal.read(log)
    self.version, self.history = len(gestures), self._replayed(gestures)
    self.box: Box = box_of(base, self.marks, self.shape)
    self.cine = window(cine, self.box)
    self._lock, self._seen = threading.RLock(), OrderedDict[str, View]()
    self._ways: dict[Box, dict] = {}
    self._verdicts: dict[tuple[str, bool], Verdict] = {}

  def _replayed(self, gestures: list[dict]) -> History:
    try:
      history = edits.replayed(gestures)
      for step in (*history.done, *history.undone):
        self._check(step.gesture, anew=False)
      return history
    except (KeyError, TypeError, ValueError) as fault:
      said = fault if isinstance(fault, UserError) else 'it is not as this version writes it'
      raise UserError(f'{self.log.name} of the edits cannot be replayed ({said}): restore it from a copy') from fault

  @property
  def marks(self) -> Marks:
    """What a person has settled so far."""
    return self.history.marks

  @property
  def touched(self) -> bool:
    """Whether anything has been settled."""
    return bool(self.history.done)

  def view(self, history: History | None = None) -> View:
    """Returns contours and analysis with a history, the present one when None."""
    history = history or self.history
    with self._lock:
      if history.name not in self._seen:
        self._seen[history.name] = self._computed(history.marks)
      self._seen.move_to_end(history.name)
      _shorten(self._seen, _KEPT, '')
      return self._seen[history.name]

  def _computed(self, marks: Marks) -> View:
    box = common(self.box, needed_box(self.base, marks, self.shape))
    cine = window(self.cine, box._replace(top=box.top - self.box.top, left=box.left - self.box.left))
    kept = self._ways.setdefault(box, {})
    followed = follow(cine, self.base, marks, self._settings, (box.top, box.left), kept)
    _shorten(kept, _KEPT_WAYS)
    _shorten(self._ways, 2)  # one of them may be that of the beginning
    corner = self.box.top, self.box.left
    contours = moved(followed.contours, (-corner[0], -corner[1]))
    motion = analyse_with_contours(self.cine, contours, septum=self.septum(marks, corner), settings=self._settings)
    return View(followed, motion)

  def judged(self, history: History | None = None, *, agreed: bool = False) -> Verdict:
    """Returns what the gate says, which costs as much as the analysis.

    Args:
      history: as of `view`.
      agreed: a person has agreed to contours that nobody touched.
    """
    history = history or self.history
    with self._lock:
      cine, motion = self.cine, self.view(history).motion
      agreed = agreed and not motion.contours.drawn
      known = self._verdicts.get((history.name, agreed))
    if known is None:
      if agreed:
        motion = dataclasses.replace(motion, contours=origin.agreed(motion.contours))
      expected = expected_dice(cine, motion.contours)
      known = Verdict(motion, expected, tuple(check(cine, motion, expected)))
      with self._lock:
        self._verdicts[history.name, agreed] = known
        _shorten(self._verdicts, _KEPT, ('', False))
    return known

  def septum(self, marks: Marks, corner: tuple[int, int] = (0, 0)) -> Septum:
    """Returns the septal reference, points relative to `corner`."""
    if marks.septum is not None:
      return Septum(np.tile(np.subtract(marks.septum, corner), (self.frames, 1)), SET_HERE, certain=True)
    where = self._septum.where
    if np.ndim(where):
      return Septum(np.asarray(where) - corner, self._septum.origin, self._septum.certain)
    return self._septum

  def widen(self, cine: Cine) -> None:
    """Shows the whole picture from now on."""
    with self._lock:
      self.cine, self.box = cine, Box(0, 0, *self.shape)
      self._seen.clear()
      self._verdicts.clear()

  def edit(self, version: int, gesture: dict, *, preview: bool = False) -> dict[str, Any]:
    """Takes a gesture and returns the state after it; `preview`: what the state would be.

    Raises:
      Stale: the slice has had gestures since `version`.
      UserError: the gesture cannot be taken.
    """
    with self._lock:
      self._require(version)
      gesture = self._completed(gesture)
      self._check(gesture)
      history = self.history.after(gesture)
      self.view(history)
      if preview:
        return self.state(history) | {'proposed': True}
      if history.name != self.history.name:  # there may be nothing to undo
        journal.append(self.log, gesture)
        self.history, self.version = history, self.version + 1
      return self.state(judge=False)

  def state(self, history: History | None = None, *, judge: bool = True) -> dict[str, Any]:
    """Returns what the page shows, ready for JSON; without `judge` what the gate says is None where it is not known."""
    with self._lock:
      history, version = history or self.history, self.version
      view, before = self.view(history), self.view(History())
      verdict, box = self._verdicts.get((history.name, False)), self.box
    if judge:
      verdict = self.judged(history)
    marks, size, motion, checks = history.marks, lengths(self.cine.spacing), view.motion, verdict and verdict.checks
    why = [f'{one.name}: {one.reason}' for one in checks or () if one.status in ('warn', 'fail')]
    return {
      'version': version,
      'undo': len(history.done),
      'redo': len(history.undone),
      'frames': _frames(view, marks, verdict and verdict.expected),
      'septum': {
        'point': _rounded(motion.septum[:1] + np.array(box[:2]))[0],
        'certain': motion.septal_reference.certain,
      },
      'insertion': marks.insertion,
      'curves': None if motion.venc is None else _curves(before.motion, motion),
      'areas': {**_areas(view.followed.contours, size), 'before': _areas(before.followed.contours, size)},
      'verdict': checks and worst(checks),
      'why': None if checks is None else '; '.join(why),
      'dice_expected': verdict and round(verdict.expected.dice, 4),
    }

  def _require(self, version: int) -> None:
    if version != self.version:
      raise Stale(
        f'slice {self.slice_id} has been changed in another window (version {self.version}, this one knows {version}): '
        'load it again'
      )

  def _completed(self, gesture: dict) -> dict:
    """A frame gets the contours that it shows: both if it is pinned or agreed to, else the one that was not drawn."""
    if gesture['what'] == 'keep':
      return {**gesture, 'frames': {t: self._kept(int(t)) for t in gesture['frames']}}
    if 'border' in gesture:
      return {**gesture, 'frames': {t: self._kept(int(t)) | drawn for t, drawn in gesture['frames'].items()}}
    if gesture['what'] == 'pin' and gesture['state'] != 'free':
      return {**gesture, 'frames': {str(gesture['frame']): self._kept(gesture['frame'])}}
    return gesture

  def _kept(self, frame: int) -> dict[str, list]:
    shown = self.view().followed.contours
    if shown.failed[self._inside(frame)]:
      raise UserError(f'frame {frame} has no contours: draw both first')
    kept = {}
    for k, side in enumerate(SIDES):
      own = getattr(self.marks, side).get(frame)
      kept[side] = _rounded(handles_of(getattr(shown, side)[frame]) if own is None else own[k])
    return kept

  def _inside(self, frame: int) -> int:
    if not 0 <= frame < self.frames:
      raise UserError(f'there is no frame {frame}: slice {self.slice_id} has {self.frames}, from 0')
    return frame

  def _check(self, gesture: dict, *, anew: bool = True) -> None:
    """Raises UserError for what cannot be; rings were looked at when they came in `anew`."""
    if 'frame' in gesture:
      self._inside(gesture['frame'])
    for t, pair in gesture.get('frames', {}).items():
      frame, drawn = self._inside(int(t)), edits.pair_of(pair)
      if anew:
        require_ring(drawn, self.shape, f'frame {frame}')
        self._require_window(drawn[1], f'frame {frame}')
    points = [gesture['septum']] if gesture['what'] == 'septum' else gesture.get('insertion', [])
    for point in points:
      if not all(-0.5 <= value <= size - 0.5 for value, size in zip(point, self.shape, strict=True)):
        raise UserError(f'the point of the {gesture["what"]} leaves the picture of {self.shape[0]} x {self.shape[1]}')

  def _require_window(self, points: np.ndarray, where: str) -> None:
    top, left, height, width = self.box
    if (points < (top, left)).any() or (points > (top + height - 1, left + width - 1)).any():
      raise UserError(f'{where}: the contour leaves the window about the heart that is shown: Whole picture shows all')


def _shorten(kept: dict, most: int, *always: Any) -> None:
  """Forgets what was put there first."""
  for name in [name for name in kept if name not in always][: max(0, len(kept) - most)]:
    del kept[name]


def _frames(view: View, marks: Marks, expected: Expected | None) -> list[dict[str, Any]]:
  contours, frames = view.followed.contours, []
  endo, epi = (_rounded(handles_of(side.swapaxes(0, 1)).swapaxes(0, 1)) for side in (contours.endo, contours.epi))
  for t, (failed, made) in enumerate(zip(contours.failed.tolist(), view.followed.origins, strict=True)):
    sure = made in ('drawn', 'agreed') or t in marks.cleared
    frames.append(
      {
        'endo': None if failed else endo[t],
        'epi': None if failed else epi[t],
        'origin': made,
        'state': 'pinned' if t in marks.pinned else 'key' if sure else 'free',
        'suspicion': 0.0 if sure else expected and round(float(1 - expected.by_frame[t]), 4),
      }
    )
  return frames


def _curves(before: SliceMotion, now: SliceMotion) -> dict[str, Any]:
  interval = 1.0 if math.isnan(now.frame_interval) else now.frame_interval
  whole = now.markers[now.markers['group'] == 'global']

  def velocities(motion: SliceMotion) -> dict[str, list]:
    whole = motion.curves['global'][0]
    return {name: page_numbers.numbers(whole[:, k]) for k, name in enumerate(COMPONENTS)}

  def strain(motion: SliceMotion) -> dict[str, list]:
    whole = motion.strain.strain['global'][0]
    return {name: page_numbers.numbers(whole[:, k]) for k, name in enumerate(KINDS)}

  return {
    'time_ms': _rounded(np.arange(len(now.mask)) * interval),
    'before': velocities(before),
    'now': velocities(now),
    'markers': page_numbers.markers(dataclasses.replace(now, markers=whole))['global'][0],
    'strain': {'before': strain(before), 'now': strain(now)},
  }


def _areas(contours: Contours, size: np.ndarray) -> dict[str, list[float | None]]:
  sides = {'endo': contours.endo, 'epi': contours.epi}
  return {name: page_numbers.numbers(polygon_area(side) * float(size.prod())) for name, side in sides.items()}


def _rounded(values: np.ndarray) -> Any:
  values = np.round(np.asarray(values, float), 3)
  unknown = np.isnan(values.reshape(len(values), -1)).any(1)
  return [None if bad else one for bad, one in zip(unknown.tolist(), values.tolist(), strict=True)]


def contours_of(one: Slice) -> Contours:
  """Returns the contours of a slice as they are now."""
  return one.view().followed.contours
