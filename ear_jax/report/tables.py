"""Tables of an evaluation: JSON and CSV for programs, Markdown and the terminal for people.

Every writer replaces its file whole (`files.replacing`). A value that is undefined is `null` in JSON, an empty cell in
CSV and a dash in print; NaN is never written.
"""

import json
from collections.abc import Mapping

import pandas as pd
from rich.console import Group

from ear_jax.scoring import challenge
from ear_jax.scoring.aggregate import hierarchy
from ear_jax.scoring.segmentation import CASES, DISTANCES, NSD_TOLERANCE
from ear_jax.system import table as forms
from ear_jax.system.table import Table, number, span, spread

LABELS = {'dice': 'Dice', 'iou': 'IoU', 'ppv': 'PPV', 'closed_ring': 'closed ring'}
LABELS |= {'cine_dice': 'cine Dice', 'volume_dice': 'volume Dice'}
_AT_LEVELS = ('dice', 'hd95', 'nsd', 'closed_ring')  # the others are in metrics.json
_OF_CONTOURS = {'dice': 3, 'good': 3, 'dice_of_good': 3, 'apd_of_good': 2}  # and their decimals
FEW_SUBJECTS = 50


def strict_json(content: Mapping) -> str:
  """Returns `content` as indented JSON.

  Raises:
    ValueError: it holds NaN or infinity, which JSON does not know.
  """
  try:
    return json.dumps(content, indent=2, allow_nan=False) + '\n'
  except ValueError as error:
    raise ValueError(f'{error}; write None for an undefined value') from error


def per_frame_table(rows: pd.DataFrame) -> pd.DataFrame:
  """Returns the rows of `cine_metrics` in the order of their ids, the unit of distances in the column names."""
  ordered = rows.sort_values(['subject', 'dataset', 'slice_id', 'frame'], ignore_index=True)
  return _with_units(ordered.drop(columns='distance_unit'), rows)


def per_subject_table(rows: pd.DataFrame) -> pd.DataFrame:
  """Returns one line per subject: datasets, slices and frames by case, then its means.

  A subject without a frame that can be scored has counts and empty means.
  """
  by_subject = rows.groupby('subject')
  counts = pd.DataFrame(
    {
      'datasets': by_subject['dataset'].nunique(),
      'slices': rows.drop_duplicates(['dataset', 'slice_id']).groupby('subject').size(),
      'frames_expected': by_subject.size(),
    }
  )
  for case in CASES:
    counts[f'frames_{case}'] = (rows['case'] == case).groupby(rows['subject']).sum()
  return _with_units(counts.join(hierarchy(rows).subjects.set_index('subject')).reset_index(), rows)


def notes(summary: Mapping) -> list[str]:
  """Returns what a reader must know before using the numbers of `aggregate.summarise`, a sentence or two each."""
  n, frames, unit = summary['n_subjects'], summary['frames'], summary['distance_unit']
  imputed = _imputed(summary)
  sentences = [
    f'Means are taken over frames, slices and datasets of a subject in turn, then over subjects (n = {n}); SD and '
    'intervals are over subjects.'
  ]
  sentences += few_subjects(n)
  if frames['both_empty']:
    sentences.append(f'{frames["both_empty"]} frames with both masks empty are excluded.')
  lost = summary['counts']['subjects']['expected'] - n
  if lost:
    sentences.append(f'{lost} subjects have no frame that can be scored and are not in n.')
  if imputed:
    sentences.append(
      f'In {imputed} of the {frames["in_means"]} frames the prediction or the reference has no myocardium. They score '
      '0, and their distances are the image diagonal; the column "both drawn" is the mean without these frames.'
    )
  if 'hd95' in summary['metrics']:
    sentences.append(
      'Surface metrics count boundary pixels and do not weight them by contour length; other tools differ.'
      + (' The pixel spacing is unknown, so distances are in pixels.' if unit == 'px' else '')
    )
  contours = summary['contours']
  if contours and contours['open_reference']:
    sentences.append(
      f'{contours["open_reference"]} frames are in no number of the contours: the ring of their reference is open.'
    )
  return sentences + sorted({entry['note'] for entry in summary['metrics'].values() if entry['note']})


def label(metric: str, unit: str) -> str:
  """Returns the name of a metric in a table; `unit` is that of distances, 'mm' or 'px'."""
  if metric in DISTANCES:
    return f'{metric.upper()} ({unit})'
  return f'NSD at {NSD_TOLERANCE[unit]:g} {unit}' if metric == 'nsd' else LABELS.get(metric, metric)


def digits(metric: str) -> int:
  """Returns the decimals: a hundredth of a mm is finer than any of these distances is known, a ratio has a third."""
  return 2 if metric in DISTANCES else 3


def few_subjects(n: int) -> list[str]:
  """Returns what a reader of intervals over `n` subjects must know, where these are few."""
  if n >= FEW_SUBJECTS:
    return []
  return [f'With fewer than {FEW_SUBJECTS} subjects 95 % intervals cover less than they promise.']


def text_tables(summary: Mapping) -> list[Table]:
  """Returns the summary of `aggregate.summarise` as tables of strings: metrics, slice levels, frames."""
  header = ['metric', 'mean', 'SD', '95 % t interval', '95 % BCa interval', 'median']
  header += ['both drawn'] * bool(_imputed(summary))
  body = []
  for metric, entry in summary['metrics'].items():
    many = digits(metric)
    cells = [number(entry[key], many) for key in ('mean', 'sd')]
    cells += [span(entry[key], many) for key in ('t_interval', 'bca_interval')]
    cells += [number(value, many) for value in (entry['median'], entry['not_imputed']['mean'])]
    body.append([label(metric, summary['distance_unit']), *cells][: len(header)])
  tables = [Table(f'Over {summary["n_subjects"]} subjects', header, body)]
  if summary['by_level']:
    tables.append(_level_table(summary))
  if summary['contours']:
    tables.append(_contour_table(summary))
  counts = [[name.replace('_', ' '), str(count)] for name, count in summary['frames'].items()]
  return [*tables, Table('Frames', ['case', 'frames'], counts)]


def _imputed(summary: Mapping) -> int:
  """Returns in how many frames of the means one mask alone is empty, or a prediction is missing."""
  return summary['frames']['in_means'] - summary['frames']['scored']


def terminal(summary: Mapping) -> Group:
  """Returns the tables and notes of a summary, to be printed by `rich`."""
  return forms.terminal(text_tables(summary), notes(summary))


def _level_table(summary: Mapping) -> Table:
  metrics = [m for m in _AT_LEVELS if m in summary['metrics']]
  body = []
  for level, part in summary['by_level'].items():
    cells = [spread(part['metrics'][metric], digits(metric)) for metric in metrics]
    body.append([level, str(part['n_subjects']), str(part['frames']['in_means']), *cells])
  header = ['level', 'n', 'frames', *(label(metric, summary['distance_unit']) for metric in metrics)]
  return Table('By slice level, mean ± SD over subjects', header, body)


def _contour_table(summary: Mapping) -> Table:
  unit = summary['distance_unit']
  header = ['contour', 'Dice', f'good (APD < {challenge.GOOD[unit]:g} {unit})', 'Dice of good', f'APD of good ({unit})']
  body = [
    [contour, *(spread(summary['contours'][contour][score], digits) for score, digits in _OF_CONTOURS.items())]
    for contour in challenge.CONTOURS
  ]
  return Table('Contours as the challenge of 2009 counts them, mean ± SD over subjects', header, body)


def _with_units(table: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
  unit = rows['distance_unit'].iloc[0]
  return table.rename(columns={m: f'{m}_{unit}' for m in (*DISTANCES, *challenge.APD)})
