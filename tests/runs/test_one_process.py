"""Commands in one process: each has its own flags, and none is left when it ends."""

import re

import one_process
import pytest

from ear_jax.system.console import COMMANDS
from ear_jax.training.log import read_metrics

pytestmark = pytest.mark.multiprocess

MODULES = [f'ear_jax.{name}' for name in COMMANDS]


@pytest.mark.parametrize('order', [1, -1])
def test_commands_can_be_imported_and_called_one_after_another(order):
  names = MODULES[::order]
  ends = one_process.run(*([name, '--no_such_flag'] for name in names), *([name, '--helpshort'] for name in names))
  for wrong in ends[: len(names)]:
    assert (wrong['status'], wrong['stderr']) == (2, "error: Unknown command line flag 'no_such_flag'\n")
  assert {end['status'] for end in ends[len(names) :]} == {0}
  helped = {name: end['stdout'] for name, end in zip(names, ends[len(names) :], strict=True)}
  listed = {name: set(re.findall('^  (-.*?):', text, re.MULTILINE)) for name, text in helped.items()}
  assert listed['ear_jax.export'] == {'--checkpoint', '--output'}
  own = {'--data', '--studies', '--reader', '--data_dir', '--split'}
  own |= {'--[no]allow_training_subjects', '--[no]allow_changed_data'}
  assert listed['ear_jax.evaluate'] == {'--workdir', '--checkpoint', '--output'} | own
  several = {'--coordinator', '--num_processes', '--process_id'}
  assert listed['ear_jax.train'] == {'--config', '--workdir', '--[no]fields', '--[no]profile'} | several
  assert listed['ear_jax.ablation'] == {'--config', '--workdir', '--output'}
  assert "(default: '16,32,64,128')" in helped['ear_jax.benchmark']


def test_what_a_command_was_told_is_unknown_to_the_next(tmp_path):
  config = ['--config=configs/base.py', '--config.steps=0']
  told, bare, other, again = one_process.run(
    ['ear_jax.make_phantom', '--output', tmp_path / 'a', '--size=mini', '--exact', '--subject=0'],
    ['ear_jax.make_phantom', '--size=mini'],
    ['ear_jax.train', '--workdir', tmp_path / 'run', *config, '--num_processes=2'],
    ['ear_jax.train', '--workdir', tmp_path / 'run', '--config.steps=3'],
  )
  assert told['status'] == 2  # people are counted from 1
  assert '--subject=0' in told['stderr']
  assert (bare['status'], bare['stderr']) == (1, 'error: give --output, the folder to write into\n')
  assert (other['status'], 'several processes need' in other['stderr']) == (1, True)
  assert (again['status'], again['stderr']) == (2, "error: Unknown command line flag 'config.steps'\n")


@pytest.mark.slow
def test_a_run_is_trained_evaluated_and_left_alone_in_one_process(config_file, tmp_path):
  train = ['ear_jax.train', '--config', config_file, '--workdir', tmp_path, '--config.steps=1', '--config.eval.every=1']
  ends = one_process.run(
    ['ear_jax.predict', tmp_path],  # its flags are not those of training
    train,
    ['ear_jax.evaluate', '--workdir', tmp_path],  # asks for other devices when jax has its own
    train,
  )
  assert [end['status'] for end in ends] == [1, 0, 0, 0], ends
  assert 'subject-mean Dice on test' in ends[2]['stdout']
  assert [line['step'] for line in read_metrics(tmp_path) if 'loss' in line] == [1]
