"""Damaged studies: each gives a sentence that names place and rule; none is read, none raises anything else."""

import shutil

import gdcm
import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid
from velocity_scan import ROLES, compress, edit

from ear_jax.formats.faults import MalformedStudy
from ear_jax.formats.open import open_studies

SECRET = 'Planted'
TEXT = (0x0021, 0x1019)


@pytest.fixture
def two_slices(scan):
  """A copy of two slices of the study; a third would only take time."""
  remove(scan.files(2))
  scan.slices = 2
  return scan


def cut(path, size):
  path.write_bytes(path.read_bytes()[:size])


def protocol(scan, old, new, **which):
  """Replaces a piece of the private protocol text."""

  def change(image):
    value = bytes(image[TEXT].value)
    assert old.encode() in value
    value = value.replace(old.encode(), new.encode())
    image[TEXT].value = value + b' ' * (len(value) % 2)

  scan.edit(change=change, **which)


def doubled(text):
  return bytes(text).replace(b' = \t20', b' = \t40')


def set_pixels(value, **tags):
  def change(image):
    image.PixelData = np.full((image.Rows, image.Columns), value, np.uint16).tobytes()

  return {'change': change} | tags


def remove(paths):
  for path in paths:
    path.unlink()


def drop_last_frames(scan, *, s=None, keep=None):
  remove([path for path in scan.files(s) if int(path.name.split('.')[4]) > keep])


def copy_with(path, name, **tags):
  new = path.with_name(name)
  shutil.copy(path, new)
  edit(new, **tags)


def exchange_pixels(scan, one, other):
  """Exchanges the pictures of two roles of slice 0."""
  for t in range(scan.frames):
    first, second = (pydicom.dcmread(scan.file(0, role, t)) for role in (one, other))
    first.PixelData, second.PixelData = second.PixelData, first.PixelData
    first.save_as(scan.file(0, one, t))
    second.save_as(scan.file(0, other, t))


def repeat_slice(scan):
  for role in ROLES:
    uid = generate_uid()
    for t in range(scan.frames):
      number = 40 + ROLES.index(role)
      tags = {'SeriesNumber': number, 'SeriesInstanceUID': uid, 'SOPInstanceUID': generate_uid()}
      copy_with(scan.file(0, role, t), f'again-{number}-{t}.dcm', **tags)


def sixth_series(scan):
  for t in range(scan.frames):
    tags = {'SeriesNumber': 10, 'SeriesInstanceUID': '1.2.3', 'SOPInstanceUID': generate_uid()}
    copy_with(scan.file(0, 'MagAvg', t), f'sixth-{t}.dcm', **tags)


def other_matrix(image):
  image.Rows = image.Columns = 12
  image.PixelData = image.PixelData[: 2 * 12 * 12]


def broken_stream(path):
  compress(path, gdcm.TransferSyntax.JPEG2000Lossless)
  image = pydicom.dcmread(path)
  image.PixelData = image.PixelData[:40] + bytes(len(image.PixelData) - 40)
  image.save_as(path)


def shuffled_times(scan):
  for t in range(scan.frames):
    edit(scan.file(1, 'PhaseX', t), TriggerTime=(0, 600, 300)[t])


def shorter_slice(scan):
  drop_last_frames(scan, s=1, keep=2)
  for path in scan.folder.iterdir():
    edit(path, TriggerTime=None)


def swap_names(scan):
  one, other = scan.file(0, 'PhaseX', 1), scan.file(0, 'PhaseY', 1)
  held = one.with_name('held')
  one.rename(held), other.rename(one), held.rename(other)


def only(scan, role):
  remove([path for other in ROLES if other != role for path in scan.files(role=other)])


def anonymised(scan):
  """No private text, comments, image type or direction: nothing marks velocity mapping but the pixels."""
  scan.edit(ImageComments=None, ImageType=None, InPlanePhaseEncodingDirection=None, d=lambda i: i.remove_private_tags())


def only_text(scan):
  remove(scan.files())
  (scan.folder / 'notes.txt').write_text('nothing')


def bad_spacing(image):
  image.add_new(0x00280030, 'DS', '1.0')


def mirror_twin(image):
  image.PixelRepresentation = 1
  image.PixelData = (-np.ones((image.Rows, image.Columns), np.int16)).tobytes()


FIRST = {'s': 0, 'role': 'PhaseX'}
DAMAGES = {
  # Files.
  'truncated pixels': (lambda s: cut(s.file(0, 'PhaseY', 2), -40), 'series 14 (PhaseY), frame 2: pixels are not read'),
  'truncated header': (lambda s: cut(s.file(), 700), 'series 11'),
  'cut within the preamble': (lambda s: cut(s.file(), 60), 'no DICOM file: the mark DICM is missing'),
  'empty file': (lambda s: cut(s.file(), 0), 'no DICOM file: the mark DICM is missing'),
  'text named dcm': (lambda s: (s.folder / 'a.dcm').write_text('hello'), 'a.dcm: no DICOM file'),
  'DICM and then nonsense': (
    lambda s: (s.folder / 'a').write_bytes(bytes(128) + b'DICM' + b'\xff' * 400),
    'a: not a readable DICOM file',
  ),
  'no pixels': (lambda s: edit(s.file(), PixelData=None), 'series 11 (MagAvg), frame 0: pixels are not readable'),
  'broken compressed stream': (lambda s: broken_stream(s.file()), 'series 11 (MagAvg), frame 0: pixels are not read'),
  'empty folder': (lambda s: remove(s.files()), 'nothing to read; expected DICOM files'),
  'no DICOM at all': (only_text, 'nothing to read (1 file skipped: not DICOM; the first is '),
  'no such folder': (lambda s: shutil.rmtree(s.folder), 'there is no such file or folder'),
  # Series and frames.
  'missing PhaseX': (lambda s: remove(s.files(1, 'PhaseX')), 'series 16: 2 consecutive series at one slice location'),
  'missing MagAvg': (
    lambda s: remove(s.files(0, 'MagAvg')),
    'expected magnitude, phase, phase, phase: the order of series is not MagAvg, PhaseZ, PhaseX, PhaseY, RefMag',
  ),
  'only phases': (lambda s: only(s, 'PhaseZ'), '1 consecutive series at one slice location (series 12), expected five'),
  'missing frame': (
    lambda s: s.file(0, 'PhaseY', 1).unlink(),
    'series 14 (PhaseY): missing frame: instance number 2 of 3 is not there',
  ),
  'missing first frame': (lambda s: s.file(0, 'PhaseZ', 0).unlink(), 'missing frame: instance number 1 of 3'),
  'missing last frame': (
    lambda s: s.file(1, 'PhaseZ', 2).unlink(),
    'unequal numbers of frames: MagAvg 3, PhaseZ 2, PhaseX 3, PhaseY 3',
  ),
  'end of the cycle missing': (lambda s: drop_last_frames(s, keep=2), 'ms over 2 frames is'),
  'one slice shorter': (shorter_slice, 'series 16: 2 frames, the other slices have 3'),
  'file twice': (lambda s: shutil.copy(s.file(), s.folder / 'copy.dcm'), 'duplicated instances: instance number 1'),
  'instance number twice': (
    lambda s: copy_with(s.file(), 'x', SOPInstanceUID=generate_uid()),
    'series 11 (MagAvg): duplicated instances: instance number 1 occurs more than once',
  ),
  'one picture under two numbers': (
    lambda s: edit(s.file(0, 'MagAvg', 1), SOPInstanceUID=pydicom.dcmread(s.file()).SOPInstanceUID),
    'duplicated instances: 1 repeat a SOPInstanceUID',
  ),
  'no instance number': (lambda s: edit(s.file(), InstanceNumber=None), 'frame 2: InstanceNumber is missing'),
  'instances from 0': (lambda s: edit(s.file(0, 'MagAvg', 2), InstanceNumber=0), 'instance numbers run from 0 to 2'),
  'instance number of nonsense': (
    lambda s: edit(s.file(), change=lambda i: i.add_new(0x00200013, 'LO', SECRET)),
    'InstanceNumber is missing or no whole number',
  ),
  'instance number of millions': (
    lambda s: edit(s.file(0, 'MagAvg', 2), InstanceNumber=2_000_000_000),
    'instance numbers run from 1 to 2000000000',
  ),
  'no series number': (lambda s: s.edit(0, 'PhaseX', SeriesNumber=None), 'SeriesNumber is missing'),
  'two series under one number': (
    lambda s: edit(s.file(), SeriesInstanceUID='1.2.3'),
    'series 11: 2 different SeriesInstanceUID under one SeriesNumber',
  ),
  'slice scanned twice': (repeat_slice, 'scanned twice (series 11 too): remove one of both'),
  'sixth series': (sixth_series, '6 consecutive series at one slice location (series 10 to 15), expected five'),
  'names exchanged': (swap_names, 'the file is named after series 13, but its header says series 14'),
  # Identity.
  'no study': (lambda s: s.edit(StudyInstanceUID=None), 'StudyInstanceUID is missing'),
  'file without study': (lambda s: edit(s.file(), StudyInstanceUID=None), 'StudyInstanceUID is missing'),
  'two patients by id': (lambda s: s.edit(1, PatientID=SECRET), '2 different patients in one study'),
  'two patients by name': (
    lambda s: [s.edit(PatientID=''), s.edit(1, PatientName=SECRET)],
    '2 different patients in one study',
  ),
  # Velocity encoding.
  'no venc in one series': (
    lambda s: s.edit(0, 'PhaseX', change=lambda i: i.remove_private_tags()),
    'series 13 (PhaseX): venc is missing: no protocol text in (0021,1019) or (0029,1020)',
  ),
  'no venc anywhere': (lambda s: s.edit(change=lambda i: i.remove_private_tags()), 'series 12 (PhaseZ): venc is miss'),
  'no velocity line': (lambda s: protocol(s, 'asElm[0].nVelocity', 'x', s=0), 'venc is missing: no asElm[0].nVelocity'),
  'venc 0': (lambda s: protocol(s, '[0].nVelocity\t = \t30', '[0].nVelocity\t = \t0'), 'venc is 0 (asElm[0]'),
  'venc negative': (lambda s: protocol(s, '[1].nVelocity\t = \t20', '[1].nVelocity\t = \t-20', **FIRST), 'venc is -20'),
  'venc no number': (lambda s: protocol(s, '[2].nVelocity\t = \t20', '[2].nVelocity\t = \tx'), 'venc is not a number'),
  'venc nan': (lambda s: protocol(s, '[2].nVelocity\t = \t20', '[2].nVelocity\t = \tnan'), 'venc is nan'),
  'venc huge': (lambda s: protocol(s, '[0].nVelocity\t = \t30', '[0].nVelocity\t = \t9000'), 'up to 500'),
  'another venc in one series': (  # case S7
    lambda s: protocol(s, '[0].nVelocity\t = \t30', '[0].nVelocity\t = \t60', s=0, role='PhaseZ'),
    'series 11 (MagAvg) says 30, 20, 20 cm/s; series 12 (PhaseZ) says 60, 20, 20 cm/s. Export',
  ),
  'another venc in one file': (  # case S7
    lambda s: edit(s.file(0, 'PhaseY', 2), change=lambda i: i[TEXT].__setattr__('value', doubled(i[TEXT].value))),
    'series 11 (MagAvg) says 30, 20, 20 cm/s; series 14 (PhaseY) says 30, 40, 40 cm/s. Export',
  ),
  'in-plane venc differ': (
    lambda s: protocol(s, '[1].nVelocity\t = \t20', '[1].nVelocity\t = \t25'),
    'in-plane venc 25 and 20 cm/s differ, and the header does not say which belongs to X',
  ),
  'venc twice': (lambda s: protocol(s, '### ASCCONV END', 'asElm[0].nVelocity = 5\n###'), 'venc is contradictory: 2'),
  'another sequence': (
    lambda s: protocol(s, 'ParallelSpirals', 'Flow'),
    'series 12 (PhaseZ): the protocol text does not name the parallel spirals sequence',
  ),
  'no direction': (lambda s: s.edit(InPlanePhaseEncodingDirection=None), 'InPlanePhaseEncodingDirection is missing'),
  'another direction': (
    lambda s: s.edit(0, InPlanePhaseEncodingDirection='OTHER'),
    'InPlanePhaseEncodingDirection is neither ROW nor COL',
  ),
  'both directions': (
    lambda s: s.edit(0, 'PhaseY', InPlanePhaseEncodingDirection='ROW'),
    'InPlanePhaseEncodingDirection is ROW, of the first picture of the slice another',
  ),
  # Time.
  'no RR': (
    lambda s: s.edit(ImageComments=None, TriggerTime=None),
    'RR interval is missing: ImageComments is not `RR <mean>',
  ),
  'free text for RR': (
    lambda s: s.edit(0, 'MagAvg', ImageComments=SECRET, TriggerTime=None),
    'series 11 (MagAvg): RR interval is miss',
  ),
  'RR 0': (lambda s: s.edit(ImageComments='RR 0 +/- 0'), 'RR interval is 0, expected 200 to 3000 ms'),
  'RR in seconds': (lambda s: s.edit(ImageComments='RR 1.02 +/- 0'), 'RR interval is 1.02, expected 200 to 3000 ms'),
  'RR nan': (lambda s: s.edit(ImageComments='RR nan +/- 0'), 'RR interval is nan'),
  'RR no number': (lambda s: s.edit(ImageComments=f'RR {SECRET} +/- 0'), 'RR interval is not a number'),
  'RR of another scan': (lambda s: s.edit(0, 'PhaseZ', ImageComments='RR 700 +/- 5'), 'RR intervals of the four ser'),
  'RR of another day': (lambda s: s.edit(ImageComments='RR 700 +/- 5'), 'or RR belongs to another scan'),
  'times out of order': (shuffled_times, 'series 18 (PhaseX), frame 2: trigger times must increase'),
  'all times 0': (lambda s: s.edit(TriggerTime=0), 'frames 1, 2: trigger times must increase'),
  # Space.
  'no spacing': (lambda s: s.edit(PixelSpacing=None), 'PixelSpacing is missing or not two numbers'),
  'spacing 0': (lambda s: s.edit(PixelSpacing=[0, 0]), 'PixelSpacing is 0, 0 mm, expected positive numbers'),
  'spacing tiny': (lambda s: s.edit(PixelSpacing=[1e-9, 1e-9]), 'PixelSpacing is 1e-09, 1e-09 mm, expected positive'),
  'spacing negative': (lambda s: s.edit(1, PixelSpacing=[1, -1]), 'PixelSpacing is 1, -1 mm, expected positive'),
  'one spacing': (lambda s: s.edit(change=bad_spacing), 'PixelSpacing is missing or not two numbers'),
  'two spacings': (lambda s: s.edit(0, 'PhaseX', PixelSpacing=[1, 1]), 'PixelSpacing differs from that of the first'),
  'no position': (lambda s: s.edit(0, SliceLocation=None, ImagePositionPatient=None), 'no slice location: SliceLoc'),
  'slices mixed in a series': (
    lambda s: edit(s.file(0, 'PhaseX', 1), ImagePositionPatient=[0, 0, 0]),
    'series 13: pictures of one series lie between',
  ),
  'one picture turned': (
    lambda s: edit(s.file(), ImageOrientationPatient=[1, 0, 0, 0, 1, 0], ImagePositionPatient=None),
    'ImageOrientationPatient differs',
  ),
  'orientation of zeros': (lambda s: s.edit(0, ImageOrientationPatient=[0] * 6), 'not two perpendicular unit vectors'),
  # Pixels.
  'another matrix': (lambda s: edit(s.file(0, 'PhaseX', 1), change=other_matrix), 'picture has 12 x 12 pixels, the fi'),
  'no size': (lambda s: edit(s.file(0, 'PhaseX', 1), Rows=None), 'series 13 (PhaseX), frame 1: Rows or Columns is mis'),
  'colour': (lambda s: s.edit(0, 'MagAvg', SamplesPerPixel=3), '3 samples a pixel and 1 frames in one file'),
  'many frames a file': (lambda s: s.edit(0, 'PhaseZ', NumberOfFrames=2), '1 samples a pixel and 2 frames in one'),
  'more than 12 bits': (
    lambda s: edit(s.file(0, 'PhaseZ', 1), **set_pixels(5000, BitsStored=16, HighBit=15)),
    'series 12 (PhaseZ), frame 1: stored values reach from 5000 to 5000, expected 12 bits, 0 to 4095',
  ),
  'signed': (lambda s: edit(s.file(0, 'PhaseZ', 1), change=mirror_twin), 'stored values reach from -1 to -1'),
  'phase before magnitude': (
    lambda s: exchange_pixels(s, 'MagAvg', 'PhaseZ'),
    'the order of series is not MagAvg, PhaseZ, PhaseX, PhaseY, RefMag',
  ),
  'magnitude among phases': (
    lambda s: exchange_pixels(s, 'PhaseY', 'RefMag'),
    'look like magnitude, phase, phase, magnitude, phase, expected magnitude, phase, phase, phase, magnitude',
  ),
  'ImageType says otherwise': (
    lambda s: s.edit(0, 'PhaseX', ImageType=['ORIGINAL', 'PRIMARY', 'M']),
    'ImageType says magnitude, phase, magnitude, phase, magnitude, expected',
  ),
  'only ImageType marks the velocities': (
    lambda s: s.edit(ImageComments=None, change=lambda i: i.remove_private_tags()),
    'slice 0: 2 series (11, 15) hold pictures of this place',
  ),
  'nothing marks the velocities': (anonymised, 'slice 0: 5 series (11, 12, 13, 14, 15) hold pictures of this place'),
}


@pytest.mark.parametrize('name', DAMAGES)
def test_a_damaged_study_is_refused_with_a_sentence(two_slices, name):
  damage, words = DAMAGES[name]
  damage(two_slices)
  with pytest.raises(MalformedStudy) as error:
    open_studies(two_slices.folder)
  assert words in str(error.value)
  assert len(str(error.value).splitlines()) < 20  # one line a rule and series, not one a file
  assert not any(SECRET in fault.rule + fault.frame for fault in error.value.faults)


def test_the_undamaged_study_is_read(two_slices):
  (study,) = open_studies(two_slices.folder)
  assert len(list(study.read())) == 2
  assert len(DAMAGES) >= 50


def test_renamed_files_are_a_line_a_series(two_slices):
  """Case S12."""
  for path in two_slices.files():
    fields = path.name.split('.')
    fields[3], fields[4] = str(int(fields[3]) + 100), str(int(fields[4]) + 1)
    path.rename(path.with_name('.'.join(fields)))
  with pytest.raises(MalformedStudy) as error:
    open_studies(two_slices.folder)
  assert len(error.value.faults) == 10
