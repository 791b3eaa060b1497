"""Tables of a made-up grid against means worked out by hand, in all three forms."""

import re

import numpy as np
import pandas as pd
import pytest
from grids import planned, result

from ear_jax.ablations import gather, tables
from ear_jax.ablations.report import write_report
from ear_jax.system.errors import UserError
from ear_jax.system.table import frame, latex, markdown

GRID = {'model': {'name': ('unet3d', 'ear3d')}, 'loss': {'name': ('dice', 'dice_iou')}}
CHOSEN, CELLS, JOBS = planned(grid=GRID, folds=2, seeds=(0, 1))

# Dice by network and loss; each test subject's is moved by its own offset, and each seed's by 0.01 to either side.
LEVEL = {'unet3d-dice': 0.70, 'unet3d-dice_iou': 0.74, 'ear3d-dice': 0.80, 'ear3d-dice_iou': 0.86}
OFFSET = {'t1': -0.02, 't2': 0.00, 't3': 0.02}
SUBJECTS = {0: ('a', 'b'), 1: ('c',), None: tuple(OFFSET)}  # of the folds, and of the test


def metrics(job, subject):
  dice = LEVEL[job.cell] + OFFSET.get(subject, 0.0) + (0.01 if job.seed else -0.01)
  found = {'dice': dice, 'sensitivity': dice + 0.05, 'ppv': dice - 0.05, 'hd95': 10 * (1 - dice), 'nsd': dice}
  return found | {'rmse_radial': None if subject == 't3' else 0.25, 'r_radial': 0.9}


def made_up():
  return {job.name: result(job, {s: metrics(job, s) for s in SUBJECTS[job.fold]}) for job in JOBS}


def part(name):
  table = gather.subject_table(made_up())
  return table[table['part'] == name]


def lines(table):
  """Label to the cells of its line."""
  return {label: cells for label, *cells in table.rows}


def test_table_1_has_means_over_subjects_of_means_over_seeds():
  made = tables.paper_table('Dice', part('test'), CELLS, list(LEVEL), ['dice'])
  assert made.header == ['', 'Dice', 'Dice-IoU']
  # Seeds cancel. The subjects' are level - 0.02, level, level + 0.02: SD is 0.02.
  assert made.rows == [['UNet3D', '0.70 ± 0.02', '0.74 ± 0.02'], ['3D-EAR', '0.80 ± 0.02', '0.86 ± 0.02']]
  assert latex(made).split() == [
    '\\begin{tabular}{lcc}', '\\toprule', '&', 'Dice', '&', 'Dice-IoU', '\\\\', '\\midrule',
    'UNet3D', '&', '0.70', '$\\pm$', '0.02', '&', '0.74', '$\\pm$', '0.02', '\\\\',
    '3D-EAR', '&', '0.80', '$\\pm$', '0.02', '&', '0.86', '$\\pm$', '0.02', '\\\\',
    '\\bottomrule', '\\end{tabular}',
  ]  # fmt: skip


def test_folds_stand_side_by_side():
  table = part('cross-validation')
  table.loc[(table['subject'] == 'b') & (table['cell'] == 'ear3d-dice'), 'dice'] += 0.04
  made = tables.fold_table('', table, CELLS, 'dice')
  assert made.header == ['', 'fold 0', 'fold 1']
  # 0.80 and 0.84 in fold 0: SD 0.04 / sqrt(2).
  assert lines(made)['3D-EAR, Dice'] == ['0.820 ± 0.028', '0.800']


def test_table_2_has_two_metrics_under_each_loss():
  made = tables.paper_table('', part('test'), CELLS, list(LEVEL), ['sensitivity', 'ppv'])
  assert lines(made)['3D-EAR'] == ['0.85 ± 0.02', '0.75 ± 0.02', '0.91 ± 0.02', '0.81 ± 0.02']
  columns = ['', 'Dice Sensitivity', 'Dice PPV', 'Dice-IoU Sensitivity', 'Dice-IoU PPV']
  assert list(frame(made).columns) == columns
  assert markdown(made).splitlines()[0] == f'| {" | ".join(columns)} |'
  assert r'\multicolumn{2}{c}{Dice} & \multicolumn{2}{c}{Dice-IoU}' in latex(made)


@pytest.mark.parametrize(
  ('axis', 'value', 'label'),
  [
    *(('model.name', 'ear3d', '3D-EAR'), ('loss.name', 'dice+cross_entropy', 'Dice + Cross-Entropy')),
    *(('data.channels', 4, 'channels 4'), ('init_from', 'ear3d-phantom', 'init from ear3d-phantom')),
    *(('init_from', '', 'no init from'), ('model.temporal_sites', (), 'no temporal sites')),
  ],
)
def test_values_have_names_that_a_reader_knows(axis, value, label):
  assert tables.value_label(axis, value) == label


def test_a_value_without_all_subjects_says_how_many_it_has():
  counted = gather.part_of(made_up(), 'test')
  made = tables.velocity_table('', part('test'), CELLS, counted)
  assert made.header == ['', 'radial RMSE (cm/s)', 'radial r', 'cines compared']
  assert lines(made)['3D-EAR, Dice'] == ['0.25 ± 0.00 (n = 2)', '0.900 ± 0.000', '6 of 6']


def test_a_cell_with_a_missing_job_is_not_averaged():
  results = made_up()
  lost = next(job for job in JOBS if (job.cell, job.seed, job.fold) == ('ear3d-dice', 1, 1))
  del results[lost.name]
  assert gather.complete_cells(JOBS, results, gather.VALIDATION) == [name for name in LEVEL if name != 'ear3d-dice']
  assert gather.complete_cells(JOBS, results, gather.TEST) == list(LEVEL)


def test_the_spread_over_seeds_is_of_means_over_subjects():
  # Means of the seeds lie 0.02 apart: SD 0.02 / sqrt(2).
  assert gather.spread_over_seeds(part('test'), 'dice', 'ear3d-dice') == pytest.approx(0.02 / np.sqrt(2))


def test_the_report_has_every_file_and_says_what_is_missing(tmp_path):
  results = made_up()
  lost = next(job for job in JOBS if (job.cell, job.fold) == ('ear3d-dice', 1))
  del results[lost.name]
  write_report(tmp_path, CHOSEN, CELLS, JOBS, results)
  page = (tmp_path / 'ablation.md').read_text()
  assert f'1 of {len(JOBS)} jobs have no result yet: {lost.name}.' in page
  assert '`data.name` mvm_cmr/phantom_mini' in page
  assert 'With n = 3 (test) no test can give p below 0.25' in page
  for link in re.findall(r'\]\((.*?)\)', page):
    assert (tmp_path / link).stat().st_size > 5000
  for which in ('test', 'cross-validation'):
    folds = () if which == 'test' else ('folds',)
    for name in ('table1', 'table2', 'surface', 'velocity', 'intervals', *folds, 'comparisons', 'ranking'):
      for ending in ('md', 'csv', 'tex'):
        assert (tmp_path / 'tables' / f'{which}_{name}.{ending}').stat().st_size > 50
  crossed = pd.read_csv(tmp_path / 'tables/cross-validation_table1.csv', index_col=0)
  assert crossed.loc['3D-EAR'].tolist() == ['–', '0.86 ± 0.00']  # noqa: RUF001
  numbers = pd.read_csv(tmp_path / 'tables/summary.csv').set_index(['part', 'cell', 'metric'])
  assert numbers.loc[('test', 'ear3d-dice_iou', 'dice'), 'mean'] == pytest.approx(0.86)
  assert numbers.loc[('test', 'ear3d-dice_iou', 'hd95'), 'n'] == 3
  compared = pd.read_csv(tmp_path / 'tables/test_comparisons.csv', index_col=0)
  assert compared.loc['3D-EAR, Dice minus UNet3D, Dice', 'difference'] == pytest.approx(0.1)
  # All three subjects gain: 2 of 8 assignments of signs. Four pairs: 4 x 0.25, at most 1.
  assert compared.loc['3D-EAR, Dice minus UNet3D, Dice', ['p', 'p (Holm)']].tolist() == [0.25, 1.0]


def test_results_of_different_data_are_not_put_together(tmp_path):
  first, second, ensemble = JOBS[0], JOBS[1], JOBS[-1]
  for job, digest in ((first, 'abc'), (ensemble, 'of other people'), (second, 'abc')):
    path = tmp_path / job.name / 'result.json'
    path.parent.mkdir()
    path.write_text(pd.Series(result(job, {'a': {'dice': 1.0}}, data_hash=digest)).to_json())
  assert set(gather.read_results(JOBS, tmp_path)) == {first.name, second.name, ensemble.name}
  path.write_text(pd.Series(result(second, {}, data_hash='xyz')).to_json())
  with pytest.raises(UserError, match=f'{second.name} and {first.name} are of different data sets'):
    gather.read_results(JOBS, tmp_path)
