"""Scores of a predicted mask against a reference: one frame, then one row per annotated frame of a cine.

The unit of measurement is one frame of one slice on its native grid. Counts are kept beside the ratios, so that
frames can be pooled later without the masks. What an empty mask or a failed prediction scores is decided here and
nowhere else; how rows become means is in `aggregate`. Definitions: docs/evaluation.md.
"""

import math
from typing import Any

import numpy as np
import pandas as pd
from scipy import ndimage

from ear_jax.cine import Cine
from ear_jax.scoring import challenge
from ear_jax.scoring import surface as surface_lib

OVERLAP = ('dice', 'iou', 'sensitivity', 'ppv')
DISTANCES = ('hd95', 'assd')
SURFACE = (*DISTANCES, 'nsd', 'closed_ring')
METRICS = OVERLAP + SURFACE
CASES = ('scored', 'both_empty', 'reference_empty', 'prediction_empty', 'failed')
# One acquired pixel of the MVM protocol: 1.7 mm, which is two pixels of the 0.85 mm grid it is stored on. Where the
# source lost its spacing, the two pixels are what remains of it.
NSD_TOLERANCE = {'mm': 1.7, 'px': 2.0}
# By whether prediction and reference have a pixel.
_CASE = {(1, 1): 'scored', (0, 0): 'both_empty', (1, 0): 'reference_empty', (0, 1): 'prediction_empty'}
_EIGHT_NEIGHBOURS = np.ones((3, 3), bool)


def distance_unit(spacing: tuple[float, float]) -> str:
  """Returns 'mm', or 'px' when the spacing is NaN because the source lost it.

  Raises:
    ValueError: one of the two is NaN, or one is not positive and finite.
  """
  unknown = [math.isnan(s) for s in spacing]
  if all(unknown):
    return 'px'
  if any(unknown) or not all(0 < s < math.inf for s in spacing):
    raise ValueError(f'pixel spacing {tuple(spacing)} mm: expected two positive numbers, or NaN twice when unknown')
  return 'mm'


def is_closed_ring(mask: np.ndarray) -> bool:
  """Returns whether `mask` is one component with exactly one hole, as a myocardium in short axis is.

  The mask is connected over its 8 neighbours and its complement over 4, so a ring whose pixels touch only by corners
  is closed and its two sides are apart.

  Args:
    mask: `[H, W]` bool.
  """
  mask, _ = surface_lib.crop_to_union(mask, mask)
  if not mask.size or ndimage.label(mask, _EIGHT_NEIGHBOURS)[1] != 1:
    return False
  surroundings = np.pad(~mask, 1, constant_values=True)  # one frame around it joins all that lies outside
  return ndimage.label(surroundings)[1] == 2


def frame_metrics(
  prediction: np.ndarray | None, reference: np.ndarray, spacing: tuple[float, float], *, surface: bool = True
) -> dict[str, Any]:
  """Returns the scores of one frame.

  With P and G the pixels of prediction and reference: Dice = 2|P∩G| / (|P| + |G|), IoU = |P∩G| / |P∪G|,
  sensitivity = |P∩G| / |G|, PPV = |P∩G| / |P|; HD95, ASSD and NSD as in `surface.surface_metrics`.

  Both masks empty: every metric is NaN and the frame is to be excluded and counted. Exactly one empty, or the
  prediction failed: ratios 0, distances the diagonal of the image, `imputed` True. A failed prediction scores so even
  where the reference is empty: a crash earns no frame. `closed_ring` looks at the prediction alone. Contours are scored
  by `challenge.contour_scores`, with NaN for what is not there.

  Args:
    prediction: `[H, W]` bool or integer in {0, 1}; None when the prediction failed or the study was refused.
    reference: `[H, W]` bool or integer in {0, 1}.
    spacing: pixel spacing in mm along row and column index, or NaN twice: then distances are in pixels.
    surface: False leaves out `SURFACE` and `challenge.COLUMNS`, for a fast score during training.

  Returns:
    'case' (one of `CASES`), the counts 'intersection', 'prediction_pixels' and 'reference_pixels', the metrics of
    `OVERLAP` and, if asked for, of `SURFACE` and `challenge.COLUMNS` as floats, 'imputed' (bool) and 'distance_unit'.

  Raises:
    ValueError: the shapes differ or are not 2-D, a mask is not binary, or the spacing is unsound.
  """
  unit = distance_unit(spacing)
  reference = _binary(reference, 'reference')
  predicted = np.zeros_like(reference) if prediction is None else _binary(prediction, 'prediction')
  if reference.ndim != 2 or predicted.shape != reference.shape:
    raise ValueError(f'prediction has shape {predicted.shape}, reference {reference.shape}; expected [H, W] twice')
  shape, lengths = reference.shape, spacing if unit == 'mm' else (1.0, 1.0)
  predicted, reference = surface_lib.crop_to_union(predicted, reference)
  both, p, g = (int(np.count_nonzero(m)) for m in (predicted & reference, predicted, reference))
  case = 'failed' if prediction is None else _CASE[p > 0, g > 0]
  score: dict[str, Any] = {'case': case, 'intersection': both, 'prediction_pixels': p, 'reference_pixels': g}
  if case == 'scored':
    score |= {'dice': 2 * both / (p + g), 'iou': both / (p + g - both), 'sensitivity': both / g, 'ppv': both / p}
    if surface:
      score |= surface_lib.surface_metrics(predicted, reference, lengths, NSD_TOLERANCE[unit])
  else:  # docs/evaluation.md, "Missing values"
    diagonal = math.hypot(shape[0] * lengths[0], shape[1] * lengths[1])
    ratio, distance = (math.nan, math.nan) if case == 'both_empty' else (0.0, diagonal)
    score |= dict.fromkeys(OVERLAP, ratio)
    if surface:
      score |= dict.fromkeys(DISTANCES, distance) | {'nsd': ratio}
  if surface:
    score['closed_ring'] = math.nan if case == 'both_empty' else float(is_closed_ring(predicted))
    score |= challenge.contour_scores(predicted, reference, lengths, challenge.GOOD[unit])
  return score | {'imputed': case not in ('scored', 'both_empty'), 'distance_unit': unit}


def score(cine: Cine, mask: np.ndarray, *, surface: bool) -> pd.DataFrame:
  """Returns `cine_metrics` of a predicted mask `[T, H, W]` against the reference that a cine carries."""
  ids = {key: getattr(cine, key) for key in ('subject', 'dataset', 'slice_id', 'level')}
  return cine_metrics(mask, cine.mask, cine.annotated, cine.spacing, surface=surface, **ids)


def cine_metrics(
  prediction: np.ndarray | None,
  reference: np.ndarray,
  annotated: np.ndarray,
  spacing: tuple[float, float],
  *,
  subject: str = '',
  dataset: str = '',
  slice_id: str = '',
  level: str = '',
  surface: bool = True,
) -> pd.DataFrame:
  """Returns one row of scores for every annotated frame of a cine.

  Args:
    prediction: `[T, H, W]` bool or integer in {0, 1}; None when the prediction failed or the study was refused.
    reference: `[T, H, W]` bool or integer in {0, 1}.
    annotated: `[T]` bool, frames that carry a reference; the others are not scored.
    spacing: pixel spacing in mm along row and column index, or NaN twice.
    subject: id of the person; `aggregate` needs it.
    dataset: id of the visit.
    slice_id: id of the slice within the dataset.
    level: 'base', 'mid', 'apex', or '' when unknown.
    surface: False leaves out the surface metrics.

  Returns:
    Columns 'subject', 'dataset', 'slice_id', 'level', 'frame' (index into T), then those of `frame_metrics`.

  Raises:
    ValueError: as `frame_metrics`, with the cine named; or the shapes of the arguments do not belong together.
  """
  name, annotated = f'{dataset}/{slice_id}', np.asarray(annotated).astype(bool)
  shapes = [np.shape(m) for m in (prediction, reference) if m is not None]
  if len(set(shapes)) > 1 or len(shapes[0]) != 3 or annotated.shape != shapes[0][:1]:
    raise ValueError(f'{name}: masks of shape {shapes} and annotated {annotated.shape}; expected [T, H, W] and [T]')
  identity = {'subject': subject, 'dataset': dataset, 'slice_id': slice_id, 'level': level}
  rows = []
  for frame in np.flatnonzero(annotated):
    predicted = None if prediction is None else prediction[frame]
    try:
      score = frame_metrics(predicted, reference[frame], spacing, surface=surface)
    except ValueError as error:
      raise ValueError(f'{name}, frame {frame}: {error}') from error
    rows.append(identity | {'frame': int(frame)} | score)
  if not rows:  # a row that is taken away again leaves columns of the right type, so that tables can be joined
    empty = np.zeros((1, 1), bool)
    return pd.DataFrame([identity | {'frame': 0} | frame_metrics(empty, empty, spacing, surface=surface)]).iloc[:0]
  return pd.DataFrame(rows)


def _binary(mask: np.ndarray, name: str) -> np.ndarray:
  mask = np.asarray(mask)
  if mask.dtype == bool:
    return mask
  if not np.issubdtype(mask.dtype, np.integer):
    raise ValueError(f'{name} is {mask.dtype}, expected bool or integers 0 and 1: threshold it before scoring')
  if mask.size and (mask.min() < 0 or mask.max() > 1):
    raise ValueError(f'{name} holds values from {mask.min()} to {mask.max()}, expected 0 and 1')
  return mask.astype(bool)
