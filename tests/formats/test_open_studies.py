"""Studies of every format at one path, by one call."""

import numpy as np
import pytest

from ear_jax.cine import Study
from ear_jax.formats import hdf5, nifti
from ear_jax.formats.faults import MalformedStudy
from ear_jax.formats.open import open_studies
from ear_jax.formats.siemens import study as siemens


@pytest.fixture
def mixed(scan, make_cine):
  """A folder of velocity DICOM, one HDF5 of two slices and one NIfTI."""
  slices = tuple(make_cine(slice_id=name, level=name.lower()) for name in ('APEX', 'BASE'))
  hdf5.write(Study('anna', 'anna-1', slices), scan.folder / 'anna-1.h5')
  nifti.write(make_cine(dataset='ben', subject='ben'), scan.folder)
  return scan.folder


def test_every_format_is_found(mixed):
  studies = {study.dataset: study for study in open_studies(mixed)}
  assert {*studies} >= {'anna-1', 'ben'}
  assert len(studies) == 3
  for study in studies.values():
    read = list(study.read())
    assert [cine.slice_id for cine, _ in read] == list(study.slices)
    assert {cine.dataset for cine, _ in read} == {study.dataset}
    assert study.faults == ()


def test_a_study_is_a_sequence_of_cines_read_when_they_are_asked_for(mixed, monkeypatch):
  for study in open_studies(mixed):
    expected = [cine.name for cine, _ in study.read()]
    assert len(study) == len(expected)
    assert [cine.name for cine in study] == expected
    assert [study[i].name for i in range(len(study))] == expected
    assert study[-1].name == expected[-1]
    with pytest.raises(IndexError):
      study[len(study)]
  (velocity,) = (study for study in open_studies(mixed) if study.dataset not in ('anna-1', 'ben'))
  asked = []
  monkeypatch.setattr(siemens, 'read_slice', lambda one, **names: asked.append(names['slice_id']))
  velocity[len(velocity) - 1]
  assert asked == [velocity.slices[-1]], 'another slice was read'


def test_a_slice_of_a_volume_is_read_from_its_file_alone(tmp_path, make_cine):
  for k, name in enumerate(('A', 'B', 'C')):
    nifti.write(make_cine(slice_id=name, frame_interval=20.0 + k), tmp_path)
  (study,) = open_studies(tmp_path)
  (tmp_path / 'anna-1_A_video.nii.gz').unlink()
  assert (study[1].slice_id, study[1].frame_interval) == ('B', 21.0)


def test_slices_of_hdf5_come_from_base_to_apex(mixed):
  (study,) = open_studies(mixed / 'anna-1.h5')
  assert study.slices == ('BASE', 'APEX')
  assert [cine.level for cine, _ in study.read()] == ['base', 'apex']


def test_a_single_file(mixed, make_cine):
  (study,) = open_studies(mixed / 'ben_MID_video.nii.gz')
  ((cine, source),) = study.read()
  np.testing.assert_array_equal(cine.mask, make_cine().mask)
  assert source.instances == ()
  assert source.orientation is None


def test_one_frame_of_a_velocity_study_is_no_study(scan):
  with pytest.raises(MalformedStudy, match='series 11: 1 consecutive series at one slice location'):
    open_studies(scan.file())


def test_a_broken_file_does_not_hide_the_others(mixed):
  (mixed / 'broken.h5').write_bytes(b'nonsense')
  studies = open_studies(mixed)
  assert sorted(len(study.faults) for study in studies) == [0, 0, 0, 1]
  (broken,) = [study for study in studies if study.faults]
  with pytest.raises(MalformedStudy, match='not a readable HDF5 file'):
    broken.read()


def test_two_sources_of_one_name_are_refused(mixed, make_cine):
  hdf5.write(Study('ben', 'ben', (make_cine(dataset='ben', subject='ben'),)), mixed / 'ben.h5')
  refused = [study for study in open_studies(mixed) if study.faults]
  assert [study.dataset for study in refused] == ['ben', 'ben']
  assert 'two sources are called so' in refused[0].faults[0].rule


def test_a_folder_of_nothing(tmp_path):
  for path in (tmp_path, tmp_path / 'missing'):
    with pytest.raises(MalformedStudy, match=r'expected DICOM files|should hold DICOM files'):
      open_studies(path)


def test_a_broken_dicom_file_beside_studies_of_other_formats_is_not_passed_over(tmp_path, make_cine):
  hdf5.write(Study('anna', 'anna-1', (make_cine(),)), tmp_path / 'anna-1.h5')
  (tmp_path / 'scan.dcm').write_bytes(b'no picture')
  sound, broken = sorted(open_studies(tmp_path), key=lambda study: len(study.faults))
  assert (sound.dataset, sound.faults) == ('anna-1', ())
  assert [fault.file for fault in broken.faults] == ['scan.dcm']
  with pytest.raises(MalformedStudy, match=r'scan\.dcm'):
    broken.read()
