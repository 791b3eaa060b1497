"""Results of an edited study: those of `predict`, made from the contours as they are, and `edits.json`.

`edits.json` says who edited and which frames were drawn by hand, followed, or hold no ventricle. The contours are
marked as a person's (`formats.strainmap_marks`): by hand, or corrected where others followed from those by hand.
"""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from rich.console import Console

import ear_jax
from ear_jax.analysis.contours import to_mask
from ear_jax.analysis.motion import Contours
from ear_jax.cine import Cine
from ear_jax.editor.edits import Marks
from ear_jax.editor.follow import Followed
from ear_jax.editor.slice import Slice
from ear_jax.editor.studies import Progress, Study
from ear_jax.formats.source import Source
from ear_jax.system.errors import UserError
from ear_jax.system.files import write_text
from ear_jax.workflows.predict import predict

NAME = 'edits.json'


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
    contours = [one if one.drawn else dataclasses.replace(one, drawn=True, corrected=True) for one in contours]
  told = _told(study, person) | {
    'slices': [_slice(*each) for each in zip(study.slices, marks, contours, followed, strict=True)]
  }
  opened = dataclasses.replace(study.opened, cines=lambda which: _cines(study, marks, contours, which))
  made_by = {'contours': f'corrected in the editor by {", ".join(told["persons"])}', 'edits began with': told['began']}
  options = study.options
  if any(one.septum is not None for one in marks):  # a point goes before the angle of the command line
    options = dataclasses.replace(options, septum_angle=None)
  quiet = Console(quiet=True)
  summary = predict(opened, study.folder, [], options, force=study.force, console=quiet, made_by=made_by)
  write_text(study.folder / NAME, json.dumps(told, indent=2))
  files = [path.relative_to(study.folder).parts[0] for path in study.folder.rglob('*') if path.is_file()]
  hidden = {'edits', *(name for name in files if name.startswith('.'))}
  return {
    'folder': study.folder.name,
    'files': sorted({*files} - hidden),
    'verdict': summary['verdict'],
    'curves_withheld': summary['curves_withheld'],
  }


def _cines(
  study: Study, marks: Sequence[Marks], contours: Sequence[Contours], which: slice
) -> Iterator[tuple[Cine, Source]]:
  """The cines of the study with the contours as a person's."""
  numbers = range(len(study.slices))[which]
  for number, (cine, source) in zip(numbers, study.opened.cines(which), strict=True):
    found = contours[number]
    point, angle = marks[number].septum, study.options.septum_angle
    septum = source.septum if point is None else np.tile(point, (len(cine.video), 1))
    if point is None and angle is not None:
      septum = study.slices[number].view().motion.septum
    good = ~found.failed
    cine = cine.replace(mask=to_mask(found, cine.mask.shape[1:]), annotated=good)
    yield cine, dataclasses.replace(source, drawn=found if good.any() else None, septum=septum)


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


def _slice(one: Slice, marks: Marks, contours: Contours, followed: Followed) -> dict[str, Any]:
  origins = np.array(followed.origins)
  return {
    'slice': one.slice_id,
    'gestures': len(one.history.done),
    'made': contours.made,
    'by_hand': np.flatnonzero(origins == 'drawn').tolist(),
    'agreed': np.flatnonzero(origins == 'agreed').tolist(),
    'followed': np.flatnonzero(origins == 'carried').tolist(),
    'network': np.flatnonzero(origins == 'network').tolist(),
    'without': np.flatnonzero(origins == 'none').tolist(),
    'cleared': sorted(marks.cleared),
    'pinned': sorted(marks.pinned),
    'septum': marks.septum,
    'insertion': marks.insertion,
  }
