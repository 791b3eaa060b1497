"""The report of a grid: tables in three forms, numbers, figures, and one page of Markdown with all of it."""

import pathlib
from collections.abc import Mapping, Sequence

import pandas as pd
from ml_collections import ConfigDict
from rich.console import Group

from ear_jax.ablations import figures, gather, tables
from ear_jax.ablations.gather import TEST, VALIDATION, part_of
from ear_jax.ablations.grid import Cell, Job, leaves
from ear_jax.ablations.statistics import RESAMPLES, comparisons, family, lower_is_better, ranking
from ear_jax.report.figures import save
from ear_jax.report.tables import FEW_SUBJECTS, digits, few_subjects, label
from ear_jax.scoring.segmentation import METRICS
from ear_jax.system.csv_files import write_csv
from ear_jax.system.files import write_text
from ear_jax.system.table import Table, document, frame, latex, terminal

_PARTS = {
  TEST: 'Test subjects, each by the mean probability of the networks of all folds',
  VALIDATION: 'Cross-validation, each subject by the network that was not trained on it',
}


def write_report(
  output: pathlib.Path, grid: ConfigDict, cells: Sequence[Cell], jobs: Sequence[Job], results: Mapping[str, dict]
) -> Group:
  """Writes `tables/`, `figures/` and `ablation.md` into `output`, and returns the main tables for the terminal.

  Files of an earlier report are replaced. Each part, test and cross-validation, has its own tables; cells of which
  a job is missing get a dash in Tables 1 and 2, and are left out of everything else.

  Args:
    output: the grid's working directory.
    grid: its configuration.
    cells, jobs: of the grid.
    results: of `gather.read_results`, by the name of the job.

  Raises:
    UserError: cells were scored on different subjects.
  """
  subjects, runs = gather.subject_table(results), gather.run_table(results)
  numbers, main, sections = [], [], []
  for part, heading in _PARTS.items():
    complete = gather.complete_cells(jobs, results, part)
    if complete:
      tables_of_part, described, pictures = _part(output, grid, cells, complete, subjects, part, results)
      numbers += described
      main += list(tables_of_part.values())[:2]
      sections += [_section(heading, tables_of_part), '\n'.join(f'![{picture}]({picture})' for picture in pictures)]
      _write_tables(output / 'tables', {f'{part}_{name}': table for name, table in tables_of_part.items()})
  if len(runs):
    cost = {'cost': tables.cost_table('What a run costs, mean over runs; memory is the largest', runs, cells)}
    sections.append(_section('Cost', cost))
    _write_tables(output / 'tables', cost)
  write_csv(output / 'tables' / 'subjects.csv', subjects)
  write_csv(output / 'tables' / 'runs.csv', runs)
  write_csv(output / 'tables' / 'summary.csv', pd.DataFrame(numbers))
  remarks = notes(grid, jobs, results)
  write_text(
    output / 'ablation.md', '\n\n'.join(['# Ablation', '\n'.join(f'- {r}' for r in remarks), *sections]) + '\n'
  )
  return terminal(main, remarks)


def notes(grid: ConfigDict, jobs: Sequence[Job], results: Mapping[str, dict]) -> list[str]:
  """Returns what a reader must know before using the numbers."""
  count = {
    part: len({line['subject'] for result in part_of(results, part) for line in result['subjects']}) for part in _PARTS
  }
  sentences = [
    _what_was_run(grid),
    f'Means, SD and intervals are over subjects ({count[TEST]} test, {count[VALIDATION]} cross-validation), never over '
    'frames; values of a subject are averaged over seeds first.',
  ]
  if grid.variants:
    variants = (f'{name}: {_told(settings) or "no change"}' for name, settings in grid.variants)
    sentences.append(f'Variants: {"; ".join(variants)}.')
  missing = [job.name for job in jobs if job.name not in results]
  if missing:
    sentences.append(f'{len(missing)} of {len(jobs)} jobs have no result yet: {", ".join(missing)}.')
  sentences += few_subjects(min(filter(None, count.values()), default=FEW_SUBJECTS))
  for part, n in count.items():
    if 0 < n < 6:
      sentences.append(f'With n = {n} ({part}) no test can give p below {2 / 2**n:.3g}, whatever the data.')
  sentences.append(
    'Networks of different folds share training data: intervals are about subjects like these, not about training '
    'again' + ('.' if len(grid.seeds) > 1 else '; with one seed nothing here says how much another start would change.')
  )
  if grid.checkpoint == 'best':
    sentences.append('Each checkpoint was chosen on its validation fold, so cross-validation is optimistic.')
  reference = ' (of variants, those with the first)' if grid.variants else ''
  sentences.append(
    f'Compared are all pairs of cells that differ in one axis{reference}, by the sign-flip test of paired differences '
    f'of {tables.METRIC_LABELS[grid.metric]} over subjects; the correction by Holm is over all of them within a part.'
  )
  failed, cines = (sum(result['curves'][key] for result in results.values()) for key in ('failed', 'expected'))
  if failed:
    sentences.append(
      f'Left out of all means of the velocity curves: {failed} of {cines} cines, in a frame of which no wall is closed.'
    )
  return sentences


def _told(settings: Mapping) -> str:
  return ', '.join(f'`{name}` {value}' for name, value in leaves(ConfigDict(settings)).items())


def _what_was_run(grid: ConfigDict) -> str:
  changed = _told(grid.changes)
  seeds = ', '.join(map(str, grid.seeds))
  tested = f'all of {grid.test_data}' if grid.test_data else 'those of the split'
  return (
    f'Experiment: `{grid.base}`{" with " if changed else ""}{changed}; {grid.folds} folds, seeds {seeds}, the '
    f'{grid.checkpoint} checkpoint of each run; test subjects: {tested}.'
  )


def _part(output, grid, cells, complete, subjects, part, results) -> tuple[dict[str, Table], list[dict], list[str]]:
  """Tables by the name of their files, numbers, and pictures of one part."""
  ready = [cell for cell in cells if cell.name in complete]
  named = tables.METRIC_LABELS[grid.metric]
  own = subjects[subjects['part'] == part]
  known = [name for name in own.columns if name in METRICS or name.startswith(('cine_', 'volume_', 'rmse_', 'r_'))]
  numbers = tables.interval_numbers(own, ready, known)
  values = gather.over_seeds(own, grid.metric, complete)
  compared = comparisons(values, family(ready))
  labels = {cell.name: tables.cell_label(cell) for cell in cells}
  shares = ranking(values, lower=lower_is_better(grid.metric)).rename(index=labels)
  order = 'Rank by mean, share of resampled cohorts'
  chosen = [line for line in numbers if line['metric'] == grid.metric]
  unit = next(iter(results.values()))['distance_unit']
  surface = {metric: (label(metric, unit), digits(metric)) for metric in tables.SURFACE}
  curves = f'Global velocity curves against the reference ({part})'
  paired = f'Paired differences of {named} ({part})'
  folds = {} if part == TEST else {'folds': tables.fold_table(f'{named} fold by fold', own, ready, grid.metric)}
  own_tables = {
    'table1': tables.paper_table(f'Table 1 ({part}): Dice', own, cells, complete, ['dice']),
    'table2': tables.paper_table(
      f'Table 2 ({part}): sensitivity and PPV', own, cells, complete, ['sensitivity', 'ppv']
    ),
    'surface': tables.metric_table(f'Surface and overlap ({part})', own, ready, surface),
    'velocity': tables.velocity_table(curves, own, ready, part_of(results, part)),
    'intervals': tables.interval_table(f'{named} with intervals ({part})', chosen, labels),
    **folds,
    'comparisons': tables.comparison_table(paired, compared, labels),
    'ranking': tables.ranking_table(f'{order} ({part}, {RESAMPLES:,d})', shares),
  }
  pictures = {
    f'figures/{part}_{grid.metric}.png': figures.box_plots(values.rename(columns=labels), named, part),
    f'figures/{part}_ranking.png': figures.ranking_figure(shares, f'{order} (%), {part}'),
  }
  for path, figure in pictures.items():
    save(figure, output / path)
  numbers = [{'part': part} | line for line in numbers]
  return {name: table for name, table in own_tables.items() if table.rows}, numbers, list(pictures)


def _write_tables(folder: pathlib.Path, own: Mapping[str, Table]) -> None:
  for name, table in own.items():
    write_text(folder / f'{name}.md', document(table.title, [table], []))
    write_text(folder / f'{name}.tex', latex(table))
    write_csv(folder / f'{name}.csv', frame(table))


def _section(title: str, own: Mapping[str, Table]) -> str:
  """A document one level further down."""
  return '#' + document(title, own.values(), []).replace('\n## ', '\n### ').rstrip()
