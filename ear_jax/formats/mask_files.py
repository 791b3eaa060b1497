"""NIfTI masks without a NIfTI video: references for the DICOM slices at their place, which their matrix gives."""

import dataclasses
import pathlib
from collections.abc import Iterator, Mapping, Sequence

import nibabel as nib
import numpy as np

from ear_jax.cine import Cine
from ear_jax.formats import affine, nifti_images
from ear_jax.formats.faults import Fault
from ear_jax.formats.opened import Opened
from ear_jax.formats.source import Source


@dataclasses.dataclass(frozen=True, eq=False)
class _Target:
  """A slice that a mask may lie on: where it is in which study, its grid as an image, and whether it has contours."""

  study: int
  index: int
  grid: nib.Nifti1Image
  annotated: bool


def attach(
  studies: Sequence[Opened], paths: Sequence[pathlib.Path], root: pathlib.Path, label: int | None
) -> tuple[list[Opened], list[Fault]]:
  """Returns the studies with masks as their references, and a fault for each mask that belongs to no slice.

  Each slice of a sound study is read once for this. `label` is the value of the myocardium in masks of several.
  """
  if not paths:
    return list(studies), []
  targets = [target for number, study in enumerate(studies) if not study.faults for target in _targets(number, study)]
  chosen: dict[tuple[int, int], np.ndarray] = {}
  faults = []
  for path in paths:
    try:
      for target, mask in _placed(path, targets, label):
        if target.annotated or (target.study, target.index) in chosen:
          raise ValueError(f'lies on slice {studies[target.study].slices[target.index]}, which has contours already')
        chosen[target.study, target.index] = mask
    except Exception as error:  # nibabel and what it stands on raise errors of many kinds, and all mean the same here
      faults.append(Fault(str(path.relative_to(root)), '', f'mask without video: it {nifti_images.reason(error)}'))
  given = []
  for number, study in enumerate(studies):
    mine = {index: mask for (k, index), mask in chosen.items() if k == number}
    given.append(_with(study, mine) if mine else study)
  return given, faults


def _targets(number: int, study: Opened) -> Iterator[_Target]:
  for index, cine in enumerate(study):
    if cine.place:
      frames, rows, columns = cine.mask.shape
      grid = nib.Nifti1Image(np.broadcast_to(np.uint8(0), (columns, rows, 1, frames)), None)
      affine.set_place(grid, cine.place, cine.spacing)
      grid.header.set_xyzt_units('mm', 'msec')
      yield _Target(number, index, grid, bool(cine.annotated.any()))


def _placed(path: pathlib.Path, targets: Sequence[_Target], label: int | None) -> Iterator[tuple[_Target, np.ndarray]]:
  """Yields each slice that the mask lies on with its part `[T, H, W]`. Raises ValueError, in words that follow "it"."""
  image = nifti_images.load(path)
  matrix, why = affine.of_image(image)
  if matrix is None:
    raise ValueError(f'does not say where it lies {f"({why})" if why else ""}: add its video or remove the mask')
  lies = False
  for z in range(image.shape[2]):
    part = image.slicer[:, :, z : z + 1]
    for target in targets:
      if _on(part, target.grid):
        lies = True
        yield target, nifti_images.walls(part, target.grid, {}, label)[0]
  if not lies:
    raise ValueError('lies on no slice of a study here: add its video or remove the mask')


def _on(part, grid) -> bool:
  try:
    affine.turned(part, grid)
  except ValueError:
    return False
  return True


def _with(study: Opened, mine: Mapping[int, np.ndarray]) -> Opened:
  def cines(which: slice) -> Iterator[tuple[Cine, Source]]:
    for index, (cine, source) in zip(range(len(study))[which], study.cines(which), strict=True):
      if index in mine:
        cine = cine.replace(mask=mine[index], annotated=mine[index].any(axis=(1, 2)))
      yield cine, source

  return dataclasses.replace(study, cines=cines)
