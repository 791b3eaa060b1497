"""Whether a mask moves over the cycle as smoothly as a heart does: roughness and jumps from frame to frame.

The cycle is closed: the last frame is followed by the first. Frames outside `use` are skipped, and with them every
step that would cross one. A ratio of prediction to reference near 1 is ideal; well below 1 the prediction is smoothed
too much, which Dice does not see.
"""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd

from ear_jax.analysis.motion import POINTS, Contours
from ear_jax.analysis.periodic import longest_run
from ear_jax.scoring.segmentation import distance_unit, is_closed_ring

ANGLES = 24  # at which the wall's thickness is followed
_UNITS = {
  'area': '{unit}2',
  'area_roughness': '',
  'centroid_jump_mean': '{unit}',
  'centroid_jump_max': '{unit}',
  'wall_jump_p95': '{unit}',
  'successive_dice_mean': '',
  'successive_dice_min': '',
  'closed_ring': '',
  'longest_open_run': 'frames',
}
METRICS = tuple(_UNITS)


def temporal_metrics(
  mask: np.ndarray,
  spacing: tuple[float, float],
  *,
  use: np.ndarray | None = None,
  contours: Contours | None = None,
) -> dict[str, float]:
  """Returns how a mask changes from frame to frame; NaN where nothing can be measured.

  With A(t) the area, c(t) the centroid, w(angle, t) the wall's thickness and M(t) the mask of frame t:
  'area' mean A; 'area_roughness' mean of |A(t+1) - 2 A(t) + A(t-1)| / mean A; 'centroid_jump_mean' and '_max' of
  |c(t+1) - c(t)|; 'wall_jump_p95' the 95th percentile of |w(angle, t+1) - w(angle, t)| over 24 angles and all steps;
  'successive_dice_mean' and '_min' of M(t) and M(t+1); 'closed_ring' the share of frames whose mask is one component
  with one hole; 'longest_open_run' the largest number of frames in a row that are not.

  Args:
    mask: `[T, H, W]` in {0, 1}.
    spacing: mm along row and column, or NaN twice: then lengths are in pixels.
    use: `[T]` bool, frames to measure; default all.
    contours: of the mask; without them 'wall_jump_p95' is NaN.

  Raises:
    ValueError: shapes do not belong together, or the spacing is unsound.
  """
  mask = np.asarray(mask, bool)
  use = np.ones(len(mask), bool) if use is None else np.asarray(use, bool)
  if mask.ndim != 3 or use.shape != mask.shape[:1]:
    raise ValueError(f'mask has shape {mask.shape}, use {use.shape}; expected [T, H, W] and [T]')
  lengths = np.array(spacing if distance_unit(spacing) == 'mm' else (1.0, 1.0))
  area = np.where(use, mask.sum((1, 2)) * lengths.prod(), math.nan)  # an empty frame has area 0
  closed = np.array([is_closed_ring(frame) for frame in mask])
  jumps = np.linalg.norm(_step(_centroid(mask, use, lengths)), axis=-1)
  overlap = _successive_dice(mask, use)
  return {
    'area': _over(area),
    'area_roughness': _roughness(area),
    'centroid_jump_mean': _over(jumps),
    'centroid_jump_max': _over(jumps, np.max),
    'wall_jump_p95': math.nan if contours is None else _wall_jump(contours, use, lengths),
    'successive_dice_mean': _over(overlap),
    'successive_dice_min': _over(overlap, np.min),
    'closed_ring': float(closed[use].mean()) if use.any() else math.nan,
    'longest_open_run': float(longest_run(use & ~closed)),
  }


def compare_temporal(prediction: dict[str, float], reference: dict[str, float], unit: str) -> pd.DataFrame:
  """Returns one line per metric: 'metric', 'unit', 'prediction', 'reference' and 'ratio', NaN for a reference of 0.

  Args:
    prediction, reference: of `temporal_metrics`, over the same frames.
    unit: 'mm' or 'px', of lengths.
  """
  lines = []
  for metric, template in _UNITS.items():
    p, g = prediction[metric], reference[metric]
    lines.append((metric, template.format(unit=unit), p, g, p / g if g > 0 else math.nan))
  return pd.DataFrame(lines, columns=['metric', 'unit', 'prediction', 'reference', 'ratio'])


def _step(values: np.ndarray) -> np.ndarray:
  """Value of the next frame minus that of each `[T, ...]`, around the cycle; a single frame has no next."""
  return np.roll(values, -1, axis=0) - values if len(values) > 1 else np.full_like(values, math.nan)


def _centroid(mask: np.ndarray, use: np.ndarray, lengths: np.ndarray) -> np.ndarray:
  """`[T, 2]`, NaN for frames that are empty or not used."""
  centroid = np.full((len(mask), 2), math.nan)
  for t in np.flatnonzero(use & mask.any((1, 2))):
    centroid[t] = np.argwhere(mask[t]).mean(0) * lengths
  return centroid


def _roughness(area: np.ndarray) -> float:
  mean = _over(area)
  if area.size < 3 or not mean > 0:
    return math.nan
  return _over(np.abs(np.roll(area, -1) - 2 * area + np.roll(area, 1))) / mean


def _wall_jump(contours: Contours, use: np.ndarray, lengths: np.ndarray) -> float:
  across = (contours.epi - contours.endo)[:, :: POINTS // ANGLES]
  wall = np.linalg.norm(across * lengths, axis=-1)  # [T, 24]
  wall[~use] = math.nan
  return _over(np.abs(_step(wall)), lambda x: np.percentile(x, 95))


def _successive_dice(mask: np.ndarray, use: np.ndarray) -> np.ndarray:
  """`[T]`; 0 when one of two frames is empty, NaN when both are or one is not used."""
  after = np.roll(mask, -1, axis=0)
  pixels = mask.sum((1, 2)) + after.sum((1, 2))
  defined = use & np.roll(use, -1) & (pixels > 0) & (len(mask) > 1)
  return np.where(defined, 2 * (mask & after).sum((1, 2)) / np.maximum(pixels, 1), math.nan)


def _over(values: np.ndarray, reduce: Callable[[np.ndarray], float] = np.mean) -> float:
  """What `reduce` makes of the finite values, NaN without any."""
  finite = values[np.isfinite(values)]
  return float(reduce(finite)) if finite.size else math.nan
