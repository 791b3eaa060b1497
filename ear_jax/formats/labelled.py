"""Public cine sets in NIfTI: a video and label maps of a few of its frames, under the names of each set.

A layout (`acdc`, `mnms`, `ukbiobank`, `nnunet`) knows the names, says which files belong together and what the values
of its labels mean, and gives `Labelled`s; this file opens them. Each slice of the video is a cine, magnitude only.
"""

import dataclasses
import functools
import pathlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType

import nibabel as nib
import numpy as np

from ear_jax.cine import Cine
from ear_jax.formats import affine, checks, labels, nifti_images
from ear_jax.formats.choices import Asked
from ear_jax.formats.faults import Fault
from ear_jax.formats.opened import HASHED, Opened, pseudonym
from ear_jax.formats.source import Source


@dataclasses.dataclass(frozen=True)
class Map:
  """A label map: of the whole video where it has four axes, else of one frame.

  Attributes:
    path: of the map.
    frame: from 0; None where only the picture tells.
    picture: file of the same frame, which tells the frame or agrees with it; None without.
  """

  path: pathlib.Path
  frame: int | None = None
  picture: pathlib.Path | None = None


@dataclasses.dataclass(frozen=True)
class Labelled:
  """One visit of a public set.

  Attributes:
    dataset, subject: ids of visit and person.
    video: file of (column, row, slice, frame), or of (column, row, slice) for a single frame.
    maps: of its frames.
    meaning: structure by value, empty where the layout does not say.
    faults: what the layout found wrong.
    files: more files that belong to the visit and are not read.
  """

  dataset: str
  subject: str
  video: pathlib.Path
  maps: tuple[Map, ...]
  meaning: labels.Meaning
  faults: tuple[Fault, ...] = ()
  files: tuple[pathlib.Path, ...] = ()

  @property
  def all_files(self) -> set[pathlib.Path]:
    """Every file of the visit."""
    pictures = {one.picture for one in self.maps if one.picture}
    return {self.video, *self.files, *(one.path for one in self.maps), *pictures}


def by_folder(files: Sequence[pathlib.Path]) -> Mapping[pathlib.Path, list[pathlib.Path]]:
  """Returns files by the folder that they lie in."""
  folders = defaultdict(list)
  for file in files:
    folders[file.parent].append(file)
  return folders


def open_layout(
  layout: ModuleType, files: Sequence[pathlib.Path], root: pathlib.Path, choices: Asked
) -> tuple[list[Opened], set[pathlib.Path]]:
  """Returns the checked studies of one layout among some files, and the files that it takes."""
  labelled = layout.find(files, root)
  taken = set().union(*(one.all_files for one in labelled))
  return [_open(one, root, choices) for one in labelled], taken


def _open(one: Labelled, root: pathlib.Path, choices: Asked) -> Opened:
  dataset, file = pseudonym(one.dataset), str(one.video.relative_to(root))
  notes, faults, count = [HASHED] * (dataset != one.dataset), list(one.faults), 0
  try:
    image = _four_axes(one.video)
    count = image.shape[2]
    for z, video in enumerate(nifti_images.stack(image)):
      faults += checks.video_faults(file, f'slice {z}', video)
    _, _, rule = nifti_images.spacing_and_interval(image, {})
    notes += [rule] * bool(rule)
  except Exception as error:  # nibabel and what it stands on raise errors of many kinds, and all mean the same here
    faults.append(Fault(file, '', f'not readable ({nifti_images.reason(error)})'))
  if not faults:
    faults += [fault for each in one.maps for fault in _map_faults(each, one, image, root, choices)]
  ids = tuple(f'slice-{z:02d}' for z in range(count))
  cines = functools.partial(_cines, one, dataset, ids, choices)
  return Opened(dataset, ids, tuple(notes), tuple(sorted(faults)), root, cines, file)


def _map_faults(
  each: Map, one: Labelled, image: nib.spatialimages.SpatialImage, root: pathlib.Path, choices: Asked
) -> list[Fault]:
  try:
    _mask(each, one, image, choices)
  except Exception as error:  # as above
    return [Fault(str(each.path.relative_to(root)), '', f'mask {nifti_images.reason(error)}')]
  return []


def _cines(
  one: Labelled, dataset: str, ids: Sequence[str], choices: Asked, which: slice
) -> Iterator[tuple[Cine, Source]]:
  image = _four_axes(one.video)
  video, (spacing, interval, _), matrix = (
    nifti_images.stack(image),
    nifti_images.spacing_and_interval(image, {}),
    affine.of_image(image)[0],
  )
  masks = np.zeros(video.shape[:4], np.uint8)
  for each in one.maps:
    frames, values = _mask(each, one, image, choices)
    masks[:, frames] = values
  several = {*one.meaning.values()} > {'myocardium'} and choices.made.label is None
  for z in range(len(ids))[which]:
    mask = (masks[z] == labels.MYOCARDIUM).astype(np.uint8)
    cine = Cine(
      video=video[z],
      mask=mask,
      annotated=mask.any(axis=(1, 2)),
      venc=None,
      spacing=spacing,
      frame_interval=interval,
      subject=pseudonym(one.subject),
      dataset=dataset,
      slice_id=ids[z],
      place=affine.place(matrix, z),
    )
    yield cine, Source(labels=masks[z] if several else None)


def _mask(
  each: Map, one: Labelled, image: nib.spatialimages.SpatialImage, choices: Asked
) -> tuple[list[int], np.ndarray]:
  """Returns the frames of a map, and its masks `[Z, T, H, W]` in our values. Raises ValueError as `structures`."""
  drawn = nifti_images.structures(nifti_images.load(each.path), image, one.meaning, choices.settle('label'))
  return [_frame(each, image)] if drawn.shape[1] < image.shape[3] else [*range(image.shape[3])], drawn


def _frame(each: Map, image: nib.spatialimages.SpatialImage) -> int:
  """Returns the frame of a map of one; where there is a picture of it, the frame that looks so."""
  count = image.shape[3]
  if each.frame is not None and each.frame not in range(count):
    raise ValueError(f'is of frame {each.frame} (from 0), but the video has {count}')
  if each.picture is None and each.frame is None:
    raise ValueError('is of one frame, and nothing says which: add the picture of that frame beside it')
  if each.picture is None:
    return each.frame or 0
  video, picture = nifti_images.stack(image)[..., 0], nifti_images.stack(_four_axes(each.picture))[:, 0, ..., 0]
  alike = video[:, 0].shape == picture.shape
  same = [t for t in range(count) if alike and np.allclose(video[:, t], picture, rtol=1e-4)]
  if not same:
    raise ValueError('is of a picture that is no frame of the video')
  if each.frame is not None and each.frame not in same:
    raise ValueError(f'is named frame {each.frame} (from 0), but its picture is frame {same[0]} of the video')
  return same[0] if each.frame is None else each.frame


def _four_axes(path: pathlib.Path) -> nib.spatialimages.SpatialImage:
  """Returns an image of (column, row, slice, frame); one of three axes becomes a single frame."""
  image = nifti_images.load(path)
  if image.ndim not in (3, 4) or 0 in image.shape:
    raise ValueError(f'shape is {image.shape}, expected (column, row, slice) with or without frame')
  if rule := nifti_images.size_rule((*image.shape, 1)[:4], image.get_data_dtype()):
    raise ValueError(rule)
  return nifti_images.single(image)
