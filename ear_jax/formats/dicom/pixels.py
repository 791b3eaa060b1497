"""The stored values of one picture, decoded only where its header and its compressed stream say the same size."""

import functools
import math
import os
import pathlib

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels import get_decoder, pixel_array
from pydicom.pixels.utils import get_expected_length
from pydicom.uid import RLELossless

from ear_jax.formats import checks
from ear_jax.formats.dicom import codestream
from ear_jax.formats.dicom.header import Instance
from ear_jax.formats.dicom.instances import Refused, quiet, refuse_deflated

_NEEDED = ('BitsAllocated', 'BitsStored', 'PixelRepresentation', 'PhotometricInterpretation', 'PixelData')
LARGEST = 2**24  # values of one picture: 4096 x 4096
_HELD = 4  # multi-frame files in memory: magnitude and three velocities are read side by side


def stored(picture: Instance) -> np.ndarray:
  """Returns the values `[H, W]` of one picture as they are stored, with no scale or padding applied.

  Raises: whatever pydicom and its decoders raise; `Refused` where header and stream disagree.
  """
  with quiet():
    whole = _file(picture.path) if picture.frame is None else _held(picture.path, os.stat(picture.path).st_mtime_ns)
    declared = [int(whole.get(tag) or 1) for tag in ('Rows', 'Columns', 'SamplesPerPixel')]
    frames = int(whole.get('NumberOfFrames') or 1)
    if picture.frame is None:
      declared.append(frames)
    if math.prod(declared) > LARGEST or min(declared) < 1:
      raise Refused(f'the header declares {" x ".join(map(str, declared))} values')
    _refuse_incomplete(whole)
    _refuse_without_decoder(whole)
    _refuse_disagreement(whole, picture.frame or 0, frames)
    return pixel_array(whole, index=picture.frame)


def rescaled(picture: Instance, values: np.ndarray) -> np.ndarray:
  """Returns stored values as float32, scaled by slope and intercept of the picture."""
  scale = picture.rescale
  values = values.astype(np.float32)
  return values * np.float32(scale.slope) + np.float32(scale.intercept) if scale else values


def magnitude(picture: Instance) -> tuple[np.ndarray, str]:
  """Returns a magnitude `[H, W]` float32 with 0 where there is no signal, and what was set to 0 in words, or ''."""
  values = stored(picture)
  padding = (
    values == picture.padding if picture.padding in (values.min(), values.max()) else np.zeros_like(values, bool)
  )
  scaled = rescaled(picture, values)
  said = 'pixels of PixelPaddingValue were set to 0' if scaled[padding].any() else ''
  scaled[padding] = 0
  scaled, undershoot = checks.without_negatives(scaled)
  return scaled, ', '.join(filter(None, (said, undershoot)))


def _file(path: pathlib.Path) -> Dataset:
  refuse_deflated(path)
  return pydicom.dcmread(path)


@functools.lru_cache(maxsize=_HELD)
def _held(path: pathlib.Path, _changed: int) -> Dataset:
  """Returns a file that holds many pictures; the next of them does not read it again."""
  return _file(path)


def _refuse_incomplete(image: Dataset) -> None:
  if lacking := [tag for tag in _NEEDED if image.get(tag) is None]:
    raise Refused(f'the header lacks {", ".join(lacking)}')
  needed = get_expected_length(image)
  if not image.file_meta.TransferSyntaxUID.is_encapsulated and len(image.PixelData) < needed:
    raise Refused(f'PixelData has {len(image.PixelData)} bytes, the header needs {needed}: the file is not whole')


def _refuse_without_decoder(image: Dataset) -> None:
  syntax = image.file_meta.TransferSyntaxUID
  try:
    decoder = get_decoder(syntax)
  except NotImplementedError:
    raise Refused(f'{_syntax(syntax)} is none that can be decoded: export the files uncompressed') from None
  if not decoder.is_available:
    advice = 'pip install pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg, or export the files uncompressed'
    raise Refused(f'no decoder for {_syntax(syntax)} is installed: {advice}')


def _syntax(uid) -> str:
  return f'transfer syntax {uid.name if uid.name != uid else "that is not in the standard"}'


def _refuse_disagreement(image: Dataset, frame: int, frames: int) -> None:
  syntax = image.file_meta.TransferSyntaxUID
  if not syntax.is_encapsulated or syntax == RLELossless:
    return
  in_codestream = codestream.size_of(get_frame(image.PixelData, frame, number_of_frames=frames))
  if in_codestream is None:
    raise Refused('the compressed picture does not say its size')
  stated = (image.Rows, image.Columns, image.SamplesPerPixel)
  if (
    in_codestream.rows,
    in_codestream.columns,
    in_codestream.samples,
  ) != stated or in_codestream.bits > image.BitsAllocated:
    size = (
      f'{in_codestream.rows} x {in_codestream.columns} pixels of {in_codestream.samples} x {in_codestream.bits} bits'
    )
    raise Refused(f'the compressed picture has {size}, which is not what the header says')
