"""NIfTI images as arrays: read within bounds; pixels, masks `[slice, T, H, W]`, spacing in mm, interval in ms."""

import math
import pathlib
import zlib
from collections.abc import Sequence

import nibabel as nib
import numpy as np

from ear_jax.formats import affine, checks, labels
from ear_jax.formats.walk import ends

ENDINGS = ('.nii.gz', '.nii')
_MS = {'sec': 1000.0, 'msec': 1.0, 'usec': 0.001, 'unknown': 1000.0}  # NIfTI's usual unit of time is the second


def load(path: pathlib.Path):
  """Returns the image of a file, its pixels not read; no other format than NIfTI hides behind the ending.

  Raises: ValueError, in words, for a file that is no NIfTI.
  """
  with checks.ordinary(path).open('rb') as file:
    start = file.read(2)
  zipped = ends(path, '.gz')
  if not start:
    raise ValueError('the file is empty')
  if zipped != (start == b'\x1f\x8b'):
    raise ValueError(f'it is {"not " * zipped}gzipped, and its name says otherwise: name it {ENDINGS[zipped]}')
  nib.imageglobals.logger.disabled = True  # what nibabel mends in a header it says on the terminal, a line a file
  try:
    one, _ = nib.Nifti1Image.path_maybe_image(path)
    image = (nib.Nifti1Image if one else nib.Nifti2Image).from_filename(path)
  finally:
    nib.imageglobals.logger.disabled = False
  with nib.openers.ImageOpener(str(path), 'rb') as file:
    sizes = type(image.header).from_fileobj(file, check=False)['pixdim'][1:4]
  image.header['pixdim'][1:4] = np.where(sizes == 0, 0, image.header['pixdim'][1:4])  # nibabel makes 1 mm of 0
  return image


def size_rule(shape: Sequence[int], kind: np.dtype) -> str:
  """Returns what is wrong with the size or the kind of the pixels that a header declares, or ''."""
  if kind.kind not in 'biuf':
    return f'pixels are {kind}, expected numbers'
  columns, rows, slices, *others = shape
  return checks.size_rule((columns, rows, *others)) or checks.size_rule((slices, slices))


def reason(error: Exception) -> str:
  """Returns what is wrong with a file that could not be read: a sentence, or what kind of error it was."""
  ours = isinstance(error, OSError | EOFError | ValueError | zlib.error | nib.filebasedimages.ImageFileError)
  return ' '.join(str(error).split())[:200] if ours else type(error).__name__


def _pixels(image) -> np.ndarray:
  with np.errstate(over='ignore', invalid='ignore'):  # what overflows is infinite, and infinity is a fault
    return image.get_fdata(dtype=np.float32, caching='unchanged')


def stack(image) -> np.ndarray:
  """Returns `[slice, T, H, W, C]` float32 from (column, row, slice, frame[, channel])."""
  pixels = _pixels(image)
  pixels = pixels[..., None] if pixels.ndim == 4 else pixels
  return np.ascontiguousarray(pixels.transpose(2, 3, 1, 0, 4))  # [W, H, Z, T, C] -> [Z, T, H, W, C]


def single(image):
  """Returns an image of (column, row, slice) as one of a single frame, and one with frames as it is."""
  if image.ndim != 3:
    return image
  with_frame = image.__class__(np.asanyarray(image.dataobj)[..., None], None, image.header.copy())
  with_frame.header.set_zooms((*image.header.get_zooms(), 0.0))
  return with_frame


def structures(mask, video, known: labels.Meaning, label: int | None) -> np.ndarray:
  """Returns a mask as `[slice, T, H, W]` uint8 in the values of `labels`, on the array of its video; T may be 1.

  The mask may lie in the same place with another order of axes. `known` and `label` are as in `labels.understand`.

  Raises: ValueError, in words that follow "mask", when place, size or values do not fit.
  """
  if mask.ndim not in (3, 4) or 0 in mask.shape:
    raise ValueError(f'has shape {mask.shape}, its video {video.shape[:4]} (column, row, slice, frame)')
  if rule := size_rule((*mask.shape, 1)[:4], mask.get_data_dtype()):
    raise ValueError(rule)
  image = single(mask)
  order, mirrored = affine.turned(image, video)
  shape = (*(image.shape[axis] for axis in order), image.shape[3])
  if shape[:3] != video.shape[:3] or shape[3] not in (1, video.shape[3]):
    raise ValueError(f'has shape {mask.shape}, its video {video.shape[:4]} (column, row, slice, frame)')
  pixels = affine.apply(_pixels(image), order, mirrored).T.swapaxes(0, 1)  # [W, H, Z, T] -> [Z, T, H, W]
  return labels.ours(pixels, labels.understand(pixels, known, label))


def walls(mask, video, settings: dict, label: int | None) -> np.ndarray:
  """Returns `[slice, T, H, W]` uint8, 1 in the myocardium. Raises ValueError as `structures`."""
  masks = (structures(mask, video, {}, label) == labels.MYOCARDIUM).astype(np.uint8)
  if masks.shape[1] == video.shape[3]:
    return masks
  frame = settings.get('annotated', ())
  if len(frame) != 1:
    raise ValueError('is of one frame: say which by "annotated" in the JSON file beside the video, such as [0]')
  whole = np.zeros((masks.shape[0], video.shape[3], *masks.shape[2:]), np.uint8)
  whole[:, frame[0]] = masks[:, 0]
  return whole


def spacing_and_interval(image, settings: dict) -> tuple[tuple[float, float], float, str]:
  """Returns mm along row and column index, ms between frames, and why that is unknown though a number is there."""
  column, row, _, step = image.header.get_zooms()[:4]
  space, time = affine.units(image)
  mm = affine.MM.get(space, math.nan)
  spacing = settings.get('spacing', (float(row * mm), float(column * mm)))
  spacing = (math.nan, math.nan) if spacing is None else spacing
  if 'frame_interval' in settings:
    return spacing, settings['frame_interval'], ''
  if time not in _MS:
    return spacing, math.nan, f'its fourth axis is in {time}, not in time: the frame interval is unknown'
  ms = _MS[time]
  return spacing, *checks.beat(image.shape[3], float(step * ms) if step > 0 else math.nan)
