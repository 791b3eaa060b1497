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
import zlib
from collections.abc import Iterator, Mapping

import nibabel as nib
import numpy as np

from ear_jax.cine import Cine, as_venc
from ear_jax.formats import checks
from ear_jax.formats.checks import Scan, place
from ear_jax.formats.faults import Fault, frames
from ear_jax.system.files import replacing

_MS = {'sec': 1000.0, 'msec': 1.0, 'usec': 0.001, 'unknown': 1000.0}  # NIfTI's usual unit of time is the second
_ENDING = '_video'


def find(root: pathlib.Path) -> list[pathlib.Path]:
  """Returns the video files below `root`; and masks whose video is missing, for `scan` to complain about."""
  videos = {path for ending in ('nii', 'nii.gz') for path in root.rglob(f'*_video.{ending}')}
  masks = {path for ending in ('nii', 'nii.gz') for path in root.rglob(f'*_mask.{ending}')}
  return sorted(videos | {mask for mask in masks if not {_beside(mask, 'video', e) for e in _ENDINGS} & videos})


_ENDINGS = ('.nii.gz', '.nii')


def scan(path: pathlib.Path, root: pathlib.Path, channels: int | None = None) -> Scan:
  """Looks over one file and its mask; `channels` is the count that the caller needs (None: any that we read)."""
  file = str(path.relative_to(root))
  if _stem(path).endswith('_mask'):
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
    found = _faults(path, root, image, _settings(path), channels)
  except Exception as error:  # nibabel and what it stands on raise errors of many kinds, and all mean the same here
    return Scan((), (Fault(file, '', f'not readable ({_reason(error)})'),))
  return Scan(tuple((dataset, name) for name in _slice_ids(slice_id, image.shape[2])), tuple(found))


def read(path: pathlib.Path, subjects: Mapping[str, str] | None = None) -> Iterator[Cine]:
  """Yields the cines of a file that `scan` found sound; a dataset not in `subjects` is its own subject."""
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
      subject=(subjects or {}).get(dataset, dataset),
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
  return path.name.removesuffix('.gz').removesuffix('.nii')


def _ids(path: pathlib.Path) -> tuple[str, str]:
  dataset, _, slice_id = _stem(path).removesuffix(_ENDING).partition('_')
  return dataset, slice_id


def _beside(path: pathlib.Path, kind: str, ending: str) -> pathlib.Path:
  return path.with_name(_stem(path).rsplit('_', 1)[0] + f'_{kind}{ending}')


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


def _faults(path: pathlib.Path, root: pathlib.Path, image, settings: dict, channels: int | None) -> list[Fault]:
  file = str(path.relative_to(root))
  wrong = checks.channel_faults(file, '', 1 if image.ndim == 4 else image.shape[4], channels)
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
