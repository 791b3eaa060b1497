"""Damaged input for `make torture`: each call of a row tries a hundred cases, numbered on from the call before."""

import pathlib

import bad_input
from registry import Fault, Outcome

_CASES = 100
_NAMES = {
  'dicom': 'damaged velocity DICOM',
  'cine_dicom': 'damaged cine DICOM',
  'compressed_dicom': 'damaged compressed DICOM',
  'hdf5': 'damaged HDF5',
  'strainmap_train': "damaged exports of StrainMap's",
  'nifti': 'damaged NIfTI',
  'contours': 'damaged StrainMap contours',
}


def _tries(kind):
  def bring_about(seed: int, folder: pathlib.Path) -> Outcome:
    attempts, failures = bad_input.Attempts(folder), []
    for number in range(_CASES * seed, _CASES * (seed + 1)):
      result = attempts.attempt(kind, number)
      if result.fault:
        failures.append(f'{kind} {number} ({result.damage}): {result.fault}')
    return Outcome(_CASES, _CASES - len(failures), 'nothing' if not failures else 'unknown', tuple(failures))

  return bring_about


FAULTS = tuple(Fault(_NAMES[kind], _tries(kind), times=10, group='input') for kind in bad_input.STUDY_KINDS)
