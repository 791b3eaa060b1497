"""Results of an edited study: those of `predict`, made from the contours as they are, and `edits.json`.

`edits.json` says who edited and which frames were drawn by hand, followed, or hold no ventricle. The contours are
marked as a person's (`formats.strainmap_marks`): by hand, or corrected where others followed from those by hand.
"""

import dataclasses
import json
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from absl import logging
from rich.console import Console

import ear_jax
from ear_jax.analysis import origin
from ear_jax.analysis.contours import to_mask
from ear_jax.analysis.motion import Contours
from ear_jax.cine import Cine
from ear_jax.editor import OUTPUT
from ear_jax.editor.edits import Marks
from ear_jax.editor.slice import Slice
from ear_jax.editor.studies import Progress, Study
from ear_jax.formats.source import Source
from ear_jax.system.errors import UserError
from ear_jax.system.files import write_text
from ear_jax.workflows.predict import predict

NAME, PAGE = 'edits.json', 'report.html'


class Busy(UserError):
  """Results are being written already."""


def save(study: Study, person: str) -> dict[str, Any]:
  """Writes the results of a study as it is now and returns folder, files and verdict, ready for JSON.

  Args:
    study: read; what is edited meanwhile is not in the results.
    person: pseudonym of who saves.

  Raises:
    Busy: results are being written already.
    UserError: no slice has contours, or the results cannot be written.
  """
  if not study.writing.acquire(blocking=False):
    raise Busy(f'{study.name}: results are being written already')
  try:
    study.progress = Progress(f'{study.name}: writing results', 0.1)
    return _saved(study, person)
  finally:
    study.progress = Progress()
    study.writing.release()


def _saved(study: Study, person: str) -> dict[str, Any]:
  histories = [one.history for one in study.slices]
  marks = [history.marks for history in histories]
  followed = [one.view(history).followed for one, history in zip(study.slices, histories, strict=True)]
  contours = [one.contours for one in followed]
  if study.done:  # a person has agreed to what was left as it was
    contours = [one if one.drawn else origin.agreed(one) for one in contours]
  told = _told(study, person) | {'slices': [_slice(*each) for each in zip(study.slices, marks, contours, strict=True)]}
  opened = dataclasses.replace(
    study.opened, notes=tuple(study.notes), cines=lambda which: _cines(study, marks, contours, which)
  )
  made_by = {'edited by': ', '.join(told['persons']), 'edits began with': told['began']}
  options = dataclasses.replace(study.options, septum_angle=None)  # it is in the septum of each slice
  quiet = Console(quiet=True)
  summary = predict(opened, study.folder, [], options, force=study.force, console=quiet, made_by=made_by)
  write_text(study.folder / NAME, json.dumps(told, indent=2))
  logging.info('%s: results are in %s', study.name, study.folder)  # to the terminal alone: it may hold a name
  segs = ['seg'] * (study.folder / 'seg').is_dir()
  ours = study.folder.parent.name == OUTPUT  # a folder of another name may be named after a patient
  return {
    'folder': f'{OUTPUT}/{study.folder.name}' if ours else f'{study.folder.name}, in the folder given by --output',
    'files': sorted([*results_of(study.folder), *segs]),
    'verdict': summary['verdict'],
    'curves_withheld': summary['curves_withheld'],
  }


def results_of(folder: pathlib.Path) -> dict[str, pathlib.Path]:
  """Returns the files of results in a folder by their names, no links and nothing hidden; none without a folder."""
  found = sorted(folder.iterdir()) if folder.is_dir() else []
  return {one.name: one for one in found if one.is_file() and not one.is_symlink() and not one.name.startswith('.')}


def _cines(
  study: Study, marks: Sequence[Marks], contours: Sequence[Contours], which: slice
) -> Iterator[tuple[Cine, Source]]:
  """The cines of the study with the contours as a person's."""
  numbers = range(len(study.slices))[which]
  for number, (cine, source) in zip(numbers, study.opened.cines(which), strict=True):
    contours_of_slice = contours[number]
    septum, good = study.slices[number].septum(marks[number]), ~contours_of_slice.failed
    cine = cine.replace(mask=to_mask(contours_of_slice, cine.mask.shape[1:]), annotated=good)
    yield cine, dataclasses.replace(source, drawn=contours_of_slice if good.any() else None, septum=septum)


def _told(study: Study, person: str) -> dict[str, Any]:
  gestures = [step.gesture for one in study.slices for step in one.history.done]
  began = sorted({one.base.made or 'nothing' for one in study.slices})
  return {
    'study': study.name,
    'ear_jax': ear_jax.__version__,
    'persons': sorted({person, *(gesture['person'] for gesture in gestures if 'person' in gesture)}),
    'began': '; '.join(began),
    'done': study.done,
    'gestures': len(gestures),
  }


def _slice(one: Slice, marks: Marks, contours: Contours) -> dict[str, Any]:
  origins = np.array(contours.origins)
  return {
    'slice': one.slice_id,
    'gestures': len(one.history.done),
    'made': contours.made,
    'by_hand': np.flatnonzero(origins == 'drawn').tolist(),
    'agreed': np.flatnonzero(origins == 'agreed').tolist(),
    'followed': np.flatnonzero(origins == 'carried').tolist(),
    'network': np.flatnonzero(origins == 'network').tolist(),
    'given': np.flatnonzero(np.isin(origins, ('given', 'mask'))).tolist(),
    'without': np.flatnonzero(contours.failed).tolist(),
    'cleared': sorted(marks.cleared),
    'pinned': sorted(marks.pinned),
    'septum': marks.septum,
    'insertion': marks.insertion,
  }
