"""A phantom study on a scanner's table: where its slices lie, what is measured along a direction, plain headers.

The layouts beside this module write it as each vendor would. All numbers stand here by hand, from the vendors'
documents: nothing is taken from the readers, so that an error there does not meet the same error here.
"""

import dataclasses
import itertools
import pathlib

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from ear_jax.cine import Study

MR, ENHANCED_MR = '1.2.840.10008.5.1.4.1.1.4', '1.2.840.10008.5.1.4.1.1.4.1'
LETTERS = {'rl': (1, 0, 0), 'lr': (-1, 0, 0), 'ap': (0, 1, 0), 'pa': (0, -1, 0), 'fh': (0, 0, 1), 'hf': (0, 0, -1)}


@dataclasses.dataclass(frozen=True)
class Scan:
  """A study in the patient; `across` x `down` is the picture's normal, which need not point towards the apex."""

  study: Study
  across: np.ndarray
  down: np.ndarray
  apexward: np.ndarray
  gap: float = 9.0  # mm

  @property
  def normal(self) -> np.ndarray:
    return np.cross(self.across, self.down)

  def corner(self, index: int) -> np.ndarray:
    """Centre of the first pixel of a slice, mm."""
    cine = self.study.cines[index]
    rows, columns = cine.video.shape[1:3]
    middle = np.array([20.0, -30.0, 10.0]) + index * self.gap * self.apexward
    return middle - self.across * cine.spacing[1] * (columns - 1) / 2 - self.down * cine.spacing[0] * (rows - 1) / 2

  def velocity(self, index: int, direction) -> np.ndarray:
    """`[T, H, W]` cm/s along a unit vector of the patient's axes."""
    axes = np.array([self.across, self.down, self.apexward])  # of the three channels
    return self.study.cines[index].video[..., 1:].astype(float) @ (axes @ np.asarray(direction, float))

  def magnitude(self, index: int) -> np.ndarray:
    return np.rint(self.study.cines[index].video[..., 0]).astype(np.uint16)


def short_axis(study: Study, *, from_the_apex: bool = False) -> Scan:
  """A short-axis stack; seen from the apex, the normal points to the base and the rows run the other way."""
  apexward = np.array([0.62, -0.55, -0.56])
  apexward /= np.linalg.norm(apexward)
  down = np.array([0.0, 0.0, -1.0]) - (-apexward[2]) * apexward
  down /= np.linalg.norm(down)
  across = np.cross(down, apexward)
  return Scan(study, across, -down if from_the_apex else down, apexward)


def nearest(scan: Scan, letters: str) -> np.ndarray:
  """The picture's own axis that two letters of the patient's name, with their sign: `ap` is towards the back."""
  wanted = np.array(LETTERS[letters], float)
  axis = max((scan.across, scan.down), key=lambda one: abs(one @ wanted))
  return axis * np.sign(axis @ wanted)


def in_plane(scan: Scan) -> tuple[str, str]:
  """The letters, as Siemens writes them, that name across and down best."""
  found = []
  for axis in (scan.across, scan.down):
    order = np.argsort(-np.abs(axis))
    found.append(next(('rl', 'ap', 'fh')[k] for k in order if ('rl', 'ap', 'fh')[k] not in found))
  return found[0], found[1]


class Exporter:
  """Writes one study's files into a folder, with numbers and identifiers of their own."""

  def __init__(self, scan: Scan, folder: pathlib.Path, manufacturer: str):
    self.scan, self.folder, self.manufacturer = scan, folder, manufacturer
    self.study_uid, self.place_uid, self.count = generate_uid(), generate_uid(), itertools.count(1)
    folder.mkdir(parents=True, exist_ok=True)

  def header(self, kind: str, series: int, number: int) -> Dataset:
    image = Dataset()
    image.SOPClassUID, image.SOPInstanceUID = kind, generate_uid()
    image.StudyInstanceUID, image.FrameOfReferenceUID = self.study_uid, self.place_uid
    image.SeriesInstanceUID = generate_uid(entropy_srcs=[self.study_uid, str(series)])
    image.SeriesNumber, image.InstanceNumber = series, number
    image.Modality, image.Manufacturer = 'MR', self.manufacturer
    image.PatientName, image.PatientID = 'Planted^Name', 'planted'
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, 'MONOCHROME2'
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 12, 11, 0
    return image

  def picture(self, series: int, slice_index: int, frame: int, stored: np.ndarray) -> Dataset:
    """One frame of one slice as a file of its own, ready but for what the vendor adds."""
    cine = self.scan.study.cines[slice_index]
    image = self.header(MR, series, frame + 1)
    image.ImagePositionPatient = [f'{v:.6f}' for v in self.scan.corner(slice_index)]
    image.ImageOrientationPatient = [f'{v:.9f}' for v in (*self.scan.across, *self.scan.down)]
    image.PixelSpacing, image.SliceThickness = [f'{v:.8g}' for v in cine.spacing], 8
    image.TriggerTime = f'{frame * cine.frame_interval:.6f}'
    image.NominalInterval = round(len(cine.video) * cine.frame_interval)
    image.CardiacNumberOfImages = len(cine.video)
    if np.issubdtype(stored.dtype, np.signedinteger):
      image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 15, 1
    image.Rows, image.Columns = stored.shape
    image.PixelData = stored.astype('<i2' if image.PixelRepresentation else '<u2').tobytes()
    return image

  def save(self, image: Dataset) -> pathlib.Path:
    image.file_meta = FileMetaDataset()
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path = self.folder / f'IM{next(self.count):05d}'
    image.save_as(path, enforce_file_format=True)
    return path
