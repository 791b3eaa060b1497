"""Cine DICOM that users brought: what must be read with its right values, and what is refused by its true reason."""

import math

import numpy as np
import pydicom
import pytest
from cine_stack import APEXWARD, SHORT_AXIS, Stack
from pydicom.uid import generate_uid
from velocity_scan import edit

from ear_jax.formats.choices import Choices
from ear_jax.formats.dicom import instances
from ear_jax.formats.faults import MalformedStudy
from ear_jax.formats.open import open_studies

WHOLE = [[0, 1, 2, 3], [10, 11, 12, 13], [20, 21, 22, 23]]
AXIAL = {'ImageOrientationPatient': [1, 0, 0, 0, 1, 0]}
PHILIPS = 'Philips MR Imaging DD 001'


@pytest.fixture
def stack(tmp_path, write_dicom):
  return Stack(tmp_path / 'export', write_dicom)


@pytest.fixture
def cine(tmp_path, write_dicom):
  """Twenty frames of 45 ms, as a scanner's cine has them."""
  return Stack(tmp_path / 'export', write_dicom, frames=20, step=45.0)


def read(folder, **choices):
  (opened,) = open_studies(folder, Choices(**choices))
  return opened, list(opened.read())


def refused(folder, **choices):
  with pytest.raises(MalformedStudy) as error:
    open_studies(folder, Choices(**choices))
  return [str(fault) for fault in error.value.faults]


def values(slices):
  return [cine.video[:, 0, 0, 0].astype(int).tolist() for cine, _ in slices]


def test_a_larger_axial_stack_is_not_the_short_axis(stack):
  """Case A6."""
  for j in range(4):
    for t in range(4):
      where = {'ImagePositionPatient': [-175, -175, -40 + 8 * j], 'SeriesInstanceUID': f'9.{j}', 'SeriesNumber': 10 + j}
      stack.add(f'axial{j}{t}', 0, t, **AXIAL, **where)
  opened, slices = read(stack.folder)
  assert values(slices) == WHOLE
  assert opened.notes[0] == (
    'series 10 skipped: another orientation (cosine to the long axis of the heart 0.56, of the stack 1.00)'
  )
  assert len(opened.notes) == 4


def test_views_of_several_orientations_in_one_series_are_parted(stack):
  """Case A6: long-axis views in the series of the stack."""
  for t in range(4):
    for number in range(3):
      turned = [*SHORT_AXIS[:3], *APEXWARD] if number else [*APEXWARD, *SHORT_AXIS[3:]]
      stack.add(f'long{number}{t}', 0, t, ImageOrientationPatient=turned, SeriesInstanceUID='9', SeriesNumber=9)
  opened, slices = read(stack.folder)
  assert values(slices) == WHOLE
  assert [note.partition(':')[0] for note in opened.notes] == [
    'series 9, 8 pictures skipped',
    'series 9, 4 pictures skipped',
  ]


def test_a_slice_of_another_matrix_is_kept(stack):
  """Case A10."""
  for t in range(4):
    corner = 27 * APEXWARD + 3 * np.array(SHORT_AXIS[:3])
    narrow = {'SeriesInstanceUID': '9', 'SeriesNumber': 9, 'ImagePositionPatient': list(corner)}
    stack.add(f'narrow{t}', 0, t, pixels=np.full((6, 4), 30 + t), **narrow)
  opened, slices = read(stack.folder)
  assert values(slices) == [*WHOLE, [30, 31, 32, 33]]
  assert slices[3][0].video.shape == (4, 6, 4, 1)
  assert slices[3][0].place.corner == pytest.approx(corner, abs=1e-4)
  assert opened.notes == ('series 9 has another size (6 x 4) than the stack (6 x 8)',)


@pytest.mark.parametrize('axes', [[3, 4, 5, 0, 1, 2], [0, 1, 2, -3, -4, -5]])
def test_a_slice_that_is_stored_turned_or_mirrored_is_kept(stack, axes):
  """Case A10: another order of rows and columns in one slice of the stack."""
  there = [math.copysign(1, k) * SHORT_AXIS[abs(k)] for k in axes]
  stack.edit(1, ImageOrientationPatient=there)
  opened, slices = read(stack.folder)
  assert values(slices) == WHOLE
  assert [*slices[1][0].place.across, *slices[1][0].place.down] == pytest.approx(there)
  assert slices[1][1].orientation == pytest.approx(there)
  assert opened.notes == (
    'slices of one plane are stored turned or mirrored against each other: each has its own place',
  )


def test_frames_that_lie_a_little_beside_each_other_are_one_slice(stack):
  """Case C5: a slice that follows the breath; 0.3 mm."""
  stack.edit(ImagePositionPatient=lambda s, t: list((8.0 * s + 0.3 * (t % 2)) * APEXWARD))
  assert values(read(stack.folder)[1]) == WHOLE


def test_names_of_one_patient_that_are_written_in_other_ways(stack):
  """Case B10."""
  stack.edit(PatientID='17')
  for k, name in enumerate(('DOE^JOHN', 'DOE^JOHN^^^', 'Doe^John=\u5c71\u7530')):
    stack.edit(k, PatientName=name, SpecificCharacterSet='ISO_IR 192')
  assert read(stack.folder)[0].notes == ()
  stack.edit(1, PatientName='DOE^JOHNNY')
  assert read(stack.folder)[0].notes == (
    'PatientName differs between pictures of one PatientID: they are taken for one patient',
  )
  stack.edit(1, PatientID='18')
  assert '2 different patients in one study' in refused(stack.folder)[0]


@pytest.mark.parametrize(
  'tags',
  [
    {'ImageType': ['ORIGINAL', 'PRIMARY', 'P', 'PCA']},
    {'ImageType': ['ORIGINAL', 'PRIMARY', 'PHASE CONTRAST M', 'P', 'PCA']},
    {'ImageType': ['ORIGINAL', 'PRIMARY', 'VELOCITY']},
    {'ComplexImageComponent': 'PHASE'},
    {
      'philips': lambda image: image.private_block(0x2005, 'Philips MR Imaging DD 001', create=True).add_new(
        0x11, 'CS', 'P'
      )
    },
  ],
)
def test_a_series_of_magnitudes_and_phases_is_parted(stack, tags):
  """Case B13."""
  for s in range(3):
    for t in range(4):
      there = {'SeriesInstanceUID': f'1.2.3.4.{s}', 'SeriesNumber': s + 1}
      stack.add(f'phase{t}', s, t, pixels=np.full((6, 8), 2048), **there)
      edit(stack.folder / f's{s}' / f'phase{t}', **tags)
  opened, slices = read(stack.folder)
  assert values(slices) == WHOLE
  assert opened.notes == tuple(
    f'series {s}, 4 pictures skipped: phase pictures without the header of velocity mapping' for s in (1, 2, 3)
  )


def test_of_flow_series_the_magnitude_is_the_cine(stack):
  """Case B15: M, MAG and P of one slice in three series."""
  stack.edit(ImageType=['ORIGINAL', 'PRIMARY', 'M', 'ND'])
  for number, word in ((7, 'MAG'), (8, 'P'), (9, 'R'), (10, 'MSUM'), (11, 'M_PCA')):
    kind = ['ORIGINAL', 'PRIMARY', word, 'ND']
    stack.again(1, SeriesInstanceUID=str(number), SeriesNumber=number, ImageType=kind)
  opened, slices = read(stack.folder)
  assert values(slices) == WHOLE
  assert opened.notes == (
    'series 7 skipped: MAG pictures, made of several magnitudes',
    'series 8 skipped: phase pictures without the header of velocity mapping',
    'series 9 skipped: real parts of the signal',
    'series 10 skipped: MSUM pictures, made of several magnitudes',
    'series 11 skipped: M_PCA pictures, made of several magnitudes',
  )


def with_corners(stack, outside, padding=None):
  """Gives each picture a signed value in the corners, outside the circle that was reconstructed."""
  for s in range(3):
    for path in stack.files(s):
      image = pydicom.dcmread(path)
      pixels = image.pixel_array.astype(np.int16)
      pixels[[0, 0, -1, -1], [0, -1, 0, -1]] = outside
      image.PixelData, image.PixelRepresentation = pixels.tobytes(), 1
      image.BitsStored, image.HighBit = 16, 15
      if padding is not None:
        image.add_new('PixelPaddingValue', 'SS', padding)
      image.save_as(path)


@pytest.mark.parametrize('padding', [-32768, None])
def test_padding_becomes_no_signal(stack, padding):
  """Case B16: also where no tag names the value."""
  with_corners(stack, -32768, padding)
  opened, slices = read(stack.folder)
  assert [cine.video[:, 2, 2, 0].tolist() for cine, _ in slices] == WHOLE
  assert all((cine.video[:, [0, 0, -1, -1], [0, -1, 0, -1]] == 0).all() for cine, _ in slices)
  said = 'pixels of PixelPaddingValue' if padding else 'one negative value outside the scanned region'
  assert opened.notes == (f'{said} were set to 0 (12 times)',)


def test_undershoot_of_interpolation_becomes_no_signal(stack):
  """Case B16: less than 2 % of the largest value, and no more."""
  stack.edit(RescaleSlope=1, RescaleIntercept=100)
  with_corners(stack, [-101, -101, -102, -100])
  opened, slices = read(stack.folder)
  assert slices[0][0].video[:, 0, 0, 0].tolist() == [0, 0, 0, 0]
  assert slices[0][0].video[:, 2, 2, 0].tolist() == [100, 101, 102, 103]
  assert opened.notes == ('slightly negative values, as interpolation makes them, were set to 0 (12 times)',)
  with_corners(stack, [-101, -101, -104, -100])
  assert 'magnitude is negative: is channel 0 the magnitude? (4 times; this is the first)' in refused(stack.folder)[0]


def test_an_object_without_a_picture_is_passed_over(stack):
  """Case B18."""
  stack.add('empty', 0, 0)
  lost = ('Rows', 'Columns', 'PixelData', 'PhotometricInterpretation', 'SamplesPerPixel', 'ImageType')
  image = pydicom.dcmread(stack.folder / 's0/empty')
  edit(stack.folder / 's0/empty', **{tag: None for tag in lost if tag in image})
  opened, slices = read(stack.folder)
  assert values(slices) == WHOLE
  assert opened.notes == ('1 file skipped: DICOM, but an MR object without a picture',)


def test_without_trigger_times_the_rr_interval_tells_the_time(cine):
  """Case B21."""
  cine.edit(TriggerTime=None, NominalInterval=1016, CardiacNumberOfImages=20)
  opened, slices = read(cine.folder)
  assert values(slices) == cine.whole()
  assert [one.frame_interval for one, _ in slices] == pytest.approx([50.8] * 3)
  assert opened.notes == (
    'without trigger times: frames are in the order of instance numbers, the frame interval is 50.8 ms, '
    'the RR interval of 1016 ms over 20 frames (3 times)',
  )
  cine.edit(CardiacNumberOfImages=25)  # some are not here: nothing says how long the others last
  assert math.isnan(read(cine.folder)[1][0][0].frame_interval)


def test_trigger_times_that_are_all_the_same_are_none(cine):
  """Case B21."""
  cine.edit(TriggerTime=0, NominalInterval=900)
  opened, slices = read(cine.folder)
  assert values(slices) == cine.whole()
  assert slices[0][0].frame_interval == pytest.approx(45)
  assert 'trigger times are all the same' in opened.notes[0]


def test_temporal_positions_order_before_instance_numbers(cine):
  """Case B21."""
  cine.edit(TriggerTime=None, TemporalPositionIdentifier=lambda s, t: 1 + t, InstanceNumber=lambda s, t: 40 - t)
  opened, slices = read(cine.folder)
  assert values(slices) == cine.whole()
  assert 'frames are in the order of temporal positions, the frame interval is unknown' in opened.notes[0]


def test_without_trigger_times_a_number_that_is_missing_is_a_missing_frame(cine):
  """Case B21."""
  cine.file(1, 7).unlink()
  cine.edit(TriggerTime=None, CardiacNumberOfImages=19)
  (fault,) = refused(cine.folder)
  assert 'without trigger times, and instance numbers step unevenly, by 1 to 2: frames are missing' in fault
  assert len(read(cine.folder, gaps='accept')[1][1][0].video) == 19


@pytest.mark.parametrize(('step', 'cover'), [(3.745, '74.9'), (1000, '20000')])
def test_an_interval_that_no_heart_has_is_unknown(cine, step, cover):
  """Case A3: the repetition time, or 1 s, in place of the frame interval."""
  cine.edit(TriggerTime=lambda s, t: step * t)
  opened, slices = read(cine.folder)
  assert values(slices) == cine.whole()
  assert math.isnan(slices[0][0].frame_interval)
  heart = 'a heartbeat lasts 300 to 2000 ms: the frame interval is unknown'
  assert opened.notes == (f'20 frames of {step} ms are {cover} ms, and {heart} (3 times)',)
  cine.edit(NominalInterval=1016, CardiacNumberOfImages=20)
  opened, slices = read(cine.folder)
  assert slices[0][0].frame_interval == pytest.approx(50.8)
  assert 'it is taken as 50.8 ms, the RR interval of 1016 ms over 20 frames' in opened.notes[0]


def test_pictures_of_another_kind_are_named(stack):
  """Case B22."""
  stack.edit(SOPClassUID='1.2.840.10008.5.1.4.1.1.7')
  found = instances.find((p for s in range(3) for p in stack.files(s)), stack.folder)
  assert found.notes == ('12 files skipped: DICOM, but no MR picture (Secondary Capture Image Storage)',)


def test_inverted_pictures_are_refused_by_that_reason_alone(stack):
  """Case B22: one line a series, and no other."""
  stack.edit(PhotometricInterpretation='MONOCHROME1')
  faults = refused(stack.folder)
  assert len(faults) == 3
  reason = 'picture is MONOCHROME1 (bright is low): export it as MONOCHROME2 (4 times; this is the first)'
  assert all(reason in fault for fault in faults)


def test_a_compression_that_cannot_be_read_is_named_once_a_series(stack):
  """Case B24."""
  for path in stack.files(1):
    image = pydicom.dcmread(path)
    image.PixelData = pydicom.encaps.encapsulate([b'\xff\x4f\xff\x51' + bytes(200)])
    image['PixelData'].VR = 'OB'
    image.file_meta.TransferSyntaxUID = '1.2.840.10008.1.2.4.201'
    pydicom.dcmwrite(path, image, enforce_file_format=True, implicit_vr=False, little_endian=True)
  (fault,) = refused(stack.folder)
  assert 'no decoder for transfer syntax High-Throughput JPEG 2000 Image Compression (Lossless Only) is' in fault
  assert fault.endswith('or export the files uncompressed) (4 times; this is the first)')


def test_a_repeated_slice_is_refused_until_one_is_chosen(stack):
  """Case C4: both series are named; also where the second lies a little beside the first."""
  for off in (0.0, 1.5):
    moved = list((11.0 + off) * APEXWARD)
    stack.again(1, SeriesInstanceUID='7', SeriesNumber=7, ImagePositionPatient=moved, SOPInstanceUID=generate_uid())
    stack.edit(SOPInstanceUID=lambda s, t: generate_uid())
    (fault,) = refused(stack.folder)
    assert '2 series (2, 7) hold pictures of this place' in fault
    assert '--repeated=first' in fault
    opened, slices = read(stack.folder, repeated='first')
    assert values(slices) == WHOLE
    assert opened.notes == ('2 series (2, 7) hold pictures of this place: series 2 is taken',)
    assert values(read(stack.folder, repeated='last')[1]) == [WHOLE[0], [60, 61, 62, 63], WHOLE[2]]


def test_positions_that_contradict_slice_locations_are_named(stack):
  """Case C4: all pictures claim one place, their SliceLocation several."""
  stack.edit(ImagePositionPatient=[0, 0, 0], SliceLocation=lambda s, t: 8.0 * s)
  (fault,) = refused(stack.folder, repeated='first')
  assert 'their SliceLocation reaches from 0 to 16 mm: one of both lies' in fault


def test_a_slice_left_out_is_refused_until_gaps_are_accepted(stack):
  """Case C5."""
  stack.edit(2, ImagePositionPatient=list(35 * APEXWARD))
  assert '--gaps=accept' in refused(stack.folder)[0]
  opened, slices = read(stack.folder, gaps='accept')
  assert values(slices) == WHOLE
  assert opened.notes == (
    'a slice is missing in the stack (24.0 mm to slice 2, the usual step is 8.0 mm), taken as --gaps=accept says',
  )


def test_a_slice_with_fewer_frames_of_the_whole_cycle_is_read(cine):
  """Case C5: 18 frames of 50 ms in one slice, 20 of 45 ms in the others."""
  for t in (18, 19):
    cine.file(1, t).unlink()
  assert '18 frames, the other slices have 20' in refused(cine.folder)[0]
  assert [len(one.video) for one, _ in read(cine.folder, gaps='accept')[1]] == [20, 18, 20]
  cine.edit(1, TriggerTime=lambda s, t: 5 + 50 * t)
  opened, slices = read(cine.folder)
  assert [len(one.video) for one, _ in slices] == [20, 18, 20]
  assert [one.frame_interval for one, _ in slices] == [45, 50, 45]
  assert opened.notes == ('slices have different numbers of frames (18 frames, the other slices have 20)',)


def test_a_long_step_of_an_arrhythmia_is_read_where_no_number_is_missing(cine):
  """Case C5: 80 ms after steps of 45 ms."""
  cine.edit(TriggerTime=lambda s, t: 45 * t + (35 if t >= 12 else 0))
  opened, slices = read(cine.folder)
  assert values(slices) == cine.whole()
  assert slices[0][0].frame_interval == 45
  assert opened.notes == (
    'frames are not evenly spaced (80.0 ms to the next one, the usual step is 45.0 ms): no instance number is missing '
    '(3 times)',
  )
  cine.edit(InstanceNumber=lambda s, t: 1 + t + (t >= 12))
  assert len(refused(cine.folder)) == 3
  assert 'missing frame: 80.0 ms to the next one' in refused(cine.folder)[0]
  assert values(read(cine.folder, gaps='accept')[1]) == cine.whole()


def test_trigger_times_that_begin_late_and_wrap(cine):
  """Case C5: the cine begins 600 ms after the R wave, and times begin again with the next."""
  cine.edit(TriggerTime=lambda s, t: (600 + 45 * t) % 900)
  opened, slices = read(cine.folder)
  assert values(slices)[0] == [*range(7, 20), *range(7)]
  assert slices[0][0].frame_interval == 45
  assert opened.notes[0].startswith('instance numbers do not rise with trigger times')


def test_trigger_times_that_begin_late_and_run_beyond_the_beat(cine):
  """Case C5: the same without wrapping."""
  cine.edit(TriggerTime=lambda s, t: 600 + 45 * t, NominalInterval=900)
  opened, slices = read(cine.folder)
  assert values(slices)[0] == [*range(7, 20), *range(7)]
  assert slices[0][0].frame_interval == 45
  assert opened.notes[0] == (
    'trigger times run from 600 to 1455 ms, beyond the RR interval of 900 ms: '
    'frames begin with the next R wave (3 times)'
  )
  cine.edit(NominalInterval=None)
  opened, slices = read(cine.folder)
  assert values(slices) == cine.whole()
  assert opened.notes[0].startswith('the first trigger time is 600 ms')


def test_two_beats_in_one_cine_are_refused_until_one_is_chosen(cine):
  """Case C5: 20 frames of 90 ms, RR 900."""
  cine.edit(TriggerTime=lambda s, t: 5 + 90 * t, NominalInterval=900)
  faults = refused(cine.folder)
  assert len(faults) == 3
  said = '20 frames of 90.0 ms cover 1800 ms, but the RR interval is 900 ms'
  assert f'{said}: several beats in one cine' in faults[0]
  opened, slices = read(cine.folder, repeated='last')
  assert values(slices)[0] == list(range(10, 20))
  assert opened.notes[0] == f'{said}: the last beat is taken (3 times)'
  cine.edit(NominalInterval=1250)  # the heart rate changed
  opened, slices = read(cine.folder)
  assert values(slices) == cine.whole()
  assert 'cover 1800 ms, but the RR interval is 1250 ms: trigger times are taken' in opened.notes[0]


def test_many_beats_of_a_real_time_scan(cine):
  """Case C5: no interval is made of the RR interval over frames of several beats."""
  cine.edit(TriggerTime=lambda s, t: 5 + 150 * t, NominalInterval=750)
  assert 'cover 3000 ms, but the RR interval is 750 ms: several beats' in refused(cine.folder)[0]
  _, slices = read(cine.folder, repeated='first')
  assert values(slices)[0] == list(range(5))
  assert slices[0][0].frame_interval == 150


def test_the_end_of_the_cycle_is_missing_in_every_slice(cine):
  """Case S6 for cines: two tags of the header say so."""
  cine.edit(NominalInterval=1125, CardiacNumberOfImages=25)
  faults = refused(cine.folder)
  assert len(faults) == 3
  said = '20 frames of 45.0 ms cover 900 ms, but the RR interval is 1125 ms, and CardiacNumberOfImages is 25'
  assert f'frames are missing: {said}' in faults[0]
  assert read(cine.folder, gaps='accept')[0].notes == (f'{said}: trigger times are taken (3 times)',)
  cine.edit(NominalInterval=900)
  said = '20 frames of 45.0 ms cover 900 ms, and CardiacNumberOfImages is 25: trigger times are taken (3 times)'
  assert read(cine.folder)[0].notes == (said,)
  cine.edit(NominalInterval=1050, CardiacNumberOfImages=20)  # prospective gating leaves out the end of the cycle
  assert read(cine.folder)[0].notes == ()


def test_a_copy_that_was_made_of_a_series_is_passed_over(stack):
  """Case C4: UK Biobank has such copies beside the cine."""
  stack.edit(ImageType=['ORIGINAL', 'PRIMARY', 'M'])
  stack.again(1, SeriesInstanceUID='7', SeriesNumber=7, ImageType=['DERIVED', 'SECONDARY', 'M', 'INLINEVF'])
  opened, slices = read(stack.folder)
  assert values(slices) == WHOLE
  assert opened.notes == (
    '2 series (2, 7) hold pictures of this place: series 2 is taken, the others are derived (ImageType)',
  )


def test_colour_pictures_are_passed_over(stack):
  """Case B22: a colour copy beside the cine."""
  stack.again(1, SeriesInstanceUID='7', SeriesNumber=7, SamplesPerPixel=3, PhotometricInterpretation='RGB')
  opened, slices = read(stack.folder)
  assert values(slices) == WHOLE
  assert opened.notes == ('series 7 skipped: colour pictures',)


def test_a_perfusion_scan_of_fewer_slices_is_not_the_cine(stack):
  """Case C4: many more pictures at one place, of another size."""
  for t in range(40):
    small = {'SeriesInstanceUID': '7', 'SeriesNumber': 7, 'TriggerTime': 800.0 * t}
    stack.add(f'perfusion{t}', 1, t, pixels=np.ones((3, 4)), **small)
  opened, slices = read(stack.folder)
  assert values(slices) == WHOLE
  assert opened.notes == ('series 7 skipped: another size (3 x 4), at a place of the stack (6 x 8)',)


def test_every_picture_with_a_series_uid_of_its_own(stack):
  """Case C7: an anonymiser that gives each file new UIDs but for the study's."""
  stack.edit(SeriesInstanceUID=lambda s, t: generate_uid())
  opened, slices = read(stack.folder)
  assert values(slices) == WHOLE
  assert opened.notes == ('each picture has a SeriesInstanceUID of its own: series numbers tell which belong together',)


def test_two_beats_with_the_same_trigger_times(cine):
  """Case C5: each trigger time twice."""
  cine.edit(TriggerTime=lambda s, t: 45 * (t % 10))
  faults = refused(cine.folder)
  assert len(faults) == 3
  assert '20 pictures have 10 trigger times, each 2 times' in faults[0]
  assert values(read(cine.folder, repeated='first')[1])[0] == list(range(10))
  assert values(read(cine.folder, repeated='last')[1])[0] == list(range(10, 20))


def test_faults_of_many_files_are_a_line_a_series(stack):
  """Case S12: also for duplicates."""
  for s in range(3):
    for path in stack.files(s):
      (path.parent / f'{path.name}x').write_bytes(path.read_bytes())
  duplicates = [fault for fault in refused(stack.folder) if 'duplicated instance' in fault]
  assert len(duplicates) == 3
  assert all('(4 times; this is the first)' in fault for fault in duplicates)
  for s in range(3):
    for path in stack.files(s):
      path.with_suffix('.dcm').write_bytes(b'no DICOM')
      path.unlink()
  assert len(refused(stack.folder)) == 3


def test_positions_that_contradict_the_distance_in_the_header_are_said(stack):
  """Case C5: every second slice is lost, so that the steps are even."""
  stack.edit(ImagePositionPatient=lambda s, t: list(16.0 * s * APEXWARD), SpacingBetweenSlices=8, SliceThickness=8)
  assert read(stack.folder)[0].notes == ('slices lie 16.0 mm apart, SpacingBetweenSlices says 8.0 mm',)


def test_slice_locations_that_contradict_positions_are_said(stack):
  stack.edit(SliceLocation=lambda s, t: 8.0 * (2, 0, 1)[s])
  opened, slices = read(stack.folder)
  assert values(slices) == WHOLE
  assert opened.notes == ('SliceLocation contradicts ImagePositionPatient: slices are in the order of image positions',)
