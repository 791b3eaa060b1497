"""Enhanced MR files for tests: classic pictures put into one multi-frame file, by the tags of the standard alone."""

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, generate_uid

_COMPONENTS = {'M': 'MAGNITUDE', 'P': 'PHASE', 'R': 'REAL', 'I': 'IMAGINARY'}


def group(**tags):
  """Returns a sequence of one item."""
  item = Dataset()
  for tag, value in tags.items():
    setattr(item, tag, value)
  return [item]


def write(path, pictures, *, shared_plane=False, **tags):
  """Writes one file of `pictures`, dicts of pixels `[H, W]`, corner, orientation, trigger and, as wanted, more.

  `component` is M, P, R or I; `rescale` slope, intercept and type; `encoding` direction, low and high; `real_world`
  slope, intercept and unit; `groups` further sequences by name. `shared_plane` states the orientation once.
  """
  meta = FileMetaDataset()
  meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = EnhancedMRImageStorage, generate_uid()
  meta.TransferSyntaxUID = ExplicitVRLittleEndian
  image = FileDataset(path, {}, file_meta=meta, preamble=b'\0' * 128)
  image.SOPClassUID, image.SOPInstanceUID = EnhancedMRImageStorage, meta.MediaStorageSOPInstanceUID
  image.PatientName, image.Modality, image.Manufacturer = 'SECRET^NAME', 'MR', 'Some Maker'
  image.StudyInstanceUID, image.SeriesInstanceUID, image.SeriesNumber, image.InstanceNumber = '1.2.3', '1.2.3.4', 1, 1
  image.ImageType = ['ORIGINAL', 'PRIMARY', 'FLOW', 'MIXED']
  pixels = np.stack([picture['pixels'] for picture in pictures])
  image.NumberOfFrames, image.Rows, image.Columns = map(int, pixels.shape)
  image.SamplesPerPixel, image.PhotometricInterpretation = 1, 'MONOCHROME2'
  image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 12, 11, 0
  image.PixelData = pixels.astype(np.uint16).tobytes()
  measures = group(PixelSpacing=[1.25, 1.5], SliceThickness=7, SpacingBetweenSlices=8)
  image.SharedFunctionalGroupsSequence = group(PixelMeasuresSequence=measures)
  if shared_plane:
    image.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence = group(
      ImageOrientationPatient=pictures[0]['orientation']
    )
  image.PerFrameFunctionalGroupsSequence = [_frame(picture, shared_plane) for picture in pictures]
  for tag, value in tags.items():
    setattr(image, tag, value)
  path.parent.mkdir(parents=True, exist_ok=True)
  pydicom.dcmwrite(path, image, enforce_file_format=True)


def _frame(picture, shared_plane):
  frame = Dataset()
  frame.PlanePositionSequence = group(ImagePositionPatient=list(picture['corner']))
  if not shared_plane:
    frame.PlaneOrientationSequence = group(ImageOrientationPatient=list(picture['orientation']))
  if 'trigger' in picture:
    frame.CardiacSynchronizationSequence = group(NominalCardiacTriggerDelayTime=picture['trigger'])
  if 'component' in picture:
    part = picture['component']
    frame.MRImageFrameTypeSequence = group(
      FrameType=['ORIGINAL', 'PRIMARY', 'FLOW', part], ComplexImageComponent=_COMPONENTS[part]
    )
  if 'rescale' in picture:
    slope, intercept, kind = picture['rescale']
    frame.PixelValueTransformationSequence = group(RescaleSlope=slope, RescaleIntercept=intercept, RescaleType=kind)
  if 'real_world' in picture:
    slope, intercept, unit = picture['real_world']
    frame.RealWorldValueMappingSequence = group(
      RealWorldValueSlope=slope,
      RealWorldValueIntercept=intercept,
      MeasurementUnitsCodeSequence=group(CodeValue=unit, CodingSchemeDesignator='UCUM', CodeMeaning=unit),
    )
  if 'encoding' in picture:
    direction, low, high = picture['encoding']
    frame.MRVelocityEncodingSequence = group(
      VelocityEncodingDirection=direction, VelocityEncodingMinimumValue=low, VelocityEncodingMaximumValue=high
    )
  for name, sequence in picture.get('groups', {}).items():
    setattr(frame, name, sequence)
  return frame
