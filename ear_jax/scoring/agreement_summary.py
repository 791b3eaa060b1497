"""From one cine's errors to one value a subject, and from subjects to bias, limits and repeatability.

Values are averaged cine -> dataset -> subject, and all spread is over subjects (`aggregate` says why). Cines with a
failed frame are in no mean; they are counted and named.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ear_jax.analysis.motion import COMPONENTS
from ear_jax.scoring.agreement import QUANTITIES, REGIONS, STATUS
from ear_jax.scoring.bland_altman import bland_altman
from ear_jax.scoring.intervals import describe
from ear_jax.scoring.repeatability import repeatability, sd_ratio
from ear_jax.scoring.temporal import METRICS

IDS = ['subject', 'dataset', 'slice_id', 'level']
_SIDES = ('predicted', 'reference')
_COUNTED = ['frames', 'failed_predicted', 'failed_reference']


class Rows(NamedTuple):
  """What comparing the masks of any number of cines leaves; every table begins with `IDS`.

  Attributes:
    curves: one line a cine and component: status, frame counts and the errors of `agreement.compare_curves`.
    markers: one line a cine, component and marker, of `agreement.compare_markers`; 'status' of the cine.
    temporal: one line a cine and metric, of `temporal.compare_temporal`.
    skipped: one line a cine that was not compared, with the 'reason'.
  """

  curves: pd.DataFrame
  markers: pd.DataFrame
  temporal: pd.DataFrame
  skipped: pd.DataFrame


def concatenate(parts: Sequence[Rows]) -> Rows:
  """Returns the rows of all parts; parts may be empty."""
  together = zip(*parts, strict=True)
  return Rows(*(pd.concat([t for t in tables if len(t)] or tables[:1], ignore_index=True) for tables in together))


def summarise(rows: Rows, *, seed: int = 0) -> dict[str, Any]:
  """Returns agreement, temporal consistency and repeatability over subjects, ready for strict JSON.

  Args:
    rows: of all cines.
    seed: of the bootstrap.

  Returns:
    'n_subjects' in the means; 'cines': how many were compared ('expected'), are 'in_means', and have each status;
    'skipped': reason to number of cines not compared; 'failed': the cines left out of the means of curves and markers,
    with their frames and how many of these failed; 'frame_interval': [lowest, highest], ms; 'curves': component to
    'rmse', 'r', 'max_difference' (`intervals.describe`) and to 'regions', group to n, mean and SD of 'rmse' and 'r';
    'markers': component, marker, quantity to `bland_altman`; 'temporal': `summarise_temporal`; 'repeatability':
    `summarise_repeatability`. None stands for what is undefined; without a cine the last four are empty.
  """
  skipped = {str(reason): int(count) for reason, count in rows.skipped['reason'].value_counts().items()}
  if rows.curves.empty:
    counts = dict.fromkeys(('expected', 'in_means', *STATUS), 0)
    summary = {'n_subjects': 0, 'cines': counts, 'skipped': skipped, 'failed': {}, 'curves': {}, 'markers': {}}
    return summary | {'temporal': {}, 'repeatability': None, 'frame_interval': None}
  cines = rows.curves.drop_duplicates(['dataset', 'slice_id'])
  curves, markers = (table[table['status'] != 'failed'] for table in (rows.curves, rows.markers))
  failed = cines[cines['status'] == 'failed']
  intervals = cines['frame_interval']
  counts = {status: int((cines['status'] == status).sum()) for status in STATUS}
  return {
    'n_subjects': int(curves['subject'].nunique()),
    'cines': {'expected': len(cines), 'in_means': len(cines) - len(failed), **counts},
    'skipped': skipped,
    'frame_interval': [float(intervals.min()), float(intervals.max())] if intervals.notna().any() else None,
    'failed': failed.set_index(failed['dataset'] + '/' + failed['slice_id'])[_COUNTED].to_dict('index'),
    'curves': {c: _curve_summary(curves[curves['component'] == c], seed) for c in COMPONENTS},
    'markers': {c: _marker_summary(markers[markers['component'] == c], seed) for c in COMPONENTS},
    'temporal': summarise_temporal(rows.temporal, seed=seed),
    'repeatability': summarise_repeatability(markers, seed=seed),
  }


def subject_means(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
  """Returns the mean of some columns per subject: over the cines of a dataset, then over datasets.

  Lines in which one of the columns is undefined are left out, so that columns of one table stay paired.
  """
  kept = table.dropna(subset=columns)
  return kept.groupby(['subject', 'dataset'])[columns].mean().groupby('subject')[columns].mean()


def marker_pairs(markers: pd.DataFrame, component: str, marker: str, quantity: str) -> pd.DataFrame:
  """Returns the subject means of one marker by either mask: index subject, columns 'predicted' and 'reference'."""
  chosen = markers[(markers['component'] == component) & (markers['marker'] == marker)]
  columns = [f'{quantity}_{side}' for side in _SIDES]
  return subject_means(chosen, columns).set_axis(_SIDES, axis=1)


def summarise_temporal(temporal: pd.DataFrame, *, seed: int = 0) -> dict[str, Any]:
  """Returns per metric its 'unit', and over subjects 'prediction', 'reference' (means) and 'ratio' (`describe`).

  The ratio of a subject is the mean of its predictions over the mean of its references; without a reference above 0
  in every subject it is None.

  Raises:
    ValueError: lengths in mm and in pixels are mixed.
  """
  summary = {}
  for metric in METRICS:
    lines = temporal[temporal['metric'] == metric]
    units = sorted(set(lines['unit']))
    if len(units) > 1:
      raise ValueError(f'{metric} in {" and ".join(units)} cannot be averaged: evaluate separately')
    subjects = subject_means(lines, ['prediction', 'reference'])
    if subjects.empty:
      continue
    positive = bool((subjects['reference'] > 0).all())
    summary[metric] = {
      'unit': units[0],
      'prediction': float(subjects['prediction'].mean()),
      'reference': float(subjects['reference'].mean()),
      'ratio': describe((subjects['prediction'] / subjects['reference']).to_numpy(), seed=seed) if positive else None,
    }
  return summary


def visits(markers: pd.DataFrame, component: str, marker: str, quantity: str) -> pd.DataFrame:
  """Returns the values of a marker at two visits: index subject, columns (side, 0 or 1).

  Visits are the first two datasets of a subject in the order of their ids. A visit's value is the mean over the slices
  of each level, then over the levels that both visits have: they may differ in their number of slices.
  """
  columns = [f'{quantity}_{side}' for side in _SIDES]
  chosen = markers[(markers['component'] == component) & (markers['marker'] == marker)].dropna(subset=columns)
  levels = chosen.groupby(['subject', 'dataset', 'level'])[columns].mean().reset_index()
  pairs = {}
  for subject, table in levels.groupby('subject'):
    datasets = sorted(table['dataset'].unique())[:2]
    parts = [table[table['dataset'] == dataset].set_index('level')[columns] for dataset in datasets]
    shared = parts[0].index.intersection(parts[-1].index)
    if len(datasets) == 2 and len(shared):
      means = [part.loc[shared].mean() for part in parts]
      pairs[subject] = [mean[column] for column in columns for mean in means]
  index = pd.MultiIndex.from_product([_SIDES, (0, 1)])
  return pd.DataFrame.from_dict(pairs, orient='index', columns=index)


def summarise_repeatability(markers: pd.DataFrame, *, seed: int = 0) -> dict[str, Any] | None:
  """Returns component, marker, quantity to 'manual', 'automatic' (`repeatability`), 'ratio' and 'ratio_interval'.

  None when no subject has two visits. The ratio is s_w of predicted over that of reference masks.
  """
  summary: dict[str, dict[str, dict[str, Any]]] = {}
  for component, marker in markers[['component', 'marker']].drop_duplicates().itertuples(index=False):
    for quantity in QUANTITIES:
      pairs = visits(markers, component, marker, quantity)
      if pairs.empty:
        continue
      automatic, manual = (pairs[side].to_numpy() for side in _SIDES)  # [n, 2]
      ratio, interval = sd_ratio(np.diff(automatic)[:, 0], np.diff(manual)[:, 0])
      summary.setdefault(component, {}).setdefault(marker, {})[quantity] = {
        'manual': repeatability(*manual.T, seed=seed),
        'automatic': repeatability(*automatic.T, seed=seed),
        'ratio': ratio,
        'ratio_interval': interval,
      }
  return summary or None


def _curve_summary(rows: pd.DataFrame, seed: int) -> dict[str, Any]:
  summary = {name: _describe(rows, name, seed) for name in ('rmse', 'r', 'max_difference')}
  brief = {}
  for group in REGIONS:
    entries = {name: _describe(rows, f'{name}_{group}', seed) for name in ('rmse', 'r')}
    brief[group] = {name: entry and {key: entry[key] for key in ('n', 'mean', 'sd')} for name, entry in entries.items()}
  return summary | {'regions': brief}


def _describe(rows: pd.DataFrame, column: str, seed: int) -> dict[str, Any] | None:
  values = subject_means(rows, [column])[column].to_numpy()
  return describe(values, seed=seed) if values.size else None


def _marker_summary(markers: pd.DataFrame, seed: int) -> dict[str, Any]:
  summary = {}
  for marker in markers['marker'].unique():
    entries = {}
    for quantity in QUANTITIES:
      pairs = marker_pairs(markers, markers['component'].iloc[0], marker, quantity)
      if len(pairs):
        entries[quantity] = bland_altman(*pairs.to_numpy().T, seed=seed)
        chosen = markers.loc[markers['marker'] == marker, [f'{quantity}_{side}' for side in _SIDES]]
        entries[quantity]['cines'] = int(chosen.notna().all(axis=1).sum())
        entries[quantity]['missing'] = len(chosen) - entries[quantity]['cines']
    if entries:
      summary[str(marker)] = entries
  return summary
