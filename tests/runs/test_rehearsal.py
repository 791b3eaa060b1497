"""A grid is looked at before its first job: a value that one run does not take ends none of the others half way."""

import pathlib
from types import SimpleNamespace

import pytest
from ml_collections import ConfigDict

from configs import ablation
from ear_jax.ablations.grid import jobs
from ear_jax.ablations.rehearsal import rehearse
from ear_jax.ablations.run import run
from ear_jax.ablations.status import complaint
from ear_jax.system.errors import UserError


def _planned(config, axis, **changes):
  """Jobs of a grid over one axis on top of the tiny configuration."""
  grid = ablation.get_config()
  grid.changes, grid.grid, grid.columns, grid.folds = ConfigDict(), ConfigDict(axis), '', 2
  grid.update(changes)
  return jobs(grid, config)


@pytest.mark.parametrize(
  ('axis', 'fields', 'sentence'),
  [
    ({'loss': {'name': ('dice', 'dcie')}}, {}, r"^dcie: config.loss.name: loss 'dcie' is not one of"),  # case T7
    ({'model': {'name': ('unet3d', 'ear4d')}}, {}, r'^ear4d: .*ear4d'),
    ({'data': {'crop': (32, 33)}}, {}, '^crop=33: .*33'),
    ({'optimizer': {'learning_rate': (0.1, -1.0)}}, {}, '^learning_rate=_1.0: config.optimizer.learning_rate is -1.0'),
    ({'loss': {'name': ('dice',)}}, {'folds': 9}, '^dice: 4 subjects outside .* into 9 folds.*folds=4'),  # case T8
    (
      {'loss': {'name': ('dice',)}},
      {'test_data': 'toy/nothing'},
      r'^dice: no data set in \S+/toy/nothing .*: build it',
    ),
  ],
  ids=['loss', 'network', 'crop', 'number', 'folds', 'test data'],
)
def test_what_one_run_does_not_take_is_told_before_the_first(config, axis, fields, sentence):
  with pytest.raises(UserError, match=sentence):
    rehearse(_planned(config, axis, **fields))


def test_a_grid_that_is_refused_leaves_nothing(config_file, tmp_path):
  grid = ablation.get_config()
  grid.base, grid.changes, grid.columns, grid.folds = str(config_file), ConfigDict(), '', 2
  grid.grid = ConfigDict({'loss': {'name': ('dice', 'dcie')}})
  with pytest.raises(UserError, match=r"loss 'dcie' is not one of .*; nearest: dice$"):
    run(grid, tmp_path / 'grids/one')
  assert list(tmp_path.iterdir()) == []


def test_a_grid_that_can_be_and_one_that_is_done_pass(config, data_dir):
  rehearse(_planned(config, {'loss': {'name': ('dice', 'dice_iou')}}))
  config.data.dir = str(data_dir / 'gone')
  rehearse([])


def test_the_reason_of_a_failed_job_is_its_exception_and_not_a_remark_of_jax(tmp_path):  # case T7
  log = tmp_path / 'log.out'
  log.write_text(
    'Traceback (most recent call last):\n  File "x.py", line 3, in f\n'
    "ear_jax.system.errors.UserError: loss 'dcie' is not one of dice\n--------------------\n"
    'For simplicity, JAX has removed its internal frames from the traceback of the following exception. Set ...\n'
  )
  queue = SimpleNamespace(log=lambda name: pathlib.Path(log))
  assert complaint(queue, 'a').startswith("failed: a: loss 'dcie' is not one of dice (log: ")
