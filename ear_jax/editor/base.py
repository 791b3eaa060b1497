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


def on_360(contours: Contours) -> Contours:
  """Returns contours with 360 points a curve, as those of the editor are."""
  if contours.endo.shape[1] == POINTS:
    return contours
  frames = zip(contours.failed, contours.endo, contours.epi, strict=True)
  on_360_rays = on_rays([None if bad else (endo, epi) for bad, endo, epi in frames])
  return dataclasses.replace(on_360_rays, drawn=contours.drawn, corrected=contours.corrected)


def write(path: pathlib.Path, base: Base, fingerprint: str) -> None:
  """Writes a base, whole or not at all."""
  arrays: dict[str, Any] = {}
  for source in _SOURCES:
    if contours := getattr(base, source):
      arrays[source] = np.stack([contours.endo, contours.epi])
      arrays[f'{source}_flags'] = np.array(json.dumps(contours.flags))
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
  return Contours(endo, epi, tuple(json.loads(str(stored[f'{source}_flags']))), failed, drawn=source == 'drawn')
