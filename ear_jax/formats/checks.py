"""The rules that every format shares, on arrays: each returns one `Fault` a broken rule, and raises nothing.

`file` is the path as the user knows it, `within` the place in the file ('slice MID', '' for the whole file).
"""

import dataclasses
import json
import math
import pathlib
from collections.abc import Iterable

import numpy as np

from ear_jax.cine import COARSEST, FINEST, LONGEST_STEP, SHORTEST_STEP, SLOWEST_VENC, Place
from ear_jax.formats.faults import Fault, frames

ZERO, COUNTS = 2048, 4096  # phase of zero velocity, and number of 12-bit values
DEFAULT_VENC = (20.0, 20.0, 30.0)  # cm/s along column, row and through the plane: the protocol of the MVM-CMR studies
FASTEST = 500.0  # cm/s; no heart muscle moves so fast, but raw phase pixels read as cm/s look so
LONGEST_PIXEL = 4.0  # times as long as it is wide; beyond it one number is the distance between slices
SHORTEST_BEAT, LONGEST_BEAT = 300.0, 2000.0  # ms: 200 and 30 beats a minute
SHORTEST_FRAME = 2.0  # ms; no scanner takes a picture of the heart in less
_CYCLE = 8  # frames: fewer may be a part of the cycle, and cover less than a beat
LARGEST = 2**28  # values of a cine: 50 frames of 1158 x 1158 pixels with velocities, a gigabyte
BRIGHTEST = 1e9  # of a magnitude; sums of squares of larger ones leave float32
LEVELS = ('base', 'mid', 'apex', '')
CHANNELS = {1: 'magnitude', 4: 'magnitude and three velocities'}
_UNDERSHOOT, _UNDERSHOOT_SHARE = 0.02, 0.25  # of the largest value, and of the pixels
_OUTSIDE_SHARE = 0.6  # of the pixels: a circle in a square leaves 0.21


@dataclasses.dataclass(frozen=True)
class Scan:
  """What a look over one source found: the (dataset, slice_id) of its cines, its faults, what was decided, places."""

  names: tuple[tuple[str, str], ...]
  faults: tuple[Fault, ...]
  notes: tuple[str, ...] = ()
  places: tuple[Place | None, ...] = ()  # of its cines, where the format tells


def ordinary(path: pathlib.Path) -> pathlib.Path:
  """Returns the path of a file. Raises ValueError for a pipe or device, which might never end, or a lost link."""
  if not path.is_file():
    raise ValueError(f'{path.name} is no ordinary file')
  return path


def place(within: str, *more: str) -> str:
  """Returns the parts of a place within a file, joined: place('slice MID', 'frame 3') is 'slice MID, frame 3'."""
  return ', '.join(part for part in (within, *more) if part)


def channel_faults(file: str, within: str, channels: int, wanted: int | None) -> list[Fault]:
  """Returns a fault unless the video has 1 or 4 channels, or `wanted` of them where a number is wanted."""
  if channels in CHANNELS and wanted in (None, channels):
    return []
  expected = ' or '.join(f'{count} ({CHANNELS[count]})' for count in ((wanted,) if wanted else CHANNELS))
  return [Fault(file, within, f'wrong channel count: video has {channels}, expected {expected}')]


def video_faults(file: str, within: str, video: np.ndarray) -> list[Fault]:
  """Returns the faults of the pixels of `[T, H, W, C]`: NaN or infinity, negative magnitude, no frame at all."""
  if 0 in video.shape:
    return [Fault(file, within, f'video is empty (shape {video.shape})')]
  if video.dtype.kind not in 'biuf':
    return [Fault(file, within, f'pixels are {video.dtype}, expected numbers')]
  bad = np.flatnonzero(~np.isfinite(video).all(axis=(1, 2, 3)))
  if bad.size:
    return [Fault(file, place(within, frames(bad)), 'video holds NaN or infinity: export these frames again')]
  if float(video.max()) > BRIGHTEST:  # as a Python float: it may be more than the pixels' own kind can hold
    return [Fault(file, within, f'pixels reach {video.max():.3g}, more than any scanner writes')]
  negative = np.flatnonzero((video[..., 0] < 0).any(axis=(1, 2)))
  if negative.size:
    return [Fault(file, place(within, frames(negative)), 'magnitude is negative: is channel 0 the magnitude?')]
  return []


def black_faults(file: str, within: str, video: np.ndarray) -> list[Fault]:
  """Returns a fault where the magnitude of `[T, H, W, C]` is 0 everywhere, as failed conversions leave it."""
  if video[..., 0].any():
    return []
  return [Fault(file, within, 'the magnitude is 0 in all pixels of all frames: export it again')]


def without_negatives(magnitude: np.ndarray) -> tuple[np.ndarray, str]:
  """Returns a magnitude with 0 in place of what is no signal, and in words what that was, or ''.

  Scanners put one negative value outside the circle that they reconstruct, interpolation undershoots a little at edges;
  whatever else is negative is left, and is a fault of `video_faults`.
  """
  negative = magnitude < 0
  if not negative.any():
    return magnitude, ''
  corners = negative[..., [0, 0, -1, -1], [0, -1, 0, -1]]
  if corners.any() and negative.mean() <= _OUTSIDE_SHARE and np.ptp(magnitude[negative]) == 0:
    said = 'one negative value outside the scanned region'
  elif magnitude.min() >= -_UNDERSHOOT * magnitude.max() and negative.mean() <= _UNDERSHOOT_SHARE:
    said = 'slightly negative values, as interpolation makes them,'
  else:
    return magnitude, ''
  return np.where(negative, 0, magnitude).astype(magnitude.dtype), f'{said} were set to 0'


def phase_faults(file: str, within: str, phase: np.ndarray) -> list[Fault]:
  """Returns a fault that names the frames of phase pictures `[T, H, W, 3]` which hold other than 12-bit pixels."""
  outside = np.flatnonzero(((phase < 0) | (phase >= COUNTS)).any(axis=(1, 2, 3)))
  if outside.size:
    return [Fault(file, place(within, frames(outside)), 'phase lies outside 0..4095: expected 12-bit pixels')]
  tops = phase.max((0, 1, 2))
  if tops.min() < ZERO:
    top = f'phase {tops.argmin() + 1} of 3 nowhere reaches {ZERO}, zero velocity (its largest pixel is {tops.min():g})'
    rule = 'expected 12-bit pixels, 0..4095; is channel 0 the magnitude, are these pixels of 8 bits or 0..1?'
    return [Fault(file, within, f'{top}: {rule}')]
  return []


def velocity_faults(file: str, within: str, velocity: np.ndarray, *, venc: bool) -> list[Fault]:
  """Returns a fault where velocities `[T, H, W, 3]` cannot be in cm/s, or beyond the venc that is taken without one.

  `venc`: whether the source states one.
  """
  speed = np.abs(velocity)
  fast = np.flatnonzero((speed > FASTEST).any(axis=(1, 2, 3)))
  if fast.size:
    rule = f'velocity beyond {FASTEST:g} cm/s: expected cm/s, not phase pixels'
    return [Fault(file, place(within, frames(fast)), rule)]
  tops = speed.max((0, 1, 2))
  if 0 < tops.max() < SLOWEST_VENC:
    rule = f'velocity nowhere reaches {SLOWEST_VENC:g} cm/s (at most {tops.max():.3g}): expected cm/s; is it in m/s?'
    return [Fault(file, within, rule)]
  if not venc and (tops > np.multiply(DEFAULT_VENC, 1.001)).any():
    taken = ', '.join(f'{limit:g}' for limit in DEFAULT_VENC)
    reached = ', '.join(f'{top:.3g}' for top in tops)
    rule = f'velocities reach {reached} cm/s, and venc is not stated (without, {taken} cm/s is taken): state it'
    return [Fault(file, within, rule)]
  return []


def taken(**settings: tuple[float, ...]) -> str:
  """Returns, as a note, the settings in cm/s and mm that a source does not state and that were taken; '' for none."""
  words = (f'{name} {", ".join(f"{number:g}" for number in values)}' for name, values in settings.items())
  said = ' and '.join(words)
  return f'not stated by the file, and taken: {said} (cm/s, mm)' if said else ''


def mask_faults(file: str, within: str, mask: np.ndarray, shape: tuple[int, ...]) -> list[Fault]:
  """Returns the faults of a mask that should have `shape` `[T, H, W]` and hold 0 and 1 only."""
  if mask.shape != shape:
    return [Fault(file, within, f'mask has shape {mask.shape}, its video {shape} (frame, row, column)')]
  bad = np.flatnonzero(~np.isin(mask, (0, 1)).all(axis=(1, 2)))  # NaN is not 0 or 1 either
  if bad.size:
    return [Fault(file, place(within, frames(bad)), 'mask holds values other than 0 and 1: store 1 in the myocardium')]
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


def beat(count: int, interval: float) -> tuple[float, str]:
  """Returns the interval between `count` frames of one heart cycle in ms, and what is wrong with it, or ''.

  It is NaN, unknown, where no heart has such a cycle: files state repetition times, seconds and 1 in its place.
  """
  cover = count * interval
  if math.isnan(interval) or count < 2:
    return interval, ''
  if cover <= LONGEST_BEAT and (cover >= SHORTEST_BEAT or (count < _CYCLE and interval >= SHORTEST_FRAME)):
    return interval, ''
  heart = f'a heartbeat lasts {SHORTEST_BEAT:g} to {LONGEST_BEAT:g} ms: the frame interval is unknown'
  return math.nan, f'{count} frames of {_four(interval)} ms are {_four(cover)} ms, and {heart}'


def _four(number: float) -> str:
  """Returns a number to four digits, and not as a power of ten."""
  return f'{float(f"{number:.4g}"):.10g}'


def size_rule(shape: Iterable[int]) -> str:
  """Returns what is wrong with a declared size, or ''; asked before anything of that size is read."""
  shape = tuple(shape)
  if math.prod(int(length) for length in shape) <= LARGEST:
    return ''
  return f'has shape {shape}: more than {LARGEST} values, which no cine has; is the header right?'


def name_faults(file: str, slice_id: str) -> list[Fault]:
  """Returns a fault unless the name of a slice is short and printable: it becomes part of file names."""
  if len(slice_id) <= 64 and slice_id.isprintable() and slice_id.strip('. '):
    return []
  return [Fault(file, '', 'the name of a slice is longer than 64 characters, empty, or cannot be printed: rename it')]


def settings_faults(
  file: str, within: str, venc, spacing, *, frame_interval=math.nan, signs=(1, 1, 1), level=''
) -> list[Fault]:
  """Returns faults of the settings that a file states, of whatever type they came out of it.

  venc is three positive numbers (cm/s) or None, spacing two positive or NaN ones (mm), the frame interval one (ms) or
  NaN, signs three of +1 or -1, the level 'base', 'mid', 'apex' or ''.
  """
  faults = []
  if venc is not None and not _within(venc, (3,), FASTEST, smallest=SLOWEST_VENC):
    rule = f'expected three positive numbers in cm/s, from {SLOWEST_VENC:g} to {FASTEST:g}'
    faults.append(Fault(file, within, f'venc is {_plain(venc)}, {rule}'))
  if not _within(spacing, (2,), COARSEST, smallest=FINEST, unknown=True):
    rule = f'expected two positive numbers in mm, from {FINEST:g} to {COARSEST:g}'
    faults.append(Fault(file, within, f'spacing is {_plain(spacing)}, {rule}'))
  if not _within(frame_interval, (), LONGEST_STEP, smallest=SHORTEST_STEP, unknown=True):
    rule = f'expected a positive number of ms, from {SHORTEST_STEP:g} to {LONGEST_STEP:g}'
    faults.append(Fault(file, within, f'frame_interval is {_plain(frame_interval)}, {rule}'))
  if not np.array_equal(np.abs(_numeric(signs)), (1, 1, 1)):
    faults.append(Fault(file, within, f'signs is {_plain(signs)}, expected three of +1 or -1'))
  if not isinstance(level, str | bytes) or text(level) not in LEVELS:
    faults.append(
      Fault(file, within, f'level is none of {", ".join(filter(None, LEVELS))}: correct it or leave it out')
    )
  return faults


def spacing_fault(spacing: tuple[float, float]) -> str | None:
  """Returns in words what is wrong with a known pixel spacing in mm; None when nothing is."""
  stated = f'is {spacing[0]:g}, {spacing[1]:g} mm'
  if not _within(spacing, (2,), COARSEST, smallest=FINEST):
    return f'{stated}, expected positive numbers, from {FINEST:g} to {COARSEST:g}'
  if max(spacing) > LONGEST_PIXEL * min(spacing):
    return f'{stated}, and no scanner makes pixels so long: is one of them the distance between slices?'
  return None


def is_number(word: str) -> bool:
  """Whether a word of a header is a number, which may be quoted."""
  try:
    return math.isfinite(float(word))
  except ValueError:
    return False


def text(value: str | bytes) -> str:
  """Returns text that may have come out of a file as bytes."""
  return value.decode(errors='replace') if isinstance(value, bytes) else str(value)


def _within(value, shape: tuple[int, ...], largest: float, *, smallest: float, unknown: bool = False) -> bool:
  """Whether `value` is numbers of a shape, each in [smallest, largest], or NaN where they may be unknown."""
  values = _numeric(value)
  sound = (values >= smallest) & (values <= largest)
  return values.shape == shape and bool(np.all(sound | np.isnan(values) if unknown else sound))


def _numeric(value) -> np.ndarray:
  """Returns numbers as float64; of anything else an array of a shape that no setting has."""
  try:
    values = np.asarray(value)
  except (TypeError, ValueError):  # lists within lists of unequal lengths
    return np.empty((0, 0))
  return values.astype(float) if values.dtype.kind in 'iuf' else np.empty((0, 0))


def _plain(value) -> str:
  values = _numeric(value)
  if values.ndim > 1 or values.size > 8:
    return 'something else'  # never quoted: it may be anything, a name too
  return json.dumps(np.asarray(value).tolist())
