"""Writes a study as velocity-mapping DICOM in the Siemens layout, for phantoms: every name in it is made up.

Five series a slice (MagAvg, PhaseZ, PhaseX, PhaseY, RefMag), one 12-bit MR Image Storage file a frame, named by 13
fields as StrainMap expects. `siemens` reads it and says what each tag means.
"""

import hashlib
import math
import pathlib
from collections.abc import Callable

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from ear_jax.cine import MAGNITUDE, Cine, Study
from ear_jax.formats.checks import COUNTS, ZERO
from ear_jax.formats.dicom import geometry, siemens_protocol
from ear_jax.system.files import replacing

_FIRST_SERIES = 11
_DATE, _TIME = '20200107', '142331.468000'


def write(
  study: Study,
  folder: str | pathlib.Path,
  *,
  direction: str = 'COL',
  gap: float = 9.0,
  progress: Callable[[], None] = lambda: None,
) -> list[pathlib.Path]:
  """Writes the cines of a phantom study, from base to apex, and returns the files in the order of series and frame.

  Velocities come back within venc / 4096 (they wrap beyond venc), magnitudes as whole numbers of 0..4095.

  Args:
    study: cines of four channels with known spacing and frame interval and equal in-plane venc.
    folder: is made; files of the same name are replaced.
    direction: 'COL' or 'ROW', the in-plane phase encoding direction, which decides on swap and signs.
    gap: mm between slices.
    progress: is called after each file.

  Raises: ValueError for a cine that the layout cannot hold.
  """
  if direction not in ('COL', 'ROW'):
    raise ValueError(f"direction is {direction!r}, expected 'COL' or 'ROW'")
  for cine in study.cines:
    _check(cine)
  folder = pathlib.Path(folder)
  folder.mkdir(parents=True, exist_ok=True)
  # Phantoms of two seeds share their names: identifiers come from the pictures too.
  study_uid = _uid(study.dataset, hashlib.sha256(study.cines[0].video[0].tobytes()).hexdigest())
  written = []
  for index, cine in enumerate(study.cines):
    corner = _corner(cine, index * gap)
    for offset, (label, pixels) in enumerate(_series(cine, direction).items()):
      number = _FIRST_SERIES + 5 * index + offset
      common = _common(study, cine, index, direction)
      common.StudyInstanceUID, common.FrameOfReferenceUID = study_uid, _uid(study_uid, 'frame of reference')
      common.SeriesInstanceUID, common.SeriesNumber = _uid(study_uid, number), number
      common.ImageType = ['ORIGINAL', 'PRIMARY', 'P' if label.startswith('Phase') else 'M', 'ND']
      common.SpacingBetweenSlices = gap
      _place(common, corner)
      for frame, picture in enumerate(pixels):
        written.append(_write_frame(common, picture, frame, cine.frame_interval, folder))
        progress()
  return written


def _check(cine: Cine) -> None:
  magnitude = cine.video[..., MAGNITUDE]
  if cine.venc is None:
    raise ValueError(f'{cine.name}: no velocity channels, so it cannot be written as velocity-mapping DICOM')
  if cine.venc[0] != cine.venc[1]:
    raise ValueError(f'{cine.name}: in-plane venc {cine.venc[:2]} differ, which the layout cannot tell apart')
  if not all(math.isfinite(v) for v in (*cine.spacing, cine.frame_interval)):
    raise ValueError(f'{cine.name}: spacing or frame interval is unknown')
  if np.rint(magnitude.max()) >= COUNTS or magnitude.min() < 0:
    raise ValueError(f'{cine.name}: magnitude reaches {magnitude.max():g}, expected 0..4095')


def _series(cine: Cine, direction: str) -> dict[str, np.ndarray]:
  """Returns the stored values `[T, H, W]` uint16 of the five series, in order."""
  magnitude = np.rint(cine.video[..., MAGNITUDE]).astype(np.uint16)
  column, row, through = np.moveaxis(cine.video[..., 1:].astype(float) / cine.venc, -1, 0)
  # What a reader makes of X, Y, Z is -v_col, v_row, v_long; for ROW it swaps X and Y and changes all three signs first.
  x, y, z = (-column, row, through) if direction == 'COL' else (-row, column, -through)

  def phase(fraction):
    return np.mod(np.rint(ZERO + ZERO * fraction), COUNTS).astype(np.uint16)

  reference = np.rint(0.8 * magnitude).astype(np.uint16)  # one of the encodes that the average is made of
  return {'MagAvg': magnitude, 'PhaseZ': phase(z), 'PhaseX': phase(x), 'PhaseY': phase(y), 'RefMag': reference}


def _common(study: Study, cine: Cine, index: int, direction: str) -> Dataset:
  """Returns what the headers of a slice share."""
  header = Dataset()
  header.SOPClassUID = MRImageStorage
  header.StudyDate, header.StudyTime, header.SeriesDate, header.SeriesTime = _DATE, _TIME, _DATE, _TIME
  header.Modality, header.Manufacturer, header.InstitutionName = 'MR', 'Digital phantom', 'Nowhere'
  header.StudyDescription, header.SeriesDescription = 'Velocity mapping phantom', f'mvm sax{index + 1}'
  header.PatientName, header.PatientID = f'Synthetic^{study.subject}', study.subject
  header.PatientBirthDate, header.PatientSex, header.ReferringPhysicianName = '19700101', 'O', ''
  header.StudyID, header.AccessionNumber, header.PatientPosition = '1', '', 'HFS'
  header.ScanningSequence, header.SequenceVariant, header.ScanOptions = 'GR', 'SP', ''
  header.MRAcquisitionType, header.RepetitionTime, header.EchoTime, header.EchoTrainLength = '2D', 24, 5, 1
  header.SliceThickness = 8
  header.PositionReferenceIndicator = ''
  header.InPlanePhaseEncodingDirection = direction
  rr = cine.frame_interval * len(cine.video)
  header.ImageComments = f'RR {rr:.4f} +/- {0.02 * rr:.2f}'
  header.PixelSpacing = [f'{v:.8g}' for v in cine.spacing]
  header.SamplesPerPixel, header.PhotometricInterpretation = 1, 'MONOCHROME2'
  header.Rows, header.Columns = cine.video.shape[1:3]
  header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 16, 12, 11, 0
  assert cine.venc  # `_check` has refused a cine without
  siemens_protocol.add(header, (cine.venc[2], cine.venc[0], cine.venc[1]))
  return header


def _place(header: Dataset, corner: np.ndarray) -> None:
  header.ImageOrientationPatient = [f'{v:.9f}' for v in _axes().ravel()]
  header.ImagePositionPatient = [f'{v:.6f}' for v in corner]
  header.SliceLocation = f'{geometry.position(_axes().ravel(), corner):.6f}'


def _axes() -> np.ndarray:
  """Returns the directions `[2, 3]` of increasing column and row of a short-axis slice seen from the base."""
  down = np.array([0.0, 0.0, -1.0])
  down -= (down @ geometry.APEXWARD) * geometry.APEXWARD
  down /= np.linalg.norm(down)
  return np.stack([np.cross(down, geometry.APEXWARD), down])


def _corner(cine: Cine, depth: float) -> np.ndarray:
  """Returns where the centre of the first pixel lies, mm, `depth` mm from the basal slice towards the apex."""
  rows, columns = cine.video.shape[1:3]
  across, down = _axes()
  middle = np.array([20.0, -30.0, 10.0]) + depth * geometry.APEXWARD
  return middle - across * cine.spacing[1] * (columns - 1) / 2 - down * cine.spacing[0] * (rows - 1) / 2


def _write_frame(common: Dataset, picture: np.ndarray, frame: int, interval: float, folder: pathlib.Path):
  image = Dataset()
  image.update(common)
  image.InstanceNumber, image.TriggerTime = frame + 1, f'{frame * interval:.6f}'
  image.SOPInstanceUID = _uid(common.SeriesInstanceUID, frame)
  image.PixelData = picture.astype('<u2').tobytes()
  image.file_meta = FileMetaDataset()
  image.file_meta.MediaStorageSOPClassUID = MRImageStorage
  image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
  image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
  path = folder / _name(common, frame)
  with replacing(path) as temporary:
    image.save_as(temporary, enforce_file_format=True)
  return path


def _name(common: Dataset, frame: int) -> str:
  patient = str(common.PatientID).replace('.', '-')
  unique = int(common.SeriesInstanceUID.rsplit('.', 1)[-1]) % 10**8 + frame
  return f'{patient}.MR.MVM_PHANTOM.{common.SeriesNumber}.{frame + 1}.2020.01.07.14.23.31.468.{unique}.dcm'


def _uid(*parts) -> str:
  """Returns an identifier that depends on the words alone: the same phantom has the same one everywhere."""
  return generate_uid(entropy_srcs=['ear_jax phantom', *map(str, parts)])
