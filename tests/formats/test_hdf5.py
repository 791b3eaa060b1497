"""The authors' HDF5 layout: 12-bit phases come back exactly, and every broken rule is named."""

import math

import h5py
import numpy as np
import pytest

from ear_jax.cine import Study
from ear_jax.formats import hdf5


@pytest.fixture
def path(tmp_path, make_cine):
  cine = make_cine()
  path = tmp_path / 'anna-1.h5'
  hdf5.write(Study('anna', 'anna-1', (cine, cine.replace(slice_id='BASE', level='base'))), path)
  return path


def _faults(path):
  return [str(fault) for fault in hdf5.scan(path, path.parent).faults]


def test_round_trip_is_exact_for_12_bit_data(path, make_cine):
  base, mid = hdf5.read(path)
  cine = make_cine()
  np.testing.assert_allclose(mid.video, cine.video, rtol=0, atol=2e-6)  # float32 rounding of a few cm/s
  np.testing.assert_array_equal(mid.mask, cine.mask)
  assert (mid.name, mid.subject, mid.level, mid.venc) == ('anna-1/MID', 'anna-1', 'mid', (20, 20, 30))
  assert (mid.spacing, mid.frame_interval, mid.annotated.all()) == ((0.85, 0.9), 20.0, True)
  assert (base.name, base.level) == ('anna-1/BASE', 'base')


def test_sparse_annotation_comes_back(tmp_path, make_cine):
  annotated = np.array([False, True, False])
  cine = make_cine(annotated=annotated, mask=make_cine().mask * annotated[:, None, None].astype(np.uint8))
  hdf5.write(Study('anna', 'anna-1', (cine,)), tmp_path / 'anna-1.h5')
  (back,) = hdf5.read(tmp_path / 'anna-1.h5')
  np.testing.assert_array_equal(back.annotated, annotated)


def test_bare_layout_of_the_authors_gets_the_documented_defaults(tmp_path):
  image = np.zeros((2, 4, 4, 4), np.float64)
  image[..., 1:] = 2048
  image[0, 0, 0] = [7, 4095, 0, 3072]  # (4095 - 2048) / 2048 * 20, -20, and half of 30 cm/s
  label = np.zeros((2, 4, 4))
  label[1, 2, 2] = 1.0
  with h5py.File(tmp_path / 'scan3.h5', 'w') as h5:
    h5['MID/image'], h5['MID/label'] = image, label
  (cine,) = hdf5.read(tmp_path / 'scan3.h5')
  np.testing.assert_allclose(cine.video[0, 0, 0], [7, 19.990234375, -20, 15])
  np.testing.assert_array_equal(cine.video[1, ..., 1:], 0)
  np.testing.assert_array_equal(cine.annotated, [False, True])  # an empty label is no reference
  assert (cine.venc, cine.spacing, cine.subject) == ((20, 20, 30), (0.85, 0.85), 'scan3')
  assert math.isnan(cine.frame_interval)


def test_file_attributes_hold_for_every_slice_and_group_attributes_win(path):
  with h5py.File(path, 'a') as h5:
    h5.attrs['signs'] = (-1, 1, 1)
    h5['MID'].attrs['venc'] = (40.0, 20.0, 30.0)
    before = h5['MID/image'][..., 1]
    h5['MID/trigger_time'] = [0.0, 25.0, 50.0]
  _, mid = hdf5.read(path)
  np.testing.assert_allclose(mid.video[..., 1], -(before.astype(float) - 2048) / 2048 * 40, atol=1e-5)
  assert mid.frame_interval == 25.0


def _set(key, index, value):
  def change(h5):
    data = h5[key][()].astype(np.float64)
    data[index] = value
    del h5[key]
    h5[key] = data

  return change


def _replace(key, value):
  def change(h5):
    if key in h5:
      del h5[key]
    h5[key] = value

  return change


@pytest.mark.parametrize(
  ('change', 'message'),
  [
    (_set('MID/image', (1, 0, 0, 2), np.nan), 'slice MID, frame 1: video holds NaN or infinity: export'),
    (_set('MID/image', (2, 0, 0, 1), 5000), 'slice MID, frame 2: phase lies outside 0..4095: expected 12-bit pixels'),
    (
      _set('MID/image', (..., slice(1, 4)), 0.5),
      'slice MID: phase 1 of 3 nowhere reaches 2048, zero velocity (its largest pixel is 0.5): expected 12-bit',
    ),
    (
      _set('MID/image', (..., slice(1, 4)), 128),
      'slice MID: phase 1 of 3 nowhere reaches 2048, zero velocity (its largest pixel is 128)',
    ),
    (_set('MID/image', (0, 0, 0, 0), -1), 'slice MID, frame 0: magnitude is negative'),
    (_set('MID/label', (2, 0, 0), 0.5), 'slice MID, frame 2: mask holds values other than 0 and 1'),
    (_set('MID/label', (2, 0, 0), np.nan), 'slice MID, frame 2: mask holds values other than 0 and 1'),
    (_replace('MID/label', np.zeros((3, 12, 9))), 'slice MID: mask has shape (3, 12, 9), its video (3, 12, 10)'),
    (_replace('MID/image', np.zeros((3, 12, 10, 3))), 'slice MID: wrong channel count: video has 3, expected 4'),
    (_replace('MID/image', np.zeros((3, 12, 10))), 'slice MID: image has shape (3, 12, 10), expected (frame, row'),
    (_replace('MID/trigger_time', [0.0, 40.0, 20.0]), 'slice MID, frame 2: trigger time 20 ms does not follow 40 ms'),
    (_replace('MID/annotated', [True]), 'slice MID: annotated has shape (1,), the video has 3 frames'),
    (_set('MID/image', (..., 3), 300), 'slice MID: phase 3 of 3 nowhere reaches 2048, zero velocity (its largest'),
    (_set('MID/image', (..., 0), 0), 'slice MID: the magnitude is 0 in all pixels of all frames: export it again'),
    (_replace('MID/annotated', [0, 7, 2]), 'slice MID: annotated holds other values than 0 and 1, a flag a frame'),
    (lambda h5: h5['MID'].attrs.update(venc=(0.2, 0.2, 0.3)), 'slice MID: venc is [0.2, 0.2, 0.3], expected three'),
    (lambda h5: h5['MID'].attrs.update(frame_interval=0.02), 'slice MID: frame_interval is 0.02, expected a positive'),
    (lambda h5: h5['MID'].attrs.update(frame_interval=True), 'slice MID: frame_interval is something else, expected'),
    (lambda h5: h5.pop('MID/image'), 'slice MID: missing slice: no data set `image` in this group'),
    (lambda h5: h5['MID'].attrs.update(venc=(20, 0, 30)), 'slice MID: venc is [20, 0, 30], expected three positive'),
    (lambda h5: h5['MID'].attrs.update(spacing=(0.0, 1.0)), 'slice MID: spacing is [0.0, 1.0], expected two positive'),
    (lambda h5: h5['MID'].attrs.update(signs=(1, 2, 1)), 'slice MID: signs is [1, 2, 1], expected three of +1 or -1'),
  ],
)
def test_a_broken_rule_is_one_sentence(path, change, message):
  assert _faults(path) == []
  with h5py.File(path, 'a') as h5:
    change(h5)
  (fault,) = _faults(path)
  assert fault.startswith(f'anna-1.h5, {message}')


@pytest.mark.parametrize('stated', ['attribute', 'trigger times'])
def test_an_interval_that_no_heart_has_is_unknown(tmp_path, make_cine, stated):
  """Case A3, of this format: a repetition time, or seconds, in place of the frame interval."""
  for interval in (3.745, 40.0):
    path = tmp_path / f'{interval}.h5'
    hdf5.write(Study('anna', 'anna-1', (make_cine(frames=20, frame_interval=interval),)), path)
    if stated == 'trigger times':
      with h5py.File(path, 'a') as h5:
        h5['MID'].attrs['frame_interval'] = math.nan
        h5['MID/trigger_time'] = interval * np.arange(20)
  (cine,), (sound,) = (hdf5.read(tmp_path / f'{interval}.h5') for interval in (3.745, 40.0))
  assert math.isnan(cine.frame_interval)
  assert sound.frame_interval == pytest.approx(40)
  (note,) = hdf5.scan(tmp_path / '3.745.h5', tmp_path).notes
  assert note.startswith('20 frames of 3.745 ms are 74.9 ms, and a heartbeat lasts 300 to 2000 ms')
  assert hdf5.scan(path, tmp_path).notes == ()


def test_slices_without_levels_are_ordered_as_people_count(path):
  with h5py.File(path, 'a') as h5:
    for name in ('10', '9', '1'):
      h5.copy('MID', name)
      h5[name].attrs['level'] = ''
  assert hdf5.from_base(path) == ('BASE', 'MID', '1', '9', '10')


def test_trigger_times_go_before_the_attribute_and_both_are_said(path):
  with h5py.File(path, 'a') as h5:
    h5['MID/trigger_time'] = [0.0, 40.0, 80.0]
  assert hdf5.scan(path, path.parent).notes == (
    'trigger times are 40 ms apart, and the attribute says 20 ms: the times are believed',
  )


def test_half_precision_is_read_without_a_warning(tmp_path, make_cine):
  with h5py.File(tmp_path / 'x.h5', 'w') as h5:
    h5['MID/image'] = np.full((2, 4, 4, 4), 2048, np.float16)
  assert _faults(tmp_path / 'x.h5') == []


def test_contours_under_another_ending_are_called_so(tmp_path):
  with h5py.File(tmp_path / 'x.h5', 'w') as h5:
    h5['segments/segments'], h5['centroid/centroid'] = [0], [0]
  assert _faults(tmp_path / 'x.h5') == ['x.h5: contours of StrainMap: give the file the ending .nc']


def test_a_file_that_is_no_hdf5(tmp_path):
  (tmp_path / 'x.h5').write_bytes(b'nonsense')
  (fault,) = _faults(tmp_path / 'x.h5')
  assert fault.startswith('x.h5: not a readable HDF5 file')


def test_raw_data_are_called_so(tmp_path):  # case C6
  with h5py.File(tmp_path / 'x.h5', 'w') as h5:
    h5['dataset/xml'], h5['dataset/data'] = ['<ismrmrdHeader/>'], [0]
  assert _faults(tmp_path / 'x.h5') == ['x.h5, slice dataset: raw data (ISMRMRD), no pictures: reconstruct them first']


def test_a_file_without_slices(tmp_path):
  h5py.File(tmp_path / 'x.h5', 'w').close()
  assert _faults(tmp_path / 'x.h5') == ['x.h5: no slice in this file: expected one group a slice']


def test_a_cine_without_velocity_has_no_place_in_the_layout(tmp_path, make_cine):
  with pytest.raises(ValueError, match='anna-1/MID has no velocity channels; write it as NIfTI'):
    hdf5.write(Study('anna', 'anna-1', (make_cine(channels=1),)), tmp_path / 'anna-1.h5')
