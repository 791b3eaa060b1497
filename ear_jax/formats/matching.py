"""Which contours belong to which slice of which study.

    StrainMap   by the fingerprint of the pictures where the file states it; else by the name of the cine, and by the
                position where the file states it. All cines of a file belong to one study.
    text        by the number in the name of the picture's file; among several studies by the names of folders.

Nothing is guessed: contours that contradict the slice, fit several, or do not lie on a wall are named and not used.
Text files name their pictures, and of experts' contours of single frames one in thirty lies aside of the strongest
edges: they are used, and a note says so. Where most contours of one source lie on no wall, all of them are another's.
"""

import dataclasses
import pathlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ear_jax.analysis import on_wall
from ear_jax.analysis.drawn import Pair, as_drawn, on_rays
from ear_jax.analysis.motion import Contours
from ear_jax.formats import strainmap_marks
from ear_jax.formats.contour_files import Drawn
from ear_jax.formats.dicom import instances
from ear_jax.formats.faults import Fault
from ear_jax.formats.opened import Opened
from ear_jax.formats.source import Source
from ear_jax.system.errors import some

_SAME_PLACE = 1.0  # mm


@dataclasses.dataclass(frozen=True)
class Candidate:
  """A slice that contours may belong to, as far as matching needs to know it."""

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


@dataclasses.dataclass(frozen=True, eq=False)
class Match:
  """Contours, their number among all, and the slice that they fit."""

  number: int
  drawn: Drawn
  slice: Candidate

  @property
  def misfit(self) -> str:
    """Why they cannot be of the slice, or are no endo- and epicardium; '' where they can."""
    return _refused(self.drawn, self.slice) or self.slice.misshapen.get(self.number, '')

  @property
  def doubt(self) -> str:
    """Why they do not lie on its wall; '' where they do."""
    return self.slice.off_wall.get(self.number, '')

  @property
  def aside(self) -> bool:
    """Whether they are on no wall of the slice."""
    return self.number in {**self.slice.off_wall, **self.slice.misshapen}


def look(number: int, study: Opened, drawn: Sequence[Drawn], trusted: bool) -> Iterator[Candidate]:
  """Yields the slices of a study, which is read once; `trusted` contours are not compared with the wall."""
  for index, (cine, source) in enumerate(study.read()):
    names = {cine.slice_id} | ({instances.series_name(source.instances[0])} if source.instances else set())
    folders = (source.instances[0] if source.instances else study.root / '_').parent.resolve().parts
    one = Candidate(
      number,
      index,
      cine.slice_id,
      frozenset(names),
      tuple(map(number_of, source.instances)),
      frozenset(map(_plain, folders)),
      cine.mask.shape,
      strainmap_marks.fingerprint(cine),
      source.position,
      {},
      {},
    )
    mine = {k: contours for k, contours in enumerate(drawn) if _fits(contours, one) and not _refused(contours, one)}
    curves = {k: contours_of(contours, source, len(cine.video)) for k, contours in mine.items()}
    misshapen = {k: rule for k, contours in curves.items() if (rule := on_wall.shape_fault(contours))}
    looked = {} if trusted else {k: contours for k, contours in curves.items() if k not in misshapen}
    off = {k: rule for k, contours in looked.items() if (rule := on_wall.fault(cine, contours))}
    yield dataclasses.replace(one, off_wall=off, misshapen=misshapen)


def matched(
  drawn: Sequence[Drawn], candidates: Sequence[Candidate], studies: Sequence[Opened]
) -> tuple[list[Match], list[Fault]]:
  """Returns the slices that contours fit, and the faults of contours that fit none, or too many."""
  by_file: dict[pathlib.Path, dict[int, Drawn]] = defaultdict(dict)
  for number, one in enumerate(drawn):
    by_file[one.path][number] = one
  by_files = [_of_one_file(several, candidates, studies) for several in by_file.values()]
  return [one for matches, _ in by_files for one in matches], [fault for _, faults in by_files for fault in faults]


def judged(
  matches: Sequence[Match], studies: Sequence[Opened]
) -> tuple[list[Match], set[Fault], Mapping[int, list[str]]]:
  """Returns the matches that hold, the faults of the others, and notes by the number of the study."""
  notes: dict[int, list[str]] = defaultdict(list)
  kept, faults = [], set()
  sources: dict[tuple, list[Match]] = defaultdict(list)
  for one in matches:  # text contours are files a frame, in any folders
    sources[one.slice.study, None if one.drawn.count is None else one.drawn.path].append(one)
  for several in sources.values():
    aside = sum(one.aside for one in several)
    elsewhere = aside > max(1, len(several) / 2)  # one may be aside of its wall; most are, where it is another's
    for one in several:
      file, called, where = one.drawn.file, one.drawn.called, f'slice {one.slice.slice_id}'
      text = one.drawn.count is None
      if rule := one.misfit or ('' if text else one.doubt):
        faults.add(Fault(file, called or where, f'not used: {rule}'))
      elif elsewhere and not one.drawn.mark.fingerprint:
        study = studies[one.slice.study].dataset
        rule = f'not used: {aside} of {len(several)} lie on no wall of {study}: are they of another study?'
        faults.add(Fault(file, called, rule))
      else:
        kept.append(one)
        doubt = one.doubt.replace('do not', 'may not')
        notes[one.slice.study] += [f'{one.slice.slice_id}: {doubt}; they are used nevertheless'] * bool(doubt)
  return kept, faults, notes


def _of_one_file(
  several: Mapping[int, Drawn], candidates: Sequence[Candidate], studies: Sequence[Opened]
) -> tuple[list[Match], list[Fault]]:
  first = next(iter(several.values()))
  text = first.count is None
  fits = {number: [one for one in candidates if _fits(drawn, one)] for number, drawn in several.items()}
  best = _best_studies(first, fits, candidates)
  if len(best) > 1:
    names = some([studies[number].dataset for number in best])
    rule = f'the contours fit {len(best)} studies ({names}): put them into the folder of theirs, or give one study'
    return [], [Fault(first.file, '', rule)]
  matches, faults = [], []
  if not text and len(several) > 1 and not any(fits.values()):
    rule = f'not used: none of its {len(several)} cines is of a slice here (cine 1: {_strange(first, candidates)})'
    return [], [Fault(first.file, '', rule)]
  for number, drawn in several.items():
    mine = [one for one in fits[number] if one.study in best]
    if not mine or (len(mine) > 1 and not text):
      ids = some([one.slice_id for one in mine])
      rule = f'the contours fit several slices ({ids}): nothing tells which' if mine else _strange(drawn, candidates)
      faults.append(Fault(drawn.file, drawn.called, f'not used: {rule}'))
      continue
    if text and (left := sorted(set(drawn.frames) - {frame for one in mine for frame in one.numbers})):
      faults.append(
        Fault(drawn.file, '', f'contours of {len(left)} pictures that are not there (first: {left[0]:04d})')
      )
    matches += [Match(number, drawn, one) for one in mine]
  return matches, faults


def _best_studies(first: Drawn, fits: Mapping[int, Sequence[Candidate]], candidates: Sequence[Candidate]) -> list[int]:
  """Returns the studies that a file fits best, by its contours on their walls and by folders; text by folders first."""
  counts = Counter({number: 0 for mine in fits.values() for number in {one.study for one in mine}})
  counts.update(one.study for k, mine in fits.items() for one in mine if k not in {**one.off_wall, **one.misshapen})
  near = {one.study: len(one.folders & {*map(_plain, first.path.resolve().parts)}) for one in candidates}
  rank = {number: (near[number], counts[number])[:: 1 if first.count is None else -1] for number in counts}
  return [number for number in rank if rank[number] == max(rank.values())]


def _plain(folder: str) -> str:
  """A folder's name without the zeros by which two spellings of one patient differ: SC-HF-I-1 and SC-HF-I-01."""
  return re.sub(r'(?<!\d)0+(?=\d)', '', folder)


def _fits(drawn: Drawn, one: Candidate) -> bool:
  if drawn.count is None:
    return not set(drawn.frames).isdisjoint(one.numbers)
  if drawn.mark.fingerprint:
    return drawn.mark.fingerprint == one.fingerprint
  return drawn.name in one.names


def _refused(drawn: Drawn, one: Candidate) -> str:
  """Returns why contours that fit a slice by pictures or name cannot be of it, or ''."""
  where, (frames, *shape) = f'slice {one.slice_id}', one.shape
  if drawn.count not in (None, frames):
    return f'the contours have {drawn.count} frames, {where} has {frames}'
  apart = abs(drawn.mark.position - one.position)
  if apart > _SAME_PLACE and not drawn.mark.fingerprint:  # not where one of both is unknown
    return f'the contours were drawn at {drawn.mark.position:.1f} mm, {where} lies at {one.position:.1f} mm'
  points = [side for pair in frames_of(drawn, one.numbers, frames) if pair for side in pair]
  if not points:
    return f'no frame of {where} has both contours, each all the way round'
  everything = np.concatenate(points)
  if (everything < -0.5).any() or (everything > np.array(shape) - 0.5).any():
    return f'the contours leave the picture of {shape[0]} x {shape[1]} pixels of {where}'
  return ''


def _strange(drawn: Drawn, candidates: Sequence[Candidate]) -> str:
  """Returns why contours fit no slice at all."""
  if drawn.count is None:
    return f'no picture has the number {min(drawn.frames):04d}' if drawn.frames else 'no picture has both contours'
  named = [one for one in candidates if drawn.name in one.names]
  if drawn.mark.fingerprint and named:
    other = f'slice {named[0].slice_id} with fingerprint {named[0].fingerprint}'
    return f'the contours were drawn on pictures with fingerprint {drawn.mark.fingerprint}, not on {other}'
  if drawn.mark.fingerprint:
    return f'the contours were drawn on pictures with fingerprint {drawn.mark.fingerprint}, which no slice has'
  known = some([*dict.fromkeys(one.slice_id for one in candidates)]) or 'none'
  return f'the contours fit no slice by name (slices: {known}; StrainMap names a cine by series number and description)'


def number_of(path: pathlib.Path) -> int | None:
  """Returns the number that the name of a file ends with."""
  match = re.search(r'(\d+)$', path.stem)
  return int(match[1]) if match else None


def frames_of(drawn: Drawn, numbers: Sequence[int | None], frames: int) -> list[Pair | None]:
  """Returns the drawn pair of each frame of a slice, None for a frame without; `numbers` are those of its pictures."""
  keys = range(frames) if drawn.count is not None else [-1 if number is None else number for number in numbers]
  return [drawn.frames.get(key) for key in keys]


def contours_of(drawn: Drawn, source: Source, frames: int) -> Contours:
  """Returns the contours for a cine of some frames, point by point as they were drawn."""
  pairs = frames_of(drawn, [*map(number_of, source.instances)], frames)
  contours = on_rays(pairs) if drawn.count is None else as_drawn(pairs)
  mark = drawn.mark
  told: dict[str, Any] = {'drawn': mark.drawn, 'corrected': mark.corrected, 'networks': mark.networks}
  if len(mark.flags) == frames:
    told['flags'] = tuple(note or own for own, note in zip(contours.flags, mark.flags, strict=True))
  if mark.fingerprint:
    told['origins'] = mark.origins if len(mark.origins) == frames else ()
    told['error'] = mark.error if len(mark.error) == frames else ()
  return dataclasses.replace(contours, **told)
