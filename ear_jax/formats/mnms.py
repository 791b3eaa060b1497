"""M&Ms, the multi-centre challenges of 2020 and 2021, as they are distributed.

    A0S9V9/A0S9V9_sa.nii.gz, A0S9V9_sa_gt.nii.gz        2020: both (column, row, slice, frame)
    001/001_SA_CINE.nii.gz                              2021: (column, row, slice, frame)
    001/001_SA_ED.nii.gz, 001_SA_ED_gt.nii.gz (and ES)  a frame of it, found by its pixels, and its labels

Labels are 1 cavity, 2 myocardium, 3 right ventricle: not in the order of ACDC. Long axes (`_LA_`) are skipped.
"""

import pathlib
import re
from collections.abc import Sequence

from ear_jax.formats.labelled import Labelled, Map, by_folder

MEANING = {1: 'cavity', 2: 'myocardium', 3: 'right ventricle'}
_VIDEO = re.compile(r'(?P<patient>[A-Z0-9]{6}(?=_sa\.)|\d{3}(?=_SA_CINE\.))(_sa|_SA_CINE)\.nii(\.gz)?')


def find(files: Sequence[pathlib.Path], root: pathlib.Path) -> list[Labelled]:
  """Returns the patients among some files."""
  folders = by_folder(files)
  return [
    _patient(match['patient'], file, folders[file.parent]) for file in files if (match := _VIDEO.fullmatch(file.name))
  ]


def _patient(patient: str, video: pathlib.Path, beside: Sequence[pathlib.Path]) -> Labelled:
  own = {re.sub(r'\.nii(\.gz)?$', '', file.name): file for file in beside}
  maps = [Map(own[f'{patient}_sa_gt'])] if f'{patient}_sa_gt' in own else []
  for phase in ('ED', 'ES'):
    if labels := own.get(f'{patient}_SA_{phase}_gt'):
      maps.append(Map(labels, picture=own.get(f'{patient}_SA_{phase}')))
  others = [file for name, file in own.items() if name.startswith((f'{patient}_SA_', f'{patient}_LA_'))]
  return Labelled(patient, patient, video, tuple(maps), MEANING, files=tuple(others))
