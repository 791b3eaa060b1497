"""How far from the truth may a peak or a time be? Intervals from contours and velocities drawn anew many times.

What a reader or a network leaves open of contours is stated as an `Uncertainty`: where the ring is, how large both
borders are, and waves of their shape. Contours are drawn so, curves made from them (`analysis.redrawn`), noise as the
slice's own wall has it is added, and markers are found in each. The middle 95 % are the interval. It is about what
right contours and velocities without noise would have given. What is wrong with the scan itself is not in it: another
venc or slice, blur over time, ghosts, a background that changes.
"""

import dataclasses
import math

import numpy as np
from scipy import ndimage

from ear_jax.analysis.markers import find_end_systole, markers_of
from ear_jax.analysis.motion import COMPONENTS, GROUPS, SliceMotion
from ear_jax.analysis.periodic import undo_view_sharing
from ear_jax.analysis.redrawn import ANGLES, Rays, along_rays, by_region, redraw
from ear_jax.analysis.velocity import remove_cycle_mean
from ear_jax.cine import Cine

COVERAGE = 0.95
HELD = (
  'The 95 % intervals hold what contours and noise leave open: where right contours of this wall would lie, partial '
  'volume at its borders, noise of the velocities. They do not hold what is wrong with the scan (another venc or slice,'
  ' blur over time, ghosts), nor contours that are not of this wall.'
)
NOT_HAD = 'There are no intervals: for them eight frames with velocities and contours are needed.'
_DRAWS, _TOGETHER = 200, 25  # draws, and how many of them are made at once
_WAVES = (1, 2, 3, 4, 5)  # harmonics of the shape
_LASTS = 0.06  # of the cycle: standard deviation of the Gaussian that errors of frames are alike over
_SMOOTH = 3  # harmonics of angle that velocities of the wall may have; what is beyond is noise
_SECTORS = 24
_LEAST_WALL = 0.1  # of its thickness, that a wall keeps however it is drawn
_FEWEST = 8  # frames with contours, for intervals


@dataclasses.dataclass(frozen=True)
class Uncertainty:
  """How uncertain contours and velocities are; standard deviations in mm, or pixels where the spacing is unknown.

  Attributes:
    offset: of the whole ring, the same in all frames, along either axis.
    jitter: of the whole ring, changing over the cycle, along either axis.
    size: of how far out each border lies, the same in all frames.
    shape: of the waves of each border, harmonics 1 to 5, half of their variance the same in all frames.
    breath: of how far out each border lies, changing over the cycle.
    rim: the most of the wall next to either border that may hold signal of blood or fat as well.
    noise: of velocities, over what the wall's sectors show.
    spread: of the logarithm of a factor for all that is said of contours: some are much better or worse than most.
  """

  offset: float
  jitter: float
  size: float
  shape: float
  breath: float
  rim: float
  noise: float = 1.0
  spread: float = 0.0


READER = Uncertainty(offset=0.5, jitter=0.4, size=0.65, shape=0.65, breath=0.4, rim=1.0)
_AS_READ = 0.065  # missing of expected Dice, where a network's contours are as far off as READER says
_CONTOURS = ('offset', 'jitter', 'size', 'shape', 'breath')
_SPREAD, _ROUGHER = 0.4, 1.4  # of a network: see `of_network`


def of_network(dice: float) -> Uncertainty:
  """Returns how uncertain a network's contours are: the more, the less Dice is expected of them.

  In mm, whatever the thickness of the wall: in thin walls networks are as far off, and expected Dice does not fall as
  the true one does. It is itself uncertain, so some contours are further off than most (`spread`). Noise is larger than
  sectors show, by what was missing in 24 sectors of phantoms that a network delineated.

  Args:
    dice: expected of the slice (`analysis.expected_dice`).
  """
  times = (1 - dice) / _AS_READ
  errors = {name: times * getattr(READER, name) for name in _CONTOURS}
  return dataclasses.replace(READER, **errors, spread=_SPREAD, noise=_ROUGHER)


def with_intervals(
  cine: Cine, motion: SliceMotion, uncertain: Uncertainty, *, draws: int = _DRAWS, seed: int = 0
) -> SliceMotion:
  """Returns the motion with intervals of its markers, NaN where none can be had: few frames, or no velocities.

  Args:
    cine: the one that `motion` was made from.
    motion: its analysis.
    uncertain: what is not known of its contours and velocities.
    draws: how many contours are drawn.
    seed: of the draws; the same gives the same intervals.
  """
  if cine.venc is None or np.count_nonzero(~motion.contours.failed) < _FEWEST:
    return motion
  rng = np.random.default_rng(seed)
  changes, noise = drawn_changes(cine, motion, uncertain, draws, rng)
  quiet = {group: motion.curves[group] + changes[group] for group in GROUPS}
  loud = {group: quiet[group] + noise[group] for group in GROUPS}
  ends = _ends(quiet, loud, motion, rng)
  return dataclasses.replace(motion, markers=motion.markers.assign(**ends))


def said(motion: SliceMotion) -> str:
  """Returns in words what the intervals of a motion hold, or why there are none."""
  return HELD if motion.markers['velocity_low'].notna().any() else NOT_HAD


def drawn_changes(
  cine: Cine, motion: SliceMotion, uncertain: Uncertainty, draws: int, rng: np.random.Generator
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
  """Returns by how much curves would differ with contours drawn anew, and with noise drawn anew.

  Both are `[draws, regions, T, 3]` cm/s for each group, treated as the curves were; NaN on failed frames.
  """
  rays = along_rays(cine, motion, reach=4 * (uncertain.offset + uncertain.size + uncertain.shape))
  settings, still = motion.settings, np.zeros((1, len(rays.frames), 2))

  def with_rim(rim: float) -> tuple[np.ndarray, np.ndarray]:
    ends = rays.endo[None], rays.epi[None]
    return redraw(rays, *ends, still, np.full(1, rim), settings.circumferential_sign)

  values, area = with_rim(settings.border)
  before = by_region(values, area)
  inner = by_region(*with_rim(max(settings.border, uncertain.rim))) - before
  changes = []
  for first in range(0, draws, _TOGETHER):
    count = min(_TOGETHER, draws - first)
    contours = _contours(rays, uncertain, count, len(motion.mask), rng)
    changes_of_regions = by_region(
      *redraw(rays, *contours, np.full(count, settings.border), settings.circumferential_sign)
    )
    changes.append(before - changes_of_regions)
  # What was measured is to the truth as what is drawn is to what was measured: hence the sign. But what drawn
  # contours take in of blood and fat always makes a wall seem slower, by far more where they are poor than where they
  # are good: their mean is taken away, and one-sided is only what the rim may hold of these.
  drawn = np.concatenate(changes, 1)
  drawn += inner * rng.uniform(size=(draws, 1, 1)) - drawn.mean(1, keepdims=True)
  noise = _noise(values[:, 0], area[0], uncertain.noise, draws, rng)
  changed, noisy = (_as_curves(one, rays.frames, motion) for one in (drawn, noise))
  return changed, noisy


def _contours(
  rays: Rays, uncertain: Uncertainty, draws: int, frames: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Borders `[D, F, A]` and centres aside `[D, F, 2]`, for `redraw`."""

  def lasting(*shape: int) -> np.ndarray:
    """Random numbers `[D, F, ...]` of variance 1, alike in neighbouring frames."""
    smooth = ndimage.gaussian_filter1d(rng.normal(size=(draws, frames, *shape)), _LASTS * frames, axis=1, mode='wrap')
    one = np.zeros(frames)
    one[0] = 1
    response = ndimage.gaussian_filter1d(one, _LASTS * frames, mode='wrap')
    return smooth[:, rays.frames] / math.sqrt(float((response**2).sum()))

  def always(*shape: int) -> np.ndarray:
    return rng.normal(size=(draws, 1, *shape))

  aside = uncertain.offset * always(2) + uncertain.jitter * lasting(2)
  moved = np.einsum('dfk,fak->dfa', aside, rays.direction)
  turn = np.arange(ANGLES) * (2 * np.pi / ANGLES) * np.array(_WAVES)[:, None]
  waves = np.concatenate([np.cos(turn), np.sin(turn)]) / math.sqrt(len(_WAVES))  # [8, A], of mean square 1 together
  borders, as_good = [], np.exp(uncertain.spread * rng.normal(size=(draws, 1, 1)))
  aside, moved = as_good * aside, as_good * moved
  for side in (rays.endo, rays.epi):
    out = uncertain.size * always(1) + uncertain.breath * lasting(1)
    out = out + uncertain.shape * ((always(len(waves)) + lasting(len(waves))) / math.sqrt(2)) @ waves
    borders.append(side + moved + as_good * out)
  endo, epi = borders
  endo = np.maximum(endo, 0.0)
  epi = np.maximum(epi, endo + _LEAST_WALL * (rays.epi - rays.endo))
  return endo, epi, aside


def _noise(values: np.ndarray, area: np.ndarray, factor: float, draws: int, rng: np.random.Generator) -> np.ndarray:
  """Noise of the regions `[3, D, F, regions]`, as large as sectors of a layer differ from a smooth course round it.

  Args:
    values, area: `[3, F, A, 3]` and `[F, A, 3]`, of the wall as it was drawn.
    factor: how much larger.
    draws: D.
    rng: of the draws.
  """
  split = (len(area), _SECTORS, -1, area.shape[-1])
  size = area.reshape(split).sum(2)  # [F, S, L]
  cells = (values * area).reshape(3, *split).sum(3) / np.maximum(size, 1e-6)
  spectrum = np.fft.rfft(cells - cells.mean(1, keepdims=True), axis=2)
  spectrum[:, :, : _SMOOTH + 1] = 0
  rough = np.fft.irfft(spectrum, _SECTORS, axis=2) ** 2 * (_SECTORS / (_SECTORS - 2 * _SMOOTH - 1))
  variance = (rough * size).mean((1, 2, 3))  # [3], of a part of area 1
  sigma = factor * np.sqrt(variance[:, None, None, None] / np.maximum(size, 1e-6))  # [3, F, S, L]
  drawn = rng.standard_normal((3, draws, *size.shape), np.float32) * sigma[:, None].astype(np.float32)
  return by_region(drawn, np.broadcast_to(size, drawn.shape[1:]).astype(np.float32))


def _as_curves(values: np.ndarray, frames: np.ndarray, motion: SliceMotion) -> dict[str, np.ndarray]:
  """`[3, D, F, regions]` as curves of each group, view sharing undone and the mean over the cycle taken away."""
  whole = np.full((len(motion.mask), values.shape[1], values.shape[3], 3), np.nan)
  whole[frames] = np.moveaxis(values, (2, 0), (0, 3))
  sharp = np.moveaxis(undo_view_sharing(whole, motion.settings.view_sharing), 0, 2)  # [D, regions, T, 3]
  flat = sharp.reshape(-1, *sharp.shape[2:])
  curves = remove_cycle_mean(flat, motion.settings.remove_mean)[0].reshape(sharp.shape)
  parts = np.split(curves, np.cumsum(list(GROUPS.values()))[:-1], axis=1)
  return dict(zip(GROUPS, parts, strict=True))


def _ends(
  quiet: dict[str, np.ndarray], loud: dict[str, np.ndarray], motion: SliceMotion, rng: np.random.Generator
) -> dict[str, np.ndarray]:
  """The columns of the markers' table: low and high end of velocity and time."""
  plain, noisy = (_markers(curves) for curves in (quiet, loud))
  rows = motion.markers[['group', 'region', 'component', 'marker', 'frame', 'velocity']].itertuples(index=False)
  ends = []
  for group, region, component, marker, frame, velocity in rows:
    (_, calm), (frames, of_noisy) = (one[group, component][marker] for one in (plain, noisy))
    # Noise makes a peak larger: once in what was measured, and once more in what was drawn.
    larger = _finite(of_noisy[:, region] - calm[:, region])
    of_noisy = of_noisy[:, region] - 2 * (float(larger.mean()) if larger.size else 0.0)
    times = frames[:, region] + rng.uniform(-0.5, 0.5, len(frames))  # between two frames
    ends.append((*_interval(of_noisy, velocity), *_interval(times, frame)))
  low, high, first, last = np.array(ends).reshape(-1, 4).T
  first, last = first * motion.frame_interval, last * motion.frame_interval
  return {'velocity_low': low, 'velocity_high': high, 'time_low': np.maximum(first, 0), 'time_high': last}


def _markers(curves: dict[str, np.ndarray]) -> dict[tuple[str, str], dict[str, tuple[np.ndarray, np.ndarray]]]:
  """Frames and velocities `[D, regions]` of all markers, by group and component."""
  radial = curves['global'][:, 0, :, COMPONENTS.index('radial')]
  ends = np.array([find_end_systole(one) for one in radial])[:, None]
  return {
    (group, component): markers_of(curve[..., k], component, ends)
    for group, curve in curves.items()
    for k, component in enumerate(COMPONENTS)
  }


def _interval(drawn: np.ndarray, estimate: float) -> tuple[float, float]:
  """The middle of what was drawn, and the estimate with it; NaN without an estimate."""
  if math.isnan(estimate) or not np.isfinite(drawn).any():
    return math.nan, math.nan
  low, high = np.quantile(_finite(drawn), [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
  return float(min(low, estimate)), float(max(high, estimate))


def _finite(values: np.ndarray) -> np.ndarray:
  return values[np.isfinite(values)]
