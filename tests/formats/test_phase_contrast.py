"""Phase contrast of every vendor: one phantom through all layouts, and what is planted in them."""

import dataclasses
import functools
import os
import pathlib
import shutil

import numpy as np
import pydicom
import pytest
from layouts import classic, enhanced
from layouts.scan import short_axis
from pydicom.uid import generate_uid
from velocity_scan import edit

from ear_jax.analysis.motion import Settings
from ear_jax.analysis.slices import analyse
from ear_jax.cine import Study
from ear_jax.formats.choices import Choices
from ear_jax.formats.dicom import instances, velocity_tags
from ear_jax.formats.faults import MalformedStudy
from ear_jax.formats.open import open_studies
from ear_jax.phantom import study

SIZE = study.Size('phantom_layouts', 1, 0, (1,), 4, 48, 2.4, 2.4, offset=4.0, sharing=0.0)
LAYOUTS = {
  'Siemens': classic.siemens,
  'Siemens XA as classic': classic.siemens_xa,
  'Siemens XA': enhanced.siemens_xa,
  'Philips': classic.philips,
  'Philips enhanced, cm/s': enhanced.philips,
  'Philips enhanced, mrad': functools.partial(enhanced.philips, mrad=True),
  'GE': classic.ge,
  'GE, weighted': functools.partial(classic.ge, weighted=True),
}
HEADERS = os.environ.get('HEADERS_DIR')
VENC = (20.0, 20.0, 30.0)


@functools.cache
def phantom():
  cines = tuple(study.exact(plan) for plan in study.plan(SIZE))
  return Study(cines[0].subject, cines[0].dataset, cines)


@pytest.fixture(scope='session')
def written(tmp_path_factory):
  """Returns `written(layout, from_the_apex)`: the folder of the phantom in a layout, not to be changed."""

  @functools.cache
  def write(layout, from_the_apex=False):
    folder = tmp_path_factory.mktemp('layout') / 'scan'
    LAYOUTS[layout](short_axis(phantom(), from_the_apex=from_the_apex), folder)
    return folder

  return write


@pytest.fixture
def export(written, tmp_path):
  """Returns `export(layout)`: a copy, to be changed."""

  def copy(layout):
    shutil.copytree(written(layout), tmp_path / 'scan')
    return tmp_path / 'scan'

  return copy


def change(folder, function, when=lambda image: True):
  """Calls `function` with the data set of each file that `when` is true of; returns how many."""
  count = 0
  for path in sorted(folder.iterdir()):
    if when(pydicom.dcmread(path, stop_before_pixels=True)):
      edit(path, change=function)
      count += 1
  assert count
  return count


def read(folder, **choices):
  (opened,) = open_studies(folder, Choices(**choices))
  return opened, list(opened)


def refusal(folder, **choices):
  with pytest.raises(MalformedStudy) as error:
    open_studies(folder, Choices(**choices))
  assert 'Planted' not in str(error.value)
  return str(error.value)


def is_phase(image):
  return image.get('ImageType', ['', '', ''])[2] == 'P'


def private(image, group, creator, number):
  return image.private_block(group, creator)[number]


@pytest.mark.parametrize('from_the_apex', [False, True], ids=['from the base', 'from the apex'])
@pytest.mark.parametrize('layout', LAYOUTS)
def test_one_phantom_through_every_layout_gives_the_same_curves(written, layout, from_the_apex):
  opened, cines = read(written(layout, from_the_apex))
  assert opened.slices == ('slice-00', 'slice-01', 'slice-02')
  assert [cine.level for cine in cines] == ['base', 'mid', 'apex']
  for plan, cine, made in zip(study.plan(SIZE), cines, phantom(), strict=True):
    mask, septum = made.mask, study.truth(plan).septal_angle
    # With the mean over the cycle, which would add the rounding of the other frames.
    settings = Settings(remove_mean=False)
    found, expected = (analyse(one, mask, septum=septum, settings=settings).curves for one in (cine, made))
    limits = np.array([cine.venc[2], *[max(cine.venc[:2])] * 2]) / 4096
    for group in ('global', 'angular6'):
      assert (np.abs(found[group] - expected[group]).max((0, 1)) < limits).all()
    assert np.ptp(expected['global'], axis=1).min() > 0.2, 'curves that do not move compare nothing'
    assert cine.frame_interval == pytest.approx(made.frame_interval, abs=1e-5)
    assert cine.spacing == made.spacing
    assert cine.place.thickness == 8
    magnitude, counts = cine.video[..., 0], made.video[..., 0]
    np.testing.assert_allclose(magnitude, counts * (1.29 if 'Philips' in layout else 1), rtol=1e-6, atol=1e-3)


@pytest.mark.parametrize('layout', ['Siemens', 'Siemens XA as classic', 'Siemens XA', 'GE'])
def test_a_noisy_scan_of_12_bits_comes_back_to_the_bit_wraps_too(phantom_study, tmp_path, layout):
  LAYOUTS[layout](short_axis(phantom_study), tmp_path / 'scan')
  for cine, made in zip(read(tmp_path / 'scan')[1], phantom_study, strict=True):
    np.testing.assert_allclose(cine.video, made.video, atol=1e-5)
    assert made.video[..., 3].min() < -28, 'no phase is near the end of its range'


@pytest.mark.parametrize('layout', ['Siemens', 'Siemens XA as classic', 'Siemens XA', 'GE'])
def test_directions_that_are_the_pictures_own_keep_their_venc(written, layout):
  for cine in read(written(layout))[1]:
    assert cine.venc == VENC
    assert cine.video[..., 1:].min((0, 1, 2)).tolist() >= [-v for v in VENC]


def test_oblique_directions_and_the_choice_of_magnitude_are_notes(written):
  opened, _ = read(written('Philips'))
  assert opened.notes == (
    'the magnitude is that of series 101; up to 3 series hold one',
    'velocities were encoded along axes oblique to the picture and turned into it: wraps are not undone',
  )
  assert read(written('Siemens XA'))[0].notes == ()  # nothing had to be decided
  assert read(written('Siemens'))[0].notes == ('the magnitude is that of series 24, 33, 42; up to 3 series hold one',)


def test_a_phase_of_minus_venc_stays_minus_venc_whichever_way_the_axis_points(written, export):
  """The phase is cyclic: a reader that turns -venc to +venc shows a wrap where the scanner wrote none."""
  folder = export('Siemens XA as classic')
  change(folder, lambda image: setattr(image, 'PixelData', bytes(len(image.PixelData))), is_phase)
  for cine in read(folder)[1]:
    np.testing.assert_array_equal(cine.video[..., 1:], np.broadcast_to(np.negative(VENC), cine.video[..., 1:].shape))


MOVED = {
  'Siemens': (0x0051, 'SIEMENS MR HEADER'),
  'Siemens XA as classic': (0x0021, 'SIEMENS MR SDI 02'),
  'Philips': (0x2001, 'Philips Imaging DD 001'),
  'GE': (0x0019, 'GEMS_ACQU_01'),
}


@pytest.mark.parametrize('layout', MOVED)
def test_a_private_block_that_an_archive_moved_is_found_by_its_creator(export, layout):
  """Case B11, for each vendor."""
  folder, (group, creator) = export(layout), MOVED[layout]
  before = read(folder)[1]

  def move(image):
    block = image.private_block(group, creator)
    elements = {
      tag & 0xFF: image[tag]
      for tag in list(image.keys())
      if tag.group == group and tag >> 8 & 0xFF == block.block_start >> 8
    }
    for element in elements.values():
      del image[element.tag]
    del image[group, block.block_start >> 8]
    image.add_new((group, 0x10), 'LO', 'ANOTHER ONE')
    image.add_new((group, 0x1029), 'SH', 'v99_inplane_rl')
    image.add_new((group, 0x101A), 'FL', [1.0, 2.0, 3.0])
    image.add_new((group, 0x35), 'LO', creator)
    for number, element in elements.items():
      image.add_new((group, 0x3500 + number), element.VR, element.value)
    if 'SequenceName' in image:
      del image.SequenceName

  change(folder, move)
  for cine, same in zip(read(folder)[1], before, strict=True):
    np.testing.assert_array_equal(cine.video, same.video)
    assert cine.venc == same.venc


def test_labels_that_an_archive_made_bytes_of_are_read(export):
  folder = export('Siemens')

  def unknown(image):
    element = private(image, 0x0051, 'SIEMENS MR HEADER', 0x14)
    image[element.tag] = pydicom.DataElement(element.tag, 'UN', element.value.encode())
    del image.SequenceName

  change(folder, unknown)
  assert [cine.venc for cine in read(folder)[1]] == [VENC] * 3


def test_the_name_of_the_sequence_is_enough_where_private_tags_are_gone(export):
  folder = export('Siemens')
  change(folder, lambda image: image.remove_private_tags())
  opened, cines = read(folder)
  assert len(cines) == 3
  assert all(cine.video.shape[-1] == 4 for cine in cines)
  # Without `inplane`, the letters are the patient's axes, which are oblique to this picture.
  assert any('oblique' in note for note in opened.notes)


def no_venc(image):
  del image.SequenceName
  image.remove_private_tags()


def label(text):
  def function(image):
    private(image, 0x0051, 'SIEMENS MR HEADER', 0x14).value = text

  return function


def standard(axis=None, low=-20.0, high=20.0):
  def function(image):
    item = image.SharedFunctionalGroupsSequence[0].MRVelocityEncodingSequence[0]
    item.VelocityEncodingDirection = item.VelocityEncodingDirection if axis is None else axis
    item.VelocityEncodingMinimumValue, item.VelocityEncodingMaximumValue = low, high

  return function


def series(number):
  return lambda image: image.SeriesNumber == number


def signed(image):
  """Stores a phase as numbers of 16 bits with a sign, -4096 to 4094, without a scale."""
  stored = 2 * np.frombuffer(image.PixelData, '<u2').astype(int) - 4096
  image.PixelData, image.PixelRepresentation = stored.astype('<i2').tobytes(), 1
  image.BitsStored, image.HighBit = 16, 15
  del image.RescaleSlope, image.RescaleIntercept


def unscaled(image):
  del image.RescaleSlope, image.RescaleIntercept, image.RescaleType


def beside(image):
  across = short_axis(phantom()).across
  for group in image.PerFrameFunctionalGroupsSequence:
    place = group.PlanePositionSequence[0]
    moved = np.array(place.ImagePositionPatient, float) + 10 * across
    place.ImagePositionPatient = [f'{value:.5f}' for value in moved]


def delays(image, factor):
  for group in image.PerFrameFunctionalGroupsSequence:
    group.CardiacSynchronizationSequence[0].NominalCardiacTriggerDelayTime *= factor


def called_magnitude(image):
  for group in image.PerFrameFunctionalGroupsSequence:
    group.MRImageFrameTypeSequence[0].ComplexImageComponent = 'MAGNITUDE'


def xa_label(text):
  def function(image):
    inner = private(image, 0x0021, 'SIEMENS MR SDI 02', 0xFE).value[0]
    private(inner, 0x0021, 'SIEMENS MR SDI 02', 0x29).value = text

  return function


def coplanar(image):
  """Turns the first in-plane direction next to the normal, with no label beside it."""
  for group in image.PerFrameFunctionalGroupsSequence:
    group.remove_private_tags()
  scan = short_axis(phantom())
  standard(axis=(scan.normal + 0.3 * scan.down).tolist())(image)


def set_private(group, creator, number, value):
  return lambda image: setattr(private(image, group, creator, number), 'value', value)


CONTRADICTIONS = {  # layout, what is planted, where; words of the refusal, with both values
  'label and CSA header': (
    *('Siemens', label('v90_through'), series(23)),
    '4 pictures: venc is contradictory: (0051,xx14) of SIEMENS MR HEADER says 90 cm/s, FlowVenc says 30 cm/s. --venc=',
  ),
  'one frame': (
    *('Siemens', label('v90_through'), lambda i: (i.SeriesNumber, i.InstanceNumber) == (23, 2)),
    'series 23: venc is contradictory',
  ),
  'frames of one series': (
    *('Siemens XA as classic', xa_label('v60_through'), lambda i: i.SeriesNumber == 12 and i.InstanceNumber > 2),
    'venc differs between frames: 30, 60 cm/s',
  ),
  'direction': (
    *('Siemens', label('v30_inplane_fh'), series(23)),
    'the direction of the velocity is contradictory: (0051,xx14) of SIEMENS MR HEADER says (0.42, -0.37, 0.83), Sequ',
  ),
  'standard and private venc': (
    *('Siemens XA', standard(low=-40.0, high=40.0), series(3)),
    'MRVelocityEncodingSequence says 40 cm/s, (0021,xx29) of SIEMENS MR SDI 02 says 20',
  ),
  'standard and private direction': (
    *('Siemens XA', standard(axis=[0.62, -0.55, -0.56]), series(3)),
    'MRVelocityEncodingSequence says (0.62, -0.55, -0.56), (0021,xx29) of SIEMENS MR SDI 02 says (0.66, 0.75, -0.00)',
  ),
  'directions in one plane': (
    'Siemens XA',
    coplanar,
    series(3),
    'the three directions of velocity do not span the room',
  ),
  'Philips venc and its scale': (
    *('Philips', set_private(0x2001, 'Philips Imaging DD 001', 0x1A, [90.0, 0.0, 0.0]), series(101)),
    'Philips says 90 cm/s, pixels reach -45 cm/s',
  ),
  'RR and trigger times': (
    *('Siemens', lambda i: setattr(i, 'NominalInterval', 700), is_phase),
    'ms, the RR interval is 700 ms: trigger times and RR contradict',
  ),
  'phases beyond venc': (
    *('GE', set_private(0x0019, 'GEMS_ACQU_01', 0xE2, '10'), lambda i: True),
    'phases reach beyond venc',
  ),
  'velocities that reach further on one side': (
    *('Siemens XA', standard(low=-20.0, high=40.0), series(3)),
    'MRVelocityEncodingSequence says -20 to 40 cm/s, which is not as far on both sides of 0',
  ),
  'venc in m/s': (
    *('GE', set_private(0x0019, 'GEMS_ACQU_01', 0xCC, 20), lambda i: True),
    'the header states a venc of 2 cm/s, less than any scan of the heart has: is its unit another? --venc=',
  ),
  'venc below 0': (
    *('GE', set_private(0x0019, 'GEMS_ACQU_01', 0xCC, -300), lambda i: True),
    'the header states a venc of -30 cm/s, less than any scan of the heart has',
  ),
  'signed numbers of 16 bits': (
    *('Siemens', signed, is_phase),
    'what a pixel is worth is not known: rescaled phases begin at -32768, which is neither venc (30 cm/s) nor',
  ),
  'a scale in some frames only': (
    *('Philips', unscaled, lambda i: i.ImageType[2] == 'M_FFE' and i.InstanceNumber == 2),
    'series 101: RescaleSlope and RescaleIntercept stand in some frames of the slice only',
  ),
  'phases beside the magnitude': (
    *('Siemens XA', beside, series(2)),
    'series 2: ImagePositionPatient lies 10.0 mm beside that of frame 0 of the slice',
  ),
  'pixels of no size': (
    'Siemens XA',
    lambda i: setattr(i.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0], 'PixelSpacing', [0, 0]),
    *(lambda i: True, 'pixel spacing is 0, 0 mm, expected positive numbers'),
  ),
  'pixels that end early': (
    *('Siemens XA', lambda i: setattr(i, 'PixelData', i.PixelData[:-100]), series(2)),
    'series 2, 4 pictures: pixels are not readable (PixelData has 18332 bytes, the header needs 18432: the file is not',
  ),
  'trigger times of phases in seconds': (
    *('Siemens XA', lambda i: delays(i, 1e-3), lambda i: i.ImageType[2] == 'VELOCITY'),
    'series 1, 4 pictures: trigger times of this magnitude differ by 847.9 ms from those of series 2: series are mixed',
  ),
  'two names of one component': (
    *('Siemens XA', called_magnitude, series(2)),
    'expected three, and series 2 holds pictures that ImageType and ComplexImageComponent call by different names',
  ),
  'a scale of nothing': (
    *(
      'Philips',
      lambda i: i.update({'RescaleIntercept': '-77', 'RescaleType': 'US'}),
      lambda i: i.ImageType[-2] == 'P',
    ),
    'rescaled phases begin at -77, which is neither venc (45 cm/s) nor -1000 pi mrad',
  ),
}


@pytest.mark.parametrize('name', CONTRADICTIONS)
def test_planted_contradictions_are_refused_with_both_values(export, name):
  layout, function, when, words = CONTRADICTIONS[name]
  folder = export(layout)
  change(folder, function, when)
  said = refusal(folder)
  assert words in said
  assert len(said.splitlines()) < 12  # one line a series, not one a file


def test_a_venc_that_is_not_stated_is_asked_for(export):
  folder = export('Siemens XA')

  def without(image):
    for group in image.PerFrameFunctionalGroupsSequence:
      group.remove_private_tags()
    item = image.SharedFunctionalGroupsSequence[0].get('MRVelocityEncodingSequence')
    if item:
      item[0].VelocityEncodingMinimumValue = item[0].VelocityEncodingMaximumValue = 0.0

  expected = [cine.video for cine in read(folder)[1]]
  change(folder, without)
  assert 'venc is stated nowhere: give it, --venc=20,20,30' in refusal(folder)
  for cine, video in zip(read(folder, venc=VENC)[1], expected, strict=True):
    assert cine.venc == VENC
    np.testing.assert_allclose(cine.video, video, atol=1e-5)


def test_the_flag_does_not_overrule_what_the_header_says_clearly(written):
  said = refusal(written('Siemens'), venc=(20.0, 20.0, 60.0))
  assert 'the header states a venc of 30 cm/s, --venc 60 cm/s' in said
  assert 'series 23, 4 pictures' in said


def test_the_flag_settles_a_contradiction(export):
  folder = export('Siemens')
  change(folder, label('v90_through'), lambda image: 'through' in private(image, 0x51, 'SIEMENS MR HEADER', 0x14).value)
  assert '--venc=20,20,30 settles it' in refusal(folder)
  assert [cine.venc for cine in read(folder, venc=VENC)[1]] == [VENC] * 3


def test_the_opposite_sign_of_two_sources_is_a_note_with_both(export):
  """A private label of XA names the normal where the standard's vector was seen to point against it."""
  folder = export('Siemens XA')
  before = read(folder)[1]

  def turn(image):
    item = image.SharedFunctionalGroupsSequence[0].get('MRVelocityEncodingSequence')
    if item:
      item[0].VelocityEncodingDirection = [-v for v in item[0].VelocityEncodingDirection]

  change(folder, turn)
  opened, cines = read(folder)
  assert any('MRVelocityEncodingSequence says (-0.62, 0.55, 0.56), (0021,xx29)' in note for note in opened.notes)
  inside = np.abs(before[0].video[..., 3]) < 30
  np.testing.assert_allclose(cines[0].video[..., 3][inside], -before[0].video[..., 3][inside], atol=1e-4)


def test_fewer_directions_are_magnitudes_with_a_note_and_never_zeros(export):
  folder = export('GE')
  for path in sorted(folder.iterdir()):
    if pydicom.dcmread(path, stop_before_pixels=True).SeriesNumber % 10 != 3:
      path.unlink()
  opened, cines = read(folder)
  assert opened.notes[0] == 'velocity along 1 of three directions: only the magnitude is read'
  assert [cine.video.shape for cine in cines] == [(4, 48, 48, 1)] * 3


def test_a_slice_that_lost_a_direction_does_not_vanish(export):
  folder = export('Siemens XA')
  for path in folder.iterdir():
    if pydicom.dcmread(path, stop_before_pixels=True).SeriesNumber == 3:
      path.unlink()
  assert '2 directions of velocity at' in refusal(folder)


def test_frames_are_in_the_order_of_time_whatever_their_numbers(export):
  """Case B3, for velocities."""
  folder = export('Siemens')
  before = read(folder)[1]
  change(folder, lambda image: setattr(image, 'InstanceNumber', 9 - image.InstanceNumber))
  for cine, same in zip(read(folder)[1], before, strict=True):
    np.testing.assert_array_equal(cine.video, same.video)


def test_without_trigger_times_the_interval_is_that_of_rr_and_said(export):
  folder = export('Siemens')
  change(folder, lambda image: delattr(image, 'TriggerTime'))
  opened, cines = read(folder)
  assert any('without trigger times: frames are in the order of instance numbers' in note for note in opened.notes)
  made = [one.frame_interval for one in phantom()]
  assert [cine.frame_interval for cine in cines] == pytest.approx(made, abs=0.2)  # NominalInterval is whole


@pytest.mark.parametrize(
  ('lost', 'words'),
  [
    (lambda i: i.SeriesNumber == 23 and i.InstanceNumber == 4, 'unequal numbers of frames: series 23 3'),
    (lambda i: i.SeriesNumber < 30 and i.InstanceNumber == 2, 'missing frame: '),
    (lambda i: i.SeriesNumber in (21, 24, 27), 'no magnitude of 4 frames at the place of these velocities'),
  ],
)
def test_what_is_missing_is_said(export, lost, words):
  folder = export('Siemens')
  for path in sorted(folder.iterdir()):
    if lost(pydicom.dcmread(path, stop_before_pixels=True)):
      path.unlink()
  change(folder, lambda image: delattr(image, 'CardiacNumberOfImages'))
  assert words in refusal(folder)


def test_frames_missing_at_the_end_of_every_series_are_said_with_both_numbers(export):
  """Case S6, where a scanner may also have triggered prospectively: a note."""
  folder = export('Siemens')
  for path in sorted(folder.iterdir()):
    if pydicom.dcmread(path, stop_before_pixels=True).InstanceNumber == 4:
      path.unlink()
  assert 'and CardiacNumberOfImages is 4' in refusal(folder)
  change(folder, lambda image: delattr(image, 'CardiacNumberOfImages'))
  opened, cines = read(folder)
  made = phantom()[0]
  step, rr = made.frame_interval, 4 * made.frame_interval
  assert f'3 frames of {step:.1f} ms are {3 * step:.0f} ms, the RR interval is {rr:.0f} ms' in opened.notes[-1]
  assert cines[0].frame_interval == pytest.approx(step, abs=1e-5)


def test_padding_is_no_velocity(export):
  folder = export('GE')
  corner = np.s_[:5, :5]

  def pad(image):
    pixels = image.pixel_array.copy()
    pixels[corner] = -32768
    image.PixelData = pixels.tobytes()
    image.add_new('PixelPaddingValue', 'SS', -32768)

  change(folder, pad)
  for cine in read(folder)[1]:
    assert not cine.video[:, :5, :5].any()


def test_velocities_without_a_place_are_refused_by_that_reason(export):
  folder = export('Siemens XA as classic')
  change(folder, lambda image: delattr(image, 'ImagePositionPatient'))
  assert 'ImagePositionPatient, ImageOrientationPatient or PixelSpacing is missing or broken' in refusal(folder)


def test_a_direction_scanned_twice_is_refused_with_each_venc(export):
  """As dual-venc scans are; one of both is then exported."""
  folder = export('Siemens')
  for path in sorted(folder.iterdir()):
    image = pydicom.dcmread(path)
    if image.SeriesNumber == 23:
      image.SeriesNumber, image.SOPInstanceUID = 99, pydicom.uid.generate_uid()
      image.remove_private_tags()
      image.SequenceName = '*fl2d1_v60in'
      image.save_as(folder / f'{path.name}-again')
  said = refusal(folder)
  assert 'each 2 times' in said
  assert '(venc 30 and 60 cm/s)' in said


def test_pictures_elsewhere_are_passed_over(export):
  folder = export('Siemens XA as classic')
  path = min(folder.iterdir())
  for number in range(3):
    other = shutil.copy(path, folder / f'localiser{number}')
    edit(other, SeriesNumber=1, SOPInstanceUID=f'1.2.{number}', ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
  opened, cines = read(folder)
  assert len(cines) == 3
  assert 'series 1 skipped: another place, size or orientation than the velocities' in opened.notes


@pytest.mark.skipif(not HEADERS, reason='needs real headers of enhanced MR')
def test_real_headers_are_what_they_are():
  """A field map and a brain's time series: neither is a velocity, and neither is read as one."""
  folder = pathlib.Path(HEADERS)
  pictures = [one for path in folder.rglob('*.dcm') for one in instances.read(path)]
  words = {(one.manufacturer.split()[0], velocity_tags.component(one)) for one in pictures}
  assert words == {('Philips', 'M'), ('Philips', 'B0'), ('Siemens', 'M')}
  assert not any(map(velocity_tags.encodes, pictures))
  assert {one.protocol is not None for one in pictures} == {True, False}  # the Siemens text lies in a shared group


def test_each_writer_differs_from_the_others_in_what_it_must(written):
  """The layouts test nothing unless they are different: scales, files and places of the labels."""
  counts = {layout: len(list(written(layout).iterdir())) for layout in LAYOUTS}
  assert counts['Philips enhanced, mrad'] == 3
  assert counts['Siemens XA'] == 12
  intercepts = {
    layout: {
      float(one.rescale.intercept) if one.rescale else None
      for path in written(layout).iterdir()
      for one in instances.read(path)
      if velocity_tags.component(one) == 'P'
    }
    for layout in ('Siemens', 'Philips', 'Philips enhanced, mrad', 'GE')
  }
  assert intercepts['Siemens'] == {-4096.0}
  assert intercepts['Philips'] == {-45.0, -40.0, -50.0}
  assert {round(v) for v in intercepts['Philips enhanced, mrad']} == {-3142}
  assert intercepts['GE'] == {None}
  assert dataclasses.is_dataclass(Choices)


def test_slices_that_differ_in_phase_direction_are_a_note(export):
  """Case S7, for every vendor."""
  folder = export('Siemens XA as classic')
  change(folder, lambda image: setattr(image, 'InPlanePhaseEncodingDirection', 'ROW'), lambda i: i.SeriesNumber < 17)
  assert 'phase encoding direction differs between slices: not stated, ROW' in read(folder)[0].notes


def test_a_volume_of_velocities_is_a_note(tmp_path):
  """4D flow has three directions at dozens of places, and they are no short-axis slices."""
  one = phantom()[0]
  many = Study(one.subject, one.dataset, tuple(one.replace(slice_id=f'plane {k}') for k in range(16)))
  enhanced.philips(short_axis(many), tmp_path / 'scan')
  opened, cines = read(tmp_path / 'scan')
  assert len(cines) == 16
  assert '16 planes with velocities: of 4D flow each is taken for a slice, whatever its orientation' in opened.notes


def test_a_venc_in_another_unit_is_settled_by_the_user(export):
  folder = export('GE')
  before = read(folder)[1]
  change(folder, lambda i: setattr(i.private_block(0x0019, 'GEMS_ACQU_01')[0xCC], 'value', 20))
  for cine, same in zip(read(folder, venc=VENC)[1], before, strict=True):
    np.testing.assert_allclose(cine.video, same.video, atol=1e-6)
    assert cine.venc == VENC


def test_a_unit_of_pixels_that_the_venc_denies_is_not_settled_by_another_venc(export):
  """--venc says how far the phase reaches, not what a pixel is worth: a tenth of the velocity would be read."""
  folder = export('Philips')
  change(folder, lambda i: setattr(i, 'RescaleType', 'mm/s'), lambda i: i.ImageType[-2] == 'P')
  said = refusal(folder, venc=(45.0, 40.0, 50.0))
  assert 'cm/s by their scale and unit, and venc is ' in said


@pytest.mark.parametrize('layout', ['Siemens', 'Siemens XA'])
def test_trigger_times_in_seconds_leave_the_interval_to_rr(export, layout):
  folder = export(layout)
  if layout == 'Siemens':
    change(folder, lambda i: setattr(i, 'TriggerTime', float(i.TriggerTime) / 1000))
  else:
    change(folder, lambda i: delays(i, 1e-3))
  opened, cines = read(folder)
  assert [cine.frame_interval for cine in cines] == pytest.approx([282.92] * 3, abs=0.1)
  assert any('a heartbeat lasts 300 to 2000 ms' in note for note in opened.notes)


def test_a_direction_that_was_scanned_twice_is_one_series_or_the_other(export):
  """Names of files once chose, frame by frame: two scans were mixed."""
  folder = export('Siemens')
  first = read(folder)[1]
  for path in sorted(folder.iterdir(), reverse=True):
    image = pydicom.dcmread(path)
    if image.SeriesNumber == 26:
      image.SeriesNumber, image.SeriesInstanceUID, image.SOPInstanceUID = 90, '1.2.90', f'1.2.90.{image.InstanceNumber}'
      image.PixelData = bytes(len(image.PixelData))
      image.save_as(folder / f'{"A" if image.InstanceNumber % 2 else "Z"}{path.name}')
  (fault,) = refusal(folder).splitlines()[1:]
  assert 'series 26, 90, 8 pictures: 8 pictures have 4 trigger times, each 2 times' in fault
  for wanted, series_is_first in (('first', True), ('last', False)):
    opened, cines = read(folder, repeated=wanted)
    same = [np.array_equal(a.video[t], b.video[t]) for a, b in zip(cines[:1], first, strict=False) for t in range(4)]
    assert same == [series_is_first] * 4
    assert f'the {wanted} by series and instance number is taken' in ' '.join(opened.notes)


def test_phases_without_a_direction_are_one_note_a_place(export):
  folder = export('Siemens XA')

  def nowhere(image):
    for group in image.PerFrameFunctionalGroupsSequence:
      group.remove_private_tags()
    standard(axis=[0.0, 0.0, 0.0])(image)

  change(folder, nowhere, lambda image: image.ImageType[2] == 'VELOCITY')
  opened, cines = read(folder)
  assert [cine.video.shape[-1] for cine in cines] == [1] * 3
  notes = [note for note in opened.notes if 'no tag says which direction' in note]
  assert len(notes) == 3
  assert notes[0].startswith('phases of series 2, 3, 4 were not used')


def test_words_of_image_type_in_small_letters_are_the_same_words(export):
  folder = export('Siemens')
  with pydicom.config.disable_value_validation():  # which warns of them
    change(folder, lambda image: setattr(image, 'ImageType', [word.lower() for word in image.ImageType]))
  assert [cine.venc for cine in read(folder)[1]] == [VENC] * 3


def test_places_of_several_frames_of_reference_are_said(export):
  folder = export('Siemens XA')
  change(folder, lambda image: setattr(image, 'FrameOfReferenceUID', f'1.2.{(image.SeriesNumber - 1) // 8}'))
  assert read(folder)[0].notes == (
    'FrameOfReferenceUID differs between slices: their positions may be measured from several points',
  )


def test_a_slice_of_another_matrix_is_a_slice_of_the_stack(export):
  """Case A10, for velocities."""
  folder, across = export('Siemens'), short_axis(phantom()).across
  before = read(folder)[1]

  def crop(image):
    pixels = image.pixel_array[:, 4:-4]
    image.PixelData, image.Columns = pixels.tobytes(), pixels.shape[1]
    image.ImagePositionPatient = list(np.array(image.ImagePositionPatient, float) + 4 * image.PixelSpacing[1] * across)

  change(folder, crop, lambda image: 30 <= image.SeriesNumber < 39)
  opened, cines = read(folder)
  for cine, same, columns in zip(cines, before, (slice(None), slice(4, -4), slice(None)), strict=True):
    np.testing.assert_array_equal(cine.video, same.video[:, :, columns])
  assert any(note.startswith('size of pictures differs between slices: 48 x 40 pixels of') for note in opened.notes)


def test_4d_flow_beside_slices_is_not_chosen_for_them(export):
  """It has more pictures; both are across the heart."""
  folder, scan = export('Siemens'), short_axis(phantom())
  for path in sorted(folder.iterdir()):
    image = pydicom.dcmread(path)
    if image.SeriesNumber < 30:
      corner, number = np.array(image.ImagePositionPatient, float), image.SeriesNumber
      image.SeriesNumber, image.SeriesInstanceUID, image.PixelSpacing = 200 + number, f'1.2.{number}', [2.5, 2.5]
      for k in range(5):
        image.ImagePositionPatient, image.SOPInstanceUID = list(corner + 2.5 * k * scan.normal), generate_uid()
        image.save_as(folder / f'{path.name}-{k}')
  (fault,) = refusal(folder).splitlines()[1:]
  assert '2 stacks have velocities along three directions (series 223, 226, 229, 48 x 48 pixels of 2.5 x' in fault
  for path in folder.glob('*-*'):  # an axial volume is none of the stack
    edit(path, ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
  opened, cines = read(folder)
  assert [cine.spacing for cine in cines] == [(2.4, 2.4)] * 3
  assert any(note.startswith('series 221, 222, 223') and 'skipped' in note for note in opened.notes)


def test_the_end_of_the_range_that_is_not_stated_does_not_cost_the_direction(export):
  folder = export('Siemens XA')
  before = read(folder)[1]

  def half(image):
    del image.SharedFunctionalGroupsSequence[0].MRVelocityEncodingSequence[0].VelocityEncodingMaximumValue
    for group in image.PerFrameFunctionalGroupsSequence:
      group.remove_private_tags()

  change(folder, half, lambda image: image.ImageType[2] == 'VELOCITY')
  for cine, same in zip(read(folder)[1], before, strict=True):
    np.testing.assert_array_equal(cine.video, same.video)
