"""Small Sunnybrook folders, written anew for each test; real files in real formats."""

import numpy as np
import pydicom
import pytest
import velocity_scan
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid


def _write_dicom(path, pixels, *, position=0.0, trigger=None, instance=1, **tags):
  """Writes one frame as Explicit VR Little Endian MR, with a patient's name that must never come out again."""
  path.parent.mkdir(parents=True, exist_ok=True)
  meta = FileMetaDataset()
  meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = MRImageStorage, generate_uid()
  meta.TransferSyntaxUID = ExplicitVRLittleEndian
  image = FileDataset(path, {}, file_meta=meta, preamble=b'\0' * 128)
  image.PatientName, image.StudyDate = 'SECRET^NAME', '20200101'
  image.Rows, image.Columns = pixels.shape
  image.SamplesPerPixel, image.PhotometricInterpretation = 1, 'MONOCHROME2'
  image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 12, 11, 0
  image.PixelSpacing, image.InstanceNumber = [1.25, 1.5], instance
  # Rows run along +y, columns along -x: the slice normal is (0, -1, 0) x (-1, 0, 0) = (0, 0, -1).
  image.ImageOrientationPatient, image.ImagePositionPatient = [0, -1, 0, -1, 0, 0], [5.0, 6.0, -position]
  if trigger is not None:
    image.TriggerTime = trigger
  for tag, value in tags.items():
    setattr(image, tag, value)
  image.PixelData = pixels.astype(np.uint16).tobytes()
  pydicom.dcmwrite(path, image, enforce_file_format=True)


def _square(low, high):
  """Returns the text of a square contour round the pixels low..high-1, in numbers that count the first pixel as 1."""
  a, b = low + 0.5, high + 0.5
  return '\n'.join(f'{x:.2f} {y:.2f}' for x, y in ((a, a), (b, a), (b, b), (a, b), (a, a))) + '\n'


@pytest.fixture
def write_dicom():
  return _write_dicom


@pytest.fixture
def square_contour():
  return _square


@pytest.fixture
def cine_root(tmp_path):
  """Sunnybrook `cine`: a patient with 4 slices of 3 phases; slice 1 has both contours at phase 2, slice 2 only i."""
  root = tmp_path / 'cine'
  for s in range(4):
    for t in range(3):
      number = 1 + 3 * s + t
      pixels = np.full((16, 20), 100 * s + t)
      path = root / f'images/SC-HF-I-1/IM-0001-{number:04d}.dcm'
      uids = {'StudyInstanceUID': '1.2.3', 'SeriesInstanceUID': f'1.2.3.{s}', 'SOPInstanceUID': f'1.2.3.{s}.{t}'}
      _write_dicom(path, pixels, position=10.0 * s, trigger=20.0 + 40 * t, instance=number, SeriesNumber=s + 1, **uids)
  contours = root / 'contours/SC-HF-I-1/contours-manual/IRCCI-expert'
  contours.mkdir(parents=True)
  for name, text in (
    ('IM-0001-0006-icontour-manual.txt', _square(6, 9)),
    ('IM-0001-0006-ocontour-manual.txt', _square(4, 11)),
    ('IM-0001-0008-icontour-manual.txt', _square(6, 9)),
    ('IM-0001-0006-p1contour-manual.txt', 'not read'),
  ):
    (contours / name).write_text(text)
  return root


@pytest.fixture
def frames_root(tmp_path):
  """Sunnybrook `frames`: one picture at end diastole with both masks, one at end systole with the endo mask alone."""
  root = tmp_path / 'frames'
  disc, ring = np.zeros((16, 20), np.uint8), np.zeros((16, 20), np.uint8)
  disc[6:9, 6:9], ring[4:11, 4:11] = 255, 255
  for kind, name, pixels in (
    ('images', '0048', (np.arange(320) % 256).astype(np.uint8).reshape(16, 20)),
    ('endo', '0048', disc),
    ('epi', '0048', ring),
    ('images', '0059', disc),
    ('endo', '0059', disc),
  ):
    (root / kind).mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(root / kind / f'SC-HF-I-01-IM-0001-{name}.png')
  return root


@pytest.fixture(scope='session')
def phantom_study():
  return velocity_scan.phantom()


@pytest.fixture(scope='session')
def whole_scan(phantom_study, tmp_path_factory):
  """The phantom study as velocity-mapping DICOM; not to be changed."""
  return velocity_scan.Scan.write(phantom_study, tmp_path_factory.mktemp('velocity') / 'scan')


@pytest.fixture
def scan(whole_scan, tmp_path):
  """A copy of the study, to be changed."""
  return whole_scan.copy(tmp_path / 'scan')
