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
  assert (bare['status'], bare['stderr']) == (2, 'error: give --output, the folder to write into\n')
  assert other['status'] == 2
  assert other['stderr'].splitlines()[-1].endswith('--process_id: --coordinator and --process_id not given')
  assert (again['status'], again['stderr']) == (2, "error: Unknown command line flag 'config.steps'\n")


def test_the_exit_status_follows_one_rule(tmp_path):
  """docs/faq.md: 2 for a command line with which nothing can begin, 1 for what it names and is not there."""
  out, network = f'--output={tmp_path / "out"}', '--checkpoint=ear3d-phantom'
  wrong = [
    ['predict', tmp_path],
    ['predict', tmp_path, out, network, '--signs=1'],
    ['predict', tmp_path, out, network, '--pseudonym=a/b'],
    ['edit'],
    ['edit', tmp_path, network, '--results=x'],
    ['compare', tmp_path],
    ['compare', tmp_path, out, '--levels=top'],
    ['audit', tmp_path, out],
    ['evaluate'],
    ['evaluate', '--workdir=x', '--split=tests'],
    ['export', '--checkpoint=x', '--output=x'],
    ['make_phantom', '--size=huge'],
    ['measure_accuracy', '--output=x'],
    ['train', '--workdir=x'],
    ['train', '--fields=no'],
    *([name, '--config=no.py', '--workdir=x'] for name in ('train', 'ablation')),
    ['plan_memory', '--config=no.py'],
    ['plan_memory', '--config=configs/base.py', '--gpu=h1000'],
    ['benchmark', '--data_config=no.py'],
    ['benchmark', '--network=no'],
  ]
  nowhere = tmp_path / 'nowhere'
  missing = [
    ['predict', nowhere, out, network],
    ['predict', tmp_path, out, '--checkpoint=ear3d-fantom'],
    ['predict', tmp_path, out, f'--contours={nowhere}'],
    ['edit', nowhere],
    ['compare', nowhere, out],
    ['audit', nowhere, out, network],
    ['evaluate', '--workdir', nowhere],
    ['evaluate', '--studies', nowhere, network, out],
    ['export', '--checkpoint', nowhere, '--output=x.zip'],
  ]
  ends = one_process.run(*([f'ear_jax.{name}', *words] for name, *words in [*wrong, *missing]))
  for line, end in zip([*wrong, *missing], ends, strict=True):
    said = [text for text in end['stderr'].splitlines() if text.startswith('error: ')]
    assert (line, end['status'], len(said)) == (line, 2 if line in wrong else 1, 1), end
  assert not (tmp_path / 'out').exists()
  near = ends[len(wrong) + 1]['stderr']
  assert near.startswith('error: ')  # nothing was loaded before
  assert near.endswith('; nearest: ear3d-phantom\n')


@pytest.mark.slow
def test_a_run_is_trained_evaluated_and_left_alone_in_one_process(config_file, tmp_path):
  train = ['ear_jax.train', '--config', config_file, '--workdir', tmp_path, '--config.steps=1', '--config.eval.every=1']
  ends = one_process.run(
    ['ear_jax.predict', tmp_path],  # its flags are not those of training
    train,
    ['ear_jax.evaluate', '--workdir', tmp_path],  # asks for other devices when jax has its own
    train,
  )
  assert [end['status'] for end in ends] == [2, 0, 0, 0], ends
  assert 'subject-mean Dice on test' in ends[2]['stdout']
  assert [line['step'] for line in read_metrics(tmp_path) if 'loss' in line] == [1]
