"""Damaged studies, contours, networks and settings given to the commands: thousands of them, each a number.

`attempt(kind, seed)` makes one case from nothing but its two arguments, runs the command on it in a sandbox and returns
what was wrong with how it ended, '' if nothing.
"""

import dataclasses
import pathlib
import random
import shutil

import damage_dicom
import damage_hdf5
import damage_nifti
import sound_studies
from sandbox import Outcome, Sandbox

STUDIES = {
  'dicom': damage_dicom.damage,
  'cine_dicom': damage_dicom.damage,
  'compressed_dicom': damage_dicom.damage,
  'hdf5': lambda folder, rng: damage_hdf5.damage(next(folder.glob('*.h5')), rng),
  'strainmap_train': lambda folder, rng: damage_hdf5.damage(next(folder.glob('*_train.nc')), rng),
  'nifti': damage_nifti.damage,
}
STUDY_KINDS = (*STUDIES, 'contours')


@dataclasses.dataclass(frozen=True)
class Result:
  """One case: what was damaged and how the command ended; `fault` is '' when it ended as it should."""

  kind: str
  seed: int
  damage: str
  outcome: Outcome

  @property
  def fault(self) -> str:
    """Returns what was wrong, ''  for nothing."""
    return self.outcome.fault


class Attempts:
  """Makes cases and tries them, in `folder`; sound studies are written once."""

  def __init__(self, folder: pathlib.Path, **limits):
    self._folder = folder
    self.sandbox = Sandbox(folder / 'said', **limits)
    for form in sound_studies.FORMATS:
      sound_studies.write(form, folder / 'sound' / form)
    sound_studies.write_contours(folder / 'sound/contours.nc')

  def attempt(self, kind: str, seed: int) -> Result:
    """Tries the case `seed` of one of `STUDY_KINDS`."""
    rng = random.Random(f'{kind} {seed}')
    form = kind if kind in STUDIES else 'dicom'
    place = self._folder / 'case'
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(self._folder / 'sound' / form, place / 'study')
    contours = shutil.copy(self._folder / 'sound/contours.nc', place / 'contours.nc')
    damage = STUDIES[kind](place / 'study', rng) if kind in STUDIES else damage_hdf5.damage(pathlib.Path(contours), rng)
    args = (place / 'study', '--contours', contours, '--output', place / 'out')
    outcome = self.sandbox.run('ear_jax.predict', *args, writes=place / 'out')
    return Result(kind, seed, damage, outcome)
