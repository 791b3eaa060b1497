"""Phase wraps inside the wall: found as jumps between neighbours in space and time, undone by multiples of 2 venc.

A velocity beyond the encoding limit comes back at the other end of the scale. Neighbouring pixels of muscle, or the
same pixel in the next frame, never differ by more than venc, so such a jump marks a wrap. Then, and only then, the
wall of the whole cycle is unwrapped at once as a three-dimensional phase, time being cyclic, by the reliability-sorted
method of Abdul-Rahman et al. (Applied Optics 2007) in scikit-image.
"""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage
from skimage.restoration import unwrap_phase

_AROUND = 7  # pixels
_PASSES = 8


def unwrap(velocity: np.ndarray, wall: np.ndarray, venc: Sequence[float]) -> tuple[np.ndarray, int]:
  """Returns velocities without wraps inside the wall, and the number of pixels (of all frames) that were changed.

  Pixels that were not wrapped keep their bits. Of the values that differ by a common multiple of 2 venc, that one is
  taken in which most of a connected part of the wall over the cycle is as measured.

  Args:
    velocity: `[T, H, W, C]` cm/s, within +-venc.
    wall: `[T, H, W]` bool.
    venc: cm/s for each component.
  """
  changed = np.zeros(wall.shape, bool)
  result = velocity
  for component, limit in enumerate(venc):
    values = velocity[..., component]
    before = _count_jumps(values, wall, limit)
    if not before:
      continue
    turns = _turns(values, wall, limit)
    unwrapped = values + (2 * limit * turns).astype(values.dtype)
    if turns.any() and _count_jumps(unwrapped, wall, limit) < before:
      result = result.copy() if result is velocity else result
      result[..., component] = np.where(turns != 0, unwrapped, values)
      changed |= turns != 0
  return result, int(changed.sum())


def _count_jumps(values: np.ndarray, wall: np.ndarray, limit: float) -> int:
  """How many pairs of neighbours in the wall, in space and around the cycle, differ by more than `limit`."""
  jumps = 0
  for axis in range(3):
    step = np.roll(values, -1, axis) - values
    both = wall & np.roll(wall, -1, axis)
    if axis:  # only time is cyclic
      both[(slice(None),) * axis + (-1,)] = False
    jumps += int(np.count_nonzero((abs(step) > limit) & both))
  return jumps


def _turns(values: np.ndarray, wall: np.ndarray, limit: float) -> np.ndarray:
  """`[T, H, W]` int, the multiple of 2 venc to add to each pixel; 0 outside the wall."""
  phase = np.ma.array(values.astype(np.float64) * (np.pi / limit), mask=~wall)
  if len(values) > 1:
    unwrapped = unwrap_phase(phase, wrap_around=(True, False, False), rng=0)
  else:
    unwrapped = unwrap_phase(phase[0], rng=0)[None]
  turns = np.where(wall, np.rint((unwrapped.filled(0) - phase.filled(0)) / (2 * np.pi)), 0).astype(int)
  share = np.where(wall, ndimage.uniform_filter(wall.astype(float), (1, _AROUND, _AROUND)), 1)
  for _ in range(_PASSES):  # a patch is unwrapped from its edge inwards
    stray = _stray_turns(values + 2 * limit * turns, wall, share, limit)
    turns += stray
    if not stray.any():
      break
  parts, _ = ndimage.label(wall, np.ones((3, 3, 3)))
  meeting = np.unique(np.stack([parts[-1], parts[0]])[:, wall[-1] & wall[0]], axis=1)
  for last, first in meeting.T:  # the last frame is followed by the first
    parts[parts == first] = last
  for part in np.unique(parts[wall]):
    members = parts == part
    turns[members] -= int(np.median(turns[members]))
  return turns


def _stray_turns(values: np.ndarray, wall: np.ndarray, share: np.ndarray, limit: float) -> np.ndarray:
  """Turns of pixels that were led astray by noise: what brings them next to the mean of the wall around them.

  `share` is how much of what is around each pixel is wall.
  """
  around = ndimage.uniform_filter(np.where(wall, values, 0.0), (1, _AROUND, _AROUND)) / share
  return np.where(wall, np.rint((around - values) / (2 * limit)), 0).astype(int)
