"""NIfTI: axes and units survive the way out and back, and every broken rule is named."""

import json
import math

import nibabel as nib
import numpy as np
import pytest

from ear_jax.cine import UNKNOWN
from ear_jax.formats import nifti


def _faults(path):
  return [str(fault) for fault in nifti.scan(path, path.parent).faults]


@pytest.mark.parametrize('channels', [1, 4])
def test_round_trip_is_exact(tmp_path, make_cine, channels):
  annotated = np.array([True, False, True])
  cine = make_cine(channels, annotated=annotated, mask=make_cine().mask * annotated[:, None, None].astype(np.uint8))
  path = nifti.write(cine, tmp_path)
  assert nifti.find(sorted(tmp_path.iterdir())) == [path]
  assert nifti.scan(path, tmp_path).names == (('anna-1', 'MID'),)
  assert _faults(path) == []
  (back,) = nifti.read(path)
  for key in ('video', 'mask', 'annotated'):
    np.testing.assert_array_equal(getattr(back, key), getattr(cine, key))
  np.testing.assert_allclose(back.spacing, cine.spacing, rtol=1e-6)
  keys = ('venc', 'frame_interval', 'dataset', 'slice_id', 'level')
  assert [getattr(back, key) for key in keys] == [getattr(cine, key) for key in keys]


def test_unknown_spacing_stays_unknown(tmp_path, make_cine):
  path = nifti.write(make_cine(spacing=(UNKNOWN, UNKNOWN), frame_interval=UNKNOWN), tmp_path)
  (back,) = nifti.read(path)
  assert all(math.isnan(v) for v in (*back.spacing, back.frame_interval))


def test_axes_are_those_of_the_standard_and_time_has_a_unit(tmp_path):
  pixels = np.zeros((10, 12, 2, 3), np.int16)  # column, row, slice, frame
  pixels[4, 5, 1, 2] = 9
  image = nib.Nifti1Image(pixels, np.eye(4))
  image.header.set_zooms((0.9, 0.85, 8.0, 0.2))
  image.header.set_xyzt_units('mm', 'sec')
  nib.save(image, tmp_path / 'ben_stack_video.nii')
  first, second = nifti.read(tmp_path / 'ben_stack_video.nii')
  assert (first.name, second.name, first.venc) == ('ben/stack-00', 'ben/stack-01', None)
  assert second.video.shape == (3, 12, 10, 1)
  assert second.video[2, 5, 4, 0] == 9
  assert first.video.max() == 0
  np.testing.assert_allclose((*second.spacing, second.frame_interval), (0.85, 0.9, 200.0), rtol=1e-6)
  assert not second.annotated.any()


def _save(path, pixels):
  nib.save(nib.Nifti1Image(pixels.astype(np.float32), np.eye(4)), path)


@pytest.fixture
def path(tmp_path, make_cine):
  return nifti.write(make_cine(), tmp_path)


def _edit(path, index, value):
  pixels = nib.load(path).get_fdata()
  pixels[index] = value
  _save(path, pixels)


VIDEO, MASK = 'anna-1_MID_video.nii.gz', 'anna-1_MID_mask.nii.gz'


@pytest.mark.parametrize(
  ('change', 'message'),
  [
    (lambda d: _edit(d / VIDEO, (0, 0, 0, 1, 0), np.nan), f'{VIDEO}, slice MID, frame 1: video holds NaN or infinity'),
    (lambda d: _edit(d / VIDEO, (0, 0, 0, 1, 1), 2048), f'{VIDEO}, slice MID, frame 1: velocity beyond 500 cm/s'),
    (lambda d: _edit(d / MASK, (0, 0, 0, 2), 3), f'{MASK}: mask holds values 1, 3: say which is the myocardium (label'),
    (lambda d: _edit(d / MASK, (0, 0, 0, 2), 0.5), f'{MASK}: mask holds values between whole numbers: resample it by'),
    (lambda d: _edit(d / MASK, (0, 0, 0, 2), np.nan), f'{MASK}: mask holds values between whole numbers'),
    (
      lambda d: _save(d / MASK, np.arange(360).reshape(10, 12, 1, 3)),
      f'{MASK}: mask holds 359 values, from 1 to 359: it is a picture, not a mask',
    ),
    (
      lambda d: _save(d / MASK, np.ones((10, 12, 1))),
      f'{MASK}: mask is of one frame: say which by "annotated" in the JSON file beside the video, such as [0]',
    ),
    (
      lambda d: _save(d / MASK, np.zeros((10, 12, 1, 2))),
      f'{MASK}: mask has shape (10, 12, 1, 2), its video (10, 12, 1, 3) (column, row, slice, frame)',
    ),
    (lambda d: _save(d / VIDEO, np.zeros((10, 12, 1, 3, 2))), f'{VIDEO}: wrong channel count: video has 2, expected'),
    (lambda d: _save(d / VIDEO, np.zeros((10, 12, 3))), f'{VIDEO}: video has shape (10, 12, 3), expected (column, row'),
    (lambda d: (d / 'anna-1_MID_video.json').write_text('{"venc": [1, 2]}'), f'{VIDEO}: venc is [1, 2], expected thre'),
    (
      lambda d: (d / 'anna-1_MID_video.json').write_text('{'),
      f'{VIDEO}: not readable (anna-1_MID_video.json: Expecting',
    ),
    (lambda d: (d / 'anna-1_MID_video.json').write_text('[1]'), f'{VIDEO}: not readable (anna-1_MID_video.json does'),
    (
      lambda d: (d / 'anna-1_MID_video.json').write_text('{"annotated": [0, 3]}'),
      f'{VIDEO}: `annotated` names frame 3, but the video has 3 frames',
    ),
    (lambda d: (d / VIDEO).write_bytes((d / VIDEO).read_bytes()[:-200]), f'{VIDEO}: not readable'),
    (lambda d: (d / VIDEO).write_bytes(b'nonsense'), f'{VIDEO}: not readable'),
  ],
)
def test_a_broken_rule_is_one_sentence(path, change, message):
  change(path.parent)
  (fault,) = _faults(path)
  assert fault.startswith(message)
  assert '\n' not in fault


def test_a_mask_without_video(path):
  files = sorted(path.parent.iterdir())
  assert nifti.find_masks(files) == ([path.with_name(MASK)], [])
  assert nifti.find_masks([file for file in files if file != path]) == ([], [path.with_name(MASK)])


def test_endings_in_capitals(tmp_path, make_cine):  # case B25
  cine = make_cine(venc=(10.0, 11.0, 12.0))
  for path in [nifti.write(cine, tmp_path), *tmp_path.iterdir()]:
    stem, ending = path.name.split('_MID_')
    if path.exists():
      path.rename(path.with_name(f'{stem}_MID_{ending.upper()}'))
  (path,) = nifti.find(sorted(tmp_path.iterdir()))
  assert _faults(path) == []
  (back,) = nifti.read(path)
  np.testing.assert_array_equal(back.mask, cine.mask)
  assert (back.name, back.venc) == ('anna-1/MID', cine.venc)


def test_a_name_without_slice(path):
  _save(path.with_name('anna_video.nii.gz'), np.zeros((4, 4, 1, 1)))
  assert _faults(path.with_name('anna_video.nii.gz')) == [
    'anna_video.nii.gz: name is not <dataset>_<slice>_video.nii.gz'
  ]


def test_a_dataset_whose_id_would_be_cut_is_not_written(tmp_path, make_cine):
  with pytest.raises(ValueError, match='a_b/MID: a dataset written as NIfTI must not have "_"'):
    nifti.write(make_cine(dataset='a_b'), tmp_path)


def test_settings_are_plain_json(path):
  assert json.loads(path.with_name('anna-1_MID_video.json').read_text()) == {
    'level': 'mid',
    'frame_interval': 20.0,
    'venc': [20.0, 20.0, 30.0],
    'annotated': [0, 1, 2],
  }
