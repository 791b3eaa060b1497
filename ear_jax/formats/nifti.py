"""NIfTI, one cine (or one stack of cines) a file, with its mask and its settings beside it.

    <dataset>_<slice>_video.nii.gz   (column, row, slice, frame) magnitude, or (column, row, slice, frame, channel)
    <dataset>_<slice>_mask.nii.gz    (column, row, slice, frame), 0 or 1, optional
    <dataset>_<slice>_video.json     optional: {"venc": [20, 20, 30], "level": "mid", "annotated": [0, 7]}

These are the axes of the NIfTI standard: x, y, z, t, then vector components. Velocities are in cm/s along increasing
column, increasing row, and through the plane: along the array's own axes. The orientation matrix gives the cine its
place in the patient (`affine`); a mask that lies in the same place in another order of axes is turned to its video, a
mask that lies elsewhere is a fault. Of a file with several slices each becomes a cine, `<slice>-00`, `<slice>-01`, ...

Spacing and frame interval come from the header (pixdim), in the units that it names. An interval of 0 means unknown, as
does one that makes no heartbeat, since converters write other times there: `"frame_interval": 41.5` (ms) in the JSON
file is believed, and so is `"spacing": [1.4, 1.4]` (mm along row and column index), where null says that it is unknown.
Without `annotated`, a list of frames, a frame carries a reference if its mask is not empty. venc without a JSON file is
20, 20, 30 cm/s. A dataset's name ends at the first `_`, but for those of BIDS (`sub-01_ses-02`) and of UK Biobank
(`1234567_2_0`), which are visits of one subject.
"""

import codecs
import difflib
import gzip
import json
import math
import os
import pathlib
import re
from collections.abc import Iterator, Sequence

import nibabel as nib
import numpy as np

from ear_jax.cine import Cine, Place, as_spacing, as_venc
from ear_jax.formats import affine, checks
from ear_jax.formats.checks import Scan
from ear_jax.formats.faults import Fault, frames
from ear_jax.formats.nifti_images import ENDINGS, load, reason, size_rule, spacing_and_interval, stack, walls
from ear_jax.formats.walk import ends
from ear_jax.system.files import replacing

_DEFAULTS = {'venc': checks.DEFAULT_VENC, 'level': ''}
_SETTINGS = {*_DEFAULTS, 'spacing', 'frame_interval', 'annotated'}
_VISIT = re.compile(r'(?P<subject>sub-[^_]+)_ses-[^_]+|(?P<number>\d{7})_\d+_\d+')  # of BIDS, of UK Biobank


def find(files: Sequence[pathlib.Path]) -> list[pathlib.Path]:
  """Returns those of `files` that are videos by their names."""
  return [file for file in files if ends(file, *(f'_video{e}' for e in ENDINGS))]


def find_masks(files: Sequence[pathlib.Path]) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
  """Returns the masks of `files` that lie beside their video, and those that do not."""
  there = {(file.parent, _stem(file)) for file in find(files)}
  masks = [file for file in files if ends(file, *(f'_mask{e}' for e in ENDINGS))]
  beside = [mask for mask in masks if (mask.parent, _stem(mask)) in there]
  return beside, [mask for mask in masks if mask not in beside]


def scan(path: pathlib.Path, root: pathlib.Path, label: int | None = None) -> Scan:
  """Looks over one file and its mask; `label` is the value of the myocardium in a mask of several."""
  file = str(path.relative_to(root))
  dataset, slice_id = _ids(path)
  if not dataset or not slice_id:
    return Scan((), (Fault(file, '', 'name is not <dataset>_<slice>_video.nii.gz'),))
  if wrong := checks.name_faults(file, slice_id):
    return Scan((), tuple(wrong))
  try:
    image = load(path)
    if image.ndim not in (4, 5) or 0 in image.shape:
      rule = f'video has shape {image.shape}, expected (column, row, slice, frame) with or without channel'
      return Scan((), (Fault(file, '', rule),))
    if rule := size_rule(image.shape, image.get_data_dtype()):
      return Scan((), (Fault(file, '', rule),))
    settings = _settings(path)
    faults, notes = _faults(path, root, image, settings, label), _notes(path, image, settings)
    matrix = affine.of_image(image)[0]
  except Exception as error:  # nibabel and what it stands on raise errors of many kinds, and all mean the same here
    return Scan((), (Fault(file, '', f'not readable ({reason(error)})'),))
  names = _slice_ids(slice_id, image.shape[2])
  places = tuple(affine.place(matrix, z) for z in range(len(names))) if not faults else ()
  return Scan(tuple((dataset, name) for name in names), tuple(faults), tuple(notes), places)


def read(path: pathlib.Path, label: int | None = None) -> Iterator[Cine]:
  """Yields the cines of a file that `scan` found sound; a dataset is its own subject, unless its name tells visits."""
  dataset, slice_id = _ids(path)
  image, settings = load(path), _settings(path)
  video, mask_path = stack(image), _mask_path(path)
  drawn = None if mask_path is None else walls(load(mask_path), image, settings, label)
  spacing, interval, _ = spacing_and_interval(image, settings)
  matrix = None if any(map(math.isnan, spacing)) else affine.of_image(image)[0]
  for z, name in enumerate(_slice_ids(slice_id, image.shape[2])):
    mask = np.zeros(video.shape[1:4], np.uint8) if drawn is None else drawn[z]
    annotated = np.array([frame.any() for frame in mask])
    if drawn is not None and 'annotated' in settings:
      annotated = np.isin(np.arange(len(mask)), settings['annotated'])
      mask[~annotated] = 0
    yield Cine(
      video=video[z],
      mask=mask,
      annotated=annotated,
      venc=as_venc(settings['venc']) if video.shape[-1] == 4 else None,
      spacing=as_spacing(spacing),
      frame_interval=interval,
      subject=_subject(dataset),
      dataset=dataset,
      slice_id=name,
      level=settings['level'],
      place=affine.place(matrix, z),
    )


def write(cine: Cine, folder: pathlib.Path) -> pathlib.Path:
  """Writes video, mask (if any frame is annotated) and settings into `folder`; returns the path of the video.

  Float32, so that nothing is lost. Raises ValueError when the dataset's id holds '_', which parts the file name.
  """
  stem = f'{cine.dataset}_{cine.slice_id}'
  path = folder / f'{stem}_video.nii.gz'
  if _ids(path) != (cine.dataset, cine.slice_id):
    raise ValueError(f'{cine.name}: a dataset written as NIfTI must not have "_" in its id, it parts the file name')
  video = cine.video.transpose(2, 1, 0, 3)[:, :, None]  # [W, H, 1, T, C]
  _save(video if cine.venc else video[..., 0], path, cine.spacing, cine.frame_interval, cine.place)
  settings: dict[str, object] = {'level': cine.level}
  if any(math.isnan(v) for v in cine.spacing):
    settings['spacing'] = None
  if not math.isnan(cine.frame_interval):
    settings['frame_interval'] = cine.frame_interval
  if cine.venc:
    settings['venc'] = list(cine.venc)
  if cine.annotated.any():
    settings['annotated'] = np.flatnonzero(cine.annotated).tolist()
    mask = folder / f'{stem}_mask.nii.gz'
    write_mask(cine.mask, mask, spacing=cine.spacing, frame_interval=cine.frame_interval, place=cine.place)
  (folder / f'{stem}_video.json').write_text(json.dumps(settings))
  return path


def write_mask(
  mask: np.ndarray,
  path: pathlib.Path,
  *,
  spacing: tuple[float, float],
  frame_interval: float,
  place: Place | None = None,
) -> None:
  """Writes a mask `[T, H, W]` uint8 as (column, row, 1, frame), where it lies in the patient.

  `spacing` in mm, `frame_interval` in ms; sform and qform have code 0 where the place is unknown.
  """
  _save(mask.transpose(2, 1, 0)[:, :, None], path, spacing, frame_interval, place)


def _save(
  array: np.ndarray, path: pathlib.Path, spacing: tuple[float, float], frame_interval: float, place: Place | None
) -> None:
  row, column = (1.0 if math.isnan(v) else v for v in spacing)
  step = 0.0 if math.isnan(frame_interval) else frame_interval
  image = nib.Nifti1Image(array, None)
  affine.set_place(image, place, (row, column))
  image.header.set_xyzt_units('mm', 'msec')
  image.header.set_zooms((*image.header.get_zooms()[:3], step, 1.0)[: array.ndim])
  with (
    replacing(path) as temporary,
    temporary.open('wb') as file,
    gzip.GzipFile('', 'wb', 1, file, mtime=0) as stream,  # no name or time in the header
  ):
    image.to_stream(stream)


def _stem(path: pathlib.Path) -> str:
  """Returns the name without ending, `_video` and `_mask`."""
  return re.sub(r'(_video|_mask)?\.nii(\.gz)?$', '', path.name, flags=re.IGNORECASE)


def _ids(path: pathlib.Path) -> tuple[str, str]:
  """Returns dataset and slice of a video's name; '' for what it lacks."""
  name = _stem(path)
  visit = _VISIT.match(name)
  dataset = visit[0] if visit and name[visit.end() :].startswith('_') else name.partition('_')[0]
  named = ends(path, *(f'_video{e}' for e in ENDINGS))
  return dataset, name[len(dataset) + 1 :] or 'slice' * (not named)


def _subject(dataset: str) -> str:
  visit = _VISIT.fullmatch(dataset)
  return dataset if visit is None else visit['subject'] or visit['number']


def _mask_path(path: pathlib.Path) -> pathlib.Path | None:
  names = (f'_{kind}{ending}' for kind in ('mask', 'Mask', 'MASK') for ending in ENDINGS)
  spelled = (one for name in names for one in (name, name.upper()))
  return next((mask for name in spelled if os.path.lexists(mask := path.with_name(_stem(path) + name))), None)


def _slice_ids(slice_id: str, count: int) -> list[str]:
  return [slice_id] if count == 1 else [f'{slice_id}-{z:02d}' for z in range(count)]


def _settings(path: pathlib.Path) -> dict:
  names = (path.with_name(_stem(path) + name) for name in ('_video.json', '_VIDEO.JSON'))
  beside = next(filter(os.path.lexists, names), None)
  if beside is None:
    return dict(_DEFAULTS)
  try:
    stated = json.loads(checks.ordinary(beside).read_bytes().removeprefix(codecs.BOM_UTF8))
  except ValueError as error:
    raise ValueError(f'{beside.name}: {error}') from error
  if not isinstance(stated, dict):
    raise ValueError(f'{beside.name} does not hold one JSON object')
  for name in set(stated) - _SETTINGS:  # converters write many others, which are none of ours
    if like := difflib.get_close_matches(name.lower(), _SETTINGS, 1, 0.85):
      raise ValueError(f'{beside.name} holds {name[:30]!r}: is {like[0]!r} meant?')
  return _DEFAULTS | {name: value for name, value in stated.items() if value is not None or name in ('spacing', 'venc')}


def _notes(path: pathlib.Path, image, settings: dict) -> list[str]:
  """Returns what had to be decided about place and time of a sound file and of its mask, in words without its name."""
  matrix, why = affine.of_image(image)
  notes = [f'place in the patient unknown: {why}'] if why else []
  if rule := spacing_and_interval(image, settings)[2]:
    notes.append(f'{rule} (state "frame_interval" in the JSON file beside the video)')
  if image.ndim == 5 and image.shape[4] == 4 and settings['venc'] is checks.DEFAULT_VENC:
    notes.append(checks.taken(venc=checks.DEFAULT_VENC))
  mask_path = _mask_path(path)
  if mask_path is not None and matrix is not None and affine.of_image(mask := load(mask_path))[0] is None:
    why = affine.of_image(mask)[1] or 'it does not say where it lies'
    notes.append(f'mask taken as it lies on the array of its video: {why}')
  return notes


def _faults(path: pathlib.Path, root: pathlib.Path, image, settings: dict, label: int | None) -> list[Fault]:
  file = str(path.relative_to(root))
  wrong = checks.channel_faults(file, '', 1 if image.ndim == 4 else image.shape[4], None)
  if wrong:
    return wrong
  spacing, interval, _ = spacing_and_interval(image, settings)
  venc = None if image.ndim == 4 or image.shape[4] == 1 else settings['venc'] or ()
  stated = {'venc': venc, 'level': settings['level']}
  faults = checks.settings_faults(file, '', spacing=spacing, frame_interval=interval, **stated)
  annotated = settings.get('annotated', [])
  if not isinstance(annotated, list) or not all(type(frame) is int for frame in annotated):
    faults.append(Fault(file, '', '`annotated` is no list of whole numbers'))
  elif beyond := [frame for frame in annotated if frame not in range(image.shape[3])]:
    faults.append(Fault(file, '', f'`annotated` names {frames(beyond)}, but the video has {image.shape[3]} frames'))
  video, mask_path = stack(image), _mask_path(path)
  names = _slice_ids(_ids(path)[1], image.shape[2])
  for z, name in enumerate(names):
    within = f'slice {name}'
    faults += checks.video_faults(file, within, video[z]) or checks.black_faults(file, within, video[z])
    if venc:
      stated_venc = settings['venc'] is not checks.DEFAULT_VENC
      faults += checks.velocity_faults(file, within, video[z][..., 1:], venc=stated_venc)
  if mask_path is not None and not faults:
    try:
      walls(load(mask_path), image, settings, label)
    except ValueError as error:
      faults.append(Fault(str(mask_path.relative_to(root)), '', f'mask {error}'))
  return faults
