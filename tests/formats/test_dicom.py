"""Cine DICOM: order from the headers whatever the names, nothing of the patient, and every broken rule named."""

import dataclasses
import math

import numpy as np
import pytest

from ear_jax.formats.dicom import magnitude as dicom
from ear_jax.formats.dicom import pixels


@pytest.fixture
def study(tmp_path, write_dicom):
  """Four slices of three frames; names in no useful order, pixel value 10 * slice + frame."""
  folder = tmp_path / 'ben'
  names = iter(np.random.default_rng(1).permutation(12))
  for s in (2, 0, 3, 1):
    for t in (1, 2, 0):
      path, pixels = folder / f'{next(names):02d}.dcm', np.full((6, 8), 10 * s + t)
      write_dicom(path, pixels, position=8.0 * s, trigger=5.0 + 150 * t, instance=1 + 3 * s + t)
  return folder


def _faults(study):
  return [str(fault) for fault in dicom.scan(study, study.parent).faults]


def _file(study, s, t):
  """Returns the path of the frame with pixel value 10 s + t."""
  frames = [f for one in dicom.arrange(study, study)[0] for f in one.pictures]
  return next(f.path for f in frames if pixels.magnitude(f)[0][0, 0] == 10 * s + t)


def test_frames_are_ordered_by_position_and_trigger_time(study):
  assert dicom.find(study.parent) == [study]
  assert _faults(study) == []
  cines = list(dicom.read(study, {'ben': 'person-2'}))
  assert [cine.name for cine in cines] == [f'ben/slice-{s:02d}' for s in range(4)]
  for s, cine in enumerate(cines):
    np.testing.assert_array_equal(cine.video[:, 0, 0, 0], 10 * s + np.arange(3))
    assert cine.video.shape == (3, 6, 8, 1)
    assert (cine.spacing, cine.frame_interval, cine.subject) == ((1.25, 1.5), 150.0, 'person-2')
    assert not cine.annotated.any()


def test_nothing_of_the_patient_comes_out(study):
  for cine in dicom.read(study):
    stated = {f.name: getattr(cine, f.name) for f in dataclasses.fields(cine)}
    assert 'SECRET' not in str(stated)
    assert '2020' not in str([v for v in stated.values() if isinstance(v, str)])


def test_without_trigger_times_the_instance_number_orders(tmp_path, write_dicom):
  for t, name in enumerate('cab'):
    write_dicom(tmp_path / f'{name}.dcm', np.full((6, 8), t), instance=1 + t)
  (cine,) = dicom.read(tmp_path)
  np.testing.assert_array_equal(cine.video[:, 0, 0, 0], [0, 1, 2])
  assert math.isnan(cine.frame_interval)


def test_a_missing_frame(study):
  path = _file(study, 2, 1)
  path.unlink()
  (fault,) = _faults(study)
  assert fault.startswith('ben, slice 2: 2 frames, the other slices have 3: export the slice again, or --gaps=accept')


@pytest.mark.parametrize(('count', 'lost'), [(5, 1), (5, 3), (4, 2)])
def test_a_gap_between_slices_is_a_missing_slice(tmp_path, write_dicom, count, lost):
  for s in set(range(count)) - {lost}:
    write_dicom(tmp_path / 'ben' / f'{s}.dcm', np.ones((6, 8)), position=8.0 * s, trigger=1.0)
  (fault,) = _faults(tmp_path / 'ben')
  rule = f'ben, slice {lost - 1}: missing slice: 16.0 mm to slice {lost}, the usual step is 8.0 mm'
  assert fault == f'{rule}; export it too, or --gaps=accept takes what is there'


@pytest.mark.parametrize(
  ('changes', 'message'),
  [
    ({'trigger': 155.0}, 'trigger time 155 ms is that of another picture too: trigger times must increase'),
    ({'pixels': np.ones((6, 7))}, 'picture has shape (6, 7), frame 0 of the slice (6, 8)'),
    ({'RescaleSlope': 1, 'RescaleIntercept': -500}, 'magnitude is negative'),
  ],
)
def test_a_frame_that_does_not_fit(study, write_dicom, changes, message):
  path = _file(study, 0, 2)
  fields = {'pixels': np.full((6, 8), 2), 'position': 0.0, 'trigger': 305.0, 'instance': 3} | changes
  path.unlink()
  late = path.with_name('zz.dcm')  # last by name too, so that equal trigger times keep their order
  write_dicom(late, fields.pop('pixels'), **fields)
  (fault,) = _faults(study)
  assert fault.startswith(f'ben/zz.dcm, slice 0, frame 2: {message}')


@pytest.mark.parametrize(
  ('tags', 'message'),
  [
    ({'ImagePositionPatient': None}, 'header lacks ImagePositionPatient'),
    ({'NumberOfFrames': 2}, 'file holds 2 frames, expected one file a frame'),
    ({'PixelSpacing': [0, 1]}, 'pixel spacing is 0, 1 mm, expected positive numbers, from 0.05 to 20'),
    (
      {'PixelSpacing': [1e-30, 65536]},
      'pixel spacing is 1e-30, 65536 mm, expected positive numbers, from 0.05 to 20',
    ),
    ({'SamplesPerPixel': 3}, 'wrong channel count: 3 samples a pixel, expected 1'),
  ],
)
def test_a_file_that_is_no_single_frame_cine_image(tmp_path, write_dicom, tags, message):
  write_dicom(tmp_path / 'ben/0.dcm', np.ones((6, 8)), trigger=1.0, instance=1)
  write_dicom(tmp_path / 'ben/1.dcm', np.ones((6, 8)), trigger=2.0, instance=2, **tags)
  assert _faults(tmp_path / 'ben') == [f'ben/1.dcm, frame 0: not a single-frame cine image: {message}']


def test_several_faults_are_listed_at_once(study):
  _file(study, 1, 0).write_bytes(b'nonsense')
  path = _file(study, 3, 2)
  path.write_bytes(path.read_bytes()[:-40])
  faults = _faults(study)
  assert len(faults) == 3  # the unreadable file, the slice that lacks its frame, and the cut pixels
  assert any('not a single-frame cine image' in fault for fault in faults)
  assert any('2 frames, the other slices have 3' in fault for fault in faults)
  assert any(f'{path.name}, slice 3, frame 2: pixels are not readable' in fault for fault in faults)


def test_velocity_data_sets_do_not_take_magnitude_only(study):
  (fault,) = dicom.scan(study, study.parent, channels=4).faults
  assert str(fault) == 'ben: wrong channel count: video has 1, expected 4 (magnitude and three velocities)'
