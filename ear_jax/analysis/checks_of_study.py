"""The quality gate: is a study fit for velocity curves? Each check has a value, two limits and a sentence.

A study that fails any check keeps its masks and contours, but its curves are withheld unless they are asked for. The
limits are ours, listed in `docs/predict.md` with their reasons; they are meant to catch what is broken, not to grade.
"""

import dataclasses
import math
from collections.abc import Iterable, Sequence

import numpy as np

from ear_jax.analysis.contours import INTERPOLATED, bounding_box, polygon_area
from ear_jax.analysis.expected_dice import Expected
from ear_jax.analysis.markers import cut_off, find_end_systole
from ear_jax.analysis.motion import COMPONENTS, SliceMotion
from ear_jax.analysis.outline import without_wall
from ear_jax.analysis.periodic import slow
from ear_jax.analysis.signs import CHANNELS, signs
from ear_jax.analysis.speed import speed
from ear_jax.cine import Cine, Venc

STATUSES = (  # from good to bad; the first two are anatomy and no fault
  'beyond',  # the slice lies beyond the ventricle
  'partly',  # the slice holds the ventricle in some frames only
  'pass',
  'warn',
  'fail',
)
LIMITS = {  # beyond the first number a check warns, beyond the second it fails
  'contours': (0.0, 0.2),  # share of frames without contours
  'repaired rings': (0.3, math.inf),  # share of frames whose ring was closed or interpolated
  'steady area': (0.0, 0.2),  # share of frames whose area is 30 % off that of both neighbours
  'thin wall': (0.02, math.inf),  # share of angles and frames where it is thinner than `_THIN`
  'phase wraps': (0.001, 0.05),  # share of the wall's samples that had wrapped
  'noise': (0.08, 0.25),  # of venc; a uniformly random phase has 0.58
  'background': (0.15, 0.5),  # mean over the cycle, of venc
}
EXPECTED = {  # expected Dice below which a slice warns, and fails, by what evidence there is
  'velocity': (0.75, 0.7),
  'magnitude': (0.7, 0.7),
  'frame': (0.5, 0.5),  # a frame alone is judged by little: the limit spares sound ones
}
SIGNS = (0.3, -0.3)  # agreement of a velocity with systole below which it warns, and fails
_SPEED = (0.67, 1.5)  # contours' speed over the velocities', and the correlation above which it tells something
_SPEED_TELLS = 0.9
_AREA_JUMP = 0.3
_THICKNESS = (3.0, 18.0)  # mm, mean over the wall and the cycle
_THIN = 2.0  # mm; a scar is thicker
_RADIUS = (10.0, 50.0)  # mm, mean epicardial
_NO_NOISE = 'not known: no pixel lies in the wall in three of at least four frames running'
_NAMED = 4  # places that one sentence names
FEWEST = 8  # frames that are a cycle
END_SYSTOLE = 60.0, 2  # ms and frames by which two ends of systole may differ: base and apex are not quite at one time
_MAD = 1.4826  # standard deviation of a normal law per median absolute deviation


@dataclasses.dataclass(frozen=True)
class Check:
  """The outcome of one check.

  Attributes:
    name: what was looked at, in words.
    slice_id: the slice, or '' for the study as a whole.
    status: one of `STATUSES`.
    reason: the value found and the value expected, in a sentence.
  """

  name: str
  slice_id: str
  status: str
  reason: str

  def __post_init__(self) -> None:
    if self.status not in STATUSES:
      raise ValueError(f'check {self.name!r} has status {self.status!r}, expected one of {", ".join(STATUSES)}')


def worst(checks: Iterable[Check]) -> str:
  """Returns the worst status among `checks`; 'pass' when there are none."""
  return max(('pass', *(check.status for check in checks)), key=STATUSES.index)


def check_slice(cine: Cine, motion: SliceMotion, expected: Expected | None = None) -> list[Check]:
  """Returns the checks of one slice.

  Args:
    cine: with velocities, or magnitude only.
    motion: its analysis.
    expected: how good a network's delineation is; None when contours were given.
  """
  checks = []
  if math.isnan(cine.frame_interval):
    checks.append(('frame interval', 'warn', 'the time between frames is unknown: curves are by frame, without ms'))
  if any(math.isnan(s) for s in cine.spacing):
    checks.append(('pixel spacing', 'warn', 'unknown: contours are in pixels, rotation and areas are not in mm'))
  known = cine.venc if not motion.contours.failed.all() else None
  velocity = [] if known is None else _of_velocity(cine, known, motion)
  before, after = ([Check(name, cine.slice_id, *said) for name, *said in of] for of in (checks, velocity))
  return before + check_delineation(cine.slice_id, motion, expected) + after


def check_delineation(slice_id: str, motion: SliceMotion, expected: Expected | None = None) -> list[Check]:
  """Returns those checks of a slice that need no pictures; arguments as of `check_slice`."""
  found = _of_contours(motion)
  if expected is not None and not motion.contours.failed.all():
    found.insert(0, _of_expected(expected))
  return [Check(name, slice_id, status, reason) for name, status, reason in found]


def _grade(name: str, value: float, text: str, unit: str = '%') -> tuple[str, str, str]:
  """A check's name, its status by `LIMITS`, and its reason: value and limits in one unit, of a share in %."""
  low, high = LIMITS[name]
  status = 'fail' if not value <= high else 'warn' if value > low else 'pass'
  shown, warns, fails = (f'{number * (100 if unit == "%" else 1):.3g} {unit}' for number in (value, low, high))
  limits = f'warns above {warns}, ' + (f'fails above {fails}' if math.isfinite(high) else 'never fails')
  return name, status, f'{text}: {shown} ({limits})'


def _of_expected(expected: Expected) -> tuple[str, str, str]:
  low, high = EXPECTED[expected.kind]
  status = 'fail' if expected.dice < high else 'warn' if expected.dice < low else 'pass'
  said = expected.said if status != 'pass' else ''
  limits = (f'warns below {low:g}, ' if low > high else '') + f'fails below {high:g}'
  text = f'expected Dice {expected.dice:.2f}, where 1 is best ({limits}), by {", ".join(expected.evidence)}'
  return 'expected Dice', status, text + (f': {said}' if said else '')


def _of_contours(motion: SliceMotion) -> list[tuple[str, str, str]]:
  good = ~motion.contours.failed
  frames = max(1, len(good) - int(without_wall(motion.contours).sum()))
  failed = frames - int(good.sum())
  repaired = sum('ring closed' in flag or INTERPOLATED in flag for flag in motion.contours.flags)
  jumps = area_jumps(np.where(good, motion.mask.sum(axis=(1, 2), dtype=float), np.nan))
  graded = [
    _grade('contours', failed / frames, f'{failed} of {frames} frames without contours'),
    _grade('repaired rings', repaired / frames, f'{repaired} of {frames} frames with a ring closed or interpolated'),
    _grade('steady area', jumps / frames, f'{jumps} of {frames} frames with a leap of the wall area'),
  ]
  if not good.any() or any(math.isnan(s) for s in motion.spacing):
    return graded
  inner, outer = (
    float(np.hypot(*np.moveaxis((side[good] - motion.centre[good][:, None]) * motion.spacing, -1, 0)).mean())
    for side in (motion.contours.endo, motion.contours.epi)
  )
  sound = _THICKNESS[0] <= outer - inner <= _THICKNESS[1] and _RADIUS[0] <= outer <= _RADIUS[1]
  reason = (
    f'mean thickness of the wall {outer - inner:.1f} mm (fails outside {_THICKNESS[0]:g} to {_THICKNESS[1]:g} mm), '
    f'mean outer radius {outer:.1f} mm (fails outside {_RADIUS[0]:g} to {_RADIUS[1]:g} mm)'
  )
  thick = np.hypot(*np.moveaxis((motion.contours.epi - motion.contours.endo)[good] * motion.spacing, -1, 0))
  thin = float((thick < _THIN).mean())
  text = f'part of the wall, over angles and frames, thinner than {_THIN:g} mm'
  return [*graded, ('size of the heart', 'pass' if sound else 'fail', reason), _grade('thin wall', thin, text)]


def area_jumps(area: np.ndarray) -> int:
  """Returns how many of `[T]` areas differ from both cyclic neighbours by over 30 %, to the same side; NaN never."""
  before, after = np.roll(area, 1), np.roll(area, -1)
  with np.errstate(invalid='ignore', divide='ignore'):
    larger = area > (1 + _AREA_JUMP) * np.maximum(before, after)
    smaller = area < np.minimum(before, after) / (1 + _AREA_JUMP)
  return int(np.count_nonzero(larger | smaller))


def _of_velocity(cine: Cine, venc: Venc, motion: SliceMotion) -> list[tuple[str, str, str]]:
  wall = motion.mask.astype(bool)
  samples = max(int(wall.sum()), 1)
  noise, offset = velocity_noise(cine, wall), motion.offset['global'][0]
  level = max(n / v for n, v in zip(noise, venc, strict=True))
  by_axis = ', '.join(f'{n:.2f}' for n in noise)
  text = f'{by_axis} cm/s along column, along row and through the plane, the largest of it'
  known = _grade('noise', level, text, 'of venc') if math.isfinite(level) else ('noise', 'fail', _NO_NOISE)
  size = float(np.abs(offset).max() / min(venc)) if np.isfinite(offset).all() else math.nan
  means = ', '.join(f'{name} {o:+.2f}' for name, o in zip(COMPONENTS, offset, strict=True))
  return [
    _grade('phase wraps', motion.wraps / samples, f'{motion.wraps} of {samples} samples in the wall had wrapped'),
    known,
    _grade('background', size, f'mean over the cycle {means} cm/s, the largest of it', 'of the lowest venc'),
    *_of_signs(motion),
    *_of_speed(motion),
  ]


def _of_signs(motion: SliceMotion) -> list[tuple[str, str, str]]:
  """Whether the velocities go with systole; by time alone, which a scan need not begin with the R wave, it warns."""
  seen = signs(motion)
  if seen is None:
    return []
  low, high = SIGNS
  wrong = [value < high for value in seen.agreement]
  doubtful = any(value < low for value in seen.agreement)
  stated = ', '.join(
    f'{channel} {value:+.2f}' if math.isfinite(value) else f'{channel} hardly moves'
    for channel, value in zip(CHANNELS, seen.agreement, strict=True)
  )
  limits = f'from -1, against it, to 1; warns below {low:g}, fails below {high:g}'
  reason = f'agreement of each velocity with systole: {stated} ({limits}); {seen.decided}'
  if seen.certain and all(map(math.isnan, seen.agreement[:2])):
    doubtful = True
    reason += '. The wall moves inward, its velocities do not: are directions exchanged, or is this not the wall?'
  if any(wrong):
    turned = ','.join(f'{-s if w else s:d}' for s, w in zip(motion.settings.signs, wrong, strict=True))
    reason += f'. A velocity is against it: --signs={turned} turns it'
  return [('signs', 'fail' if any(wrong) and seen.certain else 'warn' if any(wrong) or doubtful else 'pass', reason)]


def _of_speed(motion: SliceMotion) -> list[tuple[str, str, str]]:
  """Whether contours move as fast as the velocities say; it warns only, since contours may be too quiet."""
  measured = speed(motion)
  if measured is None or abs(measured.correlation) < _SPEED_TELLS:
    return []
  low, high = _SPEED
  sound = low <= abs(measured.ratio) <= high
  limits = f'warns outside {low:g} to {high:g} times'
  reason = f'contours move {abs(measured.ratio):.2f} times as fast as the velocities say ({limits})'
  doubt = '' if sound else ': is venc, or the time between frames, wrong?'
  return [('size of velocities', 'pass' if sound else 'warn', reason + doubt)]


def velocity_noise(cine: Cine, wall: np.ndarray) -> np.ndarray:
  """Returns the noise `[3]` of the velocities in the wall, cm/s along column, row and through the plane.

  From second differences over time minus their median over the wall of each frame, so that what all of the wall does
  together is no noise: their robust standard deviation over sqrt(6). Pixels count where they lie in the wall in three
  frames running. Infinite for a cine too short to tell.
  """
  inside = wall & np.roll(wall, 1, 0) & np.roll(wall, -1, 0)
  if len(wall) < 4 or not inside.any():
    return np.full(3, np.inf)
  venc = np.asarray(cine.venc, np.float32)
  box = bounding_box(inside, 0)
  v = cine.video[box][..., 1:]
  bend = np.roll(v, 1, 0) - 2 * v + np.roll(v, -1, 0)
  bend = (bend + venc) % (2 * venc) - venc  # a wrap is no noise
  own = [b[i] - np.median(b[i], axis=0) for b, i in zip(bend, inside[box], strict=True) if i.any()]
  return _MAD * np.median(np.abs(np.concatenate(own)), axis=0).astype(float) / math.sqrt(6)


def check_alike(motions: Sequence[SliceMotion]) -> list[Check]:
  """Returns a warning for each setting of the scan in which slices of one study differ, as they rarely should.

  Of a study without velocities one note says so.
  """
  checks = []
  grey = [motion.name.rpartition('/')[2] for motion in motions if motion.venc is None]
  if grey:
    which = 'magnitude only' if len(grey) == len(motions) else f'magnitude only in {", ".join(grey)}'
    status = 'pass' if len(grey) == len(motions) else 'warn'
    checks.append(Check('velocities', '', status, f'{which}: there is no velocity to analyse'))
  settings: dict[str, tuple[str, list[tuple[float, ...] | None]]] = {
    'venc': ('cm/s', [motion.venc for motion in motions]),
    'pixel spacing': ('mm', [motion.spacing for motion in motions]),
  }
  for name, (unit, values) in settings.items():
    stated = {tuple(round(v, 4) for v in value) for value in values if value and not math.isnan(value[0])}
    if len(stated) > 1:
      text = '; '.join(', '.join(f'{v:g}' for v in value) for value in sorted(stated))
      checks.append(Check(name, '', 'warn', f'slices of this study differ: {text} {unit}'))
  return checks


def check_markers(motions: Sequence[SliceMotion]) -> list[Check]:
  """Returns a warning where the marker ES contradicts the smallest cavity, and one where a window cuts peaks off."""
  known, apart, cut = 0, [], []
  for one in motions:
    curves, name = one.curves['global'][0], one.name.rpartition('/')[2]
    if one.venc is None or one.contours.failed.any() or len(one.mask) < FEWEST or np.isnan(curves).any():
      continue
    known += 1
    step, unit = (one.frame_interval, ' ms') if math.isfinite(one.frame_interval) else (1.0, '')
    ends = find_end_systole(curves[:, COMPONENTS.index('radial')]), smallest_cavity(one)
    away = abs(ends[0] - ends[1]) * step
    if min(away, len(one.mask) * step - away) > max(END_SYSTOLE[0] if unit else 0, END_SYSTOLE[1] * step):
      times = f'{ends[0] * step:.0f} and {ends[1] * step:.0f}'
      apart.append(f'{times} ms in {name}' if unit else f'frames {times} in {name}')
    cut += [f'{peak} in {name}' for peak in cut_off(curves)]
  found = []
  if apart:
    text = f'the marker ES and the smallest cavity lie far apart in {len(apart)} of {known} slices ({_named(apart)})'
    use = 'the marker and normalised times are not certain; strains and volumes do not use it'
    found.append(Check('marker ES', '', 'warn', f'{text}: {use}'))
  if cut:
    lies, it, may = ('lie', 'they are', 'these may be no peaks') if cut[1:] else ('lies', 'it is', 'it may be no peak')
    text = f'{lies} in the first or the last of the frames in which {it} looked for, and the curve goes on beyond'
    found.append(Check('markers', '', 'warn', f'{_named(cut)} {text}: {may}'))
  return found


def _named(places: Sequence[str]) -> str:
  """The first places, and how many more there are."""
  more = len(places) - _NAMED
  return ', '.join(places[:_NAMED]) + f' and {more} more' * (more > 0)


def smallest_cavity(motion: SliceMotion) -> int:
  """Returns the frame in which the cavity of a slice with a ring in every frame is smallest, whatever single frames."""
  return int(slow(polygon_area(motion.contours.endo)).argmin())


def check_study(cines: Sequence[tuple[str, int, float]], notes: Sequence[str] = ()) -> list[Check]:
  """Returns the checks of the study as a whole.

  Args:
    cines: slice id, number of frames and frame interval in ms of each slice.
    notes: what the reader had to decide, and what it skipped.
  """
  checks = [Check('reading', '', 'warn', note) for note in dict.fromkeys(notes)]
  counts = {frames for _, frames, _ in cines}
  status = 'pass' if len(counts) == 1 else 'warn'
  checks.append(Check('frames', '', status, f'{len(cines)} slices of {" and ".join(map(str, sorted(counts)))} frames'))
  cycles = [frames * interval for _, frames, interval in cines if math.isfinite(interval)]
  if cycles:
    spread = max(cycles) / min(cycles) - 1
    status = 'warn' if spread > 0.15 else 'pass'
    ends = list(dict.fromkeys(f'{end:.0f}' for end in (min(cycles), max(cycles))))
    text = f'{" to ".join(ends)} ms over the slices (warns when they differ by over 15 %)'
    checks.append(Check('heart rate', '', status, 'cardiac cycle ' + text))
  return checks
