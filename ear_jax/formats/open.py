"""Opens whatever lies at a path as studies. Prediction, data sets, evaluation and the API come through it.

The files are walked once. Each format of `_FORMATS` in turn takes the files that it recognises and opens the studies in
them; DICOM, which has no ending of its own, looks into what is left. A new format is a function with that signature,
and a line there. Contours that lie beside the studies are their references.
"""

import dataclasses
import functools
import pathlib
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from types import ModuleType

import numpy as np

from ear_jax.cine import Cine, Place
from ear_jax.formats import (
  acdc,
  contour_files,
  hdf5,
  mask_files,
  mnms,
  nifti,
  nnunet,
  references,
  strainmap_train,
  ukbiobank,
)
from ear_jax.formats.choices import REFUSE, Asked, Choices
from ear_jax.formats.dicom import geometry, instances, phase_contrast, velocity_tags
from ear_jax.formats.dicom import stack as dicom_study
from ear_jax.formats.dicom.header import Instance
from ear_jax.formats.dicom.instances import Found
from ear_jax.formats.faults import Fault, MalformedStudy
from ear_jax.formats.labelled import open_layout
from ear_jax.formats.opened import HASHED, Opened, pseudonym
from ear_jax.formats.siemens import study as siemens
from ear_jax.formats.siemens.series import evident
from ear_jax.formats.source import Source
from ear_jax.formats.walk import Walk, ends, walk

Taken = tuple[list[Opened], Collection[pathlib.Path]]  # the studies, and the files that they are made of
HOLDING = (
  'DICOM files, HDF5 (<dataset>.h5), NIfTI (<dataset>_<slice>_video.nii.gz) or StrainMap training files (*_train.nc)'
)


def open_studies(path: str | pathlib.Path, choices: Choices = REFUSE) -> list[Opened]:
  """Returns the studies at `path`, a file or a folder with its subfolders, each pixel checked.

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
    raise MalformedStudy(path, [Fault('.', '', f'there is no such file or folder; it should hold {HOLDING}')])
  there, asked = walk(path), Asked(choices)
  left: list[pathlib.Path] = []
  contours: list[pathlib.Path] = []
  of_videos, masks = nifti.find_masks(there.files)
  if of_videos:
    asked.settle('label')
  others = {*of_videos, *masks}
  for file in there.files:
    if file not in others:
      (contours if contour_files.is_contours(file) else left).append(file)
  opened: list[Opened] = []
  for recognise in _FORMATS:
    studies, files = recognise(left, there.root, asked)
    taken = set(files)
    opened += studies
    left = [file for file in left if file not in taken]
  if not opened and len(there.files) == 1 and ends(there.files[0], *nifti.ENDINGS):  # a video whatever its name is
    opened, left = _opened_files(nifti, there.files, there.root, asked), []
  if not opened:
    raise MalformedStudy(path, [Fault('.', '', _nothing(there, left + masks, contours)), *there.faults])
  passed = (*there.others, *_unnamed(left))
  opened = [dataclasses.replace(study, notes=(*study.notes, *passed)) for study in _unique(opened)]
  in_files = contour_files.among(contours, there.root)
  drawn = in_files.drawn
  if any(not one.mark.by_hand.all() for one in drawn) and asked.settle('followed') == 'leave':
    drawn = tuple(one.by_hand() for one in drawn)
  opened, unused = references.attach(opened, drawn, trusted=choices.trusted)
  opened, lost = mask_files.attach(opened, masks, there.root, asked.settle('label') if masks else None)
  if faults := (*there.faults, *in_files.faults, *unused, *lost):  # of no study, and they must not go unsaid
    opened.append(_unreadable('unused-files', faults, there.root))
  if all(study.faults for study in opened):
    raise MalformedStudy(path, sorted({fault for study in opened for fault in study.faults}))
  return [dataclasses.replace(study, notes=(*study.notes, *asked.idle())) for study in opened]


def _unnamed(left: Sequence[pathlib.Path]) -> list[str]:
  count = sum(ends(file, *nifti.ENDINGS) for file in left)
  files = 'file' if count == 1 else 'files'
  rule = f'{count} NIfTI {files} skipped: a video is called <dataset>_<slice>_video, its mask <dataset>_<slice>_mask'
  return [rule] * bool(count)


def _nothing(there: Walk, left: Sequence[pathlib.Path], contours: Sequence[pathlib.Path]) -> str:
  """Returns what is said where nothing is a study; what does lie there is told."""
  drawn = [f'{len(contours)} files of contours without pictures, such as {contours[0].name}'] if contours else []
  first = [f'the first is {left[0].name}'] if left else []
  lies = '; '.join([*drawn, *there.others, *instances.find(left, there.root).notes, *first])
  expected = 'give the pictures as STUDY, and the contours by --contours' if contours else f'expected {HOLDING}'
  return f'nothing to read{f" ({lies})" if lies else ""}; {expected}'


def _open_dicom(left: Sequence[pathlib.Path], root: pathlib.Path, choices: Asked) -> Taken:
  """Opens the DICOM studies; files that are none are its own too where there is a study that can say so."""
  pictures = instances.find([file for file in left if file.is_file()], root)
  opened = [_open_one(study, pictures, root, choices) for study in pictures.studies.values()]
  if pictures.faults and not pictures.studies:  # no DICOM study that could carry them, and they must not go unsaid
    opened.append(_unreadable('unreadable-dicom', pictures.faults, root))
  return _scattered(opened, [*pictures.studies.values()]), left if opened else ()


def _open_one(files: Sequence[Instance], pictures: Found, root: pathlib.Path, choices: Asked) -> Opened:
  reader: ModuleType = dicom_study
  if any(map(evident, files)):
    reader = siemens
  elif any(map(velocity_tags.encodes, files)):
    reader = phase_contrast
  opened = reader.open_study(files, root, choices)
  others: Sequence[Fault] = pictures.faults
  folders = {str(file.path.parent.relative_to(root)) for file in files}
  if len(pictures.studies) > 1:  # a file that cannot be read is one of the study that it lies beside
    every = {str(file.path.parent.relative_to(root)) for study in pictures.studies.values() for file in study}
    beside = folders | ({_parent(fault) for fault in others} - every)
    others = [fault for fault in others if _parent(fault) in beside]
  people, note = _people(files)
  mixed = f'{people} different patients in one study (one StudyInstanceUID): give each its own folder and study'
  where = [Fault('.', opened.dataset, mixed)] if people > 1 else []
  notes = (*opened.notes, *note, *instances.unclear_notes(files), *pictures.notes)
  faults = tuple(sorted((*opened.faults, *others, *where)))
  known = {file.person for file in files} - {''}
  person = known.pop() if len(known) == 1 else ''
  return dataclasses.replace(opened, notes=notes, faults=faults, origin=_common(folders), person=person)


def _scattered(opened: list[Opened], studies: Sequence[Sequence[Instance]]) -> list[Opened]:
  """Returns the studies, with a note in those of one series each that lie as slices of one study would."""
  alone = {}
  for number, files in enumerate(studies):
    if len({file.series for file in files}) == 1 and files[0].orientation:
      alone[number] = files[0]
  like = [number for number, one in alone.items() if _alike(one, next(iter(alone.values())))]
  if len(like) < 2:
    return opened
  hint = (
    f'{len(like)} studies of one series each are parallel pictures of one patient: did an anonymiser give each series '
    'a StudyInstanceUID of its own? Then write one into all of them'
  )
  for number in like:
    study = opened[number]
    faults = (*study.faults, Fault('.', study.dataset, hint)) if study.faults else ()
    opened[number] = dataclasses.replace(study, notes=(*study.notes, hint), faults=faults)
  return opened


def _alike(one: Instance, other: Instance) -> bool:
  return one.person == other.person and geometry.parallel(one.orientation, other.orientation)


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


def _common(folders: Collection[str]) -> str:
  """Returns the deepest folder that holds all of some folders, relative to the same root."""
  parts = [pathlib.PurePath(folder).parts for folder in folders]
  shared = [names[0] for names in zip(*parts, strict=False) if len({*names}) == 1]
  return str(pathlib.PurePath(*shared))


def _open_files(form: ModuleType, left: Sequence[pathlib.Path], root: pathlib.Path, choices: Asked) -> Taken:
  """Opens the studies of one of the formats that have a file a study or a file a slice."""
  files = form.find(left)
  return _opened_files(form, files, root, choices), files


def _opened_files(form: ModuleType, files: Sequence[pathlib.Path], root: pathlib.Path, choices: Asked) -> list[Opened]:
  studies = defaultdict(list)
  for number, file in enumerate(files):
    scan = nifti.scan(file, root, choices.made.label) if form is nifti else form.scan(file, root)
    # A file that has no readable name of its own may be named after a patient.
    unnamed = f'unreadable-{form.__name__.rpartition(".")[2]}-{number + 1}'
    studies[scan.names[0][0] if scan.names else unnamed].append((file, scan))
  read = functools.partial(nifti.read, label=choices.made.label) if form is nifti else form.read
  return [_open_file(form, read, dataset, sources, root) for dataset, sources in studies.items()]


def _open_file(form: ModuleType, read: Callable, called: str, sources: list, root: pathlib.Path) -> Opened:
  names: Sequence[str] = [slice_id for _, scan in sources for _, slice_id in scan.names]
  dataset = pseudonym(called)
  faults = [fault for _, scan in sources for fault in scan.faults]
  faults += [
    Fault('.', dataset, f'{count} files hold slice {name} of this study: names must be unique')
    for name, count in Counter(names).items()
    if count > 1
  ]
  faults += _same_place(dataset, names, [place for _, scan in sources for place in scan.places]) if not faults else []
  if form is hdf5 and not faults:
    names = hdf5.from_base(sources[0][0])
  cines = functools.partial(_cines, read, sources, names, dataset)
  notes = [HASHED] * (dataset != called) + [note for _, scan in sources for note in scan.notes]
  origin = str(sources[0][0].relative_to(root))
  return Opened(dataset, tuple(names), tuple(dict.fromkeys(notes)), tuple(sorted(faults)), root, cines, origin)


def _same_place(dataset: str, names: Sequence[str], places: Sequence[Place | None]) -> list[Fault]:
  """Returns a fault for slices of one study at one place: repeats of a scan, or its phases as pictures of their own."""
  known = [(name, place) for name, place in zip(names, places, strict=False) if place]
  rule = (
    'slices {} and {} lie at the same place: keep one, or give one another <dataset> (the name up to its first "_")'
  )
  return [
    Fault('.', dataset, rule.format(name, other))
    for number, (name, one) in enumerate(known)
    for other, two in known[number + 1 :]
    if np.allclose(one.corner, two.corner, atol=0.1, rtol=0)
    and np.allclose([*one.across, *one.down], [*two.across, *two.down], atol=0.01, rtol=0)
  ]


def _cines(
  read: Callable, sources: list, names: Sequence[str], dataset: str, which: slice
) -> Iterator[tuple[Cine, Source]]:
  wanted, number = range(len(names))[which], 0
  for file, scan in sources:
    own = range(number, number := number + len(scan.names))
    if not set(own) & set(wanted):
      continue
    by_name = read is hdf5.read  # a file a study: slices have an order, and each can be read alone
    cines = hdf5.read(file, names[which]) if by_name else read(file)
    for index, cine in zip(wanted if by_name else own, cines, strict=True):
      if index in wanted:
        yield cine if cine.dataset == dataset else cine.replace(dataset=dataset, subject=dataset), Source()


def _unreadable(name: str, faults: Sequence[Fault], root: pathlib.Path) -> Opened:
  return Opened(name, (), (), tuple(sorted(faults)), root, lambda which: iter(()))


def _unique(opened: list[Opened]) -> list[Opened]:
  """Returns the studies, with a fault in each of several that would be called the same."""
  places = defaultdict(list)
  for study in opened:
    places[study.dataset].append(study.origin)
  rule = 'two sources are called so ({}): rename one, or move it'
  return [
    study
    if len(where := places[study.dataset]) == 1
    else dataclasses.replace(
      study, faults=(*study.faults, Fault('.', study.dataset, rule.format(', '.join(sorted(where)))))
    )
    for study in opened
  ]


_FORMATS: tuple[Callable[[Sequence[pathlib.Path], pathlib.Path, Asked], Taken], ...] = (
  *(functools.partial(open_layout, layout) for layout in (acdc, mnms, ukbiobank, nnunet)),
  functools.partial(_open_files, hdf5),
  functools.partial(_open_files, strainmap_train),
  functools.partial(_open_files, nifti),
  _open_dicom,
)
