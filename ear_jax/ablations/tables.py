"""Tables 1 and 2 in the shape of the paper, and what the paper lacks: from means of subjects to sheets of strings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ear_jax.ablations.gather import over_seeds, part_of, spread_over_seeds
from ear_jax.ablations.grid import NETWORKS, SINGLE, VARIANT, Cell
from ear_jax.ablations.sheet import DASH, Sheet
from ear_jax.analysis.motion import COMPONENTS
from ear_jax.scoring.intervals import describe
from ear_jax.scoring.segmentation import NSD_TOLERANCE

_NAMES = {
  'unet3d': 'UNet3D',
  'unet3d_attention': 'UNet3D-Attention',
  'ear3d': '3D-EAR',
  'cross_entropy': 'Cross-Entropy',
  'dice': 'Dice',
  'dice_iou': 'Dice-IoU',
}
METRIC_LABELS = {
  'dice': 'Dice',
  'iou': 'IoU',
  'sensitivity': 'Sensitivity',
  'ppv': 'PPV',
  'hd95': 'HD95',
  'assd': 'ASSD',
}
METRIC_LABELS |= {'nsd': 'NSD', 'closed_ring': 'closed ring', 'cine_dice': 'cine Dice', 'volume_dice': 'volume Dice'}


def value_label(axis: str, value: Any) -> str:
  """Returns what tables call a value of an axis: '3D-EAR', 'channels 4', 'no init from' where it is empty."""
  if axis.endswith('.name'):
    return ' + '.join(_NAMES.get(part, part) for part in str(value).split('+'))
  if axis == NETWORKS:
    return 'one network' if value == SINGLE else 'all seeds together'
  if axis == VARIANT:
    return str(value).replace('_', ' ')
  name = axis.rsplit('.', 1)[-1].replace('_', ' ')
  return f'no {name}' if value in ('', ()) else f'{name} {value}'


def row_label(cell: Cell) -> str:
  """Returns the label of a cell's line: its values but that across the tables."""
  return ', '.join(value_label(*pair) for pair in cell.row) or 'all'


def cell_label(cell: Cell) -> str:
  """Returns the label of a cell on its own."""
  return ', '.join(value_label(*pair) for pair in cell.values)


def paper_sheet(
  name: str, title: str, table: pd.DataFrame, part: str, cells: Sequence[Cell], complete: Sequence[str],
  metrics: Sequence[str],
) -> Sheet:  # fmt: skip
  """Returns mean ± SD over subjects in the shape of the paper: networks down, losses across.

  Args:
    name, title: of the sheet.
    table: of `gather.subject_table`.
    part: 'test' or 'cross-validation'.
    cells: of the grid; those that are not `complete` get a dash.
    complete: names of cells.
    metrics: one (Table 1), or several side by side under each loss (Table 2).
  """
  rows, columns = dict.fromkeys(map(row_label, cells)), dict.fromkeys(map(_column_label, cells))
  heads = [(column, METRIC_LABELS[metric]) for column in columns for metric in metrics]
  frame = pd.DataFrame(DASH, index=list(rows), columns=pd.MultiIndex.from_tuples(heads))
  for cell in cells:
    if cell.name in complete:
      for metric in metrics:
        values = over_seeds(table, part, metric, [cell.name])[cell.name]
        frame.loc[row_label(cell), (_column_label(cell), METRIC_LABELS[metric])] = _spread(values, 2)
  if len(metrics) == 1 or list(columns) == ['']:
    frame.columns = [column or label for column, label in heads]
  return Sheet(name, title, frame)


def metric_sheet(
  name: str, title: str, table: pd.DataFrame, part: str, cells: Sequence[Cell], metrics: Mapping[str, tuple[str, int]]
) -> Sheet:
  """Returns mean ± SD over subjects, a line a cell and a column a metric.

  Args:
    name, title, table, part: as for `paper_sheet`.
    cells: all complete.
    metrics: metric to its label and number of decimals; those that the table lacks are left out.
  """
  there = {metric: about for metric, about in metrics.items() if metric in table.columns}
  lines = {
    cell_label(cell): [
      _spread(over_seeds(table, part, metric, [cell.name])[cell.name], digits) for metric, (_, digits) in there.items()
    ]
    for cell in cells
  }
  return Sheet(
    name, title, pd.DataFrame.from_dict(lines, orient='index', columns=[label for label, _ in there.values()])
  )


def fold_sheet(name: str, title: str, table: pd.DataFrame, part: str, cells: Sequence[Cell], metric: str) -> Sheet:
  """Returns mean ± SD of a metric over the subjects of each fold, a line a cell and a column a fold.

  Args:
    name, title, table, part, cells: as for `metric_sheet`.
    metric: averaged over seeds first.
  """
  lines = {}
  for cell in cells:
    own = table[(table['part'] == part) & (table['cell'] == cell.name)]
    means = own.groupby(['fold', 'subject'])[metric].mean()
    lines[cell_label(cell)] = {f'fold {fold}': _spread(values, 3) for fold, values in means.groupby('fold')}
  return Sheet(name, title, pd.DataFrame.from_dict(lines, orient='index'))


def surface_metrics(unit: str) -> dict[str, tuple[str, int]]:
  """Returns what stands beside Tables 1 and 2 of masks, for `metric_sheet`; `unit` is 'mm' or 'px'."""
  named = {
    'iou': ('IoU', 3),
    'cine_dice': ('cine Dice', 3),
    'volume_dice': ('volume Dice', 3),
    'hd95': (f'HD95 ({unit})', 2),
    'assd': (f'ASSD ({unit})', 2),
  }
  return named | {'nsd': (f'NSD at {NSD_TOLERANCE[unit]:g} {unit}', 3), 'closed_ring': ('closed ring', 3)}


def velocity_sheet(
  name: str, title: str, table: pd.DataFrame, part: str, cells: Sequence[Cell], results: Mapping[str, dict]
) -> Sheet:
  """Returns the errors of the global velocity curves, and how many cines had contours in all frames and are in them.

  Empty where no curve was compared.

  Args:
    name, title, table, part, cells: as for `metric_sheet`.
    results: of the jobs, which counted the cines.
  """
  shown = {f'rmse_{component}': (f'{component} RMSE (cm/s)', 2) for component in COMPONENTS}
  shown |= {f'r_{component}': (f'{component} r', 3) for component in COMPONENTS}
  sheet = metric_sheet(name, title, table, part, cells, shown)
  if not sheet.cells.empty:
    counted = [[r['curves'] for r in part_of(results, part) if r['cell'] == cell.name] for cell in cells]
    totals = [(sum(c['expected'] for c in counts), sum(c['failed'] for c in counts)) for counts in counted]
    sheet.cells['cines compared'] = [f'{expected - failed} of {expected}' for expected, failed in totals]
  return sheet


def interval_numbers(table: pd.DataFrame, part: str, cells: Sequence[Cell], metrics: Sequence[str]) -> list[dict]:
  """Returns a line a cell and metric: part, cell, metric, `intervals.describe` over subjects, and the SD over seeds."""
  lines = []
  for cell in cells:
    for metric in metrics:
      values = over_seeds(table, part, metric, [cell.name])[cell.name].dropna()
      if len(values):
        seeds = spread_over_seeds(table, part, metric, cell.name)
        line = {'part': part, 'cell': cell.name, 'metric': metric} | describe(values.to_numpy())
        lines.append(line | {'seed_sd': None if np.isnan(seeds) else seeds})
  return lines


def interval_sheet(name: str, title: str, numbers: Sequence[Mapping], cells: Sequence[Cell]) -> Sheet:
  """Returns one metric of `interval_numbers` with its intervals, a line a cell."""
  labels = {cell.name: cell_label(cell) for cell in cells}
  head = ['n', 'mean', 'SD', '95 % t interval', '95 % BCa interval', 'SD over seeds']
  lines = {}
  for line in numbers:
    intervals = [_range(line[key]) for key in ('t_interval', 'bca_interval')]
    lines[labels[line['cell']]] = [
      str(line['n']), _number(line['mean']), _number(line['sd']), *intervals, _number(line['seed_sd'])
    ]  # fmt: skip
  return Sheet(name, title, pd.DataFrame.from_dict(lines, orient='index', columns=head))


def comparison_sheet(name: str, title: str, found: Sequence[Mapping], cells: Sequence[Cell]) -> Sheet:
  """Returns the paired differences of `statistics.comparisons`, a line a pair."""
  labels = {cell.name: cell_label(cell) for cell in cells}
  head = ['n', 'difference', '95 % t interval', '95 % BCa interval', 'p', 'p (Holm)']
  lines = {
    f'{labels[line["first"]]} less {labels[line["second"]]}': [
      str(line['n']), _number(line['mean']), _range(line['t_interval']), _range(line['bca_interval']),
      _p_value(line['p']), _p_value(line['holm']),
    ]
    for line in found
  }  # fmt: skip
  return Sheet(name, title, pd.DataFrame.from_dict(lines, orient='index', columns=head))


def ranking_sheet(name: str, title: str, shares: pd.DataFrame, cells: Sequence[Cell]) -> Sheet:
  """Returns the shares of `statistics.ranking` in per cent."""
  labels = {cell.name: cell_label(cell) for cell in cells}
  text = (100 * shares).map(lambda share: f'{share:.0f} %')
  return Sheet(name, title, text.rename(index=labels, columns=lambda rank: f'rank {rank}'))


def cost_sheet(name: str, title: str, runs: pd.DataFrame, cells: Sequence[Cell]) -> Sheet:
  """Returns what a run of each cell costs, the mean over its folds and seeds; memory is the largest."""
  lines, gpu = {}, bool(len(runs)) and runs['gpu_memory_gb'].notna().any()
  for cell in cells:
    own = runs[runs['cell'] == cell.name] if len(runs) else runs
    if len(own):
      lines[cell_label(cell)] = [
        f'{own["parameters"].iloc[0]:,d}', f'{own["seconds_per_step"].mean():.2f}',
        f'{own["training_minutes"].mean():.1f}', f'{own["minutes"].mean():.1f}', f'{own["peak_memory_gb"].max():.2f}',
        *([f'{own["gpu_memory_gb"].max():.2f}'] if gpu else []), str(len(own)),
      ]  # fmt: skip
  head = ['parameters', 'seconds a step', 'training (min)', 'whole job (min)', 'peak memory (GB)']
  head += [*(['GPU memory (GB)'] if gpu else []), 'runs']
  return Sheet(name, title, pd.DataFrame.from_dict(lines, orient='index', columns=head))


def _column_label(cell: Cell) -> str:
  axis, value = cell.values[-1]
  return value_label(axis, value) if cell.column != '' else ''


def _spread(values: pd.Series, digits: int) -> str:
  known = values.dropna()
  if known.empty:
    return DASH
  text = f'{known.mean():.{digits}f}'
  if len(known) > 1:
    text += f' ± {known.std(ddof=1):.{digits}f}'
  return text if len(known) == len(values) else f'{text} (n = {len(known)})'


def _range(interval: Sequence[float] | None, digits: int = 3) -> str:
  return DASH if interval is None else f'{_number(interval[0], digits)} to {_number(interval[1], digits)}'


def _p_value(p: float | None) -> str:
  return '< 0.0001' if p is not None and p < 5e-5 else _number(p, 4)


def _number(value: float | None, digits: int = 3) -> str:
  if value is None:
    return DASH
  text = f'{value:.{digits}f}'
  return text.lstrip('-') if float(text) == 0 else text  # no '-0.000'
