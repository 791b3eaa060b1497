"""DICOM files as they lie about: found by content, read into plain values, grouped into studies.

Names, birth dates and every other free text stay in the file. The person is kept as a hash, only to see whether one
study mixes two people; values that cannot be understood are named by their tag, never quoted.
"""

import contextlib
import dataclasses
import hashlib
import math
import pathlib
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.misc import is_dicom
from pydicom.uid import DeflatedExplicitVRLittleEndian, RLELossless

from ear_jax.formats import checks
from ear_jax.formats.dicom import codestream, siemens_protocol
from ear_jax.formats.faults import Fault

LARGEST = 2**24  # values of one picture: 4096 x 4096
_SUFFIXES = ('.dcm', '.dicom', '.ima')
_ENHANCED_MR = '1.2.840.10008.5.1.4.1.1.4.1'
_PICTURES = ('1.2.840.10008.5.1.4.1.1.4', _ENHANCED_MR, '')
_TAGS = (
  *('SOPClassUID', 'SOPInstanceUID', 'StudyInstanceUID', 'SeriesInstanceUID', 'SeriesNumber', 'InstanceNumber'),
  *('PatientID', 'PatientName', 'Modality', 'ImageType', 'ImageComments', 'InPlanePhaseEncodingDirection'),
  *('Rows', 'Columns', 'SamplesPerPixel', 'NumberOfFrames', 'PhotometricInterpretation', 'BitsStored'),
  *('PixelSpacing', 'PixelRepresentation', 'TriggerTime', 'SliceLocation'),
  *('ImagePositionPatient', 'ImageOrientationPatient'),
)


@dataclasses.dataclass(frozen=True)
class Instance:
  """One file's header: None or '' where a tag is absent or not understood, the latter also named in `unclear`.

  Units are mm and ms; `shape` is rows and columns, `spacing` along row and column index, `person` a hash.
  """

  path: pathlib.Path
  study: str
  series: str
  sop: str
  person: str
  kind: str  # SOP class
  modality: str
  image_type: tuple[str, ...]
  comments: str
  direction: str
  photometric: str
  series_number: int | None
  number: int | None
  samples: int
  frames: int
  shape: tuple[int, int] | None
  spacing: tuple[float, float] | None
  trigger: float | None
  location: float | None
  corner: tuple[float, ...] | None
  orientation: tuple[float, ...] | None
  protocol: siemens_protocol.Protocol | None
  unclear: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Found:
  """The DICOM files below a folder: by StudyInstanceUID, with the notes and faults of what belongs to none."""

  studies: Mapping[str, tuple[Instance, ...]]
  notes: tuple[str, ...]
  faults: tuple[Fault, ...]


def find(paths: Iterable[pathlib.Path], root: pathlib.Path) -> Found:
  """Reads the headers of those of `paths` that are DICOM pictures; faults name files relative to `root`."""
  studies: dict[str, list[Instance]] = {}
  found, without_study, others, no_pictures = [], [], 0, 0
  for path in sorted(paths):
    file = str(path.relative_to(root))
    try:
      if not is_dicom(checks.ordinary(path)):
        others += 1
        if path.suffix.lower() in _SUFFIXES:
          rule = 'no DICOM file: the mark DICM is missing after the preamble. Export the file again or remove it'
          found.append(Fault(file, '', rule))
        continue
      instance = read(path)
    except Exception as error:  # pydicom raises errors of many kinds for a broken file, and all mean the same here
      found.append(Fault(file, '', f'not a readable DICOM file ({reason(error)}): export it again or remove it'))
      continue
    if instance.kind not in _PICTURES or instance.modality not in ('MR', ''):
      no_pictures += 1
    elif not instance.study and not instance.shape:
      found.append(Fault(file, '', 'not a readable DICOM file (empty header): export it again or remove it'))
    elif not instance.study:
      without_study.append(file)
    else:
      studies.setdefault(instance.study, []).append(instance)
  if without_study:
    rule = (
      f'StudyInstanceUID is missing in {_count(len(without_study))}: nothing says which study the pictures belong to'
    )
    found.append(Fault(without_study[0], '', rule))
  notes = [f'{_count(others - sum(f.rule.startswith("no DICOM") for f in found))} passed over: not DICOM']
  notes += [f'{_count(no_pictures)} passed over: DICOM, but no MR picture']
  return Found({uid: tuple(v) for uid, v in studies.items()}, tuple(n for n in notes if n[0] != '0'), tuple(found))


class Refused(ValueError):
  """A file that we do not try to read; its text is ours and quotes no word of the header."""


def reason(error: Exception) -> str:
  """Returns what kind of error a DICOM library raised; its text may quote the header, so it is not repeated."""
  return str(error) if isinstance(error, Refused) else type(error).__name__


def read(path: pathlib.Path) -> Instance:
  """Returns the header of a DICOM file. Raises whatever pydicom raises when it is not readable."""
  with _quiet():
    _refuse_deflated(checks.ordinary(path))
    wanted = [pydicom.tag.Tag(tag) for tag in (*_TAGS, *siemens_protocol.TAGS)]
    header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=wanted)
    unclear: list[str] = []

    def value(tag: str, understand: Callable, default=None):
      try:
        raw = header.get(tag)
        return default if raw is None or raw == '' or (not np.isscalar(raw) and len(raw) == 0) else understand(raw)
      except Exception:  # a value of the wrong type or form fails in many ways
        unclear.append(tag)
        return default

    rows, columns = value('Rows', _whole), value('Columns', _whole)
    return Instance(
      path=path,
      study=value('StudyInstanceUID', str, ''),
      series=value('SeriesInstanceUID', str, ''),
      sop=value('SOPInstanceUID', str, ''),
      person=_person(header),
      kind=value('SOPClassUID', str, ''),
      modality=value('Modality', str, ''),
      image_type=value('ImageType', _words, ()),
      comments=value('ImageComments', str, ''),
      direction=value('InPlanePhaseEncodingDirection', str, ''),
      photometric=value('PhotometricInterpretation', str, ''),
      series_number=value('SeriesNumber', _whole),
      number=value('InstanceNumber', _whole),
      samples=value('SamplesPerPixel', _whole, 1),
      frames=value('NumberOfFrames', _whole, 1),
      shape=(rows, columns) if rows and columns else None,
      spacing=value('PixelSpacing', _numbers(2)),
      trigger=value('TriggerTime', _number),
      location=value('SliceLocation', _number),
      corner=value('ImagePositionPatient', _numbers(3)),
      orientation=value('ImageOrientationPatient', _numbers(6)),
      protocol=siemens_protocol.parse(header),
      unclear=tuple(unclear),
    )


def pixels(path: pathlib.Path) -> tuple[np.ndarray, Dataset]:
  """Returns the stored values `[H, W]` of one file and its header. Raises whatever pydicom and its decoders raise."""
  with _quiet():
    _refuse_deflated(path)
    image = pydicom.dcmread(path)
    declared = [int(image.get(tag) or 1) for tag in ('Rows', 'Columns', 'SamplesPerPixel', 'NumberOfFrames')]
    if math.prod(declared) > LARGEST or min(declared) < 1:
      raise Refused(f'the header declares {" x ".join(map(str, declared))} values')
    _refuse_disagreement(image)
    return image.pixel_array, image


def series_name(path: pathlib.Path) -> str:
  """Returns '<SeriesNumber> <SeriesDescription>' of a file, StrainMap's name of a cine; free text that may identify."""
  with _quiet():
    header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=['SeriesNumber', 'SeriesDescription'])
    return f'{header.get("SeriesNumber", "")} {header.get("SeriesDescription", "")}'.strip()


def rr_interval(path: pathlib.Path) -> str:
  """Returns '900±20', mean and deviation of the RR interval in ms where the comments are 'RR 900 +/- 20'; '' else."""
  with _quiet():
    comments = str(pydicom.dcmread(path, stop_before_pixels=True, specific_tags=['ImageComments']).get('ImageComments'))
  stated = re.match(r'\s*RR\s+([\d.]+)\s*\+/-\s*([\d.]+)', comments)
  return f'{stated[1]}±{stated[2]}' if stated else ''


def pseudonym(study_uid: str) -> str:
  """Returns the id of a visit, `study-` and eight hexadecimal digits, from its StudyInstanceUID."""
  return f'study-{hashlib.sha256(study_uid.encode()).hexdigest()[:8]}'


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
  """Silences pydicom, whose warnings would quote the header."""
  with pydicom.config.disable_value_validation(), warnings.catch_warnings():
    warnings.simplefilter('ignore')
    yield


def _refuse_deflated(path: pathlib.Path) -> None:
  # A thousandth of what it holds, it may be a bomb; pydicom unpacks it whole before it looks at anything.
  if pydicom.filereader.read_file_meta_info(path).get('TransferSyntaxUID') == DeflatedExplicitVRLittleEndian:
    raise Refused('it is deflated as a whole: export it uncompressed')


def _refuse_disagreement(image: Dataset) -> None:
  syntax = image.file_meta.TransferSyntaxUID
  if not syntax.is_encapsulated or syntax == RLELossless:
    return
  found = codestream.size_of(get_frame(image.PixelData, 0, number_of_frames=1))
  if found is None:
    raise Refused('the compressed picture does not say its size')
  stated = (image.Rows, image.Columns, image.SamplesPerPixel)
  if (found.rows, found.columns, found.samples) != stated or found.bits > image.BitsAllocated:
    size = f'{found.rows} x {found.columns} pixels of {found.samples} x {found.bits} bits'
    raise Refused(f'the compressed picture has {size}, which is not what the header says')


def _person(header: Dataset) -> str:
  stated = [str(header.get(tag) or '').strip() for tag in ('PatientID', 'PatientName')]
  return hashlib.sha256('\n'.join(stated).encode()).hexdigest()


def _count(files: int) -> str:
  return f'{files} file' if files == 1 else f'{files} files'


def _words(value) -> tuple[str, ...]:
  return (value,) if isinstance(value, str) else tuple(map(str, value))


def _number(value) -> float:
  if not math.isfinite(number := float(value)):
    raise ValueError
  return number


def _whole(value) -> int:
  if (number := int(value)) != float(value):
    raise ValueError
  return number


def _numbers(count: int) -> Callable[[object], tuple[float, ...]]:
  def understand(value) -> tuple[float, ...]:
    numbers = tuple(map(_number, value))
    if len(numbers) != count:
      raise ValueError
    return numbers

  return understand
