"""DICOM segmentation objects (SEG): the delineated wall in the form that viewers and archives know.

One object a frame, one folder a slice: viewers and converters take the frames of one object for a stack of positions,
so a cycle at one position in one object is shown wrongly or refused. Each object refers to the one source instance that
it was drawn on, and to the frame of it where that holds several. Frames without contours have no object.

An object is made from a few tags of the source that this module names, so that no other can pass: patient and study are
the pseudonym or empty. The UIDs of study, series, instance and frame of reference must stay, since they are the
reference; those of some makers contain the time of the scan and the serial number of the scanner.
"""

import copy
import itertools
import os
import pathlib
from collections.abc import Sequence

import highdicom as hd
import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

import ear_jax
from ear_jax.formats.dicom import enhanced
from ear_jax.system.errors import UserError
from ear_jax.system.files import replacing

NAME = 'ear_jax'
LABEL = 'LV myocardium'
_KEPT = (  # identity and geometry of the instance: what a reference needs
  *('SOPClassUID', 'SOPInstanceUID', 'StudyInstanceUID', 'SeriesInstanceUID', 'FrameOfReferenceUID'),
  *('Rows', 'Columns', 'PixelSpacing', 'SliceThickness', 'ImagePositionPatient', 'ImageOrientationPatient'),
)
_GROUPS = ('SharedFunctionalGroupsSequence', 'PerFrameFunctionalGroupsSequence')  # of an enhanced file
_EMPTY = (  # highdicom demands these, and copies them
  *('PatientBirthDate', 'PatientSex', 'AccessionNumber', 'StudyID', 'StudyDate', 'StudyTime', 'ReferringPhysicianName'),
  'PositionReferenceIndicator',
)


def write(
  folder: str | os.PathLike,
  mask: np.ndarray,
  instances: Sequence[str | os.PathLike],
  *,
  pseudonym: str,
  slice_id: str,
  series_number: int = 9000,
  frames: Sequence[int | None] = (),
  made: str = 'AUTOMATIC',
) -> list[pathlib.Path]:
  """Writes a slice's mask as one SEG object a frame, `<folder>/frame-000.dcm` and so on; returns their paths.

  Args:
    folder: where the objects go.
    mask: `[T, H, W]` 0 or 1, on the grid of the source pictures; an empty frame gets no object.
    instances: DICOM file of each frame's magnitude.
    pseudonym: name and id of the patient in the objects.
    slice_id: named in the series description.
    series_number: of the new series; all frames of a slice are one series.
    frames: index of each picture in its file, None where the file is the picture; empty: all are.
    made: 'AUTOMATIC' by a network, 'MANUAL' by a person, 'SEMIAUTOMATIC' where a person corrected a network.

  Raises: UserError when the sources are not pictures of the mask's size with position and orientation.
  """
  indices = frames or [None] * len(instances)
  sources = [_source(pathlib.Path(p), mask.shape[1:], pseudonym, i) for p, i in zip(instances, indices, strict=True)]
  if len(sources) != len(mask):
    raise UserError(f'{slice_id}: {len(mask)} frames but {len(sources)} source instances; a SEG refers to one a frame')
  for stale in pathlib.Path(folder).glob('frame-*.dcm'):
    stale.unlink()
  series, tracking = hd.UID(), hd.UID()
  paths = []
  for frame in map(int, np.flatnonzero(mask.any(axis=(1, 2)))):
    try:
      seg = _segmentation(sources[frame], mask[frame], series, tracking, frame + 1, series_number, slice_id, made)
    except (TypeError, ValueError, OverflowError, AttributeError) as error:
      rule = f'its geometry is not valid DICOM ({type(error).__name__})'
      raise UserError(f'{instances[frame]}: {rule}; a SEG cannot refer to this instance') from error
    _refer(seg, sources[frame], indices[frame])
    paths.append(pathlib.Path(folder) / f'frame-{frame:03d}.dcm')
    with replacing(paths[-1]) as temporary:
      seg.save_as(temporary)
  return paths


def _source(path: pathlib.Path, shape: tuple[int, int], pseudonym: str, frame: int | None) -> Dataset:
  """Returns the tags of a source that may pass, the others empty; of one frame of it where it holds several."""
  try:
    wanted = [*_KEPT, 'SpacingBetweenSlices', 'NumberOfFrames', *_GROUPS]
    header: Dataset = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=wanted)
    if frame is not None:
      header = next(itertools.islice(enhanced.headers(header), frame, None))
  except (OSError, ValueError, StopIteration, pydicom.errors.InvalidDicomError) as error:
    raise UserError(f'{path}: not a readable DICOM file ({error}); a SEG must refer to its source') from error
  missing = [tag for tag in _KEPT if header.get(tag) in (None, '')]
  if missing:
    raise UserError(f'{path}: no {", ".join(missing)}; a SEG cannot refer to this instance')
  if str(header.get('NumberOfFrames') or 1) != '1':
    raise UserError(f'{path}: {header.NumberOfFrames} frames in one file, and it is not known which one is meant')
  if (header.Rows, header.Columns) != tuple(shape):
    raise UserError(f'{path}: picture of {header.Rows} x {header.Columns} pixels, the mask has {shape[0]} x {shape[1]}')
  source = Dataset()
  for tag in (*_KEPT, 'SpacingBetweenSlices'):
    if tag in header:
      source[tag] = header[tag]
  for tag in _EMPTY:
    setattr(source, tag, '')
  source.Modality, source.PatientName, source.PatientID = 'MR', f'{pseudonym}^', pseudonym  # ^: it is one name
  source.SpecificCharacterSet = 'ISO_IR 192'
  return source


def _segmentation(
  source: Dataset,
  mask: np.ndarray,
  series: hd.UID,
  tracking: hd.UID,
  number: int,
  series_number: int,
  slice_id: str,
  made: str,
) -> hd.seg.Segmentation:
  network = hd.AlgorithmIdentificationSequence(
    NAME, version=ear_jax.__version__, family=codes.DCM.ArtificialIntelligence
  )
  description = hd.seg.SegmentDescription(
    segment_number=1,
    segment_label=LABEL,
    segmented_property_category=codes.SCT.AnatomicalStructure,
    segmented_property_type=codes.SCT.LeftVentricleMyocardium,
    algorithm_type=made,
    algorithm_identification=None if made == 'MANUAL' else network,
    tracking_uid=tracking,  # the same wall in every frame
    tracking_id=f'{LABEL} {slice_id}',
  )
  seg = hd.seg.Segmentation(
    source_images=[_as_classic(source)],
    pixel_array=mask.astype(np.uint8),
    segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
    segment_descriptions=[description],
    series_instance_uid=series,
    series_number=series_number,
    sop_instance_uid=hd.UID(),
    instance_number=number,
    manufacturer=NAME,
    manufacturer_model_name=NAME,
    software_versions=ear_jax.__version__,
    device_serial_number='none',
    content_label='LV_MYOCARDIUM',
    series_description=f'{LABEL} {slice_id}'[:64],
    transfer_syntax_uid=ExplicitVRLittleEndian,  # highdicom packs single bits otherwise in JPEG 2000 alone
  )
  seg.PerFrameFunctionalGroupsSequence[0].FrameContentSequence[0].TemporalPositionIndex = number
  if 'SpacingBetweenSlices' not in source:  # highdicom makes 1 mm of it
    del seg.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SpacingBetweenSlices
  return seg


def _as_classic(source: Dataset) -> Dataset:
  """Returns one picture as a file of its own: highdicom would make an object of all frames of an enhanced file."""
  classic = copy.deepcopy(source)
  classic.SOPClassUID = MRImageStorage
  return classic


def _refer(seg: hd.seg.Segmentation, source: Dataset, frame: int | None) -> None:
  """Names the class of the source, and the frame, where the object refers to it."""
  derivation = seg.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0]
  origins = list(derivation.SourceImageSequence)
  if frame is not None:
    origins[0].ReferencedFrameNumber = frame + 1
  for origin in (*origins, *seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence):
    origin.ReferencedSOPClassUID = source.SOPClassUID
