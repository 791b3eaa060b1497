"""Ejection fraction, volumes and mass of predicted contours against those of a reference, from frames to subjects.

Both are summed over the same frames of the same slices, those with a reference. A slice in which the prediction has no
ring at end diastole or end systole is left out on both sides, and counted. So the error is that of the contours, and
not that of the choice of slices.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ear_jax.analysis.contours import from_mask, polygon_area
from ear_jax.analysis.depth import stack_of
from ear_jax.analysis.motion import Contours
from ear_jax.analysis.volumes import DENSITY
from ear_jax.cine import Cine, Place
from ear_jax.scoring.bland_altman import bland_altman

IDS = ['subject', 'dataset', 'slice_id']
SIDES = ('predicted', 'reference')
QUANTITIES = {'ejection fraction': '%', 'mass': 'g', 'EDV': 'mL', 'ESV': 'mL'}
OF_REFERENCE = '% of reference'
_ML = 1000.0  # mm3
_ENOUGH = 0.5  # share of the slices that a frame needs, to be end diastole or end systole


def frame_areas(
  cine: Cine,
  mask: np.ndarray | Contours,
  drawn: Contours | None = None,
  cavities: Mapping[int, np.ndarray] | None = None,
) -> pd.DataFrame:
  """Returns one line a frame with a reference: IDS, frame, and areas endo_<side>, epi_<side> (mm2, or square pixels).

  NaN where a side has no such contour.

  Args:
    cine: with its reference mask.
    mask: `[T, H, W]`, the prediction, or its probability; or its contours.
    drawn: the contours that the reference mask was made from; None: they are taken from the mask.
    cavities: frames in which the endocardium alone was drawn, and its points `[N, 2]`.
  """
  cavities = cavities or {}
  frames = sorted({*np.flatnonzero(cine.annotated).tolist(), *cavities})
  pixel = math.prod(cine.spacing)
  pixel = 1.0 if math.isnan(pixel) else pixel
  predicted, known = (
    mask if isinstance(mask, Contours) else from_mask(mask),
    drawn if drawn is not None else from_mask(cine.mask),
  )
  areas = {'endo_predicted': predicted.endo, 'epi_predicted': predicted.epi}
  areas |= {'endo_reference': known.endo, 'epi_reference': known.epi}
  table = pd.DataFrame({name: polygon_area(line[frames]) * pixel for name, line in areas.items()})
  for row, frame in enumerate(frames):
    if frame in cavities:
      table.loc[row, 'endo_reference'] = float(polygon_area(cavities[frame])) * pixel
  ids = pd.DataFrame([{key: getattr(cine, key) for key in IDS}] * len(frames), columns=IDS)
  return pd.concat([ids.assign(frame=frames), table], axis=1)


def agree(areas: pd.DataFrame, places: Mapping[tuple[str, str], Place | None] | None = None) -> pd.DataFrame:
  """Returns one line a dataset in which end diastole and end systole, or one of them, have a reference.

  End diastole is the frame of the reference's largest cavity, end systole that of its smallest, among frames with a
  reference in half of the slices or more.

  Args:
    areas: of `frame_areas`, of any number of cines.
    places: by dataset and slice. Where none is known, distances are taken to be equal: the ejection fraction needs
      no more, and volumes and mass have no known unit. A dataset whose slices are no stack by their
      places, such as three far apart, or that has one slice, is left out.

  Returns:
    subject, dataset, slices, ed, es (frames; <NA> for es without), left_out (slices that count on neither side),
    stack (whether the distances are known), and '<quantity>_<side>' for each of `QUANTITIES`, NaN if unknown.
  """
  lines: list[dict[str, Any]] = []
  for (subject, dataset), table in areas.groupby(['subject', 'dataset'], sort=True):
    slices = sorted(set(table['slice_id'].astype(str)))
    given = [(places or {}).get((str(dataset), one)) for one in slices]
    stack, known = stack_of(given), any(given)
    if len(slices) == 1 or (known and stack.fault):
      continue
    height = dict(zip(slices, stack.height if known else np.ones(len(slices)), strict=True))
    table = table.assign(height=table['slice_id'].map(height))
    total = (table['endo_reference'] * table['height']).groupby(table['frame']).sum()
    often = table.groupby('frame')['endo_reference'].count() >= _ENOUGH * len(slices)
    candidates = total[often]
    if candidates.empty:
      continue
    ed, es = (int(candidates.index[int(k)]) for k in (candidates.argmax(), candidates.argmin()))
    used = table[table['frame'].isin([ed, es])]
    bad = set(used.loc[used[[f'endo_{side}' for side in SIDES]].isna().any(axis=1), 'slice_id'])
    line: dict[str, Any] = {
      'subject': subject,
      'dataset': dataset,
      'slices': len(slices),
      'left_out': len(bad),
      'stack': known,
    }
    line |= {'ed': ed, 'es': es if es != ed else pd.NA}
    if len(bad) < len(slices):
      lines.append(line | _of_dataset(used[~used['slice_id'].isin(bad)], ed, es))
  return pd.DataFrame(lines)


def _of_dataset(table: pd.DataFrame, ed: int, es: int) -> dict[str, float]:
  at_ed, at_es = (table[table['frame'] == frame] for frame in (ed, es))
  walls = at_ed[at_ed[[f'epi_{side}' for side in SIDES]].notna().all(axis=1)]
  errors: dict[str, float] = {}
  for side in SIDES:
    edv, esv = (float((rows[f'endo_{side}'] * rows['height']).sum()) / _ML for rows in (at_ed, at_es))
    wall = float(((walls[f'epi_{side}'] - walls[f'endo_{side}']) * walls['height']).sum()) / _ML
    values = {
      'EDV': edv,
      'ESV': esv if es != ed else math.nan,
      'ejection fraction': 100 * (1 - esv / edv) if es != ed else math.nan,
      'mass': DENSITY * wall if len(walls) else math.nan,
    }
    errors |= {f'{name}_{side}': value for name, value in values.items()}
  return errors


def summarise(table: pd.DataFrame, *, seed: int = 0) -> dict[str, Any]:
  """Returns 'n_datasets', 'left_out' of how many 'slices', and 'quantities': name to unit and `bland_altman`.

  Values are means over the datasets of a subject; where the distance of slices is unknown, volumes and mass are in per
  cent of the reference. Quantities that nothing is known of are left out.

  Raises: ValueError when mL and per cent of the reference would be averaged.
  """
  if table.empty:
    return {'n_datasets': 0, 'left_out': 0, 'slices': 0, 'quantities': {}}
  if table['stack'].nunique() > 1:
    raise ValueError('the slice distance is known of some datasets only: evaluate them apart')
  absolute, quantities = bool(table['stack'].all()), {}
  for name, unit in QUANTITIES.items():
    values = pairs(table, name)
    if not (absolute or unit == '%'):
      unit, values = OF_REFERENCE, 100 * values.div(values['reference'], axis=0)
    if len(values):
      quantities[name] = {'unit': unit} | bland_altman(*values.to_numpy().T, seed=seed)
  counts = {key: int(table[key].sum()) for key in ('left_out', 'slices')}
  return {'n_datasets': len(table), **counts, 'quantities': quantities}


def pairs(table: pd.DataFrame, quantity: str) -> pd.DataFrame:
  """Returns the means of a quantity per subject: columns 'predicted' and 'reference'."""
  columns = [f'{quantity}_{side}' for side in SIDES]
  return table.dropna(subset=columns).groupby('subject')[columns].mean().set_axis(SIDES, axis=1)
