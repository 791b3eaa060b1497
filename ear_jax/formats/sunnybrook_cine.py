"""Sunnybrook Cardiac Data as DICOM: whole magnitude cines, with contours at end diastole and systole as text files.

    <root>/images/<patient>/IM-0001-<nnnn>.dcm
    <root>/contours/<patient>/contours-manual/IRCCI-expert/IM-0001-<nnnn>-{i,o}contour-manual.txt

So the challenge arranged it; any other place will do, as long as a folder above each file is named after the patient,
and the last number of a name is that of the picture: the pictures as they are distributed have other series numbers
than their contours, `IM-0024-0079.dcm` and `IM-0001-0079-icontour-manual.txt`. The studies come through the door like
any other; here they get the patients' names. A frame is annotated where both contours exist: at end diastole.

The polygon is filled by the rule "centre inside", its pixels counted from 1 (`contour_files`). The PNG masks of the
layout `frames` were drawn otherwise, from vertices rounded down, counted from 0, and with the pixels of the boundary:
they lie three quarters of a pixel down and right of these.
"""

import pathlib
from collections.abc import Iterator

from ear_jax.cine import Cine
from ear_jax.formats import folder
from ear_jax.formats.faults import Fault, MalformedStudy
from ear_jax.formats.sunnybrook import PATIENT, subject_id


def read_cines(root: str | pathlib.Path) -> Iterator[Cine]:
  """Yields one cine a slice that has a reference: video `[T, H, W, 1]`, annotated where both contours exist.

  Raises: MalformedStudy, before the first cine, with every fault of every file.
  """
  root = pathlib.Path(root)
  cines = folder.read(root, channels=1, referenced=True)
  return (cine.replace(subject=name, dataset=name) for cine, source in cines for name in [_patient(root, source)])


def _patient(root: pathlib.Path, source) -> str:
  file = source.instances[0].relative_to(root)
  for part in reversed(file.parts[:-1]):
    if PATIENT.fullmatch(part):
      return subject_id(part)
  raise MalformedStudy(root, [Fault(str(file.parent), '', 'no folder is named after a patient, such as SC-HF-I-1')])
