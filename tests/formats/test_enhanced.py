"""Enhanced (multi-frame) MR: one file is as many pictures as it has frames, each with its own header."""

import os
import pathlib

import enhanced_file
import gdcm
import numpy as np
import pydicom
import pytest
from velocity_scan import compress, edit

from ear_jax.formats.dicom import instances, pixels
from ear_jax.formats.dicom.header import Encoding, Rescale
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
  # Which frame of the file each picture is: a segmentation refers to it.
  order = [(s, t) for t in (2, 0, 1) for s in (1, 2, 0)]
  assert [source.frames for _, source in slices] == [tuple(order.index((s, t)) for t in range(3)) for s in range(3)]
  for s, (cine, _) in enumerate(slices):
    assert (cine.spacing, cine.frame_interval, cine.place.thickness) == ((1.25, 1.5), 150.0, 7.0)
    assert cine.place.corner == pytest.approx((8.0 * s + 3) * APEXWARD, abs=1e-5)


def test_phases_in_the_same_file_are_passed_over(tmp_path):
  """Case C3: as Philips exports phase contrast."""
  pictures = [picture(s, t, component=part) for s in range(3) for t in range(3) for part in 'PM']
  enhanced_file.write(tmp_path / 'flow.dcm', pictures)
  (opened,) = open_studies(tmp_path)
  assert values(opened.read()) == [[0, 1, 2], [10, 11, 12], [20, 21, 22]]
  assert opened.notes == ('series 1, 9 pictures skipped: phase pictures without the header of velocity mapping',)


def test_one_file_a_time_without_trigger_times(tmp_path):
  """Case C3: as Siemens exports volumes; the numbers of files order, or temporal positions against them."""
  for t in (2, 0, 1):
    pictures = [picture(s, t) for s in range(3)]
    for one in pictures:
      del one['trigger']
    enhanced_file.write(tmp_path / f'{t}.dcm', pictures, InstanceNumber=1 + t, SOPInstanceUID=f'1.2.{t}')
  (opened,) = open_studies(tmp_path)
  assert values(opened.read()) == [[0, 1, 2], [10, 11, 12], [20, 21, 22]]
  for t in range(3):
    ranked = enhanced_file.group(TemporalPositionIndex=3 - t)
    pictures = [picture(s, t, groups={'FrameContentSequence': ranked}) for s in range(3)]
    for one in pictures:
      del one['trigger']
    enhanced_file.write(tmp_path / f'{t}.dcm', pictures, InstanceNumber=1 + t, SOPInstanceUID=f'1.2.{t}')
  (opened,) = open_studies(tmp_path)
  assert values(opened.read()) == [[2, 1, 0], [12, 11, 10], [22, 21, 20]]


def test_a_legacy_converted_file(tmp_path):
  """Case B22: what was not understood in the conversion keeps its classic tags."""
  pictures = []
  for t in (1, 2, 0):
    kept = {'UnassignedPerFrameConvertedAttributesSequence': enhanced_file.group(TriggerTime=5 + 150 * t)}
    one = picture(0, t, groups=kept)
    del one['trigger']
    pictures.append(one)
  enhanced_file.write(tmp_path / 'cine.dcm', pictures, SOPClassUID='1.2.840.10008.5.1.4.1.1.4.4')
  (opened,) = open_studies(tmp_path)
  ((cine, _),) = opened.read()
  assert values([(cine, None)]) == [[0, 1, 2]]
  assert cine.frame_interval == 150


@pytest.mark.parametrize('syntax', ['JPEG2000Lossless', 'JPEGLSLossless', 'RLELossless'])
def test_compressed_frames(tmp_path, syntax):
  """Case C3: each frame is decoded by itself, and one whose stream says another size is refused."""
  path = tmp_path / 'cine.dcm'
  enhanced_file.write(path, [picture(0, t, pixels=np.full((6, 8), 7 + t)) for t in range(3)])
  compress(path, getattr(gdcm.TransferSyntax, syntax))
  pictures = instances.read(path)
  assert [int(pixels.stored(one)[3, 3]) for one in pictures] == [7, 8, 9]
  if syntax != 'RLELossless':
    edit(path, Rows=12)
    with pytest.raises(instances.Refused, match='the compressed picture has 6 x 8 pixels'):
      pixels.stored(pictures[2])


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


@pytest.mark.skipif('HEADERS_DIR' not in os.environ, reason='needs real headers of enhanced MR')
def test_real_files_are_read_as_what_they_are():
  root = pathlib.Path(os.environ['HEADERS_DIR'])
  (philips,), (siemens,) = (open_studies(root / vendor) for vendor in ('Philips', 'Siemens_XA10'))
  assert philips.notes == ('one picture a slice: this is no cine', 'series 801, 32 pictures skipped: field maps')
  assert len(philips) == 32
  assert siemens.notes == (
    'without trigger times: frames are in the order of temporal positions, the frame interval is unknown (6 times)',
  )
  assert [cine.video.shape for cine in siemens] == [(2, 64, 64, 1)] * 6


@pytest.mark.skipif('SUNNYBROOK_DIR' not in os.environ, reason='SUNNYBROOK_DIR does not name the data')
def test_a_real_cine_is_the_same_in_one_file(tmp_path):
  """Case C3."""
  folder = pathlib.Path(os.environ['SUNNYBROOK_DIR']) / 'cine/images/SC-HF-I-4'
  pictures = []
  for path in sorted(folder.iterdir()):
    (one,) = instances.read(path)
    there = {'corner': one.corner, 'orientation': one.orientation, 'trigger': one.trigger}
    pictures.append({'pixels': pixels.stored(one), **there})
  enhanced_file.write(tmp_path / 'cine.dcm', pictures[::-1])
  (classic,), (enhanced,) = open_studies(folder), open_studies(tmp_path)
  for one, other in zip(classic, enhanced, strict=True):
    assert np.array_equal(one.video, other.video)
    assert (one.frame_interval, one.place.corner) == (other.frame_interval, other.place.corner)
