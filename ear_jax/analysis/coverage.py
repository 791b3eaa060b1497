"""Whether slices hold the whole ventricle: why they have no volume, or what a reader of their volumes must know."""

import math
from collections.abc import Sequence

import numpy as np

from ear_jax.analysis.depth import Stack
from ear_jax.analysis.motion import SliceMotion
from ear_jax.analysis.outline import LEAVING, NO_VENTRICLE
from ear_jax.analysis.ring import NOTHING

UNKNOWN_FRAMES = 0.2  # share of frames without contours somewhere, above which the largest and smallest are not known
SHORTEST = 0.9  # length of the stack within the ventricle over the widest cavity's diameter
OPEN_APEX = 0.7  # last cavity over the largest above which the apex lies beyond the stack


def missing_because(
  motions: Sequence[SliceMotion],
  inside: range,
  frames: Sequence[int],
  cavity: np.ndarray,
  ends: tuple[int | None, int | None],
  stack: Stack,
  endo: np.ndarray,
) -> str:
  """Returns why slices have no volume, in a sentence; '' when they have.

  Args:
    motions: of the slices.
    inside: those from the first to the last that hold anything of the ventricle.
    frames: numbers of frames that slices have.
    cavity: `[T]`, the sum over slices in any unit, NaN in frames in which one has no contours.
    ends: frames of end diastole and end systole.
    stack: of the slices.
    endo: `[S, T]` mm2.
  """
  if len(frames) > 1:
    return f'slices have {" and ".join(map(str, frames))} frames: frames of one number are not of one time'
  never = [slice_id(motions[k]) for k in inside if motions[k].contours.failed.all()]
  if never:
    return f'slices of the stack without any contour: {", ".join(never)}'
  known = int(np.isfinite(cavity).sum())
  if known < 2:
    return f'{known} of {frames[0]} frames have contours in all slices: end diastole and end systole are two'
  by_person = all(motions[k].contours.drawn for k in inside)
  if not by_person and 1 - known / frames[0] > UNKNOWN_FRAMES:
    return f'in {frames[0] - known} of {frames[0]} frames a slice has no contours: the largest and smallest are unknown'
  if any(math.isnan(s) for motion in motions for s in motion.spacing):
    return 'the pixel spacing is not known'
  if stack.fault:
    return stack.fault
  ed, es = ends
  assert ed is not None
  assert es is not None  # since two frames are known
  for name, frame in (('end diastole', ed), ('end systole', es)):
    if not math.isfinite(cavity[frame]):
      return f'frame {frame}, given as {name}, has no contours in one slice or more'
  if cavity[es] >= cavity[ed]:
    return f'the cavity is not smaller in frame {es}, taken as end systole, than in frame {ed}, as end diastole'
  return _uncovered(stack.height, endo[:, ed])


def _uncovered(height: np.ndarray, cavity: np.ndarray) -> str:
  """Why slices of these cavities `[S]` mm2 are not the whole ventricle; ''."""
  inside = np.flatnonzero(cavity > 0)
  length, widest = float(height[inside].sum()), 2 * math.sqrt(cavity.max() / math.pi)
  if length < SHORTEST * widest:
    return (
      f'the stack does not cover the ventricle: {len(inside)} slices stand for {length:.0f} mm of its length, and its '
      f'cavity is {widest:.0f} mm wide (at least {SHORTEST:g} times the width is needed)'
    )
  narrow = min(cavity[0], cavity[-1]) / cavity.max()  # the apex; 0 where a slice lies beyond the ventricle
  if narrow > OPEN_APEX:
    return (
      f'the stack does not cover the apex: the smaller cavity at its ends is {100 * narrow:.0f} % of the largest (at '
      f'most {100 * OPEN_APEX:.0f} % is expected)'
    )
  return ''


def notes_on(
  motions: Sequence[SliceMotion],
  inside: range,
  cavity: np.ndarray,
  stack: Stack,
  endo: np.ndarray,
  ends: tuple[int, int],
) -> tuple[str, ...]:
  """Returns what a reader must know of volumes that are given; arguments as of `missing_because`."""
  notes = [*stack.notes]
  for k in dict.fromkeys((inside[0], inside[-1])):
    if count := int(gone(motions[k]).sum()):
      where = f'{slice_id(motions[k])}, at an end of the ventricle'
      notes.append(f'no wall in {count} frame{"s" * (count > 1)} of {where}, which count{"s" * (count == 1)} as 0')
    if count := int(leaves(motions[k]).sum()):
      frames = f'{count} frame{"s" * (count > 1)}'
      notes.append(
        f'the ventricle leaves {slice_id(motions[k])} in part in {frames}; areas there are those of the frames beside'
      )
  unknown = int((~np.isfinite(cavity)).sum())
  if unknown:
    notes.append(f'{unknown} of {len(cavity)} frames have no contours in one slice or more, and no volume')
  by_person = all(motions[k].contours.drawn for k in inside)
  for name, frame in zip(('diastole', 'systole'), ends, strict=True):
    beside = [(frame + step) % len(cavity) for step in (-1, 1)]
    if not (by_person or np.isfinite(cavity[beside]).all()):
      notes.append(f'a frame beside frame {frame} is one of them: end {name} may be there')
  cut = [name for name, k in (('base', 0), ('apex', -1)) if endo[k, ends[0]] > 0]
  if cut:
    notes.append(f'the stack ends within the ventricle at {" and ".join(cut)}: what lies beyond it is not counted')
  if not by_person:
    notes.append('whether the widest slices, at the base, hold ventricle or atrium counts most: look at them')
  return tuple(notes)


def holding(motions: Sequence[SliceMotion], endo: np.ndarray) -> str:
  """Returns which slices hold the ventricle, in some frames only, and in none, in words; `endo`: areas `[S, T]`."""
  whole, partly, beyond = 0, [], []
  for motion, area in zip(motions, endo, strict=True):
    frames = len(motion.mask)
    held = frames - int(((area[:frames] == 0) | leaves(motion)).sum())
    whole += held == frames
    partly += [f'{slice_id(motion)} ({held} of {frames})'] * (0 < held < frames)
    beyond += [slice_id(motion)] * (held == 0)
  told = f'{whole} of {len(motions)} slices hold the ventricle'
  told += f'; in some frames only: {", ".join(partly)}' * bool(partly)
  return told + f'; beyond it: {", ".join(beyond)}' * bool(beyond)


def gone(motion: SliceMotion) -> np.ndarray:
  """Returns `[T]` bool, frames of a slice in which its plane holds nothing to delineate."""
  return np.array([flag in (NOTHING, NO_VENTRICLE) for flag in motion.contours.flags])


def leaves(motion: SliceMotion) -> np.ndarray:
  """Returns `[T]` bool, frames of a slice in which its plane holds a part of the ventricle, without contours."""
  return np.array([flag == LEAVING for flag in motion.contours.flags])


def slice_id(motion: SliceMotion) -> str:
  """Returns the id of a slice within its study."""
  return motion.name.rpartition('/')[2]
