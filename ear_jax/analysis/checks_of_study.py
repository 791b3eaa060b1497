"""The quality gate: is a study fit for velocity curves? Each check has a value, two limits and a sentence.

A study that fails any check keeps its masks and contours, but its curves are withheld unless they are asked for. The
limits are ours, listed in `docs/predict.md` with their reasons; they are meant to catch what is broken, not to grade.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from ear_jax.analysis.contours import INTERPOLATED
from ear_jax.analysis.motion import COMPONENTS, SliceMotion
from ear_jax.analysis.quality import Check
from ear_jax.cine import Cine

_MAD = 1.4826  # standard deviation of a normal law per median absolute deviation


@dataclasses.dataclass(frozen=True)
class Limits:
  """Beyond the first number a check warns, beyond the second it fails."""

  failed_frames: tuple[float, float] = (0.0, 0.2)  # share of frames without contours
  mended_frames: tuple[float, float] = (0.3, 1.0)  # share of frames whose ring was closed or interpolated; never fails
  area_jumps: tuple[float, float] = (0.0, 0.2)  # share of frames whose area is 30 % off that of both neighbours
  uncertainty: tuple[float, float] = (0.25, 0.45)  # mean expected 1 - Dice
  wraps: tuple[float, float] = (0.001, 0.05)  # share of the wall's samples that had wrapped
  noise: tuple[float, float] = (0.08, 0.25)  # of venc; a uniformly random phase has 0.58
  background: tuple[float, float] = (0.15, 0.5)  # mean over the cycle, of venc


LIMITS = Limits()
_AREA_JUMP = 0.3
_THICKNESS = (3.0, 18.0)  # mm, mean over the wall and the cycle
_RADIUS = (10.0, 50.0)  # mm, mean epicardial


def check_slice(
  cine: Cine, motion: SliceMotion | None, uncertainty: np.ndarray | None = None, limits: Limits = LIMITS
) -> list[Check]:
  """Returns the checks of one slice.

  Args:
    cine: with velocities, or magnitude only.
    motion: its analysis; None when there is none.
    uncertainty: `[T]` expected 1 - Dice by the network; None when contours were given.
    limits: when to warn and to fail.
  """

  def check(name, status, reason):
    found.append(Check(name, cine.slice_id, status, reason))

  def grade(name, value, limit, text):
    low, high = limit
    status = 'fail' if not value <= high else 'warn' if value > low else 'pass'
    check(name, status, f'{text} (warns above {low:g}, fails above {high:g})')

  found: list[Check] = []
  if math.isnan(cine.frame_interval):
    check('frame interval', 'warn', 'the time between frames is unknown: curves are by frame, without ms')
  if any(math.isnan(s) for s in cine.spacing):
    check('pixel spacing', 'warn', 'unknown: contours are in pixels, rotation and areas are not in mm')
  if uncertainty is not None:
    value = float(np.mean(uncertainty))
    grade('network certainty', value, limits.uncertainty, f'expected error of Dice {value:.2f} by its own probability')
  if motion is None:
    check('contours', 'fail', 'there are none')
    return found
  _check_contours(motion, limits, check, grade)
  if cine.venc is None:
    check('velocities', 'warn', 'magnitude only: there is no velocity to analyse')
  else:
    _check_velocity(cine, motion, limits, grade)
  return found


def _check_contours(motion, limits, check, grade):
  frames = len(motion.mask)
  failed = np.count_nonzero(motion.contours.failed)
  grade('contours', failed / frames, limits.failed_frames, f'{failed} of {frames} frames without contours')
  mended = sum('ring closed' in flag or INTERPOLATED in flag for flag in motion.contours.flags)
  grade('mended rings', mended / frames, limits.mended_frames, f'{mended} of {frames} rings closed or interpolated')
  area = motion.mask.sum(axis=(1, 2), dtype=float)
  jumps = area_jumps(np.where(motion.contours.failed, np.nan, area))
  grade('steady area', jumps / frames, limits.area_jumps, f'{jumps} of {frames} frames with a leap of the wall area')
  if failed == frames or any(math.isnan(s) for s in motion.spacing):
    return
  size = np.asarray(motion.spacing)
  good = ~motion.contours.failed
  inner, outer = (
    float(np.hypot(*np.moveaxis((side[good] - motion.centre[good][:, None]) * size, -1, 0)).mean())
    for side in (motion.contours.endo, motion.contours.epi)
  )
  sound = _THICKNESS[0] <= outer - inner <= _THICKNESS[1] and _RADIUS[0] <= outer <= _RADIUS[1]
  check(
    'size of the heart',
    'pass' if sound else 'fail',
    f'mean wall {outer - inner:.1f} mm (expected {_THICKNESS[0]:g} to {_THICKNESS[1]:g}), mean outer radius '
    f'{outer:.1f} mm (expected {_RADIUS[0]:g} to {_RADIUS[1]:g})',
  )


def area_jumps(area: np.ndarray) -> int:
  """Returns how many of `[T]` areas differ from both cyclic neighbours by over 30 %, to the same side; NaN never."""
  before, after = np.roll(area, 1), np.roll(area, -1)
  with np.errstate(invalid='ignore', divide='ignore'):
    larger = area > (1 + _AREA_JUMP) * np.maximum(before, after)
    smaller = area < np.minimum(before, after) / (1 + _AREA_JUMP)
  return int(np.count_nonzero(larger | smaller))


def _check_velocity(cine, motion, limits, grade):
  wall = motion.mask.astype(bool)
  samples = max(int(wall.sum()), 1)
  share = motion.wraps / samples
  grade('phase wraps', share, limits.wraps, f'{motion.wraps} of {samples} samples in the wall had wrapped')
  noise = velocity_noise(cine, wall)
  level = max(n / v for n, v in zip(noise, cine.venc, strict=True))
  text = ', '.join(f'{n:.2f}' for n in noise)
  grade('noise', level, limits.noise, f'{text} cm/s along column, row and through the plane; {level:.3f} of venc')
  offset = motion.offset['global'][0]
  size = float(np.abs(offset).max() / min(cine.venc)) if np.isfinite(offset).all() else math.nan
  text = ', '.join(f'{name} {o:+.2f}' for name, o in zip(COMPONENTS, offset, strict=True))
  grade('background', size, limits.background, f'mean over the cycle {text} cm/s; {size:.2f} of the lowest venc')


def velocity_noise(cine: Cine, wall: np.ndarray) -> np.ndarray:
  """Returns the noise `[3]` of the velocities in the wall, cm/s along column, row and through the plane.

  From second differences over time, less their median over the wall of each frame, so that what all of the wall does
  together is no noise: their robust standard deviation over sqrt(6). Pixels count where they lie in the wall in three
  frames running. Infinite for a cine too short to tell.
  """
  inside = wall & np.roll(wall, 1, 0) & np.roll(wall, -1, 0)
  if len(wall) < 4 or not inside.any():
    return np.full(3, np.inf)
  venc = np.asarray(cine.venc, np.float32)
  rows, columns = (np.flatnonzero(inside.any(axis=axes)) for axes in ((0, 2), (0, 1)))
  box = (slice(None), slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
  v = cine.video[box][..., 1:]
  bend = np.roll(v, 1, 0) - 2 * v + np.roll(v, -1, 0)
  bend = (bend + venc) % (2 * venc) - venc  # a wrap is no noise
  own = [b[i] - np.median(b[i], axis=0) for b, i in zip(bend, inside[box], strict=True) if i.any()]
  return _MAD * np.median(np.abs(np.concatenate(own)), axis=0).astype(float) / math.sqrt(6)


def check_study(cines: Sequence[tuple[str, int, float]], notes: Sequence[str] = ()) -> list[Check]:
  """Returns the checks of the study as a whole.

  Args:
    cines: slice id, number of frames and frame interval in ms of each slice.
    notes: what the reader had to decide or passed over.
  """
  found = [Check('reading', '', 'warn', note) for note in dict.fromkeys(notes)]
  counts = {frames for _, frames, _ in cines}
  status = 'pass' if len(counts) == 1 else 'warn'
  found.append(Check('frames', '', status, f'{len(cines)} slices of {" and ".join(map(str, sorted(counts)))} frames'))
  cycles = [frames * interval for _, frames, interval in cines if math.isfinite(interval)]
  if cycles:
    spread = max(cycles) / min(cycles) - 1
    status = 'warn' if spread > 0.15 else 'pass'
    text = f'{min(cycles):.0f} to {max(cycles):.0f} ms over the slices (warns when they differ by over 15 %)'
    found.append(Check('heart rate', '', status, 'cardiac cycle ' + text))
  return found
