"""From one row per frame to one number per subject, and from subjects to a summary with its uncertainty.

Frames of a slice, slices of a visit and visits of a person resemble one another, so they are averaged level by level:
frame -> slice -> dataset -> subject, a plain mean each time. Spread and intervals are over subjects, never over
frames. Excluded frames are counted; NaN neither enters nor leaves a mean.
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ear_jax.scoring import challenge
from ear_jax.scoring.intervals import describe
from ear_jax.scoring.segmentation import CASES, METRICS, NSD_TOLERANCE

SLICE = ['subject', 'dataset', 'slice_id', 'level']
LEVELS = ('base', 'mid', 'apex')


class Tables(NamedTuple):
  """Means at the three levels of the hierarchy.

  Each table has its ids, then one column per metric, then 'cine_dice', and above the slice 'volume_dice'. A slice,
  dataset or subject without a single frame that can be scored is in no table; `summarise` counts them.
  """

  slices: pd.DataFrame
  datasets: pd.DataFrame
  subjects: pd.DataFrame


def metric_columns(rows: pd.DataFrame) -> list[str]:
  """Returns the metrics that `rows` hold, in the order of `segmentation.METRICS`."""
  return [m for m in METRICS if m in rows.columns]


def check_rows(rows: pd.DataFrame) -> None:
  """Checks that rows can be averaged together.

  Raises:
    ValueError: a subject, dataset or slice id is missing; a dataset belongs to two subjects; a frame occurs twice;
      distances in mm and in pixels are mixed (overlap has no unit, so without distances they may be); a metric of a
      frame that is not 'both_empty' is not finite.
  """
  ids = rows[SLICE]
  if ids.isna().any(axis=None) or (ids[['subject', 'dataset', 'slice_id']] == '').any(axis=None):
    raise ValueError('rows without subject, dataset or slice id: name them in cine_metrics, means are taken over them')
  owners = rows.groupby('dataset')['subject'].nunique()
  if (owners > 1).any():
    raise ValueError(f'dataset {owners.idxmax()} belongs to {owners.max()} subjects, expected one')
  for twice in rows[rows.duplicated(['dataset', 'slice_id', 'frame'])].itertuples():
    raise ValueError(f'{twice.dataset}/{twice.slice_id}: frame {twice.frame} is scored twice')
  if 'hd95' in rows.columns and rows['distance_unit'].nunique() > 1:
    named = rows.groupby('distance_unit')['dataset'].first()
    raise ValueError(
      'distances in mm and in pixels cannot be averaged: the spacing is '
      f'known for {named["mm"]} and unknown for {named["px"]}; evaluate them separately'
    )
  metrics = rows.loc[rows['case'] != 'both_empty', metric_columns(rows)]
  broken = ~np.isfinite(metrics.to_numpy(float))
  if broken.any():
    row, column = np.argwhere(broken)[0]
    at = rows.loc[metrics.index[row]]
    raise ValueError(f'{at["dataset"]}/{at["slice_id"]}, frame {at["frame"]}: {metrics.columns[column]} is not finite')


def hierarchy(rows: pd.DataFrame) -> Tables:
  """Returns the mean of every metric per slice, per dataset (over its slices) and per subject (over its datasets).

  Frames with both masks empty are left out. 'cine_dice' of a slice is the Dice of all its frames pooled as one
  volume; above the slice it is averaged like the rest. 'volume_dice' of a dataset is the Dice of all frames of all its
  slices pooled, as tools score that know volumes only: a slice counts by its area.

  Args:
    rows: one row per frame, from `cine_metrics`.

  Raises:
    ValueError: see `check_rows`.
  """
  rows = rows.reset_index(drop=True)
  check_rows(rows)
  kept = rows[rows['case'] != 'both_empty']
  metrics = metric_columns(rows)
  grouped = kept.groupby(SLICE, sort=True)
  slices = grouped[metrics].mean()
  counts = grouped[['intersection', 'prediction_pixels', 'reference_pixels']].sum()
  slices['cine_dice'] = _pooled_dice(counts)
  datasets = slices.groupby(['subject', 'dataset']).mean()
  datasets['volume_dice'] = _pooled_dice(counts.groupby(['subject', 'dataset']).sum())
  return Tables(slices.reset_index(), datasets.reset_index(), datasets.groupby('subject').mean().reset_index())


def _pooled_dice(counts: pd.DataFrame) -> pd.Series:
  pixels = counts['prediction_pixels'] + counts['reference_pixels']
  return 2 * counts['intersection'] / pixels.clip(lower=1)  # without a pixel on either side every kept frame has failed


def subject_mean_dice(rows: pd.DataFrame) -> float:
  """Returns the mean over subjects of Dice; what training logs, what selects a checkpoint and what is reported.

  Args:
    rows: one row per frame, from `cine_metrics`; `surface=False` is enough.

  Raises:
    ValueError: see `check_rows`; or no frame can be scored.
  """
  return float(_scored(rows).subjects['dice'].mean())


def _scored(rows: pd.DataFrame) -> Tables:
  tables = hierarchy(rows)
  if tables.subjects.empty:
    raise ValueError(f'none of {len(rows)} frames has a mask to score: check the split and its references')
  return tables


def count_cases(rows: pd.DataFrame) -> dict[str, int]:
  """Returns how many frames were expected, how many fall into each case, and how many enter the means."""
  cases = {case: int((rows['case'] == case).sum()) for case in CASES}
  return {'expected': len(rows), **cases, 'in_means': len(rows) - cases['both_empty']}


def summarise(rows: pd.DataFrame, *, seed: int = 0) -> dict[str, Any]:
  """Returns the summary over subjects, ready for strict JSON: plain types, and None where a value is undefined.

  Args:
    rows: one row per frame, from `cine_metrics`.
    seed: of the bootstrap; every metric starts from it, so no value depends on which others are computed.

  Returns:
    'n_subjects', 'counts' (subjects, datasets, slices: in the means and expected), 'frames' (`count_cases`),
    'distance_unit' and 'nsd_tolerance' (None without distances), 'metrics' (per metric: `intervals.describe`, and
    'not_imputed': the mean over subjects of the frames that have both masks, with the number of those frames and
    subjects), 'by_level' (per level that occurs: frames, and the metrics over subjects), 'contours' (None without
    surface metrics, or without a reference that is a closed ring; else see `_contours`).

  Raises:
    ValueError: see `check_rows`; or no frame can be scored.
  """
  tables = _scored(rows)
  unit = rows['distance_unit'].iloc[0] if 'hd95' in rows.columns else None
  metrics = _describe_metrics(tables.subjects, seed)
  measured = rows[rows['case'] == 'scored']
  means = hierarchy(measured).subjects if len(measured) else tables.subjects.iloc[:0]
  for metric, entry in metrics.items():
    mean = float(means[metric].mean()) if len(means) else None
    entry['not_imputed'] = {'mean': mean, 'frames': len(measured), 'n_subjects': len(means)}
  return {
    'n_subjects': len(tables.subjects),
    'counts': _count_groups(rows, tables),
    'frames': count_cases(rows),
    'distance_unit': unit,
    'nsd_tolerance': NSD_TOLERANCE[unit] if unit else None,
    'metrics': metrics,
    'by_level': _by_level(rows, seed),
    'contours': _contours(rows, seed),
  }


def _describe_metrics(subjects: pd.DataFrame, seed: int) -> dict[str, dict[str, Any]]:
  return {m: describe(subjects[m].to_numpy(), seed=seed) for m in subjects.columns if m != 'subject'}


def _count_groups(rows: pd.DataFrame, tables: Tables) -> dict[str, dict[str, int]]:
  keys = {'subjects': ['subject'], 'datasets': ['dataset'], 'slices': ['dataset', 'slice_id']}
  return {
    name: {'in_means': len(table), 'expected': len(rows.drop_duplicates(key))}
    for (name, key), table in zip(keys.items(), (tables.subjects, tables.datasets, tables.slices), strict=True)
  }


def _by_level(rows: pd.DataFrame, seed: int) -> dict[str, dict[str, Any]]:
  """Returns the summary per slice level, base to apex; empty when no slice has a level."""
  levels = [level for level in rows['level'].unique() if level]
  if not levels:
    return {}
  ordered = [*LEVELS, *sorted(set(levels) - set(LEVELS)), '']
  summary = {}
  for level in ordered:
    part = rows[rows['level'] == level]
    subjects = hierarchy(part).subjects if len(part) else part
    if len(subjects):
      entry = {'n_subjects': len(subjects), 'frames': count_cases(part)}
      summary[level or 'unknown'] = entry | {'metrics': _describe_metrics(subjects, seed)}
  return summary


def _contours(rows: pd.DataFrame, seed: int) -> dict[str, Any] | None:
  """Returns the scores of `challenge` over subjects; None where no frame has them.

  'frames' have them, 'open_reference' have a reference whose ring is open. For 'endo' and 'epi': 'dice' and 'good'
  of all contours; 'dice_of_good' and 'apd_of_good' of the good ones, None without any.
  """
  if 'endo_dice' not in rows.columns or rows['endo_dice'].isna().all():
    return None
  known = rows[rows['endo_dice'].notna()].reset_index(drop=True)
  referenced = int((rows['reference_pixels'] > 0).sum())
  summary: dict[str, Any] = {'frames': len(known), 'open_reference': referenced - len(known)}
  for contour in challenge.CONTOURS:
    dice, apd, good = (known[f'{contour}_{score}'] for score in challenge.SCORES)
    columns = {'dice': dice, 'good': good, 'dice_of_good': dice[good == 1], 'apd_of_good': apd[good == 1]}
    summary[contour] = {name: _over_subjects(known, column, seed) for name, column in columns.items()}
  return summary


def _over_subjects(rows: pd.DataFrame, column: pd.Series, seed: int) -> dict[str, Any] | None:
  """Describes a column that some of `rows` have."""
  slices = column.groupby([rows[name] for name in SLICE]).mean()
  subjects = slices.groupby(['subject', 'dataset']).mean().groupby('subject').mean()
  return describe(subjects.to_numpy(), seed=seed) if len(subjects) else None
