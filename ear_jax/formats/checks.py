"""The rules that every format shares, on arrays: each returns one `Fault` a broken rule, and raises nothing.

`file` is the path as the user knows it, `within` the place in the file ('slice MID', '' for the whole file).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable

import numpy as np

from ear_jax.formats.faults import Fault, frames

DEFAULT_VENC = (20.0, 20.0, 30.0)  # cm/s along column, row and through the plane: the protocol of the MVM-CMR studies
CHANNELS = {1: 'magnitude', 4: 'magnitude and three velocities'}


@dataclasses.dataclass(frozen=True)
class Scan:
  """What a look over one source found: the (dataset, slice_id) of its cines, and its faults."""

  names: tuple[tuple[str, str], ...]
  faults: tuple[Fault, ...]


def place(within: str, *more: str) -> str:
  """Returns the parts of a place within a file, joined: place('slice MID', 'frame 3') is 'slice MID, frame 3'."""
  return ', '.join(part for part in (within, *more) if part)


def channel_faults(file: str, within: str, found: int, wanted: int | None) -> list[Fault]:
  """Returns a fault unless the video has 1 or 4 channels, or `wanted` of them where a number is wanted."""
  if found in CHANNELS and wanted in (None, found):
    return []
  expected = ' or '.join(f'{count} ({CHANNELS[count]})' for count in ((wanted,) if wanted else CHANNELS))
  return [Fault(file, within, f'wrong channel count: video has {found}, expected {expected}')]


def video_faults(file: str, within: str, video: np.ndarray) -> list[Fault]:
  """Returns the faults of the pixels of `[T, H, W, C]`: NaN or infinity, negative magnitude, no frame at all."""
  if 0 in video.shape:
    return [Fault(file, within, f'video is empty (shape {video.shape})')]
  bad = np.flatnonzero(~np.isfinite(video).all(axis=(1, 2, 3)))
  if bad.size:
    return [Fault(file, place(within, frames(bad)), 'video holds NaN or infinity: export these frames again')]
  negative = np.flatnonzero((video[..., 0] < 0).any(axis=(1, 2)))
  if negative.size:
    return [Fault(file, place(within, frames(negative)), 'magnitude is negative: is channel 0 the magnitude?')]
  return []


def mask_faults(file: str, within: str, mask: np.ndarray, shape: tuple[int, ...]) -> list[Fault]:
  """Returns the faults of a mask that should have `shape` `[T, H, W]` and hold 0 and 1 only."""
  if mask.shape != shape:
    return [Fault(file, within, f'mask has shape {mask.shape}, its video {shape} (frame, row, column)')]
  bad = np.flatnonzero(~np.isin(mask, (0, 1)).all(axis=(1, 2)))  # NaN is not 0 or 1 either
  if bad.size:
    return [Fault(file, place(within, frames(bad)), 'mask holds values other than 0 and 1')]
  return []


def time_faults(file: str, within: str, times: Iterable[float]) -> list[Fault]:
  """Returns a fault for each frame whose trigger time in ms is not later than that of the frame before it."""
  times = np.asarray(list(times), float)
  return [
    Fault(
      file,
      place(within, f'frame {late}'),
      f'trigger time {times[late]:g} ms does not follow {times[late - 1]:g} ms of frame {late - 1}: '
      'trigger times must increase',
    )
    for late in np.flatnonzero(~(np.diff(times) > 0)) + 1
  ]


def frame_interval(times: Iterable[float]) -> float:
  """Returns the median time between frames in ms; NaN for fewer than two frames."""
  steps = np.diff(np.asarray(list(times), float))
  return float(np.median(steps)) if steps.size else float('nan')


def settings_faults(file: str, within: str, venc, spacing) -> list[Fault]:
  """Returns faults unless venc is three positive numbers (cm/s) and spacing two positive or NaN ones (mm)."""
  found = []
  if venc is not None and (np.shape(venc) != (3,) or not np.all(np.asarray(venc, float) > 0)):
    found.append(Fault(file, within, f'venc is {_plain(venc)}, expected three positive numbers in cm/s'))
  if np.shape(spacing) != (2,) or not np.all(~(np.asarray(spacing, float) <= 0)):
    found.append(Fault(file, within, f'spacing is {_plain(spacing)}, expected two positive numbers in mm'))
  return found


def _plain(value) -> str:
  return json.dumps(np.asarray(value).tolist())
