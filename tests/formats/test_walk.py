"""What lies about in folders of studies: links, archives, own results; each found once, or named for what it is."""

import json
import os
import shutil

import numpy as np
import pytest
from pydicom.fileset import FileSet
from pydicom.uid import MRImageStorage, generate_uid

from ear_jax.cine import Study
from ear_jax.formats import hdf5, nifti
from ear_jax.formats.dicom import instances
from ear_jax.formats.faults import MalformedStudy
from ear_jax.formats.open import open_studies
from ear_jax.formats.walk import walk

OURS = {'study': 'study-1', 'verdict': 'pass', 'checks': [], 'versions': {}}


def sentence(path):
  with pytest.raises(MalformedStudy) as error:
    open_studies(path)
  return str(error.value)


def test_series_folders_that_are_links(scan):  # case A7
  elsewhere = scan.folder.with_name('elsewhere')
  for s in range(scan.slices):
    (elsewhere / f'{s}').mkdir(parents=True)
    for path in scan.files(s):
      path.rename(elsewhere / f'{s}' / path.name)
    (scan.folder / f'{s}').symlink_to(elsewhere / f'{s}')
  (elsewhere / '0/round').symlink_to(scan.folder)
  (elsewhere / '1/again').symlink_to(elsewhere / '0')
  (study,) = open_studies(scan.folder)
  assert study.slices == ('slice-00', 'slice-01', 'slice-02')
  assert not [note for note in study.notes if 'skipped' in note]


def test_the_directory_of_a_cd(scan):  # case B1
  whole = FileSet()
  for path in scan.files():
    whole.add(path)
  whole.write(scan.folder.with_name('cd'))
  assert (scan.folder.with_name('cd') / 'DICOMDIR').exists()
  (study,) = open_studies(scan.folder.with_name('cd'))
  assert (len(study), study.faults) == (3, ())


def test_files_of_macos_are_none_of_ours(tmp_path, make_cine):  # case B2
  hdf5.write(Study('anna', 'anna-1', (make_cine(),)), tmp_path / 'anna-1.h5')
  nifti.write(make_cine(dataset='ben'), tmp_path)
  (tmp_path / '.Trashes').mkdir()
  for name in ('._anna-1.h5', '._ben_MID_video.nii.gz', '._A_1_17_train.nc', '.Trashes/x.h5', '._scan.dcm'):
    (tmp_path / name).write_bytes(b'\0\5\x16\7' + bytes(4092))
  assert [(study.dataset, study.faults) for study in open_studies(tmp_path)] == [('anna-1', ()), ('ben', ())]


@pytest.mark.parametrize('summary', [OURS, {'study': 'a'}, [1]])
def test_own_results_are_passed_over(tmp_path, make_cine, summary):  # case B6
  nifti.write(make_cine(), tmp_path)
  results = tmp_path / 'results/anna-1'
  nifti.write_mask(make_cine().mask, results / 'MID_mask.nii.gz', spacing=(1.0, 1.0), frame_interval=20.0)
  (results / 'seg').mkdir()
  (results / 'seg/frame-000.dcm').write_bytes(b'no picture')
  (results / 'summary.json').write_text(json.dumps(summary))
  if summary == OURS:
    (study,) = open_studies(tmp_path)
    assert (study.dataset, study.faults) == ('anna-1', ())
    assert 'nothing to read (1 folder of results of ear_jax skipped)' in sentence(tmp_path / 'results')
  else:
    assert [study.dataset for study in open_studies(tmp_path) if not study.faults] == ['anna-1']
    assert 'mask without video' in str([study.faults for study in open_studies(tmp_path)])


def test_a_folder_that_cannot_be_looked_into_is_a_fault(tmp_path, make_cine, monkeypatch):
  hdf5.write(Study('anna', 'anna-1', (make_cine(),)), tmp_path / 'anna-1.h5')
  (tmp_path / 'closed').mkdir()
  scandir = os.scandir

  def refuses(folder):
    if str(folder).endswith('closed'):
      raise PermissionError(13, 'Permission denied', str(folder))
    return scandir(folder)

  monkeypatch.setattr(os, 'scandir', refuses)
  refused = [fault for study in open_studies(tmp_path) for fault in study.faults]
  assert list(map(str, refused)) == ['closed: this folder cannot be looked into (Permission denied)']


def test_what_is_no_study_is_named_for_what_it_is(tmp_path, make_cine):  # cases C6, S14
  names = ('a.zip', 'B.ZIP', 'c.tar.gz', 'x.dcm.gz', 'd.mat', 'e.npy', 'f.cvi42wsx', 'g.PAR', 'g.REC', 'h.dat')
  for name in names:
    (tmp_path / name).write_bytes(b'x')
  found = sentence(tmp_path)
  for words in (
    '4 archives skipped: unpack it and give the folder',
    '1 file of MATLAB skipped: save its arrays as HDF5 or NIfTI',
    '1 file of NumPy skipped',
    '1 workspace of cvi42 skipped: export its contours',
    '2 PAR/REC files of Philips skipped: export the study as DICOM',
    '1 file of raw data skipped: reconstruct pictures from it first',
  ):
    assert words in found
  nifti.write(make_cine(), tmp_path)
  (study,) = open_studies(tmp_path)
  assert len(study.notes) == 6
  assert not [note for note in study.notes if any(name in note for name in names)]


def test_nothing_to_read_says_what_lies_there(tmp_path):
  for name in ('letter.txt', 'picture.png'):
    (tmp_path / name).write_bytes(b'x')
  assert 'nothing to read (2 files skipped: not DICOM; the first is letter.txt)' in sentence(tmp_path)
  assert '1 file skipped: not DICOM; the first is picture.png' in sentence(tmp_path / 'picture.png')


@pytest.mark.parametrize('name', ['patient 001', 'M\u00fcller J\u00f6rg', '=cmd', 'x' * 65])
def test_a_name_that_is_no_file_name_becomes_a_hash(tmp_path, make_cine, name):  # case B5
  hdf5.write(Study('anna', name, (make_cine(dataset=name),)), tmp_path / f'{name}.h5')
  nifti.write(make_cine(dataset=f'{name}.', slice_id='MID'), tmp_path)
  for study in open_studies(tmp_path):
    assert study.dataset == instances.pseudonym(study.origin.removesuffix('.h5').removesuffix('_MID_video.nii.gz'))
    ((cine, _),) = study.read()
    assert (cine.dataset, cine.subject) == (study.dataset, study.dataset)
    assert 'the study is called by a hash of it' in study.notes[0]
    assert name not in study.notes[0]


def test_endings_in_capitals_are_endings(tmp_path, make_cine):  # case B25
  hdf5.write(Study('anna', 'anna', (make_cine(dataset='anna'),)), tmp_path / 'anna.h5')
  (tmp_path / 'anna.h5').rename(tmp_path / 'ANNA.H5')
  assert [study.dataset for study in open_studies(tmp_path)] == ['ANNA']


def test_any_nifti_file_that_is_given_alone_is_a_cine(tmp_path, make_cine):
  path = nifti.write(make_cine(channels=1), tmp_path)
  alone = shutil.copy(path, tmp_path / 'sax.nii.gz')
  (study,) = open_studies(alone)
  ((cine, _),) = study.read()
  assert (cine.name, cine.annotated.any()) == ('sax/slice', False)
  np.testing.assert_array_equal(cine.video, make_cine(channels=1).video)


def test_a_nifti_file_that_other_formats_left_is_no_cine(tmp_path, make_cine):
  """A mask under another name beside HDF5 was a second study."""
  hdf5.write(Study('anna', 'anna', (make_cine(dataset='anna'),)), tmp_path / 'anna.h5')
  nifti.write(make_cine(channels=1), tmp_path).rename(tmp_path / 'seg.nii.gz')
  (tmp_path / 'anna-1_MID_mask.nii.gz').unlink()
  (study,) = open_studies(tmp_path)
  assert any(note.startswith('1 NIfTI file skipped') for note in study.notes)


@pytest.mark.parametrize('people', ['ADA', 'ADA BEN CLEO'])
def test_an_anonymiser_that_gave_each_series_a_study(tmp_path, write_dicom, people):  # case C7
  for s, person in enumerate((people.split() * 3)[:3]):
    uids = {'StudyInstanceUID': generate_uid(), 'SeriesInstanceUID': generate_uid(), 'SOPClassUID': MRImageStorage}
    for t in range(3):
      tags = uids | {'PatientID': person}
      write_dicom(tmp_path / f'{s}{t}', np.ones((6, 8)), trigger=30.0 * t, instance=t + 1, position=8.0 * s, **tags)
  studies = open_studies(tmp_path)
  assert [len(study) for study in studies] == [1, 1, 1]
  hinted = ['3 studies of one series each are parallel pictures of one patient' in str(s.notes) for s in studies]
  assert hinted == [people == 'ADA'] * 3


def test_a_walk_knows_the_folder_of_a_file(tmp_path):
  (tmp_path / 'x').touch()
  assert walk(tmp_path / 'x').root == tmp_path
