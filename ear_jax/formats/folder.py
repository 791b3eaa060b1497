"""A folder of studies in any format that we read, as one stream of cines.

Every file is looked over before the first cine is handed out, and every fault of every file is reported together.
An optional `subjects.csv` in the folder, with the header `dataset,subject`, says which datasets are scans of the same
person: splits group by subject, so without it a person scanned twice could be trained on and tested on.
"""

import csv
import pathlib
from collections import Counter
from collections.abc import Iterator

from absl import logging

from ear_jax.cine import Cine
from ear_jax.formats import hdf5, nifti, strainmap_train
from ear_jax.formats.dicom import magnitude as dicom
from ear_jax.formats.faults import Fault, MalformedStudy, require_folder, require_none

_FORMATS = (hdf5, nifti, dicom, strainmap_train)
_HOLDING = (
  'studies as HDF5 (<dataset>.h5), NIfTI (<dataset>_<slice>_video.nii.gz), DICOM (folders of *.dcm) or exports of '
  'StrainMap (*_train.nc)'
)
_SUBJECTS = 'subjects.csv'


def read(root: str | pathlib.Path, *, channels: int | None = None, referenced: bool = False) -> Iterator[Cine]:
  """Returns the cines of every study below `root`, format by format, in the order of their names.

  Args:
    root: the folder; searched with its subfolders.
    channels: 1 or 4 where the caller needs that count; a file with another is a fault. None: both are taken.
    referenced: leave out cines without a single annotated frame, and log how many there were.

  Raises: MalformedStudy, before the first cine, with every fault of every file; also when there is nothing to read.
  """
  root = pathlib.Path(root)
  require_folder(root, _HOLDING)
  sources = [(form, path) for form in _FORMATS for path in form.find(root)]
  scans = [form.scan(path, root, channels) for form, path in sources]
  names = [name for scan in scans for name in scan.names]
  subjects, found = _subjects(root, {dataset for dataset, _ in names})
  found += [fault for scan in scans for fault in scan.faults]
  found += [
    Fault('/'.join(name), '', f'{count} files hold a cine of this dataset and slice: names must be unique')
    for name, count in Counter(names).items()
    if count > 1
  ]
  if not sources:
    found.append(Fault('.', '', f'nothing to read; expected {_HOLDING}'))
  require_none(root, found)
  cines = (cine for form, path in sources for cine in form.read(path, subjects))
  return _referenced(root, cines) if referenced else cines


def _referenced(root: pathlib.Path, cines: Iterator[Cine]) -> Iterator[Cine]:
  kept, left_out = 0, 0
  for cine in cines:
    if cine.annotated.any():
      kept += 1
      yield cine
    else:
      left_out += 1
  if not kept:
    raise MalformedStudy(root, [Fault('.', '', f'none of the {left_out} cines carries a reference mask')])
  if left_out:
    logging.warning('%s: left out %d cines without a reference mask, kept %d', root, left_out, kept)


def _subjects(root: pathlib.Path, datasets: set[str]) -> tuple[dict[str, str], list[Fault]]:
  """Returns the subject of each dataset that subjects.csv names, and the faults of that file."""
  path = root / _SUBJECTS
  if not path.exists():
    return {}, []
  try:
    with path.open(newline='', encoding='utf-8-sig') as lines:
      rows = list(csv.DictReader(lines))
  except (OSError, UnicodeDecodeError, csv.Error) as error:
    return {}, [Fault(_SUBJECTS, '', f'not a readable table ({type(error).__name__}): save it as UTF-8 text')]
  if not rows or not {'dataset', 'subject'} <= rows[0].keys():
    return {}, [Fault(_SUBJECTS, '', 'expected the header dataset,subject and one line a dataset')]
  found, subjects = [], {}
  for number, row in enumerate(rows, start=2):
    dataset, subject = (row['dataset'] or '').strip(), (row['subject'] or '').strip()
    if not dataset or not subject:
      found.append(Fault(_SUBJECTS, f'line {number}', 'dataset or subject is empty'))
    elif dataset in subjects:
      found.append(Fault(_SUBJECTS, f'line {number}', f'dataset {dataset} is named twice'))
    elif dataset not in datasets:
      rule = f'dataset {dataset} has no readable file in this folder: add it, or remove the line'
      found.append(Fault(_SUBJECTS, f'line {number}', rule))
    subjects[dataset] = subject
  return subjects, found
