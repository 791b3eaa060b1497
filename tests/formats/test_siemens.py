"""Velocity-mapping DICOM: what the phantom wrote comes back, whatever the names and whatever else lies about."""

import dataclasses
import re
import shutil

import gdcm
import numpy as np
import pydicom
import pytest
import velocity_scan
from pydicom.uid import ImplicitVRLittleEndian, RLELossless, generate_uid
from velocity_scan import ROLES, Scan, edit

from ear_jax.cine import rot90
from ear_jax.formats.choices import Choices
from ear_jax.formats.faults import MalformedStudy
from ear_jax.formats.open import open_studies
from ear_jax.formats.siemens import writer as siemens_writer
from ear_jax.phantom import study as phantom

SECRET = 'Planted'


def read(folder):
  (opened,) = open_studies(folder)
  return opened, [cine for cine, _ in opened.read()]


def assert_same(cines, study):
  assert len(cines) == len(study.cines)
  for cine, written in zip(cines, study.cines, strict=True):
    np.testing.assert_array_equal(cine.video, written.video)  # the phantom holds whole 12-bit counts
    assert cine.spacing == written.spacing
    assert cine.frame_interval == pytest.approx(written.frame_interval, rel=1e-6)
    assert (cine.venc, cine.level) == (written.venc, written.level)


@pytest.mark.parametrize('direction', ['COL', 'ROW'])
def test_what_was_written_comes_back(phantom_study, tmp_path, direction):
  scan = Scan.write(phantom_study, tmp_path / 'scan', direction=direction)
  opened, cines = read(scan.folder)
  assert_same(cines, phantom_study)
  assert opened.slices == ('slice-00', 'slice-01', 'slice-02')
  assert opened.notes == ('3 frames a series instead of 50',)
  for s, (cine, source) in enumerate(opened.read()):
    assert cine.name == f'{opened.dataset}/slice-{s:02d}'
    assert source.instances == tuple(scan.files(s, 'MagAvg'))
    assert source.septum is None
    header = pydicom.dcmread(scan.file(s, 'MagAvg'))
    assert [*cine.place.across, *cine.place.down] == list(header.ImageOrientationPatient)
    assert (*cine.place.corner, cine.place.thickness) == (*header.ImagePositionPatient, header.SliceThickness)
  positions = [source.position for _, source in opened.read()]
  np.testing.assert_allclose(np.diff(positions), 9.0, atol=1e-3)


def test_exact_velocities_come_back_within_half_a_step(tmp_path):
  plans = phantom.plan(velocity_scan.TINY)
  study = phantom_of(tuple(phantom.exact(plan) for plan in plans))
  _, cines = read(Scan.write(study, tmp_path / 'scan', direction='ROW').folder)
  step = np.asarray(study.cines[0].venc) / 2048
  for cine, plan in zip(cines, plans, strict=True):
    error = np.abs(cine.video[..., 1:] - phantom.truth(plan).velocity).max((0, 1, 2))
    assert (error <= 0.51 * step).all()
    assert (error > 0.1 * step).all()  # they were not whole counts before


def phantom_of(cines):
  return velocity_scan.Study(cines[0].subject, cines[0].dataset, cines)


@pytest.mark.parametrize(('direction', 'stored'), [('COL', (-5.0, 7.0, 3.0)), ('ROW', (-7.0, 5.0, -3.0))])
def test_stored_signs_and_swap(tmp_path, make_cine, direction, stored):
  # v_col 5, v_row 7, v_long 3 cm/s. COL: X = -v_col, Y = v_row, Z = v_long. ROW: X = -v_row, Y = v_col, Z = -v_long.
  video = np.full((2, 12, 10, 4), (100, 5, 7, 3), np.float32)
  cine = make_cine(video=video, mask=np.zeros((2, 12, 10), np.uint8), annotated=np.ones(2, bool))
  scan = Scan.write(phantom_of((cine,)), tmp_path / 'scan', direction=direction)
  for role, speed, venc in zip(('PhaseX', 'PhaseY', 'PhaseZ'), stored, (20, 20, 30), strict=True):
    pixels = pydicom.dcmread(scan.file(0, role, 1)).pixel_array
    assert (pixels == round(2048 + 2048 * speed / venc)).all()
  assert pydicom.dcmread(scan.file()).InPlanePhaseEncodingDirection == direction


def test_the_curves_of_a_turned_study_turn_with_it(phantom_study, tmp_path):
  turned = tuple(rot90(cine) for cine in phantom_study.cines)
  _, cines = read(Scan.write(phantom_of(turned), tmp_path / 'scan').folder)
  for cine, written in zip(cines, phantom_study.cines, strict=True):
    np.testing.assert_array_equal(rot90(cine, -1).video, np.where(written.video == -0.0, 0.0, written.video))


def test_names_folders_and_order_of_files_do_not_matter(scan, phantom_study):
  order = np.random.default_rng(3).permutation(len(scan.files()))
  for place, path in zip(order, scan.files(), strict=True):
    new = scan.folder / f'export{place % 7}' / 'deep' / f'IM{place:04d}'
    new.parent.mkdir(parents=True, exist_ok=True)
    path.rename(new)
  (scan.folder / 'readme.txt').write_text('not a picture')
  opened, cines = read(scan.folder)
  assert_same(cines, phantom_study)
  assert '1 file skipped: not DICOM' in opened.notes


def test_series_that_do_not_belong_are_passed_over(scan, phantom_study):
  """A localiser of another orientation, a series of another size, and one at the same place without any mark."""
  unmarked = {'ImageComments': None, 'private': lambda image: image.remove_private_tags()}

  def add(number, **tags):
    for t in range(3):
      path = scan.folder / f'stray-{number}-{t}'
      shutil.copy(scan.file(0, 'MagAvg', t), path)
      uids = {'SOPInstanceUID': generate_uid(), 'SeriesInstanceUID': f'1.2.{number}'}
      edit(path, SeriesNumber=number, **uids, **unmarked, **tags)

  add(1, ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
  add(2, Rows=12, Columns=12, PixelData=bytes(288))
  add(10)
  add(7)
  opened, cines = read(scan.folder)
  assert_same(cines, phantom_study)
  assert opened.notes[:3] == (
    'series 1 skipped: another size or orientation',
    'series 2 skipped: another size or orientation',
    'series 7 skipped: not part of a group of five',
  )


def test_two_patients_in_one_folder_are_two_studies(scan, phantom_study):
  other = phantom_of(tuple(cine.replace(dataset='other', subject='other') for cine in phantom_study.cines))
  siemens_writer.write(other, scan.folder)
  studies = open_studies(scan.folder)
  assert len({study.dataset for study in studies}) == 2
  for study in studies:
    assert_same([cine for cine, _ in study.read()], phantom_study)


def test_a_sound_study_is_read_beside_a_damaged_one(scan, phantom_study):
  other = phantom_of(tuple(cine.replace(dataset='other', subject='other') for cine in phantom_study.cines))
  damaged = Scan.write(other, scan.folder.parent / 'scan/other')
  damaged.file(0, 'PhaseX', 1).unlink()
  first, second = sorted(open_studies(scan.folder), key=lambda study: len(study.faults))
  assert_same([cine for cine, _ in first.read()], phantom_study)
  with pytest.raises(MalformedStudy, match=r'series 13 \(PhaseX\): missing frame'):
    second.read()


@pytest.mark.parametrize('syntax', ['JPEG2000Lossless', 'JPEGLosslessProcess14_1', 'JPEGLSLossless', 'RLELossless'])
def test_compressed_pixels(scan, phantom_study, syntax):
  for path in scan.files(0):
    velocity_scan.compress(path, getattr(gdcm.TransferSyntax, syntax))
  assert pydicom.dcmread(scan.file()).file_meta.TransferSyntaxUID.is_compressed
  assert_same(read(scan.folder)[1], phantom_study)


def test_rle_by_another_encoder_and_implicit_vr(scan, phantom_study):
  for path in scan.files(0):
    image = pydicom.dcmread(path)
    image.compress(RLELossless, generate_instance_uid=False)
    image.save_as(path)
  for path in scan.files(1):  # the private text becomes UN
    image = pydicom.dcmread(path)
    image.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    image.save_as(path, implicit_vr=True, little_endian=True)
  assert_same(read(scan.folder)[1], phantom_study)


def test_the_older_place_of_the_protocol_text(scan, phantom_study):
  def move(image):
    text = bytes(image[0x0021, 0x1019].value).rstrip()
    image.remove_private_tags()
    header = b'SV10\4\3\2\1' + bytes(8) + b'MrPhoenixProtocol'.ljust(64, b'\0') + bytes(36) + text + b'\0' * 3
    image.private_block(0x0029, 'SIEMENS CSA HEADER', create=True).add_new(
      0x20, 'OB', header + b'\0' * (len(header) % 2)
    )

  scan.edit(move=move)
  assert_same(read(scan.folder)[1], phantom_study)


def test_a_protocol_text_that_an_archive_moved_to_another_block(scan, phantom_study):
  """Case B11: another creator lies where the text was."""

  def move(image):
    text = image[0x0021, 0x1019].value
    image.remove_private_tags()
    image.add_new((0x0021, 0x0010), 'LO', 'ANOTHER ONE')
    image.add_new((0x0021, 0x1019), 'OB', b'nothing of ours ')
    image.add_new((0x0021, 0x0011), 'LO', 'SIEMENS MR SDS 01')
    image.add_new((0x0021, 0x1119), 'OB', text)

  scan.edit(move=move)
  assert_same(read(scan.folder)[1], phantom_study)


def test_a_protocol_text_whose_creator_an_archive_dropped(scan, phantom_study):
  scan.edit(drop=lambda image: image.__delitem__((0x0021, 0x0010)))
  assert_same(read(scan.folder)[1], phantom_study)


def test_a_protocol_text_in_a_sequence_as_newer_scanners_nest_it(scan, phantom_study):
  def nest(image):
    inner = pydicom.Dataset()
    inner.private_block(0x0021, 'SIEMENS MR SDS 01', create=True).add_new(0x19, 'OB', image[0x0021, 0x1019].value)
    image.remove_private_tags()
    image.private_block(0x0021, 'SIEMENS MR SDS 01', create=True).add_new(0xFE, 'SQ', [inner])

  scan.edit(nest=nest)
  assert_same(read(scan.folder)[1], phantom_study)


def test_slices_from_base_to_apex_whichever_way_positions_run(scan, phantom_study):
  """The same pictures with axes mirrored through the origin of the plane: the normal points from apex to base."""

  def mirrored(image):
    along_row, along_column = np.reshape(image.ImageOrientationPatient, (2, 3)).astype(float)
    image.ImageOrientationPatient = [f'{v:.9f}' for v in (*along_column, *along_row)]

  scan.edit(change=mirrored)
  opened, cines = read(scan.folder)
  assert_same(cines, phantom_study)
  positions = [source.position for _, source in opened.read()]
  np.testing.assert_allclose(np.diff(positions), -9.0, atol=1e-3)


def test_without_orientation_no_level_is_claimed(scan):
  scan.edit(ImageOrientationPatient=None, ImagePositionPatient=None, TriggerTime=None)
  opened, cines = read(scan.folder)
  assert [cine.level for cine in cines] == ['', '', '']
  assert any('which end of the stack is the base is not known' in note for note in opened.notes)
  assert any('without trigger times' in note for note in opened.notes)
  assert [source.orientation for _, source in opened.read()] == [None] * 3


def test_image_type_without_information_leaves_it_to_the_pixels(scan, phantom_study):
  scan.edit(ImageType=['ORIGINAL', 'PRIMARY', 'OTHER'])
  opened, cines = read(scan.folder)
  assert_same(cines, phantom_study)
  assert 'ImageType does not tell phase from magnitude: the pixels do' in opened.notes


def plant(path):
  """Puts words that must not come out into every text, date and name of a file that is not needed for reading."""
  image = pydicom.dcmread(path)
  needed = {'ImageComments', 'InPlanePhaseEncodingDirection', 'PhotometricInterpretation', 'ImageType', 'Modality'}
  for tag in pydicom.datadict.DicomDictionary:
    vr, vm, _, retired, keyword = pydicom.datadict.DicomDictionary[tag]
    wanted = vr in ('PN', 'LO', 'SH', 'LT', 'ST', 'UT', 'DA', 'AE', 'AS', 'UC') and vm in ('1', '1-n')
    if wanted and not retired and keyword not in needed and tag >> 16 in (0x8, 0x10, 0x18, 0x20, 0x32, 0x40):
      setattr(image, keyword, {'DA': '19011231', 'AS': '099Y'}.get(vr, SECRET))
  image.StudyInstanceUID, image.SeriesInstanceUID = '1.9.190112319', f'1.9.190112319.{image.SeriesNumber}'
  image.SOPInstanceUID = f'{image.SeriesInstanceUID}.{image.InstanceNumber}'
  image.ImageComments = f'{image.ImageComments} {SECRET}'
  with pydicom.config.disable_value_validation():
    image.save_as(path)
  path.rename(path.with_name(f'{SECRET}.{path.name.split(".", 1)[-1]}'))


@pytest.mark.parametrize('damaged', [False, True])
def test_nothing_of_the_patient_comes_out(scan, damaged):
  stray = scan.folder / 'x'
  shutil.copy(scan.file(), stray)
  edit(stray, SeriesNumber=7, remove=lambda image: image.remove_private_tags())
  for path in (stray, *scan.files()):
    plant(path)
  edit(scan.folder / f'{SECRET}.x', ImageComments=SECRET)
  assert SECRET.encode() in next(scan.folder.iterdir()).read_bytes()
  if damaged:
    scan.edit(0, 'PhaseX', PixelSpacing=[0, 0], SliceLocation=None, InstanceNumber=None)
    with pytest.raises(MalformedStudy) as error:
      open_studies(scan.folder)
    said = [(fault.frame, fault.rule) for fault in error.value.faults]
    assert said
  else:
    (opened,) = open_studies(scan.folder)
    assert re.fullmatch('study-[0-9a-f]{8}', opened.dataset)
    assert 'series 7 skipped: not part of a group of five' in opened.notes
    said = [opened.dataset, opened.slices, opened.notes]
    for cine, source in opened.read():
      said += [getattr(cine, f.name) for f in dataclasses.fields(cine) if f.name not in ('video', 'mask')]
      said += [source.notes, source.position, source.orientation]
  assert not re.search(f'{SECRET}|1901|099Y', str(said))


@pytest.mark.parametrize(
  ('changes', 'words'),
  [
    ({'venc': (20.0, 25.0, 30.0)}, 'in-plane venc (20.0, 25.0) differ'),
    ({'spacing': (float('nan'), 1.0)}, 'spacing or frame interval is unknown'),
    ({'frame_interval': float('nan')}, 'spacing or frame interval is unknown'),
  ],
)
def test_what_the_layout_cannot_hold_is_not_written(tmp_path, make_cine, changes, words):
  with pytest.raises(ValueError, match=re.escape(words)):
    siemens_writer.write(phantom_of((make_cine(**changes),)), tmp_path / 'scan')
  with pytest.raises(ValueError, match='no velocity channels'):
    siemens_writer.write(phantom_of((make_cine(channels=1),)), tmp_path / 'scan')
  with pytest.raises(ValueError, match="expected 'COL' or 'ROW'"):
    siemens_writer.write(phantom_of((make_cine(),)), tmp_path / 'scan', direction='row')
  assert not (tmp_path / 'scan').exists()


def test_the_files_follow_the_layout(whole_scan):
  """Tags and names that StrainMap's reader looks for."""
  for s in range(3):
    for k, role in enumerate(ROLES):
      path = whole_scan.file(s, role, 2)
      assert len(path.name.removesuffix('.dcm').split('.')) == 13
      image = pydicom.dcmread(path)
      assert (image.SeriesNumber, image.InstanceNumber) == (11 + 5 * s + k, 3)
      assert re.search('[sS][aA][xX]?([0-9])', image.SeriesDescription)[1] == str(s + 1)
      assert (image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation) == (16, 12, 11, 0)
      text = bytes(image[0x0021, 0x1019].value).decode('utf-8')
      assert re.search(r'tSequenceFileName\t = \t"{1,2}(.*)"{2}', text)[1].endswith('ParallelSpirals')
      vencs = [float(re.search(rf'asElm\[{i}\]\.nVelocity\t = \t(.*)\n', text)[1]) for i in range(3)]
      assert vencs == [30, 20, 20]
      assert float(image.ImageComments.split()[1]) > 0


def test_a_missing_refmag_is_a_note_since_nothing_uses_it(scan, phantom_study):
  """Case S14."""
  for path in scan.files(role='RefMag'):
    path.unlink()
  opened, cines = read(scan.folder)
  assert_same(cines, phantom_study)
  assert opened.notes.count('RefMag is missing, which nothing uses') == 1


@pytest.mark.parametrize('lost', [1, 2])
def test_the_end_of_the_cycle_missing_in_every_series_is_a_fault_with_both_numbers(tmp_path, lost):
  """Case S6: the interval was stretched to fill the RR interval, and with it the windows of the markers."""
  size = dataclasses.replace(velocity_scan.TINY, frames=25, matrix=16)
  cine = phantom.exact(phantom.plan(size)[0])
  cine = cine.replace(frame_interval=36.0)
  scan = Scan.write(phantom_of((cine,)), tmp_path / 'scan')
  assert read(scan.folder)[1][0].frame_interval == pytest.approx(36.0)
  for role in ROLES:
    for t in range(25 - lost, 25):
      scan.file(0, role, t).unlink()
  with pytest.raises(MalformedStudy, match=r'step by 36\.0 ms, but RR 900 ms over 2\d frames is 3[79]\.\d ms'):
    read(scan.folder)


def test_the_frame_interval_is_that_of_the_trigger_times(scan):
  """RR is a mean over the scan, rounded; trigger times say when each frame was."""
  scan.edit(change=lambda image: setattr(image, 'TriggerTime', f'{(image.InstanceNumber - 1) * 300.0}'))
  scan.edit(ImageComments='RR 910 +/- 5')
  assert [cine.frame_interval for cine in read(scan.folder)[1]] == [300.0] * 3


def test_a_venc_that_the_user_says_against_the_text_is_refused(scan):
  assert len(open_studies(scan.folder, Choices(venc=(20.0, 20.0, 30.0)))) == 1
  with pytest.raises(MalformedStudy, match='the protocol text states a venc of 20, 20, 30 cm/s, --venc 20, 20, 60'):
    open_studies(scan.folder, Choices(venc=(20.0, 20.0, 60.0)))


def test_slices_that_differ_in_phase_direction_are_a_note(scan):
  """Case S7."""
  scan.edit(1, InPlanePhaseEncodingDirection='ROW')
  opened, _ = read(scan.folder)
  assert 'phase encoding direction differs between slices: COL, ROW' in opened.notes


def test_comments_that_an_archive_overwrote_cost_nothing_where_trigger_times_stand(scan, phantom_study):
  """Case C7: in all files, or in one."""
  before = [cine.frame_interval for cine in read(scan.folder)[1]]
  edit(scan.file(1, 'PhaseZ', 1), ImageComments='another word')
  said = 'ImageComments does not state the RR interval everywhere: trigger times tell the frame interval'
  assert f'slice-01: {said}' in read(scan.folder)[0].notes
  scan.edit(ImageComments='another word')
  opened, cines = read(scan.folder)
  assert_same(cines, phantom_study)
  assert [cine.frame_interval for cine in cines] == before
  assert said in opened.notes
