"""The studies that an editor has: looked over at once, read and delineated one after another when they are asked for.

A study that was opened stays in memory, its slices as windows about the heart, and its folder of results is locked
until the process ends. Work that takes long is done by one thread, which says what it does.
"""

import contextlib
import dataclasses
import json
import math
import pathlib
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from absl import logging

from ear_jax.analysis import origin
from ear_jax.analysis import septum as septum_lib
from ear_jax.analysis.checks_of_study import Check, worst
from ear_jax.analysis.contours import from_mask
from ear_jax.analysis.ends import find_ends
from ear_jax.analysis.outline import without_ring
from ear_jax.cine import Cine
from ear_jax.editor import base as base_files
from ear_jax.editor import views
from ear_jax.editor.follow import Base
from ear_jax.editor.slice import Slice
from ear_jax.formats import strainmap_marks
from ear_jax.formats.opened import Opened
from ear_jax.formats.source import Source
from ear_jax.networks.recognise import recognise
from ear_jax.networks.segment import Network, segment
from ear_jax.system.errors import UserError
from ear_jax.system.files import require_writable, write_text
from ear_jax.system.lock import only_writer
from ear_jax.workflows.examine import Options, by_file, conventions, holds_ventricle
from ear_jax.workflows.predict import gate, left_out

EDITS, DONE = 'edits', 'done.json'


@dataclasses.dataclass(frozen=True)
class Progress:
  """What is being done: a sentence, and the share of it that is behind; None: nothing."""

  doing: str | None = None
  share: float = 0.0


class Study:
  """One study that can be edited.

  Args:
    opened: of `formats.open`, contours by a person attached.
    folder: of its results; edits are in `edits` within.
    networks: none, one, or several to be averaged.
    begun: contours of each slice by its id that results held already; empty without.
    blind: pseudonym of a reader who shall not see what others drew; '' for one who may.
    force: results hold curves even where the quality gate fails the study.
  """

  def __init__(
    self,
    opened: Opened,
    folder: pathlib.Path,
    networks: Sequence[Network],
    options: Options,
    begun: Callable[[Cine, Source], Base | None] | None = None,
    blind: str = '',
    force: bool = False,
  ):
    self.opened, self.folder, self.options, self.force = opened, folder, options, force
    self.slices: list[Slice] = []
    self.progress = Progress()
    self.notes: list[str] = [*opened.notes]
    self._stated: list[Check] = []
    self._networks, self._begun, self._blind = networks, begun, blind
    self._loading: Future | None = None
    self._looked = self._unwanted = False
    self._lock, self._held = threading.Lock(), contextlib.ExitStack()
    self.writing = threading.Lock()
    self._sheets: dict[tuple[int, str], bytes] = {}

  @property
  def name(self) -> str:
    """Its pseudonym."""
    return self.opened.dataset

  @property
  def edits(self) -> pathlib.Path:
    """The folder of its logs."""
    return self.folder / EDITS

  def ready(self, worker: ThreadPoolExecutor) -> bool:
    """Returns whether all slices are there; where not, has `worker` read and delineate them.

    Raises: UserError when that failed; the next call tries again.
    """
    with self._lock:
      self._unwanted = False
      if self._loading is None:
        self.progress = Progress(f'{self.name}: waiting for its turn')
        self._loading = worker.submit(self._load)
      if not self._loading.done():
        return False
      loading = self._loading
      if loading.exception() is not None:
        self._loading = None
    try:
      loading.result()
    except (OSError, MemoryError) as fault:
      raise UserError(f'{self.name}: {type(fault).__name__} while it was read') from fault
    return True

  def _load(self) -> None:
    try:
      with contextlib.ExitStack() as held:
        require_writable(self.folder, f'{self.name}: results')
        try:
          held.enter_context(only_writer(self.edits))
        except UserError as fault:
          raise UserError(f'{self.name} is open in another editor: close that one first') from fault
        self.slices = list(self._read())
        self._held = held.pop_all()
    finally:
      self.progress = Progress()

  def _read(self):
    count = len(self.opened)
    settled = None
    for number, (cine, source) in enumerate(self.opened.read()):
      if self._unwanted:
        raise UserError(f'{self.name} was closed while it was read')
      self.progress = Progress(f'{self.name}: slice {number + 1} of {count}', number / count)
      source = source.at(cine.place)
      if settled is None:  # the first slice settles the conventions for all
        settled = by_file(self.options, source)
        self._stated = conventions(self.options, source, settled)
      septum = septum_lib.find(self.options.septum_angle, None if self._blind else source.septum, source.orientation)
      one = Slice(cine, self._base(number, cine, source), septum, settled, self.edits / f'slice-{number:02d}.jsonl')
      one.judged()
      if self._blind:
        self._require_own(one)
      yield one

  def _require_own(self, one: Slice) -> None:
    """Raises UserError where a slice was begun with contours by a person, or edited by another."""
    persons = {step.gesture.get('person') for step in one.history.done} - {self._blind}
    others = one.base.drawn is not None or (one.base.network is not None and one.base.network.made != 'AUTOMATIC')
    if persons or others:
      raise UserError(f'{self.name}: its edits were begun by another reader, or with contours: give another --output')

  def _base(self, number: int, cine: Cine, source: Source) -> Base:
    """The contours that a slice begins with: those of its first time, else of results, a person or a network."""
    path, mark = self.edits / f'slice-{number:02d}.npz', strainmap_marks.fingerprint(cine)
    base = base_files.read(path, mark)
    if base is None:
      base = (self._begun and self._begun(cine, source)) or self._first(cine, source)
      base_files.write(path, base, mark)
    elif self._networks and base.made and base.made not in (network.name for network in self._networks):
      logging.info('%s, slice %d: edits go on from %s, with which they began', self.name, number, base.made)
    return base

  def _first(self, cine: Cine, source: Source) -> Base:
    drawn, network, made, by = None, None, '', ''
    if self._networks:
      self._look_which_way_up()
      network = from_mask(segment(cine, self._networks, axes=self.options.axes).probability)
      network = origin.all_of(network, 'network', [one.told for one in self._networks])
      by = ', '.join(one.name for one in self._networks)
    if source.drawn is not None and not self._blind:
      given = base_files.on_360(source.drawn)
      by_hand = given.drawn and not given.corrected
      drawn, network = (given, network) if by_hand else (None, given)
      made = 'contours by a person' if by_hand else 'contours of results'
    elif cine.annotated.any() and not self._blind:
      drawn = origin.all_of(from_mask(np.where(cine.annotated[:, None, None], cine.mask, 0)), 'mask')
      made = 'contours by a person'
    return Base(network, drawn, ', '.join(filter(None, [made, by])))

  def _look_which_way_up(self) -> None:
    if self.options.axes is None and not self._looked:
      axes, said = recognise(self.opened.__getitem__, len(self.opened), self._networks[0])
      self.options, self._looked = dataclasses.replace(self.options, axes=axes), True
      self.notes += [said] * bool(said)

  def sheet(self, number: int, view: str) -> bytes:
    """Returns a view of a slice as PNG."""
    key = number, view
    if key not in self._sheets:
      self._sheets[key] = views.sheet(self.slices[number].cine, view)
    return self._sheets[key]

  @property
  def done(self) -> bool:
    """Whether a person said that it is finished."""
    try:
      return bool(json.loads((self.edits / DONE).read_text())['done'])
    except (OSError, ValueError, KeyError, TypeError):
      return False

  def set_done(self, done: bool) -> None:
    """Notes on disk whether it is finished."""
    write_text(self.edits / DONE, json.dumps({'done': done}))

  def gate(self) -> list[Check]:
    """Returns the quality gate's checks with the contours as they are: those of the results when they are saved."""
    views = {one.slice_id: one.judged(agreed=self.done) for one in self.slices}
    drawn = {name: view for name, view in views.items() if not view.motion.contours.failed.all()}
    notes = [*self.notes, *(left_out([name for name in views if name not in drawn]) if drawn else [])]
    held = drawn or views
    motions, checks = {name: one.motion for name, one in held.items()}, {name: one.checks for name, one in held.items()}
    holds = [holds_ventricle(one.motion.contours, one.expected) for one in held.values()]
    gone, _ = find_ends([*motions.values()], [one.expected for one in held.values()], holds, 0, given=True)
    for name, end in (([*held][k], end) for k, end in gone.items()):
      motions[name] = without_ring(motions[name], end.flags)
      checks[name] = (Check('ventricle', name, end.status, end.reason),)
    own = [check for several in checks.values() for check in several]
    return gate([*motions.values()], own, notes, self._stated, self.force).checks

  def described(self, index: int) -> dict[str, Any]:
    """Returns what the page knows of a study, ready for JSON."""
    checks = self.gate()
    first = self.slices[0].view().motion
    return {
      'index': index,
      'name': self.name,
      'magnitude_only': all(one.cine.venc is None for one in self.slices),
      'verdict': worst(checks),
      'checks': [{'check': c.name, 'slice': c.slice_id, 'status': c.status, 'detail': c.reason} for c in checks],
      'septum_side': first.septal_reference.origin,
      'done': self.done,
      'slices': [_described(one, index, number) for number, one in enumerate(self.slices)],
    }

  def listed(self, index: int) -> dict[str, Any]:
    """Returns its line in the list of studies: of one that is not open what its saved results say."""
    slices, told, summary = self.slices, self._written('edits.json'), self._written('summary.json')
    begun = bool(slices) or (self.edits.is_dir() and any(self.edits.glob('slice-*.jsonl')))
    if slices:
      verdict = worst(self.gate())
      corrected = sum(len(one.marks.keys) + len(one.marks.cleared) for one in slices)
    else:
      verdict = str(summary.get('verdict', 'not begun'))
      corrected = sum(
        len(one['by_hand']) + len(one.get('agreed', ())) + len(one['cleared']) for one in told.get('slices', ())
      )
    entry = {
      'index': index,
      'name': self.name,
      'verdict': verdict,
      'state': 'done' if self.done else 'begun' if begun else 'not begun',
      'slices': len(self.opened),
      'corrected_frames': corrected,
    }
    faults = len(self.opened.faults)
    return entry | ({'error': f'cannot be read ({faults} faults): the terminal names them'} if faults else {})

  def _written(self, name: str) -> dict[str, Any]:
    """Returns what a file of its results says; nothing where there is none."""
    try:
      return json.loads((self.folder / name).read_text(encoding='utf-8'))
    except (OSError, ValueError):
      return {}

  def widen(self, number: int) -> None:
    """Has a slice show the whole picture: what it began with may be another organ."""
    ((cine, _),) = self.opened.read(slice(number, number + 1))
    self.slices[number].widen(cine)
    self._sheets = {key: data for key, data in self._sheets.items() if key[0] != number}

  def close(self) -> None:
    """Forgets the pictures and lets go of the lock; when it is asked for again it is read again."""
    with self._lock:
      self._unwanted = True
      if self._loading is None or not self._loading.done():
        return
      self._loading, self.slices, self._sheets = None, [], {}
      self._held.close()


def _described(one: Slice, index: int, number: int) -> dict[str, Any]:
  cine, place = one.cine, f'/api/study/{index}/slice/{number}/view'
  return {
    'slice': one.slice_id,
    'level': one.level,
    'frames': one.frames,
    'rows': one.shape[0],
    'columns': one.shape[1],
    'spacing_mm': [None if math.isnan(s) else s for s in cine.spacing],
    'frame_interval_ms': None if math.isnan(cine.frame_interval) else cine.frame_interval,
    'venc': cine.venc,
    'box': list(one.box),
    'views': {view: f'{place}/{view}.png' for view in views.names_of(cine)},
    'tile': [one.box.height, one.box.width, views.columns_of(one.frames)],
    'made': one.base.made,
    'networks': len(one.base.network.networks) if one.base.network else 0,
  }
