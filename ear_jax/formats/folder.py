"""A folder of studies in any format that we read, as one stream of cines for a data set.

It comes through the door, `open_studies`; here any fault of any study refuses the whole folder, before the first cine
is handed out. An optional `subjects.csv` in the folder, with the header `dataset,subject`, says which datasets are
scans of the same person: splits group by subject, so without it a person scanned twice could be trained on and tested
on. There a dataset has the name that results give it, or that of the file or folder that it lies in.
"""

import contextlib
import csv
import dataclasses
import hashlib
import pathlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from absl import logging
from scipy import ndimage

from ear_jax.cine import Cine
from ear_jax.formats import checks
from ear_jax.formats.choices import REFUSE, Choices
from ear_jax.formats.faults import Fault, MalformedStudy, require_folder, require_none
from ear_jax.formats.open import HOLDING, open_studies
from ear_jax.formats.opened import Opened
from ear_jax.formats.source import Source
from ear_jax.formats.walk import walk
from ear_jax.system.errors import some
from ear_jax.system.heartbeat import heartbeat

_SUBJECTS = 'subjects.csv'


def open_folder(root: str | pathlib.Path, *, channels: int | None = None, choices: Choices = REFUSE) -> list[Opened]:
  """Returns every study below `root`, its cines with subject and channels as a data set has them.

  Args:
    root: the folder; searched with its subfolders.
    channels: 1 or 4. For 1 the magnitude is taken of a study with velocities; for 4 a study without them is a fault.
      None: as they are.
    choices: of `open_studies`.

  Raises: MalformedStudy with every fault of every file; also when there is nothing to read.
  """
  root = pathlib.Path(root)
  require_folder(root, HOLDING)
  logging.info('looking over the studies in %s', root)
  with heartbeat():
    studies = open_studies(root, choices)
  subjects, faults = _subjects(root, studies)
  faults += [fault for study in studies for fault in study.faults]
  for study in studies:
    if not study.faults:
      faults += _channel_faults(study, channels)
  require_none(root, set(faults))
  _warn_of_persons(root, studies, subjects)
  for study in studies:
    logging.info('%s is the study in %s', study.dataset, study.origin)
    for note in study.notes:
      logging.info('%s: %s', study.dataset, note)
  return [_prepared(study, subjects.get(study.dataset), channels) for study in studies]


def read(
  root: str | pathlib.Path, *, channels: int | None = None, referenced: bool = False, choices: Choices = REFUSE
) -> Iterator[tuple[Cine, Source]]:
  """Returns the cines of `open_folder` with their origins, study by study; `referenced`: `with_reference`."""
  studies = open_folder(root, channels=channels, choices=choices)
  cines = (pair for study in studies for pair in study.read())
  return with_reference(root, cines) if referenced else cines


def with_reference(root: str | pathlib.Path, cines: Iterable[tuple[Cine, Source]]) -> Iterator[tuple[Cine, Source]]:
  """Yields the cines of which at least one frame is annotated, and logs how many are not, or show no wall.

  Raises: MalformedStudy at the end, where there was none.
  """
  kept, left_out, no_wall = 0, 0, 0
  for cine, source in cines:
    if cine.annotated.any():
      kept += 1
      no_wall += not _is_a_wall(cine.mask[cine.annotated.argmax()])
      yield cine, source
    else:
      left_out += 1
  if not kept:
    raise MalformedStudy(root, [Fault('.', '', f'none of the {left_out} cines carries a reference mask')])
  if left_out:
    logging.warning('%s: left out %d cines without a reference mask, kept %d', root, left_out, kept)
  if no_wall:
    logging.warning(
      '%s: of %d of %d cines the mask has no cavity within it, or reaches the edge of the picture: is it the wall?',
      root,
      no_wall,
      kept,
    )


def fingerprint(root: str | pathlib.Path) -> str:
  """Returns a hash of the names, sizes and times of change of the files below `root`, our own results aside."""
  parts = []
  for file in walk(pathlib.Path(root)).files:
    with contextlib.suppress(OSError):  # a link to nowhere, or no folder at all: reading it says so
      parts.append((str(file.relative_to(root)), file.stat().st_size, file.stat().st_mtime_ns))
  return hashlib.sha256(repr(parts).encode()).hexdigest()


def _warn_of_persons(root: pathlib.Path, studies: Sequence[Opened], subjects: Mapping[str, str]) -> None:
  of_person: dict[str, dict[str, str]] = defaultdict(dict)
  for study in studies:
    if study.person:
      of_person[study.person][study.dataset] = subjects.get(study.dataset, study.dataset)
  for datasets in of_person.values():
    if len({*datasets.values()}) > 1:
      logging.warning(
        '%s: %s have one PatientID and are several subjects: join them in %s, or the same heart may be trained on and '
        'tested on',
        root,
        some([*datasets]),
        _SUBJECTS,
      )


def _channel_faults(study: Opened, channels: int | None) -> list[Fault]:
  if channels != 4:
    return []
  # The first slice stands for all: readers take care that those of one study are alike.
  return checks.channel_faults(study.origin, '', study[0].video.shape[-1], channels)


def _prepared(study: Opened, subject: str | None, channels: int | None) -> Opened:
  def cines(which: slice) -> Iterator[tuple[Cine, Source]]:
    for cine, source in study.cines(which):
      cine = cine.replace(video=cine.video[..., :1], venc=None) if channels == 1 and cine.venc else cine
      yield cine if subject in (None, cine.subject) else cine.replace(subject=subject), source

  return dataclasses.replace(study, cines=cines)


def _is_a_wall(mask: np.ndarray) -> bool:
  """Whether a mask `[H, W]` is a ring, or empty; an arc is none, but no person means one."""
  edge = mask[[0, -1]].any() or mask[:, [0, -1]].any()
  return not mask.any() or (not edge and int(ndimage.binary_fill_holes(mask).sum()) > int(mask.sum()))


def _subjects(root: pathlib.Path, studies: Sequence[Opened]) -> tuple[dict[str, str], list[Fault]]:
  """Returns the subject of each dataset that subjects.csv names, and the faults of that file."""
  path = root / _SUBJECTS
  if not path.exists():
    return {}, []
  try:
    text = path.read_text(encoding='utf-8-sig')
    mark = ';' if ';' in text.partition('\n')[0] else ','  # as Excel writes it where the comma is the decimal mark
    rows = list(csv.DictReader(text.splitlines(), delimiter=mark, skipinitialspace=True))
  except (OSError, UnicodeDecodeError, csv.Error) as error:
    return {}, [Fault(_SUBJECTS, '', f'not a readable table ({type(error).__name__}): save it as UTF-8 text')]
  if not rows or not {'dataset', 'subject'} <= rows[0].keys():
    return {}, [Fault(_SUBJECTS, '', 'expected the header dataset,subject and one line a dataset')]
  known = {name: study.dataset for study in studies for name in (study.dataset, study.origin)}
  faults, subjects = [], {}
  for number, row in enumerate(rows, start=2):
    given, subject = (row['dataset'] or '').strip(), (row['subject'] or '').strip()
    dataset = known.get(given, given)
    if not dataset or not subject:
      faults.append(Fault(_SUBJECTS, f'line {number}', 'dataset or subject is empty'))
    elif dataset in subjects:
      faults.append(Fault(_SUBJECTS, f'line {number}', f'dataset {given} is named twice'))
    elif given not in known:
      rule = f'dataset {given} has no readable file in this folder: add it, or remove the line'
      faults.append(Fault(_SUBJECTS, f'line {number}', rule))
    subjects[dataset] = subject
  return subjects, faults
