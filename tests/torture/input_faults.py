"""Damaged input for `make torture`: each call of a row tries a hundred cases, numbered on from the call before."""

import pathlib

import bad_input
import bad_runs
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
  'run': 'damaged folders of runs, given to predict',
  'export': 'damaged exported networks',
  'settings': 'settings of training that make no sense',
}


def _tries(kind, make):
  def bring_about(seed: int, folder: pathlib.Path) -> Outcome:
    attempts, failures = make(folder), []
    for number in range(_CASES * seed, _CASES * (seed + 1)):
      result = attempts.attempt(kind, number)
      if result.fault:
        failures.append(f'{kind} {number} ({result.damage}): {result.fault}')
    return Outcome(_CASES, _CASES - len(failures), 'nothing' if not failures else 'unknown', tuple(failures))

  return bring_about


FAULTS = (
  *(Fault(_NAMES[kind], _tries(kind, bad_input.Attempts), times=3, group='input') for kind in bad_input.STUDY_KINDS),
  *(Fault(_NAMES[kind], _tries(kind, bad_runs.Attempts), times=1, group='input') for kind in bad_runs.KINDS),
)
