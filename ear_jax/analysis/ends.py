"""Which slices of a stack hold the left ventricle, and in which frames: what its ends are when they are no failures.

In systole the base moves towards the apex by 10 to 15 mm, through planes that stay where they are. The most basal
slice then loses its ring for a part of the cycle, round end systole. What lies beyond it is atrium or outflow tract,
whatever ring was drawn there, and tells itself: it grows while the ventricle narrows. At the apex the cavity may close,
and a ring that lies further beside the others than the widest of them reaches is of something else.
Whatever does not look so stays a failure, and so does all of it where it is not certain which end is the base.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from ear_jax.analysis.checks_of_study import EXPECTED
from ear_jax.analysis.contours import polygon_area
from ear_jax.analysis.coverage import OPEN_APEX, slice_id
from ear_jax.analysis.expected_dice import Expected
from ear_jax.analysis.motion import SliceMotion
from ear_jax.analysis.outline import LEAVING, NO_VENTRICLE, NOT_SOUND
from ear_jax.analysis.periodic import in_longest_run, slow
from ear_jax.analysis.ring import NO_CAVITY, NOTHING, opening
from ear_jax.analysis.stack import beside, beyond

_FEWEST = 8  # frames that are a cycle
_WHOLE = 3  # slices with rings in all frames, by which the ventricle's own cycle is known
_AWAY = 0.1, 0.6  # of the cycle: how long, at least and at most, a ventricle leaves a plane
_LOST = 0.6  # of the frames from the first to the last that lost its ring: share that did
_NEAR = 0.1  # of the cycle, from these frames to end systole
NARROWS, GROWS = 0.95, 1.05  # cavity at end systole over that at end diastole
_CROSSED = 2  # planes, 8 to 10 mm apart, that a base crosses
_HALF = 180  # degrees: with less of the wall missing most of what is in the plane is ventricle


class End(NamedTuple):
  """What a slice at an end of the stack is.

  Attributes:
    flags: `[T]`, '' in frames that hold the ventricle, else a flag of `analysis.outline`.
    status: 'beyond' for a slice beyond the ventricle, 'partly' for one that holds it in some frames only; 'warn' where
      a ventricle seems to be there that was not delineated well enough.
    reason: in a sentence.
  """

  flags: tuple[str, ...]
  status: str
  reason: str


class _Stack(NamedTuple):
  """Slices in order, where a wall is found, and frames of end diastole and end systole; None where unknown."""

  motions: Sequence[SliceMotion]
  expected: Sequence[Expected]
  holds: Sequence[bool]
  beat: tuple[int, int] | None


def find_ends(
  motions: Sequence[SliceMotion], expected: Sequence[Expected], holds: Sequence[bool], towards: int, given: bool = False
) -> tuple[dict[int, End], str]:
  """Returns the slices without a ventricle in some frames or all, and what was not certain, in a sentence; ''.

  Args:
    motions: of the slices of a stack, from end to end.
    expected: of their delineations.
    holds: where a wall is found.
    towards: +1 where the last slice is the one at the apex by how the slices lie in the patient, -1 where the first is,
      0 where that is not known.
    given: the contours are a person's, who knows where the ventricle is; slices without a wall are told alone.
  """
  stack = _Stack(motions, expected, holds, None if given else _beat(motions, holds))
  lost = {k: frames for k in range(len(motions)) if (frames := _lost(stack, k)) is not None}
  order = _from_base(stack, towards)
  above, left = _at_base(stack, order, lost)
  closed = _at_apex(stack, order, lost)
  far = _beside(stack, order)
  doubt = ''
  if lost and not order:
    doubt = (
      f'the ring is lost round end systole in {", ".join(slice_id(motions[k]) for k in lost)}, as where the ventricle '
      'leaves a plane at the base, but which end of the stack is the base is not certain: these frames count as lost'
    )
  here = [(one or k in left) and k not in (*above, *far) for k, one in enumerate(holds)]
  if 2 * sum(here) <= len(here):  # it is not the stack that is too long
    return {}, doubt
  found = {k: _outside(stack, k, above, left) for k in beyond(here)}
  found |= {k: End((NO_VENTRICLE,) * len(motions[k].mask), 'warn', why) for k, why in far.items()}
  return found | {k: _leaves(motions[k], lost[k], k in left) for k in (*left, *closed)}, doubt


def _beat(motions: Sequence[SliceMotion], holds: Sequence[bool]) -> tuple[int, int] | None:
  """Returns when the ventricle is widest and narrowest, by most of the slices that have a ring in all frames."""
  curves = [
    slow(_area(one)) for one, hold in zip(motions, holds, strict=True) if hold and not one.contours.failed.any()
  ]
  frames = {len(one.mask) for one in motions}
  if len(curves) < _WHOLE or len(frames) > 1 or min(frames) < _FEWEST:
    return None
  share = np.median([curve / curve.mean() for curve in curves], axis=0)
  return (int(share.argmax()), int(share.argmin())) if share.min() <= NARROWS * share.max() else None


def _area(motion: SliceMotion) -> np.ndarray:
  return polygon_area(motion.contours.endo)


def _change(stack: _Stack, k: int, without: np.ndarray | None = None) -> float:
  """Returns a slice's cavity at end systole over that at end diastole; NaN where too few frames have a ring."""
  area = _area(stack.motions[k]) if without is None else np.where(without, np.nan, _area(stack.motions[k]))
  if stack.beat is None or np.isfinite(area).mean() < 1 - _AWAY[1]:
    return np.nan
  ed, es = stack.beat
  area = slow(area)
  return float(area[es] / area[ed])


def _lost(stack: _Stack, k: int) -> np.ndarray | None:
  """Returns `[T]` bool, frames round end systole in which a slice loses a sound ring; None where it does not."""
  contours = stack.motions[k].contours
  failed = contours.failed
  if stack.beat is None or contours.drawn or contours.corrected or failed.all() or not failed.any():
    return None
  gone, (ed, es) = ~in_longest_run(~failed), stack.beat
  reach = round(_NEAR * len(gone))
  about = ndimage.binary_dilation(np.tile(gone, 3), iterations=reach)[len(gone) : 2 * len(gone)] if reach else gone
  looks = _AWAY[0] <= gone.mean() <= _AWAY[1] and failed[gone].mean() >= _LOST and about[es] and not gone[ed]
  sound = stack.expected[k].by_frame[~gone].mean() >= EXPECTED['magnitude'][1] and _change(stack, k, gone) <= NARROWS
  return gone if looks and sound else None


def _from_base(stack: _Stack, towards: int) -> list[int]:
  """Returns the slices from base to apex; none where it is not certain which end is the base.

  By how they lie in the patient, unless the cavities' sizes contradict; else by sizes alone.
  """
  known = [hold and not one.contours.failed.any() for hold, one in zip(stack.holds, stack.motions, strict=True)]
  whole = [k for k, rings in enumerate(known) if rings and _change(stack, k) <= NARROWS]
  if len(whole) < _WHOLE or stack.beat is None:
    return []
  first, last = (slow(_area(stack.motions[k]))[stack.beat[0]] for k in (whole[0], whole[-1]))
  limit = OPEN_APEX if not towards else 1.0
  by_size = 1 if last <= limit * first else -1 if first <= limit * last else 0
  order = [*range(len(stack.holds))]
  return [] if not by_size or by_size == -towards else order[::by_size]


def _at_base(stack: _Stack, order: Sequence[int], lost: dict[int, np.ndarray]) -> tuple[list[int], list[int]]:
  """Returns the slices with a ring that lie above the ventricle, and those that it leaves in systole."""
  above: list[int] = []
  left: list[int] = []
  for k in order:
    change = _change(stack, k)
    if k in lost:
      left.append(k)
    elif not left and change >= GROWS and not _by_person(stack.motions[k]):
      above.append(k)
    elif left or stack.holds[k] or _seems(stack, k):
      break
  return ([], []) if len(left) > _CROSSED else (above, left)


def _at_apex(stack: _Stack, order: Sequence[int], lost: dict[int, np.ndarray]) -> list[int]:
  """Returns the slices at the apex whose cavity closes in systole."""
  closed: list[int] = []
  for k in reversed(order):
    flags = stack.motions[k].contours.flags
    if k in lost and all(flags[t] in (NOTHING, NO_CAVITY) for t in np.flatnonzero(stack.motions[k].contours.failed)):
      closed.append(k)
    elif stack.holds[k] or closed:
      break
  return closed if len(closed) <= _CROSSED else []


def _beside(stack: _Stack, order: Sequence[int]) -> dict[int, str]:
  """Returns the slices at the apex, two at most, whose rings are not of the ventricle by where they lie, and why."""
  rings = [k for k in order if stack.holds[k]]
  for count in range(_CROSSED, 0, -1):
    others = [stack.motions[k] for k in rings[:-count]]
    lie = {k: beside(stack.motions[k], others) for k in rings[-count:]}
    if all(off > radius and not _by_person(stack.motions[k]) for k, (off, radius) in lie.items()):
      why = 'it is of something else, and the ventricle is taken to end before this slice: look whether it does'
      return {
        k: f'its ring lies {off:.0f} mm beside the line through the other slices, of which the widest has a radius of '
        f'{radius:.0f} mm: {why}'
        for k, (off, radius) in lie.items()
      }
  return {}


def _by_person(motion: SliceMotion) -> bool:
  return motion.contours.drawn or motion.contours.corrected


def _seems(stack: _Stack, k: int) -> bool:
  """Whether a slice in which no wall is found has rings that might be one, and narrow with the ventricle."""
  whole = not stack.motions[k].contours.failed.any()
  return whole and stack.expected[k].dice >= EXPECTED['frame'][1] and _change(stack, k) <= NARROWS


def _outside(stack: _Stack, k: int, above: Sequence[int], left: Sequence[int]) -> End:
  """Returns what a slice before the first or after the last that holds the ventricle is."""
  motion, expected = stack.motions[k], stack.expected[k]
  whole = (NO_VENTRICLE,) * len(motion.mask)
  if k in above:
    reason = (
      f'beyond the base: its ring is {100 * _change(stack, k) - 100:.0f} % larger at end systole than at end diastole, '
      'while the ventricle narrows (atrium or outflow tract)'
    )
    names = ', '.join(slice_id(stack.motions[j]) for j in left)
    reason += f'; by then the ventricle has left {names}, nearer to the apex' if left else ''
    return End(whole, 'beyond', f'{reason}; not used for the verdict or the results')
  found = f'expected Dice {expected.dice:.2f}: {expected.said or "most frames are without a ring"}'
  if _seems(stack, k):
    reason = f'its ring narrows with the ventricle, but is not sound ({found}): not used for the verdict or the results'
    return End((NOT_SOUND,) * len(whole), 'warn', f'{reason}; draw it where it is needed')
  reason = f'no left ventricle is found at this end of the stack ({found}); not used for the verdict or the results'
  return End(whole, 'beyond', reason)


def _leaves(motion: SliceMotion, frames: np.ndarray, base: bool) -> End:
  """Returns what a slice is that holds the ventricle in the other frames alone."""
  flags, count = motion.contours.flags, int(frames.sum())
  first = int(np.flatnonzero(frames & ~np.roll(frames, 1))[0])
  when = f'in {count} of {len(frames)} frames round end systole ({first} to {(first + count - 1) % len(frames)})'
  open_by = [opening(flags[t]) if motion.contours.failed[t] else 0 for t in range(len(frames))]
  made = tuple(
    '' if not gone else LEAVING if base and degrees < _HALF else NO_VENTRICLE
    for gone, degrees in zip(frames, open_by, strict=True)
  )
  widest = max(open_by[t] for t in np.flatnonzero(frames))
  how = f'its ring is open by up to {widest} degrees' if widest < 360 else 'no ring is left'
  what = f'the ventricle leaves this plane {when}: {how}' if base else f'the cavity closes at the apex {when}'
  curves = '' if motion.venc is None else ', and no velocity curves of this slice'
  return End(made, 'partly', f'{what}; no contours there{curves}')
