"""ACDC, the Automated Cardiac Diagnosis Challenge of 2017, as it is distributed.

patient001/patient001_4d.nii.gz            (column, row, slice, frame)
patient001/patient001_frame01.nii.gz       a frame of it, counted from 1: end diastole, end systole
patient001/patient001_frame01_gt.nii.gz    its labels: 1 right ventricle, 2 myocardium, 3 cavity
patient001/Info.cfg                        `ED: 1`, `ES: 12` and more
"""

import pathlib
import re
from collections.abc import Sequence

from ear_jax.formats.faults import Fault
from ear_jax.formats.labelled import Labelled, Map, by_folder

MEANING = {1: 'right ventricle', 2: 'myocardium', 3: 'cavity'}
_VIDEO = re.compile(r'(?P<patient>patient\d+)_4d\.nii(\.gz)?')
_FRAME = re.compile(r'patient\d+_frame(?P<number>\d+)(?P<gt>_gt)?\.nii(\.gz)?')


def find(files: Sequence[pathlib.Path], root: pathlib.Path) -> list[Labelled]:
  """Returns the patients among some files."""
  folders = by_folder(files)
  return [
    _patient(match['patient'], file, folders[file.parent], root)
    for file in files
    if (match := _VIDEO.fullmatch(file.name))
  ]


def _patient(patient: str, video: pathlib.Path, own: Sequence[pathlib.Path], root: pathlib.Path) -> Labelled:
  frames = {(int(m['number']), bool(m['gt'])): file for file in own if (m := _FRAME.fullmatch(file.name))}
  maps = tuple(Map(file, n - 1, frames.get((n, False))) for (n, gt), file in sorted(frames.items()) if gt)
  info = [file for file in own if file.name == 'Info.cfg']
  faults = [fault for file in info for fault in _info_faults(file, {n for n, gt in frames if gt}, root)]
  return Labelled(patient, patient, video, maps, MEANING, tuple(faults), (*info, *frames.values()))


def _info_faults(info: pathlib.Path, labelled: set[int], root: pathlib.Path) -> list[Fault]:
  stated = dict(re.findall(r'^(ED|ES): *(\d+)\s*$', info.read_text(errors='replace'), re.MULTILINE))
  strange = sorted(labelled - {int(number) for number in stated.values()})
  if not stated or not strange:
    return []
  said = ', '.join(f'{phase} is frame {number}' for phase, number in stated.items())
  return [Fault(str(info.relative_to(root)), '', f'{said}, but labels are of frame {strange[0]}: take the right ones')]
