"""NIfTI as other programs leave it: read as what it is, or refused by a true sentence that names the right file."""

import gzip
import json
import math
import struct

import nibabel as nib
import numpy as np
import pytest

from ear_jax.cine import Place
from ear_jax.formats import nifti
from ear_jax.formats.faults import MalformedStudy
from ear_jax.formats.open import open_studies

VIDEO, MASK, BESIDE = (f'anna-1_MID_{name}' for name in ('video.nii.gz', 'mask.nii.gz', 'video.json'))


@pytest.fixture
def folder(tmp_path, make_cine):
  """One cine of 12 frames of 40 ms with its mask, in a known place; its JSON file states the level alone."""
  place = Place((1.0, 2.0, 3.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), 8.0)
  nifti.write(make_cine(channels=1, frames=12, frame_interval=40.0, place=place), tmp_path)
  (tmp_path / BESIDE).write_text('{"level": "mid"}')
  return tmp_path


def refused(folder):
  with pytest.raises(MalformedStudy) as error:
    open_studies(folder)
  (fault,) = error.value.faults
  return str(fault)


def header(path, place, value):
  data = bytearray(gzip.decompress(path.read_bytes()))
  data[place : place + len(value)] = value
  path.write_bytes(gzip.compress(bytes(data)))


@pytest.mark.parametrize(
  ('change', 'words'),
  [
    (lambda d: (d / VIDEO).write_bytes(gzip.decompress((d / VIDEO).read_bytes())), 'it is not gzipped, and its name'),
    (
      lambda d: (d / VIDEO).rename(d / VIDEO.removesuffix('.gz')),
      'it is gzipped, and its name says otherwise: name it',
    ),
    (lambda d: (d / VIDEO).write_bytes(b''), 'the file is empty'),
    (lambda d: header(d / VIDEO, 123, b'\xff'), 'its units have code 255, which NIfTI does not know'),
    (lambda d: header(d / VIDEO, 80, struct.pack('<3f', 0, 0, 0)), 'spacing is [0.0, 0.0], expected two positive'),
    (lambda d: (d / BESIDE).write_text('{"frame_interval": 40,}'), f'not readable ({BESIDE}: '),
    (lambda d: (d / BESIDE).write_text('{"frame_intervall": 40}'), "'frame_intervall': is 'frame_interval' meant?"),
    (
      lambda d: (d / BESIDE).write_text('{"frame_interval": 0.04}'),
      'frame_interval is 0.04, expected a positive number',
    ),
    (lambda d: (d / BESIDE).write_text('{"frame_interval": true}'), 'frame_interval is something else'),
    (lambda d: (d / BESIDE).write_text('{"spacing": "1.2"}'), 'spacing is something else'),
  ],
)
def test_what_cannot_be_right_is_refused(folder, change, words):
  change(folder)
  assert words in refused(folder)


@pytest.mark.parametrize(
  ('factor', 'words'),
  [
    (0.01, '): expected cm/s; is it in m/s?'),
    (5, 'cm/s, and venc is not stated (without, 20, 20, 30 cm/s is taken): state it'),
  ],
)
def test_velocities_in_another_unit_or_beyond_a_venc_that_nobody_states_are_refused(tmp_path, make_cine, factor, words):
  cine = make_cine()
  path = nifti.write(cine, tmp_path)
  (tmp_path / BESIDE).unlink()
  assert nifti.scan(path, tmp_path).faults == ()
  video = cine.video.copy()
  video[..., 1:] *= factor
  nifti.write(cine.replace(video=video, venc=(150.0,) * 3), tmp_path)
  assert factor < 1 or nifti.scan(path, tmp_path).faults == (), 'with its venc it is sound'
  (tmp_path / BESIDE).unlink()
  assert words in refused(tmp_path)


@pytest.mark.parametrize(
  ('stated', 'interval', 'spacing'),
  [
    ('\ufeff{"frame_interval": 50.8}'.encode(), 50.8, (0.85, 0.9)),
    ('{"frame_interval": 50.8}'.encode('utf-16'), 50.8, (0.85, 0.9)),
    (b'{"spacing": [1.2, 1.3]}', 40.0, (1.2, 1.3)),
    (b'{"spacing": null, "frame_interval": null, "level": null}', 40.0, (math.nan, math.nan)),
    (
      json.dumps({'RepetitionTime': 0.05, 'Manufacturer': 'Siemens', 'TriggerDelayTime': 3}).encode(),
      40.0,
      (0.85, 0.9),
    ),
  ],
)
def test_a_sidecar_of_another_program_is_read(folder, stated, interval, spacing):
  (folder / BESIDE).write_bytes(stated)
  (study,) = open_studies(folder)
  assert study[0].frame_interval == pytest.approx(interval)
  assert study[0].spacing == pytest.approx(spacing, nan_ok=True)


def test_a_fourth_axis_that_is_no_time_is_said(folder):
  header(folder / VIDEO, 123, bytes([2 + 32]))  # mm, Hz
  (study,) = open_studies(folder)
  assert math.isnan(study[0].frame_interval)
  assert any(note.startswith('its fourth axis is in hz') for note in study.notes)


def test_what_nibabel_mends_is_not_on_the_terminal(folder, capfd):
  header(folder / VIDEO, 80, struct.pack('<3f', -0.9, -0.85, -8))
  (study,) = open_studies(folder)
  assert study[0].spacing == pytest.approx((0.85, 0.9))
  assert capfd.readouterr() == ('', '')


def test_a_black_cine_is_refused(folder, make_cine):
  nifti.write(make_cine(channels=1, video=np.zeros((3, 12, 10, 1), np.float32)), folder)
  assert 'the magnitude is 0 in all pixels of all frames' in refused(folder)


@pytest.mark.parametrize('spelled', ['anna-1_MID_Mask.nii.gz', 'anna-1_MID_MASK.NII.GZ'])
def test_a_mask_in_other_letters_is_the_mask(folder, spelled):
  whole = open_studies(folder)[0][0].mask
  (folder / MASK).rename(folder / spelled)
  np.testing.assert_array_equal(open_studies(folder)[0][0].mask, whole)


def test_a_mask_under_another_name_is_said_to_be_passed_over_and_is_no_cine(folder):
  (folder / MASK).rename(folder / 'anna-1_MID_seg.nii.gz')
  (study,) = open_studies(folder)
  assert not study[0].annotated.any()
  (note,) = [note for note in study.notes if 'NIfTI' in note]
  assert note.startswith('1 NIfTI file skipped: a video is called <dataset>_<slice>_video')


@pytest.mark.parametrize('names', [('run-1_sax', 'run-2_sax'), ('part-mag_sax', 'part-phase_sax')])
def test_repeats_of_a_slice_are_no_slices_of_a_stack(folder, make_cine, names):
  """As case A12: two runs of BIDS became two slices of one study, and so did its magnitude and phase."""
  (folder / MASK).unlink()
  for name in names:
    (folder / f'sub-01_{name}_video.nii.gz').write_bytes((folder / VIDEO).read_bytes())
  (folder / VIDEO).unlink()
  assert f'slices {names[0]} and {names[1]} lie at the same place: keep one' in refused(folder)


def test_files_are_ordered_as_people_count(folder):
  for number in (10, 9, 1):
    (folder / f'ben_slice-{number}_video.nii.gz').write_bytes((folder / VIDEO).read_bytes())
    image = nib.load(folder / f'ben_slice-{number}_video.nii.gz')
    image.affine[2, 3] += 8 * number
    nib.save(
      nib.Nifti1Image(image.get_fdata(dtype=np.float32), image.affine), folder / f'ben_slice-{number}_video.nii.gz'
    )
  (study,) = [study for study in open_studies(folder) if study.dataset == 'ben']
  assert study.slices == ('slice-1', 'slice-9', 'slice-10')
