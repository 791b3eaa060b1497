"""Do contours lie on a wall of this cine? Evidence from the pictures alone, for contours that somebody brings.

Edges. From every point of a contour a line goes along its normal, `_REACH` of the wall's thickness to either side; the
magnitude is averaged along the contour in `_SECTORS` parts and over all frames, moved with the contour. Right contours
have the strongest edges of these profiles at or within `_TOLERANCE` of the wall: people and methods draw a border a
little inside or outside. The endocardium has blood on one side and muscle on the other all the way round, so that its
edge rises, or falls, in every sector. `edges` is the product of three shares: strength at the endocardium and at the
epicardium over the largest within reach, and how much all sectors of the endocardium agree on the sign.

Place. The whole contours are moved aside, in eight directions by up to `_ASIDE` of the wall's thickness: `place` is the
mean edge of the endocardium, all sectors with their signs, over the largest that is found so. Right contours lose by
being moved.

Motion. Where there are velocities, the wall's mean radius must change as they say: `motion` is the correlation over
the cycle of its rate of change with the mean radial velocity between the contours, by the best signs of both in-plane
components.

Before all that the curves must be rings, one within the other, in each frame: `shape_fault`. What holds for all frames
together misses a part of one contour that leaves the wall: `bulge` looks for that, by the shape alone.

Statistic and limits were chosen on phantoms (`docs/predict.md`). Contours of a neighbouring slice that is nearly the
same, and mirror images of a heart in the middle of the picture, lie on a wall too, and are not told from right ones.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy import ndimage
from skimage.measure import points_in_poly

from ear_jax.analysis.carrying import radii
from ear_jax.analysis.contours import polygon_area
from ear_jax.analysis.motion import POINTS, Contours
from ear_jax.analysis.regions import lengths
from ear_jax.cine import ALONG_COLUMN, ALONG_ROW, MAGNITUDE, Cine

LIMITS = {'edges': 0.6, 'place': 0.75, 'motion': 0.5}  # less than this is no wall
_SPARSE = {'edges': 0.45, 'place': 0.5}  # the same for fewer frames than `_CYCLE`: a hand's errors do not average out
_SAID = {
  'edges': 'there are stronger edges beside them',
  'place': 'they fit better when moved aside',
  'motion': 'they do not move as the velocities say',
}
_ROUND = 2.0  # square of a curve's length over that of a circle of its area; curves by people have 1.36 at most
_OUTSIDE = 0.1  # of the endocardium
_BULGE = 0.23  # of the mean radius of the epicardium
_WIDE, _LOW, _HIGH = np.deg2rad(20), 3, 20  # of a bump: standard deviation; harmonics: lower ones are the heart's
_REACH, _TOLERANCE = 0.6, 0.1  # of the thickness of the wall
_STEPS = 25
_ASIDE = (0.4, 0.8, 1.2)  # of the thickness of the wall
_SECTORS, _POINTS = 24, 120
_SMOOTH = 0.1  # of the thickness: standard deviation that the pictures are smoothed by
_FLAT = 1e-4  # of the brightest pixel, over the thickness of the wall: no edge
_CYCLE = 8  # frames that are a cycle; all of them must be drawn for motion to tell something
_DEPTHS = (0.3, 0.5, 0.7)  # between endo- and epicardium, where velocities are looked at


class Evidence(NamedTuple):
  """What is found: 1 for the best place; NaN for what cannot be told."""

  edges: float
  place: float
  motion: float


def shape_fault(contours: Contours) -> str:
  """Returns why curves are no endo- and epicardium whatever the pictures show, by the first frame; '' when they are."""
  for t in np.flatnonzero(~contours.failed):
    endo, epi = contours.endo[t], contours.epi[t]
    inner, outer = float(polygon_area(endo)), float(polygon_area(epi))
    for name, side, area in (('endocardium', endo, inner), ('epicardium', epi, outer)):
      around = float(np.hypot(*(side - np.roll(side, 1, 0)).T).sum())
      if around**2 > _ROUND * 4 * math.pi * area:
        return f'frame {t}: the {name} crosses itself, or is no ring ({around:.0f} px long round {area:.0f} square px)'
    if inner >= outer:
      rule = f'the endocardium ({inner:.0f} square px) is not within the epicardium ({outer:.0f})'
      return f'frame {t}: {rule}: sides are swapped'
    away = endo - endo.mean(0)
    shrunk = away * np.maximum(1 - 1 / np.maximum(np.hypot(*away.T), 1e-9), 0)[:, None]  # by a pixel: they may touch
    outside = 1 - float(points_in_poly(shrunk + endo.mean(0), epi).mean())
    if outside > _OUTSIDE:
      return f'frame {t}: {outside:.0%} of the endocardium lie outside the epicardium'
  return ''


def bulge(contours: Contours, frames: np.ndarray, spacing: tuple[float, float]) -> str:
  """Returns where one border bulges away from the other most, in words, '' where none does; pictures are not asked.

  Sought is a bump of the wall's thickness, as of a border that was pulled aside at one place, of which one border has
  as much. A heart of another shape takes both borders along.

  Args:
    contours: of a slice.
    frames: `[T]` bool, those that are looked at.
    spacing: mm along row and column index; NaN: pixels.
  """
  known = np.flatnonzero(frames & ~contours.failed)
  if not known.size:
    return ''
  curves = np.stack([contours.endo[known], contours.epi[known]], 1) * lengths(spacing)
  endo, epi = np.moveaxis(radii(curves, curves[:, 1].mean(1)), 1, 0)
  turn = np.arange(POINTS) * (2 * np.pi / POINTS)
  bump = np.fft.rfft(np.exp(-0.5 * (np.minimum(turn, 2 * np.pi - turn) / _WIDE) ** 2))
  bump[:_LOW], bump[_HIGH:] = 0, 0

  def height(radius: np.ndarray) -> np.ndarray:
    """`[F, 360]`, of the bump at every angle that fits best."""
    return np.fft.irfft(np.fft.rfft(radius) * bump.conj(), POINTS) / (np.fft.irfft(bump, POINTS) ** 2).sum()

  sides = np.stack([-height(endo), height(epi)])
  found = np.minimum(height(epi - endo), sides.max(0))
  t, k = np.unravel_index(int((found / epi.mean(1, keepdims=True)).argmax()), found.shape)
  if found[t, k] <= _BULGE * epi[t].mean():
    return ''
  border, way = (('endocardium', 'inward'), ('epicardium', 'outward'))[int(sides[:, t, k].argmax())]
  unit = 'px' if math.isnan(spacing[0]) else 'mm'
  hour = round(6 - 12 * int(k) / POINTS) % 12 or 12  # of a clock on the picture; angle 0 is down
  return f"frame {known[t]}: the {border} bulges {way} by {found[t, k]:.0f} {unit} at {hour} o'clock of the picture"


class Judged(NamedTuple):
  """Why contours do not lie on a wall, in words with the value and the limit, '' when they do; and by what."""

  fault: str
  evidence: Evidence


def fault(cine: Cine, contours: Contours) -> str:
  """Returns why contours do not lie on a wall of the cine; '' when they do."""
  return judge(cine, contours).fault


def judge(cine: Cine, contours: Contours) -> Judged:
  """Returns whether contours lie on a wall of the cine; of those without a frame, and of no rings, nothing is known."""
  unknown = Evidence(math.nan, math.nan, math.nan)
  rule = shape_fault(contours)
  if rule or contours.failed.all():
    return Judged(rule, unknown)
  limits, found = limits_of(contours), evidence(cine, contours)
  wrong = [(name, value) for name, value in found._asdict().items() if value < limits[name]]
  said = [f'{_SAID[name]} ({name} {value:.2f}, fails below {limits[name]:g})' for name, value in wrong[:1]]
  return Judged(''.join(f'the contours do not lie on a wall: {one}' for one in said), found)


def limits_of(contours: Contours) -> dict[str, float]:
  """Returns the least value of each evidence, by its name, for so many drawn frames."""
  return LIMITS | (_SPARSE if np.count_nonzero(~contours.failed) < _CYCLE else {})


def evidence(cine: Cine, contours: Contours) -> Evidence:
  """Returns the evidence for contours of which at least one frame is drawn."""
  good = np.flatnonzero(~contours.failed)
  endo, epi = (_resampled(side[good]) for side in (contours.endo, contours.epi))
  return Evidence(*_of_edges(cine.video[..., MAGNITUDE], good, endo, epi), _motion(cine, good, endo, epi))


def _resampled(curve: np.ndarray) -> np.ndarray:
  """`[T, P, 2]` -> `[T, 120, 2]`, on the chords."""
  at = np.linspace(0, curve.shape[1], _POINTS, endpoint=False)
  low = at.astype(int)
  share = (at - low)[:, None]
  return curve[:, low] * (1 - share) + curve[:, (low + 1) % curve.shape[1]] * share


def _of_edges(magnitude: np.ndarray, frames: np.ndarray, endo: np.ndarray, epi: np.ndarray) -> tuple[float, float]:
  """Returns `edges` and `place`."""
  wall = float(np.hypot(*np.moveaxis(epi - endo, -1, 0)).mean())
  margin = math.ceil(2 * wall) + 2
  low = np.maximum(np.floor(epi.min((0, 1))).astype(int) - margin, 0)
  high = np.maximum(np.ceil(epi.max((0, 1))).astype(int) + margin, low + 1)
  sigma = max(_SMOOTH * wall, 0.5)
  window = magnitude[frames, low[0] : high[0], low[1] : high[1]].astype(np.float32)
  pictures, endo, epi = ndimage.gaussian_filter(window, (0, sigma, sigma)), endo - low, epi - low
  steps = np.linspace(-_REACH, _REACH, _STEPS) * wall
  near = np.flatnonzero(np.abs(steps) <= _TOLERANCE * wall + 1e-9)
  edges = 1.0
  for side in (endo, epi):
    sectors = _slopes(pictures, side, steps)
    strength = np.abs(sectors).mean(0)
    best = near[strength[near].argmax()]
    if not strength.max() * wall > _FLAT * np.abs(pictures).max():
      return 0.0, 0.0  # a picture without any edge
    edges *= strength[best] / strength.max()
    if side is endo:
      edges *= abs(sectors[:, best].mean()) / max(strength[best], 1e-9)
  steps = steps[near[0] - 1 : near[-1] + 2]  # one more at either end: slopes there are of one side only
  turn = np.arange(8) * (np.pi / 4)
  aside = [far * wall * np.array([np.cos(a), np.sin(a)]) for far in _ASIDE for a in turn]
  here, *there = (
    float(np.abs(_slopes(pictures, endo + move, steps)[:, 1:-1].mean(0)).max()) for move in (np.zeros(2), *aside)
  )
  return float(edges), here / max(here, *there)


def _slopes(pictures: np.ndarray, curve: np.ndarray, steps: np.ndarray) -> np.ndarray:
  """Returns `[S, U]`, the slope of the pictures across a curve at steps `[U]` along its normals, over all frames."""
  points = curve[:, :, None] + _normals(curve)[:, :, None] * steps[:, None]  # [T, P, U, 2]
  values = _sample(pictures, points).reshape(len(curve), _SECTORS, -1, len(steps))
  return np.gradient(values.mean((0, 2), dtype=float), steps, axis=-1)  # the mean slope is that of the mean


def _motion(cine: Cine, frames: np.ndarray, endo: np.ndarray, epi: np.ndarray) -> float:
  if cine.venc is None or len(frames) != len(cine.video) or len(frames) < _CYCLE:
    return math.nan
  size, middle = lengths(cine.spacing), (endo + epi) / 2
  centre = middle.mean(1, keepdims=True)
  moved = []
  for depth in _DEPTHS:
    points = endo + depth * (epi - endo)
    velocity = np.stack([_sample(cine.video[..., channel], points) for channel in (ALONG_ROW, ALONG_COLUMN)], -1)
    away = (points - centre) * size
    away /= np.maximum(np.hypot(*np.moveaxis(away, -1, 0)), 1e-9)[..., None]
    moved.append(((velocity - velocity.mean(1, keepdims=True)) * away).mean(1))  # [T, 2], outward by either component
  row, column = np.mean(moved, 0).T
  radius = np.hypot(*np.moveaxis((middle - centre) * size, -1, 0)).mean(1)
  rate = np.roll(radius, -1) - np.roll(radius, 1)
  # Whether the signs of the velocities are right is another question, that other checks ask.
  return max(_correlation(rate, a * row + b * column) for a in (1, -1) for b in (1, -1))


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
  one, other = one - one.mean(), other - other.mean()
  both = math.sqrt(float((one**2).sum() * (other**2).sum()))
  return float((one * other).sum() / both) if both > 0 else math.nan


def _normals(curve: np.ndarray) -> np.ndarray:
  """`[T, P, 2]` unit vectors across a closed curve, outward."""
  along = np.roll(curve, -1, 1) - np.roll(curve, 1, 1)
  across = np.stack([along[..., 1], -along[..., 0]], -1)
  across /= np.maximum(np.hypot(*np.moveaxis(across, -1, 0)), 1e-9)[..., None]
  outward = np.sign((across * (curve - curve.mean(1, keepdims=True))).sum((1, 2)))
  return across * outward[:, None, None]


def _sample(pictures: np.ndarray, points: np.ndarray) -> np.ndarray:
  """Returns pictures `[T, H, W]` at points `[T, ..., 2]`; the nearest pixel outside."""
  frame = np.arange(len(points)).reshape(-1, *[1] * (points.ndim - 2))
  where = [np.broadcast_to(frame, points.shape[:-1]), points[..., 0], points[..., 1]]
  return ndimage.map_coordinates(pictures, where, order=1, mode='nearest')
