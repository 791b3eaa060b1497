"""What a slice begins with, kept beside its log: edits mean these contours, whatever network comes next.

One file a slice, `slice-00.npz`: 360 points a curve, who made them, and the fingerprint of the pictures.
"""

import dataclasses
import json
import pathlib
import zipfile
from typing import Any

import numpy as np

from ear_jax.analysis.drawn import on_rays
from ear_jax.analysis.motion import POINTS, Contours
from ear_jax.editor.follow import Base
from ear_jax.system.errors import UserError
from ear_jax.system.files import replacing

_SOURCES = ('network', 'drawn')
_TOLD = ('drawn', 'corrected', 'origins', 'networks', 'error')  # of `Contours`


def on_360(contours: Contours) -> Contours:
  """Returns contours with 360 points a curve, as those of the editor are."""
  if contours.endo.shape[1] == POINTS:
    return contours
  frames = zip(contours.failed, contours.endo, contours.epi, strict=True)
  rays = on_rays([None if bad else (endo, epi) for bad, endo, epi in frames])
  flags = tuple(note or own for note, own in zip(contours.flags, rays.flags, strict=True))
  return dataclasses.replace(contours, endo=rays.endo, epi=rays.epi, flags=flags, failed=rays.failed)


def write(path: pathlib.Path, base: Base, fingerprint: str) -> None:
  """Writes a base, whole or not at all."""
  arrays: dict[str, Any] = {}
  for source in _SOURCES:
    if contours := getattr(base, source):
      arrays[source] = np.stack([contours.endo, contours.epi])
      arrays[f'{source}_flags'] = np.array(json.dumps(contours.flags))
      arrays[f'{source}_told'] = np.array(json.dumps({name: getattr(contours, name) for name in _TOLD}))
  with replacing(path) as temporary, temporary.open('wb') as file:
    np.savez_compressed(file, fingerprint=np.array(fingerprint), made=np.array(base.made), **arrays)


def read(path: pathlib.Path, fingerprint: str) -> Base | None:
  """Returns the base in a file; None where there is none.

  Raises: UserError when it is of other pictures, or broken.
  """
  if not path.exists():
    return None
  try:
    with np.load(path, allow_pickle=False) as stored:
      if str(stored['fingerprint']) != fingerprint:
        raise UserError(f'{path.name} was begun on other pictures than these: give another --output')
      contours = {source: _contours(stored, source) for source in _SOURCES if source in stored}
      return Base(**contours, made=str(stored['made']))
  except (OSError, ValueError, KeyError, zipfile.BadZipFile) as fault:
    if isinstance(fault, UserError):
      raise
    raise UserError(f'{path.name} of the edits cannot be read: restore it from a copy') from fault


def _contours(stored, source: str) -> Contours:
  endo, epi = stored[source]
  failed = ~np.isfinite(endo).all((1, 2))
  flags, made = tuple(json.loads(str(stored[f'{source}_flags']))), str(stored['made'])
  networks = [made] * (source == 'network' and bool(made))  # by versions up to 0.2, which wrote no more
  told: dict[str, Any] = {'drawn': source == 'drawn', 'networks': networks}
  if f'{source}_told' in stored:
    told = {name: value for name, value in json.loads(str(stored[f'{source}_told'])).items() if name in _TOLD}
  told = {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()}
  return Contours(endo, epi, flags, failed, **told)
