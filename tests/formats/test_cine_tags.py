"""Cine DICOM whose tags lie, move, repeat or contradict each other: read right, refused by the true reason, or said."""

import math

import numpy as np
import pydicom
import pytest
from cine_stack import APEXWARD, SHORT_AXIS, Stack
from velocity_scan import edit

from ear_jax.formats.choices import Choices
from ear_jax.formats.faults import MalformedStudy
from ear_jax.formats.open import open_studies

ACROSS = np.array(SHORT_AXIS[:3])


@pytest.fixture
def stack(tmp_path, write_dicom):
  return Stack(tmp_path / 'export', write_dicom)


def read(folder, **choices):
  (opened,) = open_studies(folder, Choices(**choices))
  return opened, list(opened.read())


def sound(stack, **choices):
  """Returns the notes of a stack whose slices and frames are all in their places."""
  opened, slices = read(stack.folder, **choices)
  assert [cine.video[:, 0, 0, 0].tolist() for cine, _ in slices] == stack.whole()
  return opened.notes


def refused(stack, count, **choices):
  with pytest.raises(MalformedStudy) as error:
    open_studies(stack.folder, Choices(**choices))
  assert len(error.value.faults) == count
  return str(error.value.faults[0])


def test_decimal_commas_are_read(stack):
  """As programs write them where numbers have a comma."""
  before = [repr((cine.spacing, cine.place)) for cine, _ in read(stack.folder)[1]]  # a thickness of NaN equals none
  for s in range(3):
    for path in stack.files(s):
      image = pydicom.dcmread(path)
      whole = path.read_bytes()
      for tag in ('PixelSpacing', 'ImagePositionPatient', 'ImageOrientationPatient'):
        words = '\\'.join(map(str, image[tag].value)).encode()
        assert whole.count(words) == 1
        whole = whole.replace(words, words.replace(b'.', b','))
      path.write_bytes(whole)
  assert sound(stack) == ()
  assert [repr((cine.spacing, cine.place)) for cine, _ in read(stack.folder)[1]] == before


def test_what_cannot_be_understood_is_said(stack):
  stack.edit(TriggerTime=lambda s, t: [150.0 * t, 5.0], RescaleSlope=0)
  assert sound(stack)[-1] == (
    'not understood, and taken as missing: RescaleSlope (in 12 of 12 pictures), TriggerTime (in 12 of 12 pictures)'
  )


def test_directions_rounded_to_two_digits_are_directions(stack):
  """Their lengths are not quite 1, which once read as another orientation in every frame."""
  stack.edit(ImageOrientationPatient=[round(x, 2) for x in SHORT_AXIS])
  assert sound(stack) == ()
  for cine, source in read(stack.folder)[1]:
    assert np.linalg.norm(cine.place.across) == pytest.approx(1, abs=1e-9)
    assert source.orientation == pytest.approx(SHORT_AXIS, abs=0.01)


@pytest.mark.parametrize('frames', [[2], [2, 3]])
def test_frames_that_lie_beside_the_others_are_not_of_the_slice(stack, frames):
  for t in frames:
    edit(stack.file(1, t), ImagePositionPatient=list(11 * APEXWARD + 10 * ACROSS))
  assert 'ImagePositionPatient lies 10.0 mm beside that of frame 0 of the slice' in refused(stack, 1)
  for t in frames:  # as scanners that follow the heart move it
    edit(stack.file(1, t), ImagePositionPatient=list(11 * APEXWARD + 2 * ACROSS))
  assert sound(stack) == ()


def test_one_uid_for_all_pictures_makes_no_duplicates(stack):
  """As some anonymisers leave them; the refusal said that one of each two should be removed."""
  stack.edit(SOPInstanceUID='1.2.3')
  assert sound(stack) == ('12 pictures have the same SOPInstanceUID, and differ: all were read',)


def test_places_that_are_measured_from_several_points_are_said(stack):
  stack.edit(FrameOfReferenceUID=lambda s, t: f'1.2.{s // 2}')
  assert sound(stack) == (
    'FrameOfReferenceUID differs between slices: their positions may be measured from several points',
  )


def test_a_scale_in_some_frames_only_is_refused(stack):
  stack.edit(RescaleSlope=3, RescaleIntercept=0)
  edit(stack.file(1, 3), RescaleSlope=None, RescaleIntercept=None)
  assert 'RescaleSlope and RescaleIntercept stand in some frames of the slice only' in refused(stack, 1)
  stack.edit(RescaleSlope=1, RescaleIntercept=0)
  edit(stack.file(1, 3), RescaleSlope=None, RescaleIntercept=None)  # which changes nothing
  assert sound(stack) == ()


def test_sizes_that_contradict_each_other_are_said(stack):
  stack.edit(ReconstructionDiameter=350.0, SliceThickness=80)
  assert sound(stack) == (
    'pictures are 8 x 12 mm by PixelSpacing, ReconstructionDiameter says 350 mm',
    'slices lie 8.0 mm apart, SliceThickness says 80.0 mm',
  )
  stack.edit(ReconstructionDiameter=12.0, SliceThickness=10)
  assert sound(stack) == ()


def test_pixels_that_no_scanner_makes_are_refused(stack):
  stack.edit(PixelSpacing=[1.25, 8.0])
  said = 'pixel spacing is 1.25, 8 mm, and no scanner makes pixels so long: is one of them the distance between slices?'
  assert said in refused(stack, 3)


@pytest.mark.parametrize(('image_type', 'standard'), [('P', 'MAGNITUDE'), ('M', 'PHASE')])
def test_a_component_that_two_tags_contradict_is_not_taken(stack, image_type, standard):
  stack.again(1, SeriesInstanceUID='7', SeriesNumber=7, ImageType=['ORIGINAL', 'PRIMARY', image_type])
  for path in stack.folder.rglob('again*'):
    edit(path, ComplexImageComponent=standard)
  assert sound(stack) == (
    'series 7 skipped: pictures that ImageType and ComplexImageComponent call by different names',
  )


@pytest.mark.parametrize(
  ('tag', 'value', 'said'),
  [
    ('BitsStored', None, 'pixels are not readable (the header lacks BitsStored)'),
    ('PhotometricInterpretation', None, 'pixels are not readable (the header lacks PhotometricInterpretation)'),
    ('Rows', 12, 'PixelData has 96 bytes, the header needs 192: the file is not whole'),
  ],
)
def test_a_header_that_does_not_fit_the_pixels_is_refused_by_what_is_wrong(stack, tag, value, said):
  stack.edit(**{tag: value})
  assert said in refused(stack, 3)


def test_a_trigger_time_that_is_lacking_is_counted(stack):
  edit(stack.file(1, 2), TriggerTime=None)
  assert sound(stack)[0].startswith('without trigger times in 1 of 4 pictures: frames are in the order of instance')


def test_trigger_times_in_seconds_are_none_however_few_there_are(stack):
  stack.edit(TriggerTime=lambda s, t: 0.15 * t, NominalInterval=600)
  assert sound(stack)[0].startswith('4 frames of 0.15 ms are 0.6 ms, and a heartbeat lasts')
  assert [cine.frame_interval for cine, _ in read(stack.folder)[1]] == [150] * 3
  stack.edit(NominalInterval=None)
  assert all(math.isnan(cine.frame_interval) for cine, _ in read(stack.folder)[1])


def test_choices_that_changed_nothing_are_said(stack):
  assert sound(stack, repeated='first', gaps='accept', label=2, venc=(20, 20, 30)) == (
    '--repeated=first changed nothing: no place holds several series, beats or copies to choose from',
    '--gaps=accept changed nothing: no slice or frame is missing',
    '--label=2 changed nothing: no mask lies beside these studies',
    '--venc=20,20,30 changed nothing: it is for velocities in DICOM; HDF5 and NIfTI state their own',
  )
  stack.again(1, SeriesInstanceUID='7', SeriesNumber=7)
  assert not any('changed nothing' in note for note in read(stack.folder, repeated='first')[0].notes)
  stack.file(1, 2).unlink()
  assert not any('changed' in note for note in read(stack.folder, repeated='first', gaps='accept')[0].notes)
  assert '--gaps=accept changed nothing' in read(stack.folder, repeated='last', gaps='accept')[0].notes[-1]


def test_phases_that_state_no_velocity_are_named_where_magnitudes_are_refused(stack):
  """Three magnitudes at a place are those of three directions: to choose one of them is not what is wanted."""
  for number, word in ((7, 'M'), (8, 'P')):
    stack.again(1, SeriesInstanceUID=str(number), SeriesNumber=number, ImageType=['ORIGINAL', 'PRIMARY', word])
  assert refused(stack, 1).endswith('; phase pictures, which state no velocity encoding, were not used')
