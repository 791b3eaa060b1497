"""Cine DICOM at the limits: where slices may be missing, what a pixel may measure, and nothing of the patient."""

import dataclasses

import numpy as np
import pytest

from ear_jax.formats.faults import MalformedStudy
from ear_jax.formats.open import open_studies

UIDS = {'StudyInstanceUID': '1.2.3', 'SOPClassUID': '1.2.840.10008.5.1.4.1.1.4', 'Modality': 'MR', 'SeriesNumber': 1}


def _write(write_dicom, folder, slices, **tags):
  for s in slices:
    for t in range(3):
      there = {'position': 8.0 * s, 'trigger': 5.0 + 150 * t, 'instance': 1 + 3 * s + t}
      uids = UIDS | {'SeriesInstanceUID': f'1.2.3.{s}', 'SOPInstanceUID': f'1.2.3.{s}.{t}', 'SeriesNumber': s + 1}
      write_dicom(folder / f'{s}{t}.dcm', np.full((6, 8), 10 * s + t), **there, **uids, **tags)


def _faults(folder):
  with pytest.raises(MalformedStudy) as error:
    open_studies(folder)
  return [str(fault) for fault in error.value.faults]


def test_nothing_of_the_patient_comes_out(tmp_path, write_dicom):
  _write(write_dicom, tmp_path, range(4))
  (study,) = open_studies(tmp_path)
  for s, cine in enumerate(study):
    assert cine.video[:, 0, 0, 0].tolist() == [10 * s, 10 * s + 1, 10 * s + 2]
    assert (cine.spacing, cine.frame_interval, cine.video.shape) == ((1.25, 1.5), 150.0, (3, 6, 8, 1))
    stated = {field.name: getattr(cine, field.name) for field in dataclasses.fields(cine)}
    assert 'SECRET' not in str(stated)
    assert '2020' not in str([value for value in stated.values() if isinstance(value, str)])


@pytest.mark.parametrize(('count', 'lost'), [(5, 1), (5, 3), (4, 2)])
def test_a_gap_between_slices_is_a_missing_slice(tmp_path, write_dicom, count, lost):
  _write(write_dicom, tmp_path, sorted({*range(count)} - {lost}))
  (fault,) = _faults(tmp_path)
  rule = f'slice {lost - 1}: missing slice: 16.0 mm to slice {lost}, the usual step is 8.0 mm'
  assert fault == f'{rule}; export it too, or --gaps=accept takes what is there'


@pytest.mark.parametrize('spacing', [[0, 1], [1e-30, 65536], [1e-30, 1e-30]])
def test_a_pixel_that_measures_what_none_can(tmp_path, write_dicom, spacing):
  _write(write_dicom, tmp_path, range(2), PixelSpacing=spacing)
  said = f'pixel spacing is {spacing[0]:g}, {spacing[1]:g} mm, expected positive numbers, from 0.05 to 20'
  assert [said in fault for fault in _faults(tmp_path)] == [True, True]
