"""The slices of a study compared: is each ring where its neighbours place it, and are the planes parallel?

A ring that was drawn round something else than the ventricle may be a good ring; only its neighbours tell. The long
axis of a ventricle is nearly straight, so that each centre lies near the line through any two others.
"""

import itertools
from collections.abc import Sequence

import numpy as np

from ear_jax.analysis.checks_of_study import END_SYSTOLE, FEWEST, Check, smallest_cavity
from ear_jax.analysis.contours import polygon_area
from ear_jax.analysis.depth import TILT, usual_normal
from ear_jax.analysis.motion import SliceMotion

OFF_AXIS = 20.0  # mm from the line through other centres: more than breath-holds move a heart
_SAME = 0.1  # mm


def check_stack(motions: Sequence[SliceMotion]) -> list[Check]:
  """Returns the checks of slices, from base to apex, against each other; none of those whose place is unknown."""
  placed = [one for one in motions if one.place is not None]
  if len(placed) < 2:
    return []
  normals = np.array([np.cross(one.place.across, one.place.down) for one in placed if one.place])
  usual = usual_normal(normals)
  tilt = np.degrees(np.arccos(np.clip(np.abs(normals @ usual), 0, 1)))
  checks = [
    _check(one, 'fail', f'its plane is tilted by {angle:.0f} deg against the other slices (fails above {TILT:g} deg)')
    for one, angle in zip(placed, tilt, strict=True)
    if angle > TILT
  ]
  depth = np.array([one.place.corner for one in placed if one.place]) @ usual
  steps = np.diff(depth)
  if (np.abs(steps) < _SAME).any() or len(set(np.sign(steps))) > 1:
    told = ', '.join(f'{d - depth[0]:.1f}' for d in depth)
    checks.append(Check('stack', '', 'warn', f'slices are not in the order of their position ({told} mm)'))
  return checks + _off_axis(placed, usual)


def check_end_systole(motions: Sequence[SliceMotion]) -> list[Check]:
  """Returns a check whether the cavity is smallest at one time in all slices, where that is known of two or more."""
  times = {}
  for one in motions:
    if not one.contours.failed.any() and np.isfinite(one.frame_interval) and len(one.mask) >= FEWEST:
      times[one.name.rpartition('/')[2]] = smallest_cavity(one) * one.frame_interval
  if len(times) < 2:
    return []
  longest = max(END_SYSTOLE[0], END_SYSTOLE[1] * max(one.frame_interval for one in motions))
  late = max(times.values()) - min(times.values()) > longest
  told = ', '.join(f'{time:.0f}' for time in times.values())
  limit = f'{longest:.0f} ms, the larger of {END_SYSTOLE[0]:g} ms and {END_SYSTOLE[1]} frames'
  reason = f'the cavity is smallest at {told} ms in {", ".join(times)} (warns when they differ by over {limit})'
  return [Check('end systole', '', 'warn' if late else 'pass', reason)]


def beyond(holds: Sequence[bool]) -> list[int]:
  """Returns the slices, of a stack from end to end, that lie beyond the ventricle; `holds`: where its wall is found.

  They are those before the first and after the last slice that holds it. Where it is found in half of the slices or
  fewer, there are none: then it is not the stack that is too long.
  """
  inside = np.flatnonzero(holds)
  if 2 * len(inside) <= len(holds):
    return []
  return [k for k in range(len(holds)) if not inside[0] <= k <= inside[-1]]


def _off_axis(placed: Sequence[SliceMotion], usual: np.ndarray) -> list[Check]:
  """Returns a check for each slice with a ring, where three or more have one."""
  rings = [(one, centre) for one in placed if (centre := ring_centre(one)) is not None]
  if len(rings) < 3:
    return []
  points = np.array([centre for _, centre in rings])
  checks = []
  for k, (one, _) in enumerate(rings):
    off = _off(points, points @ usual, k)
    status = 'fail' if off > OFF_AXIS else 'pass'
    limit = f'fails above {OFF_AXIS:g} mm'
    reason = f'centre of the ring {off:.0f} mm from the line through those of other slices ({limit})'
    checks.append(_check(one, status, reason))
  return checks


def beside(motion: SliceMotion, others: Sequence[SliceMotion]) -> tuple[float, float]:
  """Returns how far a slice's ring lies from the straight line through the centres of others, and their largest radius.

  Both in mm, the radius of the epicardium, mean over the frames; NaN where a place or a ring is not known, and where
  the others are fewer than three or do not lie on a line themselves.
  """
  centres = [ring_centre(one) for one in (motion, *others)]
  if len(others) < 3 or any(centre is None for centre in centres) or motion.place is None:
    return np.nan, np.nan
  points = np.array(centres)
  depth = points @ np.cross(motion.place.across, motion.place.down)
  if np.ptp(depth[1:]) < _SAME or max(_off(points[1:], depth[1:], k) for k in range(len(others))) > OFF_AXIS:
    return np.nan, np.nan
  line = np.polynomial.polynomial.polyfit(depth[1:], points[1:], 1)
  off = np.linalg.norm(points[0] - line[0] - line[1] * depth[0])
  radii = [np.sqrt(polygon_area(one.contours.epi) * np.prod(one.spacing) / np.pi) for one in others]
  return float(off), float(max(np.nanmean(radius) for radius in radii))


def ring_centre(motion: SliceMotion) -> np.ndarray | None:
  """Returns where the middle of a slice's ring lies in the patient `[3]`, mm; None without a place or a ring."""
  good = ~motion.contours.failed
  if motion.place is None or not good.any():
    return None
  row, column = motion.centre[good].mean(axis=0)
  return np.array(motion.place.point(row, column, motion.spacing))


def _off(points: np.ndarray, depth: np.ndarray, k: int) -> float:
  """Returns the distance of a point from the lines through pairs of the others, at its depth: the median, mm."""
  others = [j for j in range(len(points)) if j != k]
  away = []
  for i, j in itertools.combinations(others, 2):
    if abs(depth[j] - depth[i]) > _SAME:
      share = (depth[k] - depth[i]) / (depth[j] - depth[i])
      away.append(np.linalg.norm(points[k] - points[i] - share * (points[j] - points[i])))
  return float(np.median(away)) if away else 0.0


def _check(motion: SliceMotion, status: str, reason: str) -> Check:
  return Check('stack', motion.name.rpartition('/')[2], status, reason)
