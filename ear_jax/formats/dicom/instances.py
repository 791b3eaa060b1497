"""DICOM pictures as they lie about: found by content, read into plain values, grouped into studies.

An `Instance` is one picture: a file of its own, or one frame of an enhanced file (`enhanced`).
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
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import pydicom
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.misc import is_dicom
from pydicom.tag import Tag
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from ear_jax.formats import checks
from ear_jax.formats.dicom import enhanced, geometry, siemens_protocol, velocity_vendors
from ear_jax.formats.dicom.component import component
from ear_jax.formats.dicom.private import GROUPS, Private, private, words
from ear_jax.formats.faults import Fault, once

_SUFFIXES = ('.dcm', '.dicom', '.ima')
_LAST_DIGIT = 1e-6  # of direction cosines as scanners write them
_PICTURES = ('1.2.840.10008.5.1.4.1.1.4', *enhanced.CLASSES, '')
_PHILIPS_TYPE = 0x2005, 'Philips MR Imaging DD 001', 0x11
_DIRECTIONS = {'COLUMN': 'COL'}  # as enhanced headers spell it
_TAGS = (
  *('SOPClassUID', 'SOPInstanceUID', 'StudyInstanceUID', 'SeriesInstanceUID', 'SeriesNumber', 'InstanceNumber'),
  *('PatientID', 'PatientName', 'Modality', 'ImageType', 'ImageComments', 'InPlanePhaseEncodingDirection'),
  *('Rows', 'Columns', 'SamplesPerPixel', 'NumberOfFrames', 'PhotometricInterpretation', 'BitsStored'),
  *('PixelSpacing', 'PixelRepresentation', 'TriggerTime', 'SliceLocation'),
  *('ImagePositionPatient', 'ImageOrientationPatient', 'SliceThickness', 'SpacingBetweenSlices', 'Manufacturer'),
  *('NominalInterval', 'CardiacNumberOfImages', 'CardiacRRIntervalSpecified', 'TemporalPositionIdentifier'),
  *('RescaleSlope', 'RescaleIntercept', 'RescaleType', 'RealWorldValueMappingSequence', 'PixelPaddingValue'),
  *('ComplexImageComponent', 'SharedFunctionalGroupsSequence', 'PerFrameFunctionalGroupsSequence'),
  *('SequenceName', 'PulseSequenceName', 'FrameOfReferenceUID', 'ReconstructionDiameter'),
)
_WANTED = frozenset(map(Tag, _TAGS))


@dataclasses.dataclass(frozen=True)
class Rescale:
  """Value = slope * stored + intercept; `unit` is RescaleType, or the code of the unit of a real world value."""

  slope: float
  intercept: float
  unit: str


@dataclasses.dataclass(frozen=True)
class Encoding:
  """A velocity encoding: its direction in the patient's axes, and the ends of its range in cm/s, 0 where not said."""

  direction: tuple[float, ...]
  low: float
  high: float


@dataclasses.dataclass(frozen=True)
class Instance:
  """The header of one picture: None or '' where a tag is absent or not understood, the latter also in `unclear`.

  Units are mm and ms. `frame` is the index in a multi-frame file, None where the file is the picture. `shape` is rows
  and columns, `spacing` along row and column index, `gap` between the centres of slices; `person` and `called` are
  hashes of PatientID and PatientName; `component` is a word of `component.py`. `interval` is the RR interval that
  `cardiac_images` pictures cover, `temporal` the rank in time that the header states. `reference` is the UID of what
  positions are measured from, `diameter` the longer side of the picture in mm. `rescale` is that of the picture,
  `real_world` has other scales with their units; nothing applies them but `pixels.rescaled`. `stored` is the smallest
  number that a pixel can hold and the largest and one; `said` is what the vendor states of velocity encoding.
  """

  path: pathlib.Path
  frame: int | None
  study: str
  series: str
  sop: str
  person: str
  called: str
  kind: str  # SOP class
  modality: str
  manufacturer: str
  image_type: tuple[str, ...]
  component: str
  comments: str
  direction: str
  photometric: str
  series_number: int | None
  number: int | None
  temporal: int | None
  samples: int
  frames: int
  shape: tuple[int, int] | None
  spacing: tuple[float, float] | None
  thickness: float | None
  gap: float | None
  trigger: float | None
  interval: float | None
  cardiac_images: int | None
  location: float | None
  corner: tuple[float, ...] | None
  orientation: tuple[float, ...] | None
  reference: str
  diameter: float | None
  padding: int | None
  rescale: Rescale | None
  real_world: tuple[Rescale, ...]
  encodings: tuple[Encoding, ...]
  stored: tuple[int, int]
  protocol: siemens_protocol.Protocol | None
  said: tuple[velocity_vendors.Said, ...]
  unclear: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Found:
  """The DICOM pictures below a folder: by StudyInstanceUID, with the notes and faults of what belongs to none."""

  studies: Mapping[str, tuple[Instance, ...]]
  notes: tuple[str, ...]
  faults: tuple[Fault, ...]


def find(paths: Iterable[pathlib.Path], root: pathlib.Path) -> Found:
  """Reads the headers of those of `paths` that are DICOM pictures; faults name files relative to `root`."""
  studies: dict[str, list[Instance]] = {}
  found: list[tuple[pathlib.Path, Fault]] = []
  passed: Counter[str] = Counter()
  for path in sorted(paths):
    try:
      if is_dicom(checks.ordinary(path)):
        pictures = read(path)
        rule, why = _unusable(pictures[0])
      else:
        named = path.suffix.lower() in _SUFFIXES
        rule = 'no DICOM file: the mark DICM is missing after the preamble. Export the file again or remove it' * named
        why = 'not DICOM'
    except Exception as error:  # pydicom raises errors of many kinds for a broken file, and all mean the same here
      rule, why = f'not a readable DICOM file ({reason(error)}): export it again or remove it', ''
    if rule:
      found.append((path.parent, Fault(str(path.relative_to(root)), '', rule)))
    elif why:
      passed[why] += 1
    else:
      studies.setdefault(pictures[0].study, []).extend(pictures)
  notes = tuple(
    f'{count} {"file" if count == 1 else "files"} passed over: {why}' for why, count in sorted(passed.items())
  )
  return Found({uid: tuple(v) for uid, v in studies.items()}, notes, tuple(once(found)))


def _unusable(picture: Instance) -> tuple[str, str]:
  """Returns the fault of a file whose first picture is none of a study, and why it is passed over; '' for neither."""
  if picture.kind not in _PICTURES:
    known = UID(picture.kind).name
    return '', f'DICOM, but no MR picture ({known if known != picture.kind else "of a SOP class that is not standard"})'
  if picture.modality not in ('MR', ''):
    return '', 'DICOM, but no MR picture (Modality is another)'
  if not picture.study and not picture.shape:
    return 'not a readable DICOM file (empty header): export it again or remove it', ''
  if not picture.study:
    return 'StudyInstanceUID is missing: nothing says which study the picture belongs to', ''
  if not picture.shape and not picture.photometric:
    return '', 'DICOM, but an MR object without a picture'
  return '', ''


class Refused(ValueError):
  """A file that we do not try to read; its text is ours and quotes no word of the header."""


def reason(error: Exception) -> str:
  """Returns what kind of error a DICOM library raised; its text may quote the header, so it is not repeated."""
  return str(error) if isinstance(error, Refused) else type(error).__name__


def read(path: pathlib.Path) -> list[Instance]:
  """Returns the headers of the pictures of a DICOM file. Raises whatever pydicom raises when it is not readable."""
  with quiet():
    refuse_deflated(checks.ordinary(path))
    header = pydicom.dcmread(path, stop_before_pixels=True)
    for key in [*header.keys()]:  # before anything is decoded: a block that an archive has moved has no tags to ask for
      if key not in _WANTED and key.group not in GROUPS:
        del header[key]
      elif isinstance(raw := header.get_item(key), RawDataElement) and raw.VR == 'DS' and b',' in (raw.value or b''):
        header[key] = raw._replace(value=(raw.value or b'').replace(b',', b'.'))  # of a program in another language
    if header.get('SOPClassUID') not in enhanced.CLASSES:
      return [_instance(header, path, None)]
    try:
      return [_instance(frame, path, number) for number, frame in enumerate(enhanced.headers(header))]
    except ValueError as error:
      raise Refused(str(error)) from error


def _instance(header: Dataset, path: pathlib.Path, frame: int | None) -> Instance:
  unclear: list[str] = []

  def value(tag: str | int, understand: Callable, default=None):
    try:
      raw = header.get(tag)
      raw = raw.value if isinstance(raw, pydicom.DataElement) else raw
      return default if raw is None or raw == '' or (not np.isscalar(raw) and len(raw) == 0) else understand(raw)
    except Exception:  # a value of the wrong type or form fails in many ways
      unclear.append(str(tag))
      return default

  def first(understand: Callable, *tags: str):
    return next((found for tag in tags if (found := value(tag, understand)) is not None), None)

  rows, columns = value('Rows', _whole), value('Columns', _whole)
  image_type = value('FrameType', _words) or value('ImageType', _words, ())
  own = private(header)
  part = component(value('ComplexImageComponent', str, ''), image_type, words(own.value(*_PHILIPS_TYPE)))
  stored = getattr(header, 'file_meta', {}).get('MediaStorageSOPClassUID', '')  # all that a DICOMDIR says
  slope, intercept = value('RescaleSlope', _slope), value('RescaleIntercept', _number)
  orientation = value('ImageOrientationPatient', _axes)
  scaled = slope is not None or intercept is not None
  return Instance(
    path=path,
    frame=frame,
    study=value('StudyInstanceUID', str, ''),
    series=value('SeriesInstanceUID', str, ''),
    sop=value('SOPInstanceUID', str, ''),
    person=_hash(value('PatientID', str, '')),
    called=_hash(_plain_name(value('PatientName', str, ''))),
    kind=value('SOPClassUID', str, '') or str(stored),
    modality=value('Modality', str, ''),
    manufacturer=value('Manufacturer', str, ''),
    image_type=image_type,
    component=part,
    comments=value('ImageComments', str, ''),
    direction=_DIRECTIONS.get(stated := value('InPlanePhaseEncodingDirection', str, ''), stated),
    photometric=value('PhotometricInterpretation', str, ''),
    series_number=value('SeriesNumber', _whole),
    number=value('InstanceNumber', _whole),
    temporal=first(_whole, 'TemporalPositionIndex', 'TemporalPositionIdentifier'),
    samples=value('SamplesPerPixel', _whole, 1),
    frames=value('NumberOfFrames', _whole, 1),
    shape=(rows, columns) if rows and columns else None,
    spacing=value('PixelSpacing', _numbers(2)),
    thickness=value('SliceThickness', _number),
    gap=value('SpacingBetweenSlices', _number),
    trigger=first(_number, 'NominalCardiacTriggerDelayTime', 'TriggerTime', 'ActualCardiacTriggerDelayTime'),
    interval=first(_number, 'NominalInterval', 'RRIntervalTimeNominal', 'CardiacRRIntervalSpecified'),
    cardiac_images=value('CardiacNumberOfImages', _whole),
    location=value('SliceLocation', _number),
    corner=value('ImagePositionPatient', _numbers(3)),
    orientation=orientation,
    reference=value('FrameOfReferenceUID', str, ''),
    diameter=value('ReconstructionDiameter', _number),
    padding=value('PixelPaddingValue', _whole),
    rescale=Rescale(slope or 1.0, intercept or 0.0, value('RescaleType', str, '')) if scaled else None,
    real_world=value('RealWorldValueMappingSequence', _mappings, ()),
    encodings=value('MRVelocityEncodingSequence', _encodings, ()),
    stored=_range(value('BitsStored', _whole, 16), value('PixelRepresentation', _whole, 0)),
    protocol=siemens_protocol.parse(own),
    said=_said(own, header, orientation, unclear),
    unclear=tuple(unclear),
  )


def unclear_notes(pictures: Sequence[Instance]) -> list[str]:
  """Returns a note that names the tags which hold something that cannot be understood."""
  tags = Counter(tag for picture in pictures for tag in set(picture.unclear))
  stated = ', '.join(f'{tag} (in {count} of {len(pictures)} pictures)' for tag, count in sorted(tags.items()))
  return [f'not understood, and taken as missing: {stated}'] * bool(stated)


def series_name(path: pathlib.Path) -> str:
  """Returns '<SeriesNumber> <SeriesDescription>' of a file, StrainMap's name of a cine; free text that may identify."""
  with quiet():
    header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=['SeriesNumber', 'SeriesDescription'])
    return f'{header.get("SeriesNumber", "")} {header.get("SeriesDescription", "")}'.strip()


def rr_interval(path: pathlib.Path) -> str:
  """Returns '900±20', mean and deviation of the RR interval in ms where the comments are 'RR 900 +/- 20'; '' else."""
  with quiet():
    comments = str(pydicom.dcmread(path, stop_before_pixels=True, specific_tags=['ImageComments']).get('ImageComments'))
  stated = re.match(r'\s*RR\s+([\d.]+)\s*\+/-\s*([\d.]+)', comments)
  return f'{stated[1]}±{stated[2]}' if stated else ''


def pseudonym(study_uid: str) -> str:
  """Returns the id of a visit, `study-` and eight hexadecimal digits, from its StudyInstanceUID."""
  return f'study-{hashlib.sha256(study_uid.encode()).hexdigest()[:8]}'


@contextlib.contextmanager
def quiet() -> Iterator[None]:
  """Silences pydicom, whose warnings would quote the header."""
  with pydicom.config.disable_value_validation(), warnings.catch_warnings():
    warnings.simplefilter('ignore')
    yield


def refuse_deflated(path: pathlib.Path) -> None:
  """Raises Refused for a file that is compressed as a whole."""
  # A thousandth of what it holds, it may be a bomb; pydicom unpacks it whole before it looks at anything.
  if pydicom.filereader.read_file_meta_info(path).get('TransferSyntaxUID') == DeflatedExplicitVRLittleEndian:
    raise Refused('it is deflated as a whole: export it uncompressed')


def _hash(words: str) -> str:
  return hashlib.sha256(words.strip().encode()).hexdigest() if words.strip() else ''


def _plain_name(name: str) -> str:
  """Returns what of a name tells people apart: not case, empty parts at its end, or how other scripts write it."""
  return ' '.join(name.partition('=')[0].rstrip('^ ').casefold().split())


def _mappings(items) -> tuple[Rescale, ...]:
  found = []
  for item in items:
    units = item.get('MeasurementUnitsCodeSequence') or [Dataset()]
    if 'RealWorldValueSlope' in item:  # else a table
      unit = str(units[0].get('CodeValue', ''))
      found.append(Rescale(_number(item.RealWorldValueSlope), _number(item.RealWorldValueIntercept), unit))
  return tuple(found)


def _encodings(items) -> tuple[Encoding, ...]:
  return tuple(
    Encoding(
      _numbers(3)(item.VelocityEncodingDirection),
      _number(item.get('VelocityEncodingMinimumValue') or 0),
      _number(item.get('VelocityEncodingMaximumValue') or 0),
    )
    for item in items
  )


def _range(bits: int, signed: int) -> tuple[int, int]:
  return (-(2 ** (bits - 1)), 2 ** (bits - 1)) if signed else (0, 2**bits)


def _said(own: Private, header: Dataset, orientation, unclear: list[str]) -> tuple[velocity_vendors.Said, ...]:
  try:
    names = {name: words(header.get(name)) for name in velocity_vendors.NAMES}
    return velocity_vendors.statements(own, names, orientation)
  except Exception:  # a value of the wrong type or form fails in many ways
    unclear.append('velocity encoding')
    return ()


def _words(value) -> tuple[str, ...]:
  return tuple(str(word).strip().upper() for word in ((value,) if isinstance(value, str) else value))


def _number(value) -> float:
  if not math.isfinite(number := float(value)):
    raise ValueError
  return number


def _slope(value) -> float:
  if not (number := _number(value)):
    raise ValueError
  return number


def _axes(value) -> tuple[float, ...]:
  """Returns two direction cosines, of length 1 where an archive has rounded them."""
  axes = np.reshape(_numbers(6)(value), (2, 3))
  lengths = np.linalg.norm(axes, axis=1, keepdims=True)
  rounded = _LAST_DIGIT < np.abs(lengths - 1).max() < geometry.ROUNDED
  return tuple((axes / lengths if rounded else axes).ravel().tolist())


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
