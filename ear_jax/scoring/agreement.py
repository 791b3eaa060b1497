"""How far the velocity curves of predicted masks are from those of reference masks: one cine at a time.

Both masks go through the same analysis on the same velocities with the same septum and settings, each about its own
centre, so that what differs is the delineation. Errors are prediction minus reference. `agreement_summary` takes the
rows to subjects.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ear_jax.analysis.motion import COMPONENTS, GROUPS, SliceMotion
from ear_jax.analysis.velocity import known_mean

QUANTITIES = ('velocity', 'time', 'normalised_time')  # of a marker: cm/s, ms, ms of a cycle of 1000 ms
MARKERS = ('PS', 'PD', 'PAS', 'PC1', 'PC2', 'PC3', 'ES')
REGIONS = tuple(group for group in GROUPS if group != 'global')
STATUS = ('sound', 'flagged', 'failed')


def curve_errors(predicted: np.ndarray, reference: np.ndarray) -> dict[str, np.ndarray]:
  """Returns 'rmse', 'r' (Pearson) and 'max_difference' of curves over their last axis.

  Frames where one of the two is NaN are left out. Without any common frame all are NaN; r is NaN for fewer than three
  frames or a constant curve.

  Args:
    predicted: `[..., T]` cm/s.
    reference: `[..., T]` cm/s.

  Raises:
    ValueError: the shapes differ.
  """
  predicted, reference = np.asarray(predicted, float), np.asarray(reference, float)
  if predicted.shape != reference.shape:
    raise ValueError(f'predicted curves have shape {predicted.shape}, those of the reference {reference.shape}')
  both = np.isfinite(predicted) & np.isfinite(reference)
  n = both.sum(-1)
  p, g = np.where(both, predicted, 0.0), np.where(both, reference, 0.0)
  centred_p, centred_g = (np.where(both, x - (x.sum(-1) / np.maximum(n, 1))[..., None], 0.0) for x in (p, g))
  spread = np.sqrt((centred_p**2).sum(-1) * (centred_g**2).sum(-1))
  defined = (n > 2) & (spread > 1e-12 * np.maximum(1.0, np.abs(p * g).max(-1)))
  r = (centred_p * centred_g).sum(-1) / np.where(defined, spread, 1.0)
  return {
    'rmse': np.where(n > 0, np.sqrt(((p - g) ** 2).sum(-1) / np.maximum(n, 1)), np.nan),
    'r': np.where(defined, np.clip(r, -1, 1), np.nan),
    'max_difference': np.where(n > 0, np.abs(p - g).max(-1), np.nan),
  }


def compare_curves(predicted: SliceMotion, reference: SliceMotion) -> pd.DataFrame:
  """Returns one line per component with the errors of the global curve and of the regions' curves.

  Columns: 'component'; 'rmse', 'r', 'max_difference' of the global curve (cm/s); 'rmse_<group>' and 'r_<group>', the
  mean over the regions of a group for which they are defined.
  """
  table: dict[str, Sequence[str] | np.ndarray] = {'component': COMPONENTS}
  for group in GROUPS:
    curves = (np.moveaxis(motion.curves[group], 1, -1) for motion in (predicted, reference))  # [regions, 3, T]
    errors = curve_errors(*curves)
    if group == 'global':
      table |= {name: values[0] for name, values in errors.items()}
    else:
      table |= {f'{name}_{group}': known_mean(errors[name], 0) for name in ('rmse', 'r')}
  return pd.DataFrame(table)


def compare_markers(predicted: SliceMotion, reference: SliceMotion) -> pd.DataFrame:
  """Returns one line per marker of the global curves: value by either mask and the error, for each of `QUANTITIES`.

  Columns: 'component', 'marker', then '<quantity>_predicted', '<quantity>_reference', '<quantity>_error'. NaN where
  one of the two has no such marker. All components share the time of ES, so it is under 'radial', whose curve decides
  it, and NaN under the others; the normalised time of ES is NaN, since it is 350 ms by definition.
  """
  keys, sides = ['component', 'marker'], []
  for motion in (predicted, reference):
    table = motion.markers
    sides.append(table.loc[table['group'] == 'global', [*keys, *QUANTITIES]])
  both = sides[0].merge(sides[1], how='outer', on=keys, suffixes=('_predicted', '_reference'), validate='1:1')
  table, keyed = both[keys].copy(), both['component']
  for quantity in QUANTITIES:
    p, g = (both[f'{quantity}_{side}'].astype(float) for side in ('predicted', 'reference'))
    said = (both['marker'] != 'ES') | (quantity == 'velocity') | ((quantity == 'time') & (keyed == 'radial'))
    p, g = p.where(said), g.where(said)
    table[f'{quantity}_predicted'], table[f'{quantity}_reference'], table[f'{quantity}_error'] = p, g, p - g
  rank = {name: i for i, name in enumerate((*COMPONENTS, *MARKERS))}
  return table.sort_values(keys, key=lambda names: names.map(rank), ignore_index=True)


def frame_counts(predicted: SliceMotion, reference: SliceMotion, annotated: np.ndarray) -> dict[str, int | str]:
  """Returns 'status' of a cine, and how many of its annotated frames failed and were flagged with either mask.

  'failed': an annotated frame has no contours with one of the masks; 'flagged': all have, but some were repaired or
  look implausible; 'sound': neither.

  Args:
    annotated: `[T]` bool; frames without reference cannot fail.
  """
  counts = {'frames': int(np.count_nonzero(annotated))}
  for side, motion in (('predicted', predicted), ('reference', reference)):
    noted = np.array([flag != '' for flag in motion.contours.flags])
    counts[f'failed_{side}'] = int((motion.contours.failed & annotated).sum())
    counts[f'flagged_{side}'] = int((noted & ~motion.contours.failed & annotated).sum())
  failed = counts['failed_predicted'] + counts['failed_reference']
  flagged = counts['flagged_predicted'] + counts['flagged_reference']
  return {'status': 'failed' if failed else 'flagged' if flagged else 'sound'} | counts
