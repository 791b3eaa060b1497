"""Contours that people drew are given to the cines that they belong to, as their reference, or refused.

`matching` says which contours belong to which slice.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from absl import logging

from ear_jax.analysis.drawn import wall_mask
from ear_jax.analysis.septum import Septum
from ear_jax.cine import Cine
from ear_jax.formats.contour_files import Drawn, find
from ear_jax.formats.faults import Fault
from ear_jax.formats.matching import Match, contours_of, frames_of, judged, look, matched, number_of
from ear_jax.formats.opened import Opened
from ear_jax.formats.source import Source

__all__ = ('Drawn', 'attach', 'find')


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
  candidates = [one for k, study in enumerate(studies) if not study.faults for one in look(k, study, drawn, trusted)]
  if not candidates:
    return list(studies), []  # what is wrong with the studies has been said
  matches, faults = matched(drawn, candidates, studies)
  matches, refused, notes = judged(matches, studies)
  matches, rivals = _without_rivals(matches, studies)
  given = []
  for number, study in enumerate(studies):
    mine = {one.slice.index: one.drawn for one in matches if one.slice.study == number}
    if contradiction := _contradiction(mine):
      faults.append(Fault('.', study.dataset, contradiction))
      mine = {}
    given.append(_with(study, mine, notes.get(number, ())) if mine else study)
  return given, sorted([*faults, *refused, *rivals])


def _without_rivals(matches: Sequence[Match], studies: Sequence[Opened]) -> tuple[list[Match], list[Fault]]:
  """Returns the matches of slices that have one, and a fault for each slice that has several."""
  by_slice: dict[tuple[int, int], list[Match]] = defaultdict(list)
  for one in matches:
    by_slice[one.slice.study, one.slice.index].append(one)
  faults = []
  for (number, _), rivals in by_slice.items():
    if len(rivals) > 1:
      files = ', '.join(sorted({one.drawn.file for one in rivals}))
      where = f'slice {rivals[0].slice.slice_id} of {studies[number].dataset}'
      faults.append(Fault(files, '', f'not used: {len(rivals)} contours for {where}; keep those that are meant'))
  return [one for one, *others in by_slice.values() if not others], faults


def _contradiction(mine: Mapping[int, Drawn]) -> str:
  """Returns how the files of the contours of one study contradict each other, or ''."""
  stated = {(one.signs, one.sectors): one.file for one in mine.values()}
  said = []
  for (signs, order), file in stated.items():
    turned = ', '.join(f'{sign:+d}' for sign in signs or ()) or 'not stated'
    said.append(f'signs {turned}, order {order or "not stated"} in {file}')
  return (
    f'contours not used: files of one study contradict each other ({" and ".join(said)})' if len(stated) > 1 else ''
  )


def _with(study: Opened, mine: Mapping[int, Drawn], notes: Sequence[str]) -> Opened:
  logging.info('%s: contours of %d of its %d slices were given', study.dataset, len(mine), len(study))
  stated = next(iter(mine.values()))

  def cines(which: slice) -> Iterator[tuple[Cine, Source]]:
    for index, (cine, source) in zip(range(len(study))[which], study.cines(which), strict=True):
      source = dataclasses.replace(source, signs=stated.signs, sectors=stated.sectors)
      yield with_drawn(cine, source, mine[index]) if index in mine else (cine, source)

  return dataclasses.replace(study, cines=cines, notes=tuple(dict.fromkeys((*study.notes, *notes))))


def with_drawn(cine: Cine, source: Source, drawn: Drawn) -> tuple[Cine, Source]:
  """Returns a cine and its source with the contours that belong to it."""
  numbers = [*map(number_of, source.instances)]
  frames = frames_of(drawn, numbers, len(cine.video))
  annotated = np.array([pair is not None for pair in frames])
  cine = cine.replace(mask=wall_mask(frames, cine.mask.shape[1:]), annotated=annotated)
  septum = source.septum if drawn.septum is None else septum_of(drawn)
  cavities = {t: drawn.cavities[n] for t, n in enumerate(numbers) if n is not None and n in drawn.cavities}
  contours = contours_of(drawn, source, len(annotated))
  return cine, dataclasses.replace(source, septum=septum, drawn=contours, cavities=cavities)


def septum_of(drawn: Drawn) -> Septum | None:
  """Returns the septal points of contours `[T, 2]`, and whether a person set them; None without any."""
  points = None if drawn.septum is None else _whole(drawn.septum)
  return None if points is None else Septum(points, drawn.mark.septum, drawn.mark.septum_stated)


def _whole(septum: np.ndarray) -> np.ndarray | None:
  """Returns `[T, 2]` with the nearest known frame's point where a frame has none; None without any."""
  known = np.flatnonzero(np.isfinite(septum).all(1))
  if not known.size:
    return None
  apart = np.abs(np.arange(len(septum))[:, None] - known)
  return septum[known[np.minimum(apart, len(septum) - apart).argmin(1)]]
