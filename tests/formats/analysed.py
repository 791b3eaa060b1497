"""Analysed slices made from the phantom's exact contours, with curves of random numbers; and DICOM sources for them."""

import functools

import numpy as np
import pandas as pd
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from ear_jax.analysis.motion import COMPONENTS, GROUPS, Contours, Settings, SliceMotion
from ear_jax.analysis.septum import Septum
from ear_jax.analysis.strain import unknown
from ear_jax.phantom import study

SMALL = study.Size('phantom_small', 1, 0, (1,), 4, 48, 2.4, 2.4, offset=4.0, sharing=0.0)
CCW = Settings()
SECTORS = ('IS', 'I', 'IL', 'AL', 'A', 'AS')
MARKERS = {
  'longitudinal': ('PS', 'PD', 'PAS', 'ES'),
  'radial': ('PS', 'PD', 'PAS', 'ES'),
  'circumferential': ('ES', 'PC1', 'PC2', 'PC3'),
}


@functools.cache
def exact_motion(index=0, failed=(), frames=SMALL.frames, settings=CCW):
  """Returns slice `index` of the phantom: exact contours and mask, random curves, every marker once a region."""
  truth = study.truth(study.plan(SMALL)[index])
  rng = np.random.default_rng(index)
  wrong = np.isin(np.arange(frames), failed)
  endo, epi, mask = truth.endo[:frames].copy(), truth.epi[:frames].copy(), truth.mask[:frames].copy()
  endo[wrong], epi[wrong], mask[wrong] = np.nan, np.nan, 0
  curves = {group: rng.normal(0, 5, (count, frames, 3)) for group, count in GROUPS.items()}
  for group in curves.values():
    group[:, wrong] = np.nan
  return SliceMotion(
    name=f'phantom-01/sax{index + 1}',
    level=('base', 'mid', 'apex')[index],
    spacing=(2.4, 2.4),
    frame_interval=20.5,
    mask=mask,
    contours=Contours(endo, epi, tuple('ring open' if w else '' for w in wrong), wrong),
    centre=truth.centre[:frames],
    septum=truth.centre[:frames] + np.array([3.0, -9.0]),
    septal_reference=Septum(0.0, 'stated: 0 deg', certain=True),
    curves=curves,
    offset={group: np.zeros((count, 3)) for group, count in GROUPS.items()},
    markers=_markers(rng),
    rotation_rate=rng.normal(size=frames),
    rotation=rng.normal(size=frames),
    displacement=rng.normal(size=(frames, 3)),
    strain=unknown(frames),
    wraps=0,
    settings=settings,
  )


def _markers(rng):
  lines = []
  for group, count in GROUPS.items():
    for region in range(count):
      name = SECTORS[region] if group == 'angular6' else f'{group}-{region}'
      for component in COMPONENTS:
        for marker in MARKERS[component]:
          frame = int(rng.integers(50))
          numbers = {'frame': frame, 'velocity': rng.normal(), 'time': frame * 20.5, 'normalised_time': frame * 20.0}
          ends = {'velocity': 0.25, 'time': 12.5}
          for name, off in ends.items():
            numbers |= {f'{name}_low': numbers[name] - off, f'{name}_high': numbers[name] + 2 * off}
          lines.append(
            {'group': group, 'region': region, 'region_name': name, 'component': component, 'marker': marker} | numbers
          )
  return pd.DataFrame(lines)


def write_sources(folder, shape, frames, *, tags=None, position=12.5):
  """Writes one magnitude DICOM a frame and returns the paths; `tags` are set on each."""
  study_uid, series_uid, place_uid = (generate_uid() for _ in range(3))
  paths = []
  for frame in range(frames):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = MRImageStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image = FileDataset(None, {}, file_meta=meta, preamble=b'\0' * 128)
    image.SOPClassUID, image.SOPInstanceUID = MRImageStorage, meta.MediaStorageSOPInstanceUID
    image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = study_uid, series_uid, place_uid
    image.Modality, image.SeriesNumber, image.InstanceNumber = 'MR', 234, frame + 1
    image.Rows, image.Columns, image.SamplesPerPixel, image.PhotometricInterpretation = *shape, 1, 'MONOCHROME2'
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 12, 11, 0
    image.PixelSpacing, image.SliceThickness = [2.4, 2.4], 8
    image.ImageOrientationPatient, image.ImagePositionPatient = [1, 0, 0, 0, 0.6, -0.8], [-50.0, -40.0, position]
    for tag, value in (tags or {}).items():
      setattr(image, tag, value)
    image.PixelData = np.full(shape, frame, np.uint16).tobytes()
    folder.mkdir(parents=True, exist_ok=True)
    paths.append(folder / f'{frame}.dcm')
    pydicom.dcmwrite(paths[-1], image, enforce_file_format=True)
  return tuple(paths)
