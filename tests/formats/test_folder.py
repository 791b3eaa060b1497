"""A folder of several formats is one stream of cines, and its faults are one list."""

import numpy as np
import pytest
from pydicom.uid import MRImageStorage, generate_uid

from ear_jax.cine import Study
from ear_jax.formats import folder, hdf5, nifti
from ear_jax.formats.faults import MalformedStudy


@pytest.fixture
def root(tmp_path, make_cine):
  cine = make_cine()
  hdf5.write(Study('anna', 'anna-1', (cine,)), tmp_path / 'anna-1.h5')
  (tmp_path / 'second').mkdir()
  nifti.write(make_cine(dataset='anna-2', mask=cine.mask * 0, annotated=np.zeros(3, bool)), tmp_path / 'second')
  return tmp_path


def _faults(root, **arguments):
  with pytest.raises(MalformedStudy) as error:
    folder.read(root, **({'channels': 4} | arguments))
  return [str(fault) for fault in error.value.faults]


def test_every_format_is_found_and_each_dataset_is_its_own_subject(root):
  cines = [cine for cine, _ in folder.read(root, channels=4)]
  assert [(cine.name, cine.subject) for cine in cines] == [('anna-1/MID', 'anna-1'), ('anna-2/MID', 'anna-2')]


def test_subjects_csv_joins_the_scans_of_a_person(root):
  (root / 'subjects.csv').write_text('dataset,subject\nanna-1,anna\nanna-2,anna\n')
  assert [cine.subject for cine, _ in folder.read(root, channels=4)] == ['anna', 'anna']


@pytest.mark.parametrize('mark', [',', ';'])
def test_subjects_csv_of_german_excel_and_with_places_of_studies(root, mark):  # case C9
  lines = ('dataset,subject', 'anna-1,anna', 'second/anna-2_MID_video.nii.gz,anna', '')
  (root / 'subjects.csv').write_text('\n'.join(lines).replace(',', mark))
  assert [cine.subject for cine, _ in folder.read(root, channels=4)] == ['anna', 'anna']


def test_two_studies_of_one_patient_that_are_two_subjects_are_said(scan, caplog):
  again = scan.copy(scan.folder / 'again')
  again.edit(StudyInstanceUID='1.2.3', SOPInstanceUID=lambda image: setattr(image, 'SOPInstanceUID', generate_uid()))
  names = sorted(cine.dataset for cine, _ in folder.read(scan.folder, channels=4))
  said = [record.getMessage() for record in caplog.records if 'one PatientID' in record.getMessage()]
  assert len(said) == 1
  assert all(name in said[0] for name in names)
  (scan.folder / 'subjects.csv').write_text('dataset,subject\n' + ''.join(f'{name},a\n' for name in set(names)))
  caplog.clear()
  folder.read(scan.folder, channels=4)
  assert 'one PatientID' not in caplog.text


def test_cines_without_reference_can_be_left_out(root):
  assert [cine.name for cine, _ in folder.read(root, channels=4, referenced=True)] == ['anna-1/MID']
  (root / 'anna-1.h5').unlink()
  with pytest.raises(MalformedStudy, match='none of the 1 cines carries a reference mask'):
    list(folder.read(root, channels=4, referenced=True))


@pytest.mark.parametrize('wrong', ['the cavity', 'all but the wall', ''])
def test_a_mask_that_is_no_ring_is_said(tmp_path, make_cine, caplog, wrong):
  """A disc is the cavity or the whole ventricle, what reaches the edge the outside: neither is a wall."""
  row, column = np.mgrid[:24, :24]
  radius = np.hypot(row - 12, column - 12)
  picture = {'the cavity': radius < 8, 'all but the wall': (radius < 5) | (radius > 8)}.get(wrong, abs(radius - 6) < 2)
  mask = np.broadcast_to(picture, (3, 24, 24)).astype(np.uint8)
  nifti.write(make_cine(channels=1, video=np.ones((3, 24, 24, 1), np.float32), mask=mask), tmp_path)
  assert len(list(folder.read(tmp_path, channels=1, referenced=True))) == 1
  assert ('of 1 of 1 cines the mask has no cavity within it' in caplog.text) == bool(wrong)


def test_subjects_csv_with_spaces_behind_its_commas(root):
  (root / 'subjects.csv').write_text('dataset, subject\nanna-1, anna\nanna-2 , anna\n')
  assert [cine.subject for cine, _ in folder.read(root, channels=4)] == ['anna', 'anna']


@pytest.mark.parametrize(
  ('lines', 'messages'),
  [
    ('subject\nanna\n', ['subjects.csv: expected the header dataset,subject and one line a dataset']),
    ('dataset,subject\nanna-1,\n', ['subjects.csv, line 2: dataset or subject is empty']),
    (
      'dataset,subject\nanna-1,anna\nanna-1,ben\nanna-9,anna\n',
      [
        'subjects.csv, line 3: dataset anna-1 is named twice',
        'subjects.csv, line 4: dataset anna-9 has no readable file in this folder: add it, or remove the line',
      ],
    ),
  ],
)
def test_faults_of_subjects_csv(root, lines, messages):
  (root / 'subjects.csv').write_text(lines)
  assert _faults(root) == messages


def test_faults_of_all_files_come_at_once(root, make_cine, write_dicom):
  (root / 'broken.h5').write_bytes(b'nonsense')
  (root / 'second/anna-2_MID_video.json').write_text('{"venc": [0, 1, 1]}')
  hdf5.write(Study('anna', 'anna-2', (make_cine(dataset='anna-2'),)), root / 'anna-2.h5')
  for frame in range(2):
    tags = {'StudyInstanceUID': '1.2.3', 'SeriesInstanceUID': '1.2.3.4', 'SOPClassUID': MRImageStorage}
    write_dicom(root / f'ben/{frame}.dcm', np.ones((6, 8)), trigger=1.0 + frame, instance=frame + 1, **tags)
  faults = _faults(root)
  assert [fault.split(':')[0] for fault in faults] == [
    'anna-2',
    'ben',
    'broken.h5',
    'second/anna-2_MID_video.nii.gz',
  ]
  assert faults[0] == (
    'anna-2: two sources are called so (anna-2.h5, second/anna-2_MID_video.nii.gz): rename one, or move it'
  )
  assert faults[1] == 'ben: wrong channel count: video has 1, expected 4 (magnitude and three velocities)'


def test_contours_without_pictures_are_said_to_be_contours(tmp_path):
  for side in 'io':
    (tmp_path / f'IM-0001-0048-{side}contour-manual.txt').write_text('1 1\n2 1\n2 2\n')
  (fault,) = _faults(tmp_path)
  lies = '2 files of contours without pictures, such as IM-0001-0048-icontour-manual.txt'
  assert fault == f'nothing to read ({lies}); give the pictures as STUDY, and the contours by --contours'


def test_nothing_to_read(tmp_path):
  (fault,) = _faults(tmp_path)
  assert fault.startswith('nothing to read; expected DICOM files, HDF5')
