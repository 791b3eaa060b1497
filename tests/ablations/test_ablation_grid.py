"""Which jobs a grid has, and that their names say all that decides a result and nothing else."""

import pytest
from grids import make_grid, planned
from ml_collections import ConfigDict

from configs import ear3d, fine_tuning, recipe, sunnybrook, sunnybrook_folds
from ear_jax.ablations.grid import axes, cells, jobs
from ear_jax.ablations.statistics import family
from ear_jax.ablations.tables import cell_label
from ear_jax.data.splits import make_split
from ear_jax.system.errors import UserError


def test_the_shipped_grid_is_the_paper_s():
  chosen, found, work = planned(folds=5, seeds=(0,))
  assert [cell.name for cell in found] == [
    'unet3d-cross_entropy',
    'unet3d-dice',
    'unet3d-dice_iou',
    'unet3d_attention-cross_entropy',
    'unet3d_attention-dice',
    'unet3d_attention-dice_iou',
    'ear3d-cross_entropy',
    'ear3d-dice',
    'ear3d-dice_iou',
  ]
  runs, ensembles = [job for job in work if job.fold is not None], [job for job in work if job.fold is None]
  assert (len(runs), len(ensembles)) == (45, 9)
  assert len({job.name for job in work}) == 54
  assert work == jobs(chosen, ear3d.get_config()), 'names must be the same in the next command'


def test_the_grid_of_sunnybrook_scores_every_patient_by_two_networks_and_by_both_and_holds_none_out():
  found = jobs(sunnybrook_folds.get_config(), sunnybrook.get_config())
  runs = [job for job in found if not job.members]
  assert [(job.seed, job.fold) for job in runs] == [(seed, fold) for seed in range(2) for fold in range(5)]
  assert [(job.fold, job.members) for job in found if job.members] == [
    (fold, tuple(run.name for run in runs if run.fold == fold)) for fold in range(5)
  ]
  assert {(job.checkpoint, job.config['split']['test_fraction']) for job in found} == {('latest', 0.0)}


def test_the_grid_of_recipes_changes_one_thing_at_a_time():
  chosen = recipe.get_config()
  runs = [job for job in jobs(chosen, ear3d.get_config()) if not job.members and job.fold == 0]
  plain = flatten(runs[0].config)
  changed = {job.cell: {key for key, value in flatten(job.config).items() if value != plain[key]} for job in runs}
  assert changed.pop(runs[0].cell) == set()
  assert all(len({key.split('.')[0] for key in keys}) == 1 for keys in changed.values()), changed


def flatten(config, prefix=''):
  """Dotted fields of a configuration."""
  found = {}
  for key, value in config.items():
    found |= flatten(value, f'{prefix}{key}.') if isinstance(value, dict) else {prefix + key: value}
  return found


def test_the_grid_of_fine_tuning_trains_on_five_people_from_both_starts():
  runs = [job.config for job in jobs(fine_tuning.get_config(), ear3d.get_config()) if job.fold is not None]
  people = [f'person-{number}' for number in range(12)]  # as many as phantom_other has
  splits = [make_split(people, ConfigDict(run['split'])) for run in runs]
  assert [run['init_from'] for run in runs] == 6 * ['', 'ear3d-phantom']
  assert {(len(split.train), len(split.validation), len(split.test)) for split in splits} == {(5, 1, 6)}


def test_runs_of_a_grid_differ_in_their_axes_fold_and_seed_alone():
  _, found, work = planned(seeds=(3, 4))
  by_name = {cell.name: cell for cell in found}
  for job in work:
    config = job.config
    if job.fold is None:
      assert [member.rsplit('-', 1)[0] for member in job.members] == [
        f'{job.cell}-seed{job.seed}-fold{fold}' for fold in range(5)
      ]
      continue
    assert (config['seed'], config['split']['fold'], config['split']['folds']) == (job.seed, job.fold, 5)
    for axis, value in by_name[job.cell].values:
      section, field = axis.split('.')
      assert config[section].pop(field) == value
    config['split'].pop('fold')
    config.pop('seed')
  runs = [job.config for job in work if job.fold is not None]
  assert all(config == runs[0] for config in runs)


def test_any_field_can_be_an_axis_and_each_order_of_words_is_the_same():
  grid = {
    'data': {'channels': (1, 4)},
    'model': {'filters': ((4, 8), (8, 16)), 'time_padding': ('zero', 'cyclic')},
    'loss': {'name': ('dice+cross_entropy',)},
  }
  _, found, work = planned(grid=grid, columns='data.channels', folds=2)
  assert len(found) == 8
  assert found[0].name == 'dice+cross_entropy-filters=4x8-time_padding=zero-channels=1'
  assert found[0].column == 1
  assert work[0].config['model']['filters'] == [4, 8]
  assert work[0].config['data']['channels'] == 1


def test_a_name_holds_what_decides_the_result():
  def names(**changes):
    base = ear3d.get_config()
    base.update(changes)
    return [job.name for job in jobs(make_grid(), base)]

  same = names()
  assert names(steps=421) == same, 'the grid says how many steps: the base does not'
  assert set(names(batch_size=4)).isdisjoint(same)
  assert set(names(optimizer={'learning_rate': 1e-4})).isdisjoint(same)
  assert names(data={'dir': '/elsewhere', 'threads': 7}, log_every=3, check_memory=False) == same
  assert {job.name for job in jobs(make_grid(checkpoint='best'), ear3d.get_config())}.isdisjoint(same)


def test_a_larger_grid_keeps_the_names_of_the_smaller():
  small = {job.name for job in planned(grid={'model': {'name': ('unet3d',)}}, columns='')[2]}
  large = {job.name for job in planned(grid={'model': {'name': ('unet3d', 'ear3d')}}, columns='', seeds=(0, 1))[2]}
  assert small < large


def test_other_test_data_are_another_ensemble_of_the_same_runs():
  first, second = planned()[2], planned(test_data='mvm_cmr/phantom_other')[2]
  assert first[:45] == second[:45]
  assert {job.name for job in first[45:]}.isdisjoint({job.name for job in second[45:]})


def test_without_test_subjects_there_is_no_ensemble():
  chosen = make_grid(changes={'split': {'test_fraction': 0.0}})
  assert all(job.fold is not None for job in jobs(chosen, ear3d.get_config()))


def test_variants_are_sets_of_changes_compared_with_the_first():
  variants = (
    ('plain', {}),
    ('large steps', {'optimizer': {'learning_rate': 0.1}, 'steps': 7}),
    ('wide', {'model': {'filters': (2,)}}),
  )
  work = jobs(make_grid(grid={}, columns='', variants=variants), ear3d.get_config())
  by_cell = {job.cell: job.config for job in work}
  assert list(by_cell) == ['plain', 'large_steps', 'wide']
  assert by_cell['large_steps']['optimizer']['learning_rate'] == 0.1
  assert [by_cell[cell]['steps'] for cell in by_cell] == [240, 7, 240]
  assert by_cell['wide']['model']['filters'] == [2]
  chosen = cells(make_grid(grid={}, columns='', variants=variants))
  assert family(chosen) == [('large_steps', 'plain'), ('wide', 'plain')]
  assert [cell_label(cell) for cell in chosen] == ['plain', 'large steps', 'wide']
  crossed = cells(make_grid(grid={'loss': {'name': ('dice', 'dice_iou')}}, columns='', variants=variants))
  assert len(family(crossed)) == 3 + 2 * 2


def test_seeds_may_be_scored_together_by_jobs_that_change_no_other():
  changed = {'grid': {'loss': {'name': ('dice', 'dice_iou')}}, 'columns': '', 'folds': 2, 'seeds': (0, 1)}
  plain, both = (jobs(make_grid(**changed, together=on), ear3d.get_config()) for on in (False, True))
  assert {job.name for job in plain} < {job.name for job in both}
  new = [job for job in both if job not in plain]
  assert [(job.cell, job.fold, len(job.members)) for job in new] == [
    *((f'{loss}-together', fold, 2) for fold in (0, 1) for loss in ('dice', 'dice_iou')),
    *((f'{loss}-together', None, 4) for loss in ('dice', 'dice_iou')),
  ]
  by_name = {job.name: job for job in both}
  for job in new:
    members = [by_name[name] for name in job.members]
    assert {member.cell for member in members} == {job.cell.removesuffix('-together')}
    assert {member.seed for member in members} == {0, 1}
    assert {member.fold for member in members} == ({0, 1} if job.fold is None else {job.fold})
  chosen = cells(make_grid(**changed, together=True))
  assert len(family(chosen)) == 4
  assert cell_label(chosen[1]) == 'Dice, all seeds together'


@pytest.mark.parametrize(
  ('changes', 'sentence'),
  [
    ({'grid': {'model': {'name': 'unet3d'}}}, 'config.grid.model.name is .unet3d.: give a tuple'),
    ({'grid': {'loss': {'name': ('dice,dice_iou',)}}}, 'put quotes around each name'),
    ({'grid': {'model': {'name': ('unet3d', 'unet3d')}}}, 'names a value twice'),
    ({'grid': {'split': {'test_fraction': (0.0, 0.2)}}}, 'config.grid.split.test_fraction cannot be an axis'),
    ({'grid': {}}, 'config.grid is empty'),
    ({'grid': {}, 'variants': (('a', {'seed': 1}),)}, 'config.variants.a.seed cannot be an axis'),
    ({'grid': {}, 'variants': (('a', {'depth': 1}),)}, 'does not take depth = 1'),
    ({'columns': 'data.crop'}, 'config.columns is .data.crop., which is no axis'),
    ({'changes': {'stepz': 3}}, 'does not take stepz = 3: config has no field stepz; nearest: config.steps'),
    ({'folsd': 3}, r'^config.folsd is no field of a grid; nearest: folds \('),
    ({'launcher': {'gpu': (0,)}}, r'^config.launcher.gpu is no field of a grid; nearest: launcher.gpus \('),
    ({'note': 3}, r'^config.note is no field of a grid \(configs/ablation.py'),
    ({'changes': {'model': {'depth': 3}}}, 'does not take model.depth = 3'),
    ({'changes': {'steps': 'many'}}, 'does not take steps = .many.'),
    ({'folds': 1}, 'config.folds is 1'),
    ({'seeds': (1, 1)}, 'config.seeds is'),
    ({'together': True}, 'config.together is True, and config.seeds is'),
    ({'metric': 'rmse'}, 'config.metric is .rmse.: choose one of dice'),
    ({'checkpoint': '7'}, 'config.checkpoint is .7.'),
  ],
)
def test_a_grid_that_cannot_be_is_refused(changes, sentence):
  chosen = make_grid(**({'columns': ''} if 'grid' in changes else {}), **changes)
  with pytest.raises(UserError, match=sentence):
    jobs(chosen, ear3d.get_config())


def test_the_axis_across_the_tables_is_the_last():
  assert list(axes(make_grid(columns='model.name'))) == ['loss.name', 'model.name']
