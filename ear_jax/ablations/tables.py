"""Tables 1 and 2 in the shape of the paper, and what the paper lacks: from means of subjects to tables of strings."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ear_jax.ablations.gather import over_seeds, spread_over_seeds
from ear_jax.ablations.grid import NETWORKS, SINGLE, VARIANT, Cell
from ear_jax.analysis.motion import COMPONENTS
from ear_jax.report.tables import LABELS
from ear_jax.scoring.intervals import describe
from ear_jax.system.table import DASH, Table, number, span, spread

_NAMES = {
  'unet3d': 'UNet3D',
  'unet3d_attention': 'UNet3D-Attention',
  'ear3d': '3D-EAR',
  'cross_entropy': 'Cross-Entropy',
  'dice': 'Dice',
  'dice_iou': 'Dice-IoU',
}
METRIC_LABELS = LABELS | {'sensitivity': 'Sensitivity', 'hd95': 'HD95', 'assd': 'ASSD', 'nsd': 'NSD'}
SURFACE = ('iou', 'cine_dice', 'volume_dice', 'hd95', 'assd', 'nsd', 'closed_ring')  # beside Tables 1 and 2


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


def paper_table(
  title: str, subjects: pd.DataFrame, cells: Sequence[Cell], complete: Sequence[str], metrics: Sequence[str]
) -> Table:
  """Returns mean ± SD over subjects in the shape of the paper: networks down, losses across.

  Args:
    title: of the table.
    subjects: of `gather.subject_table`, one part of it.
    cells: of the grid; those that are not `complete` get a dash.
    complete: names of cells.
    metrics: one (Table 1), or several side by side under each loss (Table 2).
  """
  columns = dict.fromkeys(map(_column_label, cells))
  heads: list[Any] = [(column, METRIC_LABELS[metric]) for column in columns for metric in metrics]
  lines = {row_label(cell): dict.fromkeys(heads, DASH) for cell in cells}
  for cell in cells:
    if cell.name in complete:
      for metric in metrics:
        lines[row_label(cell)][_column_label(cell), METRIC_LABELS[metric]] = _spread(subjects, metric, cell, 2)
  if len(metrics) == 1 or list(columns) == ['']:
    heads = [column or label for column, label in heads]
  return Table(title, ['', *heads], [[label, *line.values()] for label, line in lines.items()])


def metric_table(
  title: str, subjects: pd.DataFrame, cells: Sequence[Cell], metrics: Mapping[str, tuple[str, int]]
) -> Table:
  """Returns mean ± SD over subjects, a line a cell and a column a metric.

  Args:
    title, subjects: as for `paper_table`.
    cells: all complete.
    metrics: metric to its label and number of decimals; those that no subject has are left out.
  """
  there = {metric: about for metric, about in metrics.items() if metric in subjects.columns}
  rows = [
    [cell_label(cell), *(_spread(subjects, metric, cell, decimals) for metric, (_, decimals) in there.items())]
    for cell in cells
    if there
  ]
  return Table(title, ['', *(name for name, _ in there.values())], rows)


def fold_table(title: str, subjects: pd.DataFrame, cells: Sequence[Cell], metric: str) -> Table:
  """Returns mean ± SD of a metric, averaged over seeds, over the subjects of each fold: a line a cell, a column a fold.

  Args:
    title, subjects, cells: as for `metric_table`.
    metric: one of its columns.
  """
  means = subjects.groupby(['cell', 'fold', 'subject'])[metric].mean()
  folds = sorted(subjects['fold'].unique())
  rows = [[cell_label(cell), *(_described(means[cell.name, fold], 3) for fold in folds)] for cell in cells]
  return Table(title, ['', *(f'fold {fold}' for fold in folds)], rows)


def velocity_table(title: str, subjects: pd.DataFrame, cells: Sequence[Cell], results: Sequence[Mapping]) -> Table:
  """Returns the errors of the global velocity curves, and how many cines had contours in all frames and are in them.

  Without a line where no curve was compared.

  Args:
    title, subjects, cells: as for `metric_table`.
    results: of the jobs of this part, which counted the cines.
  """
  shown = {f'rmse_{component}': (f'{component} RMSE (cm/s)', 2) for component in COMPONENTS}
  shown |= {f'r_{component}': (f'{component} r', 3) for component in COMPONENTS}
  table = metric_table(title, subjects, cells, shown)
  rows = []
  for cell, row in zip(cells, table.rows, strict=False):  # without a metric there is no row
    counts = [result['curves'] for result in results if result['cell'] == cell.name]
    expected, failed = (sum(count[key] for count in counts) for key in ('expected', 'failed'))
    rows.append([*row, f'{expected - failed} of {expected}'])
  return Table(title, [*table.header, 'cines compared'], rows)


def interval_numbers(subjects: pd.DataFrame, cells: Sequence[Cell], metrics: Sequence[str]) -> list[dict]:
  """Returns a line a cell and metric: cell, metric, `intervals.describe` over subjects, and the SD over seeds."""
  lines = []
  for cell in cells:
    for metric in metrics:
      values = over_seeds(subjects, metric, [cell.name])[cell.name].dropna()
      if len(values):
        seeds = spread_over_seeds(subjects, metric, cell.name)
        line = {'cell': cell.name, 'metric': metric} | describe(values.to_numpy())
        lines.append(line | {'seed_sd': None if np.isnan(seeds) else seeds})
  return lines


def interval_table(title: str, numbers: Sequence[Mapping], labels: Mapping[str, str]) -> Table:
  """Returns one metric of `interval_numbers` with its intervals, a line a cell; `labels` by the name of the cell."""
  header = ['', 'n', 'mean', 'SD', '95 % t interval', '95 % BCa interval', 'SD over seeds']
  rows = []
  for line in numbers:
    cells_of_line = [number(line['mean'], 3), number(line['sd'], 3), *_intervals(line), number(line['seed_sd'], 3)]
    rows.append([labels[line['cell']], str(line['n']), *cells_of_line])
  return Table(title, header, rows)


def comparison_table(title: str, compared: Sequence[Mapping], labels: Mapping[str, str]) -> Table:
  """Returns the paired differences of `statistics.comparisons`, a line a pair; `labels` by the name of the cell."""
  header = ['', 'n', 'difference', '95 % t interval', '95 % BCa interval', 'p', 'p (Holm)']
  rows = []
  for line in compared:
    pair = f'{labels[line["first"]]} minus {labels[line["second"]]}'
    p_values = [_p_value(line['p']), _p_value(line['holm'])]
    rows.append([pair, str(line['n']), number(line['mean'], 3), *_intervals(line), *p_values])
  return Table(title, header, rows)


def ranking_table(title: str, shares: pd.DataFrame) -> Table:
  """Returns the shares of `statistics.ranking`, its cells labelled, in per cent."""
  rows = [[str(name), *(f'{100 * share:.0f} %' for share in line)] for name, line in shares.iterrows()]
  return Table(title, ['', *(f'rank {rank}' for rank in shares.columns)], rows)


def cost_table(title: str, runs: pd.DataFrame, cells: Sequence[Cell]) -> Table:
  """Returns what a run of each cell costs, the mean over its folds and seeds; memory is the largest."""
  header = ['', 'parameters', 'seconds a step', 'training (min)', 'whole job (min)', 'peak memory (GB)']
  gpu = bool(len(runs)) and runs['gpu_memory_gb'].notna().any()
  rows = []
  for cell in cells if len(runs) else ():
    own = runs[runs['cell'] == cell.name]
    if len(own):
      means = [
        f'{own["seconds_per_step"].mean():.2f}',
        *(f'{own[key].mean():.1f}' for key in ('training_minutes', 'minutes')),
      ]
      memory = [f'{own[key].max():.2f}' for key in ('peak_memory_gb', *(['gpu_memory_gb'] if gpu else []))]
      rows.append([cell_label(cell), f'{own["parameters"].iloc[0]:,d}', *means, *memory, str(len(own))])
  return Table(title, [*header, *(['GPU memory (GB)'] if gpu else []), 'runs'], rows)


def _column_label(cell: Cell) -> str:
  axis, value = cell.values[-1]
  return value_label(axis, value) if cell.column != '' else ''


def _spread(subjects: pd.DataFrame, metric: str, cell: Cell, digits: int) -> str:
  """A metric of a cell over subjects, averaged over seeds first."""
  return _described(over_seeds(subjects, metric, [cell.name])[cell.name], digits)


def _described(values: pd.Series, digits: int) -> str:
  known = values.dropna()
  if known.empty:
    return DASH
  text = spread({'mean': known.mean(), 'sd': known.std(ddof=1) if len(known) > 1 else None}, digits)
  return text if len(known) == len(values) else f'{text} (n = {len(known)})'


def _intervals(line: Mapping) -> list[str]:
  return [span(line[key], 3) for key in ('t_interval', 'bca_interval')]


def _p_value(p: float | None) -> str:
  return '< 0.0001' if p is not None and p < 5e-5 else number(p, 4)
