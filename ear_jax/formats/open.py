"""Whatever lies at a path, as studies: velocity-mapping DICOM, cine DICOM, HDF5, NIfTI, StrainMap's training files.

DICOM files are found by their content, under any name and in any depth, and grouped into studies by StudyInstanceUID; a
DICOM study is called by a hash of that. Other formats are called by the stem of their file.
"""

import dataclasses
import functools
import pathlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from types import ModuleType

from ear_jax.cine import Cine
from ear_jax.formats import hdf5, nifti, strainmap_train
from ear_jax.formats.choices import REFUSE, Choices
from ear_jax.formats.dicom import instances
from ear_jax.formats.dicom import stack as dicom_study
from ear_jax.formats.dicom.instances import Found, Instance
from ear_jax.formats.faults import Fault, MalformedStudy
from ear_jax.formats.opened import Opened
from ear_jax.formats.siemens import study as siemens
from ear_jax.formats.siemens.series import evident
from ear_jax.formats.source import Source

_FORMATS = {  # module with `find`, `scan` and `read`, and how its files end
  hdf5: ('.h5', '.hdf5'),
  nifti: ('.nii', '.nii.gz'),
  strainmap_train: (strainmap_train.ENDING,),
}
_HOLDING = (
  'DICOM files, HDF5 (<dataset>.h5), NIfTI (<dataset>_<slice>_video.nii.gz) or StrainMap training files (*_train.nc)'
)


def open_studies(path: str | pathlib.Path, choices: Choices = REFUSE) -> list[Opened]:
  """Returns the studies at `path`, a file or a folder with its subfolders, looked over from first to last pixel.

  A study is a sequence of cines, from base to apex where the format tells. A study with faults is returned among sound
  ones, and cannot be read. Faults name files relative to the folder. `choices` settles what a study leaves open.

  Raises: MalformedStudy with every fault when no study is sound, or when there is nothing to read.

  >>> (study,) = ear_jax.open_studies('STUDY')
  >>> [cine.slice_id for cine in study]
  ['slice-00', 'slice-01', 'slice-02']
  >>> study[-1].level
  'apex'
  """
  path = pathlib.Path(path)
  if not path.exists():
    raise MalformedStudy(path, [Fault('.', '', f'there is no such file or folder; it should hold {_HOLDING}')])
  root = path if path.is_dir() else path.parent
  opened = [study for form in _FORMATS for study in _open_files(form, path, root)]
  found = instances.find(_unclaimed(path), root)
  opened += [_open_dicom(study, found, root, choices) for study in found.studies.values()]
  if found.faults and not found.studies:  # no DICOM study that could carry them, and they must not go unsaid
    opened.append(Opened('unreadable-dicom', (), (), tuple(sorted(found.faults)), root, lambda which: iter(())))
  opened = _unique(opened)
  if not opened:
    raise MalformedStudy(path, [Fault('.', '', f'nothing to read; expected {_HOLDING}')])
  if all(study.faults for study in opened):
    raise MalformedStudy(path, sorted({fault for study in opened for fault in study.faults}))
  return opened


def _unclaimed(path: pathlib.Path) -> Iterator[pathlib.Path]:
  """Yields the files that no other format claims by its ending: DICOM has none of its own."""
  endings = tuple(ending for several in _FORMATS.values() for ending in several)
  for file in sorted(path.rglob('*')) if path.is_dir() else [path]:
    if file.is_file() and not file.name.startswith('.') and not file.name.endswith(endings):
      yield file


def _open_dicom(files: Sequence[Instance], found: Found, root: pathlib.Path, choices: Choices) -> Opened:
  opened = (siemens if any(map(evident, files)) else dicom_study).open_study(files, root, choices)
  strangers: Sequence[Fault] = found.faults
  if len(found.studies) > 1:  # a file that cannot be read is one of the study that it lies beside
    folders = {str(file.path.parent.relative_to(root)) for file in files}
    every = {str(file.path.parent.relative_to(root)) for study in found.studies.values() for file in study}
    beside = folders | ({_parent(fault) for fault in strangers} - every)
    strangers = [fault for fault in strangers if _parent(fault) in beside]
  people, note = _people(files)
  mixed = f'{people} different patients in one study (one StudyInstanceUID): give each its own folder and study'
  where = [Fault('.', opened.dataset, mixed)] if people > 1 else []
  notes = (*opened.notes, *note, *found.notes)
  faults = tuple(sorted((*opened.faults, *strangers, *where)))
  return dataclasses.replace(opened, notes=notes, faults=faults)


def _people(files: Sequence[Instance]) -> tuple[int, list[str]]:
  """Returns how many patients the pictures are of, and a note where one is written in several ways."""
  people, names = ({getattr(file, key) for file in files} for key in ('person', 'called'))
  if len(people) > 1 or '' in people:  # PatientID is not in every picture, so that the name tells
    known = len(people - {''})
    return (known if known > 1 else max(1, len(names))), []
  several = len(names) > 1
  return 1, ['PatientName differs between pictures of one PatientID: they are taken for one patient'] * several


def _parent(fault: Fault) -> str:
  return str(pathlib.PurePath(fault.file).parent)


def _open_files(form: ModuleType, path: pathlib.Path, root: pathlib.Path) -> Iterator[Opened]:
  """Yields the studies of one of the formats that have a file a study or a file a slice."""
  files = form.find(path) if path.is_dir() else [path] * path.name.endswith(_FORMATS[form])
  studies = defaultdict(list)
  for number, file in enumerate(files):
    scan = form.scan(file, root)
    # A file that has no readable name of its own may be named after a patient.
    unnamed = f'unreadable-{form.__name__.rpartition(".")[2]}-{number + 1}'
    studies[scan.names[0][0] if scan.names else unnamed].append((file, scan))
  for dataset, sources in studies.items():
    names: Sequence[str] = [slice_id for _, scan in sources for _, slice_id in scan.names]
    found = [fault for _, scan in sources for fault in scan.faults]
    found += [
      Fault('.', dataset, f'{count} files hold slice {name} of this study: names must be unique')
      for name, count in Counter(names).items()
      if count > 1
    ]

    if form is hdf5 and not found:
      names = hdf5.from_base(sources[0][0])
    yield Opened(dataset, tuple(names), (), tuple(sorted(found)), root, functools.partial(_cines, form, sources, names))


def _cines(form: ModuleType, sources: list, names: Sequence[str], which: slice) -> Iterator[tuple[Cine, Source]]:
  wanted, number = range(len(names))[which], 0
  for file, scan in sources:
    own = range(number, number := number + len(scan.names))
    if not set(own) & set(wanted):
      continue
    cines = hdf5.read(file, names=names[which]) if form is hdf5 else form.read(file)
    for index, cine in zip(wanted if form is hdf5 else own, cines, strict=True):
      if index in wanted:
        yield cine, Source()


def _unique(opened: list[Opened]) -> list[Opened]:
  """Returns the studies, with a fault in each of several that would be called the same."""
  counts = Counter(study.dataset for study in opened)
  return [
    study
    if counts[study.dataset] == 1
    else dataclasses.replace(
      study, faults=(*study.faults, Fault('.', study.dataset, 'two sources are called so: rename one, or move it'))
    )
    for study in opened
  ]
