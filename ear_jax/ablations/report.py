"""What a study leaves behind: tables in three forms, numbers, figures, and one page of Markdown with all of it."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence

import pandas as pd
from ml_collections import ConfigDict
from rich.console import Group

from ear_jax.ablations import figures, tables
from ear_jax.ablations.gather import (
  TEST,
  VALIDATION,
  complete_cells,
  over_seeds,
  part_of,
  run_table,
  subject_table,
)
from ear_jax.ablations.grid import Cell, Job, changes, leaves
from ear_jax.ablations.sheet import Sheet, as_text, flat, latex
from ear_jax.ablations.statistics import RESAMPLES, comparisons, family, lower_is_better, ranking
from ear_jax.report.figures import save
from ear_jax.report.tables import as_markdown, as_terminal
from ear_jax.scoring.segmentation import METRICS
from ear_jax.system.csv_files import write_csv
from ear_jax.system.files import write_text

_PARTS = {
  TEST: 'Test subjects, each by the mean probability of the networks of all folds',
  VALIDATION: 'Cross-validation, each subject by the network that was not trained on it',
}
_FEW = 50


def write_report(
  output: pathlib.Path, study: ConfigDict, cells: Sequence[Cell], jobs: Sequence[Job], results: Mapping[str, dict]
) -> Group:
  """Writes `tables/`, `figures/` and `ablation.md` into `output`, and returns the main tables for the terminal.

  Files of an earlier report are replaced. Each part, test and cross-validation, has its own tables; cells of which
  a job is missing get a dash in Tables 1 and 2, and are left out of everything else.

  Args:
    output: the study's working directory.
    study: its configuration.
    cells, jobs: of the grid.
    results: of `gather.read_results`, by the name of the job.

  Raises: UserError when cells were scored on different subjects.
  """
  table = subject_table(results)
  runs = run_table(results)
  cost = tables.cost_sheet('cost', 'What a run costs, mean over runs; memory is the largest', runs, cells)
  numbers, main, sections = [], [], []
  for part in _PARTS:
    complete = complete_cells(jobs, results, part)
    if complete:
      sheets, found, pictures = _part(output, study, cells, complete, table, part, results)
      numbers += found
      main += sheets[:2]
      sections.append((part, sheets, pictures))
  for part, sheets, _ in sections:
    _write_sheets(output / 'tables', sheets, f'{part}_')
  _write_sheets(output / 'tables', [cost] if len(runs) else [], '')
  write_csv(output / 'tables' / 'subjects.csv', table)
  write_csv(output / 'tables' / 'runs.csv', runs)
  write_csv(output / 'tables' / 'summary.csv', pd.DataFrame(numbers))
  remarks = notes(study, jobs, results)
  write_text(output / 'ablation.md', _page(sections, cost, remarks))
  return as_terminal(map(as_text, main), remarks)


def notes(study: ConfigDict, jobs: Sequence[Job], results: Mapping[str, dict]) -> list[str]:
  """Returns what a reader must know before using the numbers."""
  count = {
    part: len({line['subject'] for result in part_of(results, part) for line in result['subjects']}) for part in _PARTS
  }
  found = [
    _what_was_run(study),
    f'Means, SD and intervals are over subjects ({count[TEST]} test, {count[VALIDATION]} cross-validation), never over '
    'frames; values of a subject are averaged over seeds first.',
  ]
  if study.variants:
    found.append('Variants: ' + '; '.join(f'{name}: {_told(settings)}' for name, settings in study.variants) + '.')
  missing = [job.name for job in jobs if job.name not in results]
  if missing:
    found.append(f'{len(missing)} of {len(jobs)} jobs have no result yet: {", ".join(missing)}.')
  if 0 < min(filter(None, count.values()), default=0) < _FEW:
    found.append(f'With fewer than {_FEW} subjects 95 % intervals cover less than they promise.')
  for part, n in count.items():
    if 0 < n < 6:
      found.append(f'With n = {n} ({part}) no test can give p below {2 / 2**n:.3g}, whatever the data.')
  found.append(
    'Networks of different folds share training data: intervals are about subjects like these, not about training '
    'again'
    + ('.' if len(study.seeds) > 1 else '; with one seed nothing here says how much another start would change.')
  )
  if study.checkpoint == 'best':
    found.append('Each checkpoint was chosen on its validation fold, so cross-validation is optimistic.')
  reference = ' (of variants, those with the first)' if study.variants else ''
  found.append(
    f'Compared are all pairs of cells that differ in one axis{reference}, by the sign-flip test of paired differences '
    f'of {tables.METRIC_LABELS[study.metric]} over subjects; the correction by Holm is over all of them within a part.'
  )
  failed, cines = (sum(result['curves'][key] for result in results.values()) for key in ('failed', 'expected'))
  if failed:
    found.append(f'{failed} of {cines} cines have a frame without contours and are in no mean of the velocity curves.')
  return found


def _told(settings: Mapping) -> str:
  return ', '.join(f'`{name}` {value}' for name, value in leaves(ConfigDict(settings))) or 'no change'


def _what_was_run(study: ConfigDict) -> str:
  changed = ', '.join(f'`{name}` {value}' for name, value in changes(study).items())
  seeds = ', '.join(map(str, study.seeds))
  tested = f'all of {study.test_data}' if study.test_data else 'those of the split'
  return (
    f'Experiment: `{study.base}`{" with " if changed else ""}{changed}; {study.folds} folds, seeds {seeds}, the '
    f'{study.checkpoint} checkpoint of each run; test subjects: {tested}.'
  )


def _part(output, study, cells, complete, table, part, results) -> tuple[list[Sheet], list[dict], list[str]]:
  """Sheets, numbers and pictures of one part."""
  ready = [cell for cell in cells if cell.name in complete]
  label = tables.METRIC_LABELS[study.metric]
  known = [name for name in table.columns if name in METRICS or name.startswith(('cine_', 'volume_', 'rmse_', 'r_'))]
  numbers = tables.interval_numbers(table, part, ready, known)
  values = over_seeds(table, part, study.metric, complete)
  found = comparisons(values, family(ready))
  shares = ranking(values, lower=lower_is_better(study.metric))
  order = 'Rank by mean, share of resampled cohorts'
  chosen = [line for line in numbers if line['metric'] == study.metric]
  paper, plain = (table, part, cells, complete), (table, part, ready)
  unit = next(iter(results.values()))['distance_unit']
  sheets = [
    tables.paper_sheet('table1', f'Table 1 ({part}): Dice', *paper, ['dice']),
    tables.paper_sheet('table2', f'Table 2 ({part}): sensitivity and PPV', *paper, ['sensitivity', 'ppv']),
    tables.metric_sheet('surface', f'Surface and overlap ({part})', *plain, tables.surface_metrics(unit)),
    tables.velocity_sheet('velocity', f'Global velocity curves against the reference ({part})', *plain, results),
    tables.interval_sheet('intervals', f'{label} with intervals ({part})', chosen, cells),
    *([] if part == TEST else [tables.fold_sheet('folds', f'{label} fold by fold', *plain, study.metric)]),
    tables.comparison_sheet('comparisons', f'Paired differences of {label} ({part})', found, cells),
    tables.ranking_sheet('ranking', f'{order} ({part}, {RESAMPLES:,d})', shares, cells),
  ]
  labels = {cell.name: tables.cell_label(cell) for cell in cells}
  pictures = {
    f'figures/{part}_{study.metric}.png': figures.box_plots(values.rename(columns=labels), label, part),
    f'figures/{part}_ranking.png': figures.ranking_figure(shares.rename(index=labels), f'{order} (%), {part}'),
  }
  for path, figure in pictures.items():
    save(figure, output / path)
  return [sheet for sheet in sheets if not sheet.cells.empty], numbers, list(pictures)


def _write_sheets(folder: pathlib.Path, sheets: Sequence[Sheet], prefix: str) -> None:
  for sheet in sheets:
    path = folder / f'{prefix}{sheet.name}'
    write_text(f'{path}.md', as_markdown(sheet.title, [as_text(sheet)], []))
    write_text(f'{path}.tex', latex(sheet))
    write_csv(f'{path}.csv', flat(sheet))


def _page(sections, cost: Sheet, remarks: Sequence[str]) -> str:
  parts = ['# Ablation', *(f'- {remark}' for remark in remarks)]
  text = '\n'.join([parts[0], '', *parts[1:], ''])
  for part, sheets, pictures in sections:
    text += '\n' + _section(_PARTS[part], sheets)
    text += '\n\n' + '\n'.join(f'![{picture}]({picture})' for picture in pictures) + '\n'
  if not cost.cells.empty:
    text += '\n' + _section('Cost', [cost]) + '\n'
  return text


def _section(title: str, sheets: Sequence[Sheet]) -> str:
  """A document of its own one level further down."""
  return '#' + as_markdown(title, map(as_text, sheets), []).replace('\n## ', '\n### ').rstrip()
