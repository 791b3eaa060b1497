"""What a page writes of a slice's motion as numbers: contours, curves, markers, axes. Plain types, ready for JSON."""

import math
from collections.abc import Sequence

import numpy as np

from ear_jax.analysis.motion import COMPONENTS, GROUPS, INTERVALS, SECTORS, Contours, Settings, SliceMotion

MARKERS = {
  'longitudinal': ('PS', 'ES', 'PD', 'PAS'),
  'radial': ('PS', 'ES', 'PD', 'PAS'),
  'circumferential': ('PC1', 'PC2', 'PC3', 'ES'),
}
TITLES = {'global': 'Global', 'angular6': '6 sectors', 'angular24': '24 sectors', 'layers': '3 layers'}
_ENOUGH = 120  # points, every third of 360: at 40 pixels' radius the chord strays 0.01 pixel from the arc
_TENTH = 10  # contours are written in tenths of a pixel
_DIGITS = 6  # of a velocity in cm/s: more than any table shows
_ROOM = 0.18  # of a curve's extent, above and below it: for the names of markers
_LIMITS = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)  # times a power of ten: ends of the colour scale
_TICKS = (1.0, 2.0, 2.5, 5.0, 10.0)  # the same: between the ticks of an axis


def directions(settings: Settings) -> tuple[str, str, str]:
  """Returns where each component is positive, in words."""
  turn = 'counter-clockwise' if settings.circumferential_sign > 0 else 'clockwise'
  return 'towards the apex', 'inward', f'{turn} in the picture'


def conventions(settings: Settings) -> dict[str, str]:
  """Returns the settings of an analysis in words, name to value."""
  signs = ', '.join(f'{sign:+d}' for sign in settings.signs)
  sharing = settings.view_sharing
  return {
    'sectors, clockwise in the picture from mid septum': ', '.join(SECTORS[settings.orientation]),
    'positive circumferential velocity': directions(settings)[2],
    'factors of the velocities along column, along row, through the plane': signs,
    'mean of each curve over the cycle': 'subtracted' if settings.remove_mean else 'kept',
    'phase wraps in the wall': 'undone' if settings.unwrap else 'kept',
    'smoothing of contours over frames': f'{settings.smooth_contours:g}' if settings.smooth_contours else 'none',
    'wall left out of the curves next to either contour': f'{settings.border:g} mm' if settings.border else 'none',
    'view sharing that is undone': f'weight {sharing:g} of each neighbouring frame' if sharing else 'none',
  }


def contours(of_slice: Contours, top: int, left: int) -> list[dict[str, list[int]] | None]:
  """Returns endo and epi of each frame as x0, y0, x1, y1, ... in tenths of a pixel; None for a failed frame.

  The origin is the upper left corner of the pixel (top, left), so that a picture of n pixels goes from 0 to 10 n.
  """
  origin = np.array([left, top]) - 0.5  # whole numbers are pixel centres

  def line(points):
    xy = (points[:: math.ceil(len(points) / _ENOUGH), ::-1] - origin) * _TENTH  # [at most 120, 2]; few are all kept
    return np.rint(xy).astype(int).ravel().tolist()

  return [
    None if failed else {'endo': line(endo), 'epi': line(epi)}
    for endo, epi, failed in zip(of_slice.endo, of_slice.epi, of_slice.failed, strict=True)
  ]


def points(path: np.ndarray, top: int, left: int) -> list[list[float] | None]:
  """Returns `[T, 2]` (row, column) as (x, y) in tenths of a pixel, like `contours`; None where it is NaN."""
  xy = (path[:, ::-1] - np.array([left, top]) + 0.5) * _TENTH
  return [np.round(p, 1).tolist() if np.isfinite(p).all() else None for p in xy]


def curves(motion: SliceMotion) -> dict[str, list]:
  """Returns for each group `[regions][component][frame]` in cm/s, None where there is no value."""
  return {group: numbers(np.moveaxis(motion.curves[group], -1, 1)) for group in GROUPS}


def numbers(values: np.ndarray) -> list:
  """Returns an array as nested lists of floats, None for what is not finite."""
  values = np.asarray(values, float)
  if values.ndim > 1:
    return [numbers(part) for part in values]
  return [round(v, _DIGITS) if math.isfinite(v) else None for v in values.tolist()]


def markers(motion: SliceMotion) -> dict[str, list[list[dict]]]:
  """Returns for each group and region the markers in the order of `MARKERS`; velocities and times are not rounded."""
  by_group: dict[str, list[list[dict]]] = {group: [[] for _ in range(count)] for group, count in GROUPS.items()}
  order = {(c, m): rank for rank, (c, m) in enumerate((c, m) for c in COMPONENTS for m in MARKERS[c])}
  for row in motion.markers.to_dict('records'):
    values = {key: plain(row[key]) for key in ('frame', 'velocity', 'time', 'normalised_time', *INTERVALS)}
    entry = {'component': row['component'], 'marker': row['marker'], **values}
    by_group[row['group']][int(row['region'])].append(entry)
  for regions in by_group.values():
    for entries in regions:
      entries.sort(key=lambda entry: order[entry['component'], entry['marker']])
  return by_group


def axes(motions: Sequence[SliceMotion]) -> dict[str, list[list[float]]]:
  """Returns for each group and component lower limit, upper limit and tick in cm/s: one axis for all slices."""
  return {group: [_limits(motions, group, c) for c in range(len(COMPONENTS))] for group in GROUPS}


def colour_ranges(motions: Sequence[SliceMotion]) -> list[float]:
  """Returns the velocity in cm/s of each component that has the end of the colour scale, the same in all slices.

  It is the 99th percentile of the sectors' speed: one noisy sector does not pale the others.
  """
  ranges = []
  for component in range(len(COMPONENTS)):
    parts = [np.abs(m.curves['angular24'][..., component]).ravel() for m in motions]
    speeds = np.concatenate([*parts, [np.nan]])
    speeds = speeds[np.isfinite(speeds)]
    ranges.append(round_up(float(np.percentile(speeds, 99)) if speeds.size else 1.0, _LIMITS))
  return ranges


def _limits(motions: Sequence[SliceMotion], group: str, component: int) -> list[float]:
  values = np.concatenate([[0.0]] + [m.curves[group][..., component].ravel() for m in motions])
  low, high = float(np.nanmin(values)), float(np.nanmax(values))
  room = _ROOM * (high - low)
  step = round_up((high - low) / 4 or 0.5, _TICKS)
  return [low - room, high + room, step]


def round_up(value: float, steps: Sequence[float]) -> float:
  """The smallest of `steps` times a power of ten that is not below `value`; 1 for a value of 0."""
  if value <= 0:
    return 1.0
  power = 10.0 ** math.floor(math.log10(value))
  return float(f'{next(step * power for step in steps if step * power >= value * (1 - 1e-9)):.3g}')


def plain(value) -> float | None:
  """Returns a number of numpy or pandas as float, None when it is missing."""
  value = float(value)
  return value if math.isfinite(value) else None
