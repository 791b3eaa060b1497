"""Cine DICOM as it comes from an archive: the short-axis stack is found among everything else, or a fault says why."""

import math

import gdcm
import pytest
import velocity_scan
from cine_stack import APEXWARD, SHORT_AXIS, Stack
from velocity_scan import edit

from ear_jax.formats.faults import MalformedStudy
from ear_jax.formats.open import open_studies


@pytest.fixture
def stack(tmp_path, write_dicom):
  return Stack(tmp_path / 'export', write_dicom)


def read(folder):
  (opened,) = open_studies(folder)
  return opened, list(opened.read())


def values(slices):
  return [cine.video[:, 0, 0, 0].astype(int).tolist() for cine, _ in slices]


WHOLE = [[0, 1, 2, 3], [10, 11, 12, 13], [20, 21, 22, 23]]


def test_files_without_ending_in_nested_folders(stack):
  opened, slices = read(stack.folder)
  assert values(slices) == WHOLE
  assert (opened.slices, opened.notes) == (('slice-00', 'slice-01', 'slice-02'), ())
  for s, (cine, source) in enumerate(slices):
    assert cine.video.shape == (4, 6, 8, 1)
    assert (cine.venc, cine.spacing, cine.frame_interval) == (None, (1.25, 1.5), 150.0)
    assert source.instances == tuple(stack.file(s, t) for t in range(4))
    assert source.position == pytest.approx(8.0 * s + 3, abs=1e-3)
    assert source.orientation == pytest.approx(SHORT_AXIS)


def test_slices_run_from_base_to_apex_against_the_normal(stack):
  for s in range(3):
    for path in stack.files(s):  # exchanging the axes turns the normal
      edit(path, ImageOrientationPatient=[*SHORT_AXIS[3:], *SHORT_AXIS[:3]])
  assert values(read(stack.folder)[1]) == WHOLE


def test_other_series_are_passed_over(stack):
  for t in range(3):
    axial = {'ImageOrientationPatient': [1, 0, 0, 0, 1, 0], 'SeriesInstanceUID': '7', 'SeriesNumber': 7}
    stack.add(f'localiser{t}', 0, t, **axial)
    large = {'SeriesInstanceUID': '8', 'SeriesNumber': 8, 'Rows': 3, 'Columns': 16}
    stack.add(f'large{t}', 1, t, **large)
  for t in range(4):
    flow = {'SeriesInstanceUID': '11', 'SeriesNumber': 11, 'ImageType': ['ORIGINAL', 'PRIMARY', 'P', 'ND']}
    stack.add(f'flow{t}', 1, t, **flow)
  for s in range(3):
    stack.add('late', s, 0, SeriesInstanceUID='9', SeriesNumber=9)
  stack.add('report', 0, 0, SOPClassUID='1.2.840.10008.5.1.4.1.1.88.11', Modality='SR')
  (stack.folder / 'DICOMDIR.txt').write_text('no picture')
  opened, slices = read(stack.folder)
  assert values(slices) == WHOLE
  assert opened.notes == (
    'series 7 skipped: another orientation (cosine to the long axis of the heart 0.56, of the stack 1.00)',
    'series 9 skipped: one picture a slice, no cine',
    'series 8 skipped: another size (3 x 16), at a place of the stack (6 x 8)',
    'series 11 skipped: phase pictures without the header of velocity mapping',
    '1 file skipped: DICOM, but no MR picture (Basic Text SR Storage)',
    '1 file skipped: not DICOM',
  )


def test_two_patients_are_two_studies(stack):
  for s in range(3):
    for t in range(4):
      other = {'StudyInstanceUID': '9.9', 'SeriesInstanceUID': f'9.9.{s}', 'PatientID': 'other'}
      stack.add(f'other{t}', s, t, **other)
  studies = open_studies(stack.folder)
  assert len({study.dataset for study in studies}) == 2
  assert all(values(study.read()) == WHOLE for study in studies)


def test_without_trigger_times_instance_numbers_order(stack):
  edit(stack.file(1, 2), TriggerTime=None)
  opened, slices = read(stack.folder)
  assert values(slices) == WHOLE
  assert math.isnan(slices[1][0].frame_interval)
  assert slices[0][0].frame_interval == 150
  assert any('without trigger times' in note for note in opened.notes)


@pytest.mark.parametrize('number', [lambda s, t: 1, lambda s, t: 20 - t, lambda s, t: (7 * (4 * s + t)) % 13])
def test_trigger_times_order_where_instance_numbers_do_not_rise(stack, number):
  """Case B3."""
  files = {(s, t): stack.file(s, t) for s in range(3) for t in range(4)}
  for (s, t), path in files.items():
    edit(path, InstanceNumber=number(s, t))
  opened, slices = read(stack.folder)
  assert values(slices) == WHOLE
  assert slices[0][0].frame_interval == 150
  assert opened.notes == (
    'instance numbers do not rise with trigger times: frames are in the order of trigger times (3 times)',
  )


def test_without_image_positions_slice_locations_order(stack):
  for s in range(3):
    for path in stack.files(s):
      edit(path, ImagePositionPatient=None, SliceLocation=-8.0 * s)
  opened, slices = read(stack.folder)
  assert values(slices) == WHOLE[::-1]
  assert [source.position for _, source in slices] == [-16, -8, 0]
  assert opened.notes == (
    'without image positions: slices are in the order of SliceLocation',
    'which end of the stack is the base is not known: slices are in the order of their position',
  )


def test_without_any_position_each_series_is_a_slice(stack):
  stack.edit(ImagePositionPatient=None, ImageOrientationPatient=None)
  opened, slices = read(stack.folder)
  assert values(slices) == WHOLE
  assert all(math.isnan(source.position) for _, source in slices)
  assert opened.notes[0] == (
    'without slice positions: each series is taken as one slice, in the order of series numbers'
  )


@pytest.mark.parametrize('syntax', ['JPEG2000Lossless', 'JPEGLosslessProcess14_1', 'RLELossless'])
def test_compressed_pixels(stack, syntax):
  for path in stack.files(1):
    velocity_scan.compress(path, getattr(gdcm.TransferSyntax, syntax))
  assert values(read(stack.folder)[1]) == WHOLE


def without_position(stack):
  edit(stack.file(0, 1), ImagePositionPatient=None)


def two_scans_of_a_slice(stack):
  for t in range(4):
    stack.add(f'again{t}', 1, t, SeriesInstanceUID='7', SeriesNumber=7)


DAMAGES = {
  'missing frame': (lambda k: [k.file(s, 2).unlink() for s in range(3)], 'missing frame: 300.0 ms to the next one'),
  'short slice': (lambda k: k.file(1, 3).unlink(), 'slice 1: 3 frames, the other slices have 4'),
  'missing slice': (
    lambda k: [edit(p, ImagePositionPatient=list(35 * APEXWARD)) for p in k.files(2)],
    'slice 1: missing slice: 24.0 mm to slice 2, the usual step is 8.0 mm',
  ),
  'two scans of a slice': (
    two_scans_of_a_slice,
    'slice 1: 2 series (2, 7) hold pictures of this place',
  ),
  'the same time twice': (lambda k: edit(k.file(0, 1), TriggerTime=5), 'trigger times must increase'),
  'the same picture twice': (
    lambda k: k.file(0, 1).with_name('x').write_bytes(k.file(0, 1).read_bytes()),
    'duplicated',
  ),
  'no position in one file': (without_position, 'header lacks ImagePositionPatient'),
  'orientation of one file': (
    lambda k: edit(k.file(0, 1), ImageOrientationPatient=[1, 0, 0, 0, 1, 0]),
    'ImageOrientationPatient differs',
  ),
  'orientation of nonsense': (lambda k: k.edit(ImageOrientationPatient=[1] * 6), 'not two perpendicular unit vectors'),
  'size of one file': (lambda k: edit(k.file(0, 1), Rows=3, Columns=16), 'picture has shape (3, 16), frame 0'),
  'no size': (lambda k: edit(k.file(0, 1), Rows=None), 'header lacks Rows'),
  'spacing 0': (lambda k: k.edit(PixelSpacing=[0, 1]), 'pixel spacing is 0, 1 mm, expected positive numbers'),
  'spacing of nonsense': (lambda k: edit(k.file(0, 1), PixelSpacing=[1, 2, 3]), 'pixel spacing is not two numbers'),
  'colour': (lambda k: edit(k.file(0, 1), SamplesPerPixel=3), 'wrong channel count: 3 samples a pixel, expected 1'),
  'inverted': (lambda k: edit(k.file(0, 1), PhotometricInterpretation='MONOCHROME1'), 'picture is MONOCHROME1'),
  'many frames a file': (lambda k: edit(k.file(0, 1), NumberOfFrames=5), 'file holds 5 frames, expected one file a'),
  'negative': (lambda k: edit(k.file(0, 1), RescaleIntercept=-99, RescaleSlope=1), 'magnitude is negative'),
  'truncated': (lambda k: k.file(0, 1).write_bytes(k.file(0, 1).read_bytes()[:-30]), 'pixels are not readable'),
  'two patients': (lambda k: edit(k.file(0, 1), PatientName='Other'), '2 different patients in one study'),
  'not MR at all': (
    lambda k: k.edit(Modality='CT'),
    '12 files skipped: DICOM, but no MR',
  ),
  'phase pictures': (
    lambda k: k.edit(ImageType=['ORIGINAL', 'PRIMARY', 'P']),
    'no magnitude pictures, only phase pictures without the header of velo',
  ),
}


@pytest.mark.parametrize('name', DAMAGES)
def test_a_damaged_study_is_refused_with_a_sentence(stack, name):
  damage, words = DAMAGES[name]
  damage(stack)
  with pytest.raises(MalformedStudy) as error:
    open_studies(stack.folder)
  assert words in str(error.value)
  assert not any('SECRET' in fault.rule for fault in error.value.faults)
