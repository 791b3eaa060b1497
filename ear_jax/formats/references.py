"""Which contours belong to which slice of which study; they are given to the cines as reference, or refused.

    StrainMap   by the fingerprint of the pictures where the file states it; else by the name of the cine, and by the
                position where the file states it. All cines of a file belong to one study.
    text        by the number in the name of the picture's file; among several studies by the names of folders.

Nothing is guessed: contours that contradict the slice, fit several, or do not lie on a wall are named and not used.
Text files name their pictures, and of experts' contours of single frames one in thirty lies aside of the strongest
edges: they are used, and a note says so.
"""

import dataclasses
import pathlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from absl import logging

from ear_jax.analysis import on_wall
from ear_jax.analysis.drawn import Pair, as_drawn, on_rays, wall_mask
from ear_jax.analysis.motion import Contours
from ear_jax.cine import Cine
from ear_jax.formats import strainmap_marks
from ear_jax.formats.contour_files import Drawn, find
from ear_jax.formats.dicom import instances
from ear_jax.formats.faults import Fault
from ear_jax.formats.opened import Opened
from ear_jax.formats.source import Source
from ear_jax.system.errors import some

__all__ = ('Drawn', 'attach', 'find')

_SAME_PLACE = 1.0  # mm


@dataclasses.dataclass(frozen=True)
class _Slice:
  """What matching needs to know of a slice."""

  study: int
  index: int
  slice_id: str
  names: frozenset[str]
  numbers: tuple[int | None, ...]  # in the names of the pictures' files, frame by frame
  folders: frozenset[str]
  shape: tuple[int, ...]  # T, H, W
  fingerprint: str
  position: float
  off_wall: Mapping[int, str]  # why contours (by their number) that seem to belong here do not lie on its wall
  misshapen: Mapping[int, str]  # why they are no endo- and epicardium


def attach(
  studies: Sequence[Opened], drawn: Sequence[Drawn], *, trusted: bool = False
) -> tuple[list[Opened], list[Fault]]:
  """Returns the studies with the contours as their references, and a fault for each contours that were not used.

  A cine that contours belong to has its `mask` from the polygons (pixel centres within exactly one of both), its
  frames without both of them are not `annotated`; its `Source` has the points as drawn and the septum of the file.
  Signs and order of the sectors as the file states them are in the `Source` of every slice of the study. All else is as
  it was. Each slice of a sound study is read once for this.

  Args:
    studies: of `open_studies`; those with faults are handed on as they are.
    drawn: of `find`.
    trusted: take contours that belong to a slice even where they do not lie on its wall (`analysis.on_wall`); they must
      be rings all the same, one within the other.

  >>> from ear_jax.formats import references
  >>> drawn, faults = references.find('STUDY')
  >>> studies, unused = references.attach(ear_jax.open_studies('STUDY'), drawn)
  """
  if not drawn:
    return list(studies), []
  sound = [(number, study) for number, study in enumerate(studies) if not study.faults]
  slices = [one for number, study in sound for one in _look(number, study, drawn, trusted)]
  if not slices:
    return list(studies), []  # what is wrong with the studies has been said
  chosen: dict[tuple[int, int], list[Drawn]] = defaultdict(list)
  doubts: dict[int, list[str]] = defaultdict(list)
  found = []
  by_file: dict[pathlib.Path, dict[int, Drawn]] = defaultdict(dict)
  for number, one in enumerate(drawn):
    by_file[one.path][number] = one
  for several in by_file.values():
    pairs, faults, notes = _of_one_file(several, slices, studies)
    found += faults
    for contours, place in pairs:
      chosen[place.study, place.index].append(contours)
    for number, note in notes:
      doubts[number].append(note)
  for (number, index), rivals in chosen.items():
    if len(rivals) > 1:
      files = ', '.join(sorted({one.file for one in rivals}))
      where = f'slice {studies[number].slices[index]} of {studies[number].dataset}'
      found.append(Fault(files, '', f'not used: {len(rivals)} contours for {where}; keep those that are meant'))
  given = []
  for number, study in enumerate(studies):
    mine = {index: one[0] for (k, index), one in chosen.items() if k == number and len(one) == 1}
    texts = {index: one for index, one in mine.items() if one.count is None}
    if len(doubts[number]) > max(1, len(texts) / 2):  # one may be aside of its wall; most are, where it is another's
      rule = (
        f'not used: {len(doubts[number])} of {len(texts)} lie on no wall of {study.dataset}: are they of another study?'
      )
      found += [Fault(file, '', rule) for file in sorted({one.file for one in texts.values()})]
      mine = {index: one for index, one in mine.items() if index not in texts}
      doubts[number] = []
    stated = {(one.signs, one.sectors): one.file for one in mine.values()}
    if len(stated) > 1:
      said = ' and '.join(f'signs {signs}, order {order!r} in {file}' for (signs, order), file in stated.items())
      found.append(Fault('.', study.dataset, f'contours not used: files of one study contradict each other ({said})'))
      mine = {}
    if mine:
      logging.info('%s: contours of %d of its %d slices were given', study.dataset, len(mine), len(study))
    noted = dataclasses.replace(study, notes=tuple(dict.fromkeys((*study.notes, *doubts[number]))))
    given.append(_with(noted, mine) if mine else study)
  return given, sorted(found)


def _look(number: int, study: Opened, drawn: Sequence[Drawn], trusted: bool) -> Iterator[_Slice]:
  for index, (cine, source) in enumerate(study.read()):
    names = {cine.slice_id} | ({instances.series_name(source.instances[0])} if source.instances else set())
    folders = (source.instances[0] if source.instances else study.root / '_').parent.resolve().parts
    one = _Slice(
      number,
      index,
      cine.slice_id,
      frozenset(names),
      tuple(map(_number, source.instances)),
      frozenset(map(_plain, folders)),
      cine.mask.shape,
      strainmap_marks.fingerprint(cine),
      source.position,
      {},
      {},
    )
    mine = {k: contours for k, contours in enumerate(drawn) if _fits(contours, one) and not _refused(contours, one)}
    curves = {k: _contours(contours, source, len(cine.video)) for k, contours in mine.items()}
    misshapen = {k: rule for k, contours in curves.items() if (rule := on_wall.shape_fault(contours))}
    looked = {} if trusted else {k: contours for k, contours in curves.items() if k not in misshapen}
    off = {k: rule for k, contours in looked.items() if (rule := on_wall.fault(cine, contours))}
    yield dataclasses.replace(one, off_wall=off, misshapen=misshapen)


def _number(path: pathlib.Path) -> int | None:
  found = re.search(r'(\d+)$', path.stem)
  return int(found[1]) if found else None


def _plain(folder: str) -> str:
  """A folder's name without the zeros by which two spellings of one patient differ: SC-HF-I-1 and SC-HF-I-01."""
  return re.sub(r'(?<!\d)0+(?=\d)', '', folder)


def _of_one_file(
  several: Mapping[int, Drawn], slices: Sequence[_Slice], studies: Sequence[Opened]
) -> tuple[list[tuple[Drawn, _Slice]], list[Fault], list[tuple[int, str]]]:
  """Returns which contours of a file belong to which slice, the faults of those that belong to none, notes by study."""
  first = next(iter(several.values()))
  fits = {k: [one for one in slices if _fits(drawn, one)] for k, drawn in several.items()}
  counts = Counter({number: 0 for mine in fits.values() for number in {one.study for one in mine}})
  counts.update(one.study for k, mine in fits.items() for one in mine if k not in {**one.off_wall, **one.misshapen})
  near = {one.study: len(one.folders & {*map(_plain, first.path.resolve().parts)}) for one in slices}
  text = first.count is None
  rank = {number: (near[number], counts[number])[:: 1 if text else -1] for number in counts}
  best = [number for number in rank if rank[number] == max(rank.values())]
  if len(best) > 1:
    names = some([studies[number].dataset for number in best])
    rule = f'the contours fit {len(best)} studies ({names}): put them into the folder of theirs, or give one study'
    return [], [Fault(first.file, '', rule)], []
  pairs, found, notes = [], [], []
  lost = [k for k in several for one in fits[k] if one.study in best and k in {**one.off_wall, **one.misshapen}]
  strangers = 2 * len(lost) > len([k for k in several if fits[k]]) and not text
  for k, drawn in several.items():
    mine = [one for one in fits[k] if one.study in best]
    if not mine or (len(mine) > 1 and not text):
      ids = some([one.slice_id for one in mine])
      rule = f'the contours fit several slices ({ids}): nothing tells which' if mine else _strange(drawn, slices)
      found.append(Fault(drawn.file, drawn.called, f'not used: {rule}'))
      continue
    if text and (left := sorted(set(drawn.frames) - {number for one in mine for number in one.numbers})):
      found.append(Fault(drawn.file, '', f'contours of {len(left)} pictures that are not there (first: {left[0]:04d})'))
    for one in mine:
      doubt = one.off_wall.get(k, '')
      if text and doubt:
        notes.append((one.study, f'{one.slice_id}: {doubt.replace("do not", "may not")}; they are used all the same'))
        doubt = ''
      rule = _refused(drawn, one) or one.misshapen.get(k, '') or doubt
      if not rule and strangers and not drawn.mark.fingerprint:
        rule = 'most other contours of this file do not lie on a wall of this study'
      if rule:
        found.append(Fault(drawn.file, drawn.called or f'slice {one.slice_id}', f'not used: {rule}'))
      else:
        pairs.append((drawn, one))
  return pairs, found, notes


def _fits(drawn: Drawn, one: _Slice) -> bool:
  if drawn.count is None:
    return not set(drawn.frames).isdisjoint(one.numbers)
  if drawn.mark.fingerprint:
    return drawn.mark.fingerprint == one.fingerprint
  return drawn.name in one.names


def _refused(drawn: Drawn, one: _Slice) -> str:
  """Returns why contours that fit a slice by pictures or name cannot be of it, or ''."""
  where, (frames, *shape) = f'slice {one.slice_id}', one.shape
  if drawn.count not in (None, frames):
    return f'the contours have {drawn.count} frames, {where} has {frames}'
  apart = abs(drawn.mark.position - one.position)
  if apart > _SAME_PLACE and not drawn.mark.fingerprint:  # not where one of both is unknown
    return f'the contours were drawn at {drawn.mark.position:.1f} mm, {where} lies at {one.position:.1f} mm'
  points = [side for pair in _frames(drawn, one.numbers, frames) if pair for side in pair]
  if not points:
    return f'no frame of {where} has both contours, each all the way round'
  everything = np.concatenate(points)
  if (everything < -0.5).any() or (everything > np.array(shape) - 0.5).any():
    return f'the contours leave the picture of {shape[0]} x {shape[1]} pixels of {where}'
  return ''


def _strange(drawn: Drawn, slices: Sequence[_Slice]) -> str:
  """Returns why contours fit no slice at all."""
  if drawn.count is None:
    return f'no picture has the number {min(drawn.frames):04d}' if drawn.frames else 'no picture has both contours'
  named = [one for one in slices if drawn.name in one.names]
  if drawn.mark.fingerprint and named:
    other = f'slice {named[0].slice_id} with fingerprint {named[0].fingerprint}'
    return f'the contours were drawn on pictures with fingerprint {drawn.mark.fingerprint}, not on {other}'
  if drawn.mark.fingerprint:
    return f'the contours were drawn on pictures with fingerprint {drawn.mark.fingerprint}, which no slice has'
  known = some([*dict.fromkeys(one.slice_id for one in slices)]) or 'none'
  return f'the contours fit no slice by name (slices: {known}; StrainMap names a cine by series number and description)'


def _frames(drawn: Drawn, numbers: Sequence[int | None], frames: int) -> list[Pair | None]:
  """Returns the drawn pair of each frame of a slice, None for a frame without; `numbers` are those of its pictures."""
  keys = range(frames) if drawn.count is not None else [-1 if number is None else number for number in numbers]
  return [drawn.frames.get(key) for key in keys]


def _with(study: Opened, mine: Mapping[int, Drawn]) -> Opened:
  stated = next(iter(mine.values()))

  def cines(which: slice) -> Iterator[tuple[Cine, Source]]:
    for index, (cine, source) in zip(range(len(study))[which], study.cines(which), strict=True):
      source = dataclasses.replace(source, signs=stated.signs, sectors=stated.sectors)
      yield with_drawn(cine, source, mine[index]) if index in mine else (cine, source)

  return dataclasses.replace(study, cines=cines)


def with_drawn(cine: Cine, source: Source, drawn: Drawn) -> tuple[Cine, Source]:
  """Returns a cine and its source with the contours that belong to it."""
  frames = _frames(drawn, [*map(_number, source.instances)], len(cine.video))
  annotated = np.array([pair is not None for pair in frames])
  cine = cine.replace(mask=wall_mask(frames, cine.mask.shape[1:]), annotated=annotated)
  septum = source.septum if drawn.septum is None else _whole(drawn.septum)
  return cine, dataclasses.replace(source, septum=septum, drawn=_contours(drawn, source, len(annotated)))


def _contours(drawn: Drawn, source: Source, frames: int) -> Contours:
  pairs = _frames(drawn, [*map(_number, source.instances)], frames)
  contours = on_rays(pairs) if drawn.count is None else as_drawn(pairs)
  return dataclasses.replace(contours, drawn=drawn.mark.drawn, corrected=drawn.mark.corrected)


def _whole(septum: np.ndarray) -> np.ndarray | None:
  """Returns `[T, 2]` with the nearest known frame's point where a frame has none; None without any."""
  known = np.flatnonzero(np.isfinite(septum).all(1))
  if not known.size:
    return None
  apart = np.abs(np.arange(len(septum))[:, None] - known)
  return septum[known[np.minimum(apart, len(septum) - apart).argmin(1)]]
