"""NIfTI, one cine (or one stack of cines) a file, with its mask and its settings beside it.

    <dataset>_<slice>_video.nii.gz   (column, row, slice, frame) magnitude, or (column, row, slice, frame, channel)
    <dataset>_<slice>_mask.nii.gz    (column, row, slice, frame), 0 or 1, optional
    <dataset>_<slice>_video.json     optional: {"venc": [20, 20, 30], "level": "mid", "annotated": [0, 7]}

These are the axes of the NIfTI standard: x, y, z, t, then vector components. Velocities are in cm/s along increasing
column, increasing row, and through the plane; they are tied to the array's own axes, so the orientation matrix is not
used. Of a file with several slices each becomes a cine, `<slice>-00`, `<slice>-01`, ... Spacing and frame interval come
from the header (pixdim, with the unit of time it names). An interval of 0 means unknown; `"spacing": null` in the JSON
file says that the spacing is, because a NIfTI header cannot. Without `annotated`, a list of frames, a frame carries a
reference if its mask is not empty. venc without a JSON file is 20, 20, 30 cm/s.
"""

import gzip
import json
import math
import os
import pathlib
import re
import zlib
from collections.abc import Iterator, Sequence

import nibabel as nib
import numpy as np

from ear_jax.cine import Cine, as_venc
from ear_jax.formats import checks
from ear_jax.formats.checks import Scan, place
from ear_jax.formats.faults import Fault, frames
from ear_jax.formats.walk import ends
from ear_jax.system.files import replacing

# A visit of BIDS (sub-01_ses-02) and of UK Biobank (1234567_2_0) has '_' in its name: two visits are two datasets.
_VISIT = re.compile(r'^(sub-.+)-ses-.*$|^(\d{7})-\d-\d$')
_NAME = re.compile(r'(sub-[^_]+_ses-[^_]+|\d{7}_\d_\d|[^_]*)(?:_(.*))?', re.DOTALL)
_MS = {'sec': 1000.0, 'msec': 1.0, 'usec': 0.001, 'unknown': 1000.0}  # NIfTI's usual unit of time is the second
_KINDS = ('video', 'mask')


_ENDINGS = ('.nii.gz', '.nii')


def find(files: Sequence[pathlib.Path]) -> list[pathlib.Path]:
  """Returns the video files of `files`; and masks whose video is missing, for `scan` to complain about.

  A NIfTI file that is given alone is a video whatever its name is.
  """
  if len(files) == 1 and ends(files[0], *_ENDINGS):
    return [*files]
  videos, masks = ([file for file in files if ends(file, *(f'_{kind}{e}' for e in _ENDINGS))] for kind in _KINDS)
  there = {(file.parent, _stem(file)) for file in videos}
  return sorted(videos + [mask for mask in masks if (mask.parent, _stem(mask)) not in there])


def scan(path: pathlib.Path, root: pathlib.Path) -> Scan:
  """Looks over one file and its mask."""
  file = str(path.relative_to(root))
  if ends(path, *(f'_mask{e}' for e in _ENDINGS)):
    missing = _beside(path, 'video', '.nii.gz').name
    return Scan((), (Fault(file, '', f'mask without video: add {missing} or remove the mask'),))
  dataset, slice_id = _ids(path)
  if not dataset or not slice_id:
    return Scan((), (Fault(file, '', 'name is not <dataset>_<slice>_video.nii.gz'),))
  if wrong := checks.name_faults(file, slice_id):
    return Scan((), tuple(wrong))
  try:
    image = _load(path)
    if image.ndim not in (4, 5) or 0 in image.shape:
      rule = f'video has shape {image.shape}, expected (column, row, slice, frame) with or without channel'
      return Scan((), (Fault(file, '', rule),))
    if rule := _size_rule(image):
      return Scan((), (Fault(file, '', rule),))
    found = _faults(path, root, image, _settings(path))
  except Exception as error:  # nibabel and what it stands on raise errors of many kinds, and all mean the same here
    return Scan((), (Fault(file, '', f'not readable ({_reason(error)})'),))
  return Scan(tuple((dataset, name) for name in _slice_ids(slice_id, image.shape[2])), tuple(found))


def read(path: pathlib.Path) -> Iterator[Cine]:
  """Yields the cines of a file that `scan` found sound; a dataset is its own subject, unless its name tells visits."""
  dataset, slice_id = _ids(path)
  image, settings = _load(path), _settings(path)
  video, mask_path = _video(image), _mask_path(path)
  masks = None if mask_path is None else _masks(_load(mask_path))
  spacing, interval = _spacing_and_interval(image, settings)
  for z, name in enumerate(_slice_ids(slice_id, image.shape[2])):
    mask = np.zeros(video.shape[1:4], np.uint8) if masks is None else masks[z].astype(np.uint8)
    annotated = np.array([frame.any() for frame in mask])
    if masks is not None and 'annotated' in settings:
      annotated = np.isin(np.arange(len(mask)), settings['annotated'])
      mask[~annotated] = 0
    yield Cine(
      video=video[z],
      mask=mask,
      annotated=annotated,
      venc=as_venc(settings['venc']) if video.shape[-1] == 4 else None,
      spacing=spacing,
      frame_interval=interval,
      subject=_VISIT.sub(r'\1\2', dataset),
      dataset=dataset,
      slice_id=name,
      level=settings['level'],
    )


def write(cine: Cine, folder: pathlib.Path) -> pathlib.Path:
  """Writes video, mask (if any frame is annotated) and settings into `folder`; returns the path of the video.

  Float32, so that nothing is lost. Raises ValueError when the dataset's id holds '_', which parts the file name.
  """
  if '_' in cine.dataset:
    raise ValueError(f'{cine.name}: a dataset written as NIfTI must not have "_" in its id, it parts the file name')
  stem = f'{cine.dataset}_{cine.slice_id}'
  video = cine.video.transpose(2, 1, 0, 3)[:, :, None]  # [W, H, 1, T, C]
  path = folder / f'{stem}_video.nii.gz'
  _save(video if cine.venc else video[..., 0], path, cine.spacing, cine.frame_interval)
  settings: dict[str, object] = {'level': cine.level}
  if any(math.isnan(v) for v in cine.spacing):
    settings['spacing'] = None
  if cine.venc:
    settings['venc'] = list(cine.venc)
  if cine.annotated.any():
    settings['annotated'] = np.flatnonzero(cine.annotated).tolist()
    write_mask(cine.mask, folder / f'{stem}_mask.nii.gz', spacing=cine.spacing, frame_interval=cine.frame_interval)
  (folder / f'{stem}_video.json').write_text(json.dumps(settings))
  return path


def write_mask(mask: np.ndarray, path: pathlib.Path, *, spacing: tuple[float, float], frame_interval: float) -> None:
  """Writes a mask `[T, H, W]` uint8 as (column, row, 1, frame) with its spacing in mm and frame interval in ms."""
  _save(mask.transpose(2, 1, 0)[:, :, None], path, spacing, frame_interval)


def _save(array: np.ndarray, path: pathlib.Path, spacing: tuple[float, float], frame_interval: float) -> None:
  row, column = (1.0 if math.isnan(v) else v for v in spacing)
  step = 0.0 if math.isnan(frame_interval) else frame_interval
  image = nib.Nifti1Image(array, np.diag([column, row, 1.0, 1.0]))
  image.header.set_xyzt_units('mm', 'msec')
  image.header.set_zooms((column, row, 1.0, step, 1.0)[: array.ndim])
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
  match = _NAME.fullmatch(_stem(path))
  assert match  # it takes any text
  alone = not ends(path, *(f'_video{e}' for e in _ENDINGS))
  return match[1].replace('_', '-'), match[2] or 'slice' * alone


def _beside(path: pathlib.Path, kind: str, ending: str) -> pathlib.Path:
  name = f'_{kind}{ending}'
  return path.with_name(_stem(path) + (name.upper() if path.name.endswith(('.NII', '.NII.GZ')) else name))


def _mask_path(path: pathlib.Path) -> pathlib.Path | None:
  return next((mask for ending in _ENDINGS if os.path.lexists(mask := _beside(path, 'mask', ending))), None)


def _slice_ids(slice_id: str, count: int) -> list[str]:
  return [slice_id] if count == 1 else [f'{slice_id}-{z:02d}' for z in range(count)]


def _settings(path: pathlib.Path) -> dict:
  beside = _beside(path, 'video', '.json')
  stated = json.loads(checks.ordinary(beside).read_text()) if os.path.lexists(beside) else {}
  if not isinstance(stated, dict):
    raise ValueError(f'{beside.name} does not hold one JSON object')
  return {'venc': checks.DEFAULT_VENC, 'level': ''} | stated


def _load(path: pathlib.Path):
  """Returns the image of a file, its pixels not read; no other format than NIfTI hides behind the ending."""
  one, _ = nib.Nifti1Image.path_maybe_image(checks.ordinary(path))
  return (nib.Nifti1Image if one else nib.Nifti2Image).from_filename(path)


def _size_rule(image) -> str:
  """Returns what is wrong with the size or the kind of the pixels that a header declares, or ''."""
  if image.get_data_dtype().kind not in 'biuf':
    return f'pixels are {image.get_data_dtype()}, expected numbers'
  columns, rows, slices, *others = image.shape
  return checks.size_rule((columns, rows, *others)) or checks.size_rule((slices, slices))


def _reason(error: Exception) -> str:
  ours = isinstance(error, OSError | EOFError | ValueError | zlib.error | nib.filebasedimages.ImageFileError)
  return ' '.join(str(error).split())[:200] if ours else type(error).__name__


def _pixels(image) -> np.ndarray:
  with np.errstate(over='ignore', invalid='ignore'):  # what overflows is infinite, and infinity is a fault
    return image.get_fdata(dtype=np.float32, caching='unchanged')


def _video(image) -> np.ndarray:
  """Returns `[slice, T, H, W, C]` float32 from (column, row, slice, frame[, channel])."""
  pixels = _pixels(image)
  pixels = pixels[..., None] if pixels.ndim == 4 else pixels
  return np.ascontiguousarray(pixels.transpose(2, 3, 1, 0, 4))  # [W, H, Z, T, C] -> [Z, T, H, W, C]


def _masks(image) -> np.ndarray:
  """Returns `[slice, T, H, W]` float32 from (column, row, slice, frame)."""
  return _pixels(image).T.swapaxes(0, 1)


def _spacing_and_interval(image, settings: dict) -> tuple[tuple[float, float], float]:
  column, row, _, step = image.header.get_zooms()[:4]
  scale = _MS.get(image.header.get_xyzt_units()[1], math.nan)  # hertz and other units of no time
  known = 'spacing' not in settings
  spacing = (float(row), float(column)) if known else (math.nan, math.nan)
  return spacing, float(step * scale) if step > 0 else math.nan


def _faults(path: pathlib.Path, root: pathlib.Path, image, settings: dict) -> list[Fault]:
  file = str(path.relative_to(root))
  wrong = checks.channel_faults(file, '', 1 if image.ndim == 4 else image.shape[4], None)
  if wrong:
    return wrong
  spacing, interval = _spacing_and_interval(image, settings)
  venc = None if image.ndim == 4 or image.shape[4] == 1 else settings['venc'] or ()
  stated = {'venc': venc, 'level': settings['level']}
  found = checks.settings_faults(file, '', spacing=spacing, frame_interval=interval, **stated)
  annotated = settings.get('annotated', [])
  if not isinstance(annotated, list) or not all(type(frame) is int for frame in annotated):
    found.append(Fault(file, '', '`annotated` is no list of whole numbers'))
  elif beyond := [frame for frame in annotated if frame not in range(image.shape[3])]:
    found.append(Fault(file, '', f'`annotated` names {frames(beyond)}, but the video has {image.shape[3]} frames'))
  video, mask_path = _video(image), _mask_path(path)
  names = _slice_ids(_ids(path)[1], image.shape[2])
  for z, name in enumerate(names):
    within = f'slice {name}'
    found += checks.video_faults(file, within, video[z])
    fast = np.flatnonzero((np.abs(video[z][..., 1:]) > checks.FASTEST).any(axis=(1, 2, 3)))
    if fast.size:
      rule = f'velocity beyond {checks.FASTEST:g} cm/s: expected cm/s, not phase pixels'
      found.append(Fault(file, place(within, frames(fast)), rule))
  if mask_path is not None:
    mask_file = str(mask_path.relative_to(root))
    mask, wanted = _load(mask_path), image.shape[:4]
    if mask.shape != wanted:
      rule = f'mask has shape {mask.shape}, its video {wanted} (column, row, slice, frame)'
      return [*found, Fault(mask_file, '', rule)]
    if rule := _size_rule(mask):
      return [*found, Fault(mask_file, '', rule)]
    masks = _masks(mask)
    for z, name in enumerate(names):
      found += checks.mask_faults(mask_file, f'slice {name}', masks[z], masks[z].shape)
  return found
