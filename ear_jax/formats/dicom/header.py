"""What the header of one DICOM picture says, as plain values.

Names, birth dates and every other free text stay in the file. The person is kept as a hash, only to see whether one
study mixes two people; values that cannot be understood are named by their tag, never quoted.
"""

import dataclasses
import hashlib
import math
import pathlib
from collections.abc import Callable

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from ear_jax.formats.dicom import geometry, siemens_protocol, velocity_vendors
from ear_jax.formats.dicom.component import component
from ear_jax.formats.dicom.private import Private, private, words

_LAST_DIGIT = 1e-6  # of direction cosines as scanners write them
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
WANTED = frozenset(map(Tag, _TAGS))


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


def instance(header: Dataset, path: pathlib.Path, frame: int | None) -> Instance:
  """Returns the picture that a header is of; `frame` is its index in a multi-frame file."""
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
    return next((first_value for tag in tags if (first_value := value(tag, understand)) is not None), None)

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


def _hash(words: str) -> str:
  return hashlib.sha256(words.strip().encode()).hexdigest() if words.strip() else ''


def _plain_name(name: str) -> str:
  """Returns what of a name tells people apart: not case, empty parts at its end, or how other scripts write it."""
  return ' '.join(name.partition('=')[0].rstrip('^ ').casefold().split())


def _mappings(items) -> tuple[Rescale, ...]:
  rescales = []
  for item in items:
    units = item.get('MeasurementUnitsCodeSequence') or [Dataset()]
    if 'RealWorldValueSlope' in item:  # else a table
      unit = str(units[0].get('CodeValue', ''))
      rescales.append(Rescale(_number(item.RealWorldValueSlope), _number(item.RealWorldValueIntercept), unit))
  return tuple(rescales)


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
