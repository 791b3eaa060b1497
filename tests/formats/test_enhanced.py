"""Enhanced (multi-frame) MR: one file is as many pictures as it has frames, each with its own header."""

import os
import pathlib

import enhanced_file
import numpy as np
import pydicom
import pytest

from ear_jax.formats.dicom import instances, pixels
from ear_jax.formats.dicom.instances import Encoding, Rescale
from ear_jax.formats.open import open_studies

SHORT_AXIS = [-0.663614599, -0.748074638, 0, -0.418817106, 0.371531304, -0.828587184]  # its normal is the apex's way
APEXWARD = np.cross(SHORT_AXIS[:3], SHORT_AXIS[3:])


def picture(s, t, **more):
  """Returns frame t of slice s: its pixels are 10 s + t, slice 0 lies at the base."""
  corner = [float(f'{v:.6f}') for v in (8.0 * s + 3) * APEXWARD]
  there = {'pixels': np.full((6, 8), 10 * s + t), 'corner': corner, 'orientation': SHORT_AXIS, 'trigger': 5.0 + 150 * t}
  return there | more


def values(slices):
  return [cine.video[:, 0, 0, 0].astype(int).tolist() for cine, _ in slices]


def test_frames_have_headers_of_their_own(tmp_path):
  path = tmp_path / 'flow.dcm'
  flow = {'rescale': (0.5, -100.0, 'mrad'), 'real_world': (0.25, -50.0, 'cm/s'), 'encoding': ([0.0, 0.6, 0.8], -30, 30)}
  pictures = [picture(0, 0, component='M', rescale=(2, 1, 'US')), picture(0, 1, component='P', **flow)]
  enhanced_file.write(path, pictures, shared_plane=True, InstanceNumber=3)
  magnitude, phase = instances.read(path)
  assert [(one.frame, one.component, one.number, one.trigger) for one in (magnitude, phase)] == [
    (0, 'M', 5, 5.0),
    (1, 'P', 6, 155.0),
  ]
  assert (magnitude.spacing, magnitude.thickness) == ((1.25, 1.5), 7.0)
  assert magnitude.orientation == pytest.approx(SHORT_AXIS)
  assert (magnitude.rescale, magnitude.real_world, magnitude.encodings) == (Rescale(2, 1, 'US'), (), ())
  assert phase.rescale == Rescale(0.5, -100, 'mrad')
  assert phase.real_world == (Rescale(0.25, -50, 'cm/s'),)
  assert phase.encodings == (Encoding((0.0, 0.6, 0.8), -30.0, 30.0),)
  assert np.unique(pixels.stored(phase)).tolist() == [1]
  assert np.unique(pixels.rescaled(phase, pixels.stored(phase))).tolist() == [-99.5]


def test_a_cine_in_one_file(tmp_path):
  """Case C3: as Philips exports, all slices in one file, in no order."""
  pictures = [picture(s, t) for t in (2, 0, 1) for s in (1, 2, 0)]
  enhanced_file.write(tmp_path / 'cine.dcm', pictures)
  (opened,) = open_studies(tmp_path)
  slices = list(opened.read())
  assert values(slices) == [[0, 1, 2], [10, 11, 12], [20, 21, 22]]
  for s, (cine, _) in enumerate(slices):
    assert (cine.spacing, cine.frame_interval, cine.place.thickness) == ((1.25, 1.5), 150.0, 7.0)
    assert cine.place.corner == pytest.approx((8.0 * s + 3) * APEXWARD, abs=1e-5)


def test_a_file_that_miscounts_its_frames_is_refused(tmp_path):
  enhanced_file.write(tmp_path / 'cine.dcm', [picture(0, t) for t in range(3)], NumberOfFrames=2)
  with pytest.raises(ValueError, match='the header declares 2 frames and describes 3'):
    open_studies(tmp_path)


@pytest.mark.skipif('HEADERS_DIR' not in os.environ, reason='needs real headers of enhanced MR')
def test_real_headers():
  """Pixels, and the headers of frames, as pydicom has them."""
  root = pathlib.Path(os.environ['HEADERS_DIR'])
  for path in sorted(root.glob('*/*.dcm')):
    whole, pictures = pydicom.dcmread(path), instances.read(path)
    assert np.array_equal(whole.pixel_array, [pixels.stored(one) for one in pictures])
    for item, one in zip(whole.PerFrameFunctionalGroupsSequence, pictures, strict=True):
      assert one.corner == tuple(item.PlanePositionSequence[0].ImagePositionPatient)
      assert one.rescale.intercept == item.PixelValueTransformationSequence[0].RescaleIntercept
  parts = [one.component for one in instances.read(root / 'Philips/IM_0027_fMAP.dcm')]
  assert (parts.count('M'), parts.count('B0')) == (32, 32)
  later = instances.read(root / 'Siemens_XA10/6_2.dcm')
  assert [(one.number, one.temporal, one.spacing) for one in later[:2]] == [
    (7, 2, (3.375, 3.375)),
    (8, 2, (3.375, 3.375)),
  ]
