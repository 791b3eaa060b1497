"""Every mistake of a user that we could think of is answered with one sentence that says what to do."""

import dataclasses
import json
import logging
import shutil

import pytest

from ear_jax.data.data_set import say_window_beyond
from ear_jax.formats import nifti

pytestmark = pytest.mark.multiprocess


@pytest.mark.parametrize(
  ('args', 'words'),
  [
    (['--config.batchsize=4'], ['batchsize', 'batch_size']),
    (['--config.steps=many'], ['steps', 'many']),
    (['--config.batch_size=3', '--config.cpu_devices=2'], ['batch_size 3', '2 devices', '2 or 4', 'num_devices=1']),
    (['--config.num_devices=4'], ['num_devices is 4', '1 devices']),
    (['--config.data.name=toy/velocity,toy/other'], ['toy/velocity,toy/other']),
    (['--config.data.name=mvm_cmr/phantom_mini'], ['tfds build data_builders/mvm_cmr --config=phantom_mini']),
    (['--config.data.dir=/nowhere'], ['/nowhere/toy/velocity', 'tfds build', '--data_dir=/nowhere']),
    (['--config.data.name=toy/two_lengths'], ['2 and 3 frames', '--config.batch_size=1']),
    (['--config.data.name=toy/magnitude'], ['channels is 4', 'has 1', 'use 1 for magnitude only']),
    (['--config.split.folds=7'], ['4 subjects', '7 folds', '--config.split.folds=4']),
    (['--config.split.fold=2'], ['fold is 2', 'folds 0 to 1']),
    (['--config.model.name=unet'], ["'unet' is not one of", 'nearest: unet3d']),
    (['--config.init_from=ear3d-fantom'], ["config.init_from='ear3d-fantom'", 'nearest: ear3d-phantom']),
    (['--config.optimizer.schedule=step'], ["'step'", 'cosine']),
    (['--config.model.norm=layer'], ["'layer'", 'group']),
    (['--config.model.dtype=float8'], ["'float8'", 'bfloat16']),
    (['--config.data.crop=33'], ['33', 'crop']),
    (['--config.model.deep_supervision=9'], ['deep_supervision is 9', 'levels']),
    (['--config.model.time_kernel=2'], ['time_kernel is 2', 'odd']),
    (['--config.loss.name=hinge'], ["loss 'hinge'", 'dice_iou']),
    (['--config.loss.reduction=sum'], ["loss reduction 'sum'", 'batch']),
    (['--config.eval.every=0'], ['eval.every is 0', '1 or more']),
    (['--config.batch_size=0'], ['batch_size is 0', '1 or more']),
    (['steps=3'], ['steps=3', 'options begin with --']),
    (['--confg=x'], ['confg']),
  ],
  ids=lambda value: ' '.join(value) if value[0].startswith('-') else None,
)
def test_train_answers_a_mistake_with_one_sentence(forks, config_file, tmp_path, args, words):
  outcome = forks.run('ear_jax.train', '--config', config_file, '--workdir', tmp_path / 'run', *args)
  assert [word for word in words if word not in outcome.sentence] == [], outcome.sentence
  assert not (tmp_path / 'run').exists(), 'what was refused leaves nothing'
  if args[0].startswith(('--config.model.name', '--config.init_from', '--config.loss.name')):
    assert 'making the network' not in outcome.stderr


def test_a_window_larger_than_the_pictures_is_said_with_what_to_set(forks, config_file, tmp_path):
  wrong = ('--config.data.crop=64', '--config.split.folds=7')  # the second ends it before anything long
  outcome = forks.run('ear_jax.train', '--config', config_file, '--workdir', tmp_path / 'run', *wrong)
  assert '7 folds' in outcome.sentence
  assert (
    'WARNING] all cines of toy/velocity have smaller pictures (up to 32 x 32 pixels) than the window '
    '(config.data.crop=64): beyond their border its pixels are repeated: 4.0 times the pixels of '
    '--config.data.crop=32, and about as much more time and memory; set that, or less\n'
  ) in outcome.stderr


def test_some_smaller_pictures_are_said_and_a_window_that_is_set_is_no_warning(data, caplog):
  mixed = dataclasses.replace(data, sizes=((20, 24), *data.sizes[1:]))
  with caplog.at_level(logging.INFO):
    say_window_beyond(mixed, 'mine', 32, 2)
    say_window_beyond(data, 'other', 33)
    say_window_beyond(data, 'fits', 32, 2)
  beyond = 'beyond their border its pixels are repeated'
  some, every = caplog.records
  assert {some.levelname, every.levelname} == {'INFO'}
  start = '1 of 10 cines of mine have smaller pictures (from 20 x 24 pixels) than the window (config.data.crop=32)'
  assert some.message == f'{start}: {beyond}'
  start = 'all cines of other have smaller pictures (up to 32 x 32 pixels) than the window (config.data.crop=33)'
  assert every.message == f'{start}: {beyond}'


@pytest.mark.parametrize(
  ('args', 'words'),
  [
    ([], ['--config', '--workdir']),
    (['--workdir=x'], ['--config', 'configs/']),
    (['--config=configs/no_such.py', '--workdir=x'], ['configs/no_such.py', 'configs/,']),
    (['--config=configs/no_such.py', '--config.steps=3', '--workdir=x'], ['configs/no_such.py']),
  ],
)
def test_train_says_what_is_missing(forks, args, words):
  sentence = forks.run('ear_jax.train', *args).sentence
  assert [word for word in words if word not in sentence] == [], sentence


@pytest.mark.parametrize(
  ('args', 'words'),
  [
    (['--split=train'], ['phantom-', 'trained on', '--split=test', '--allow_training_subjects']),
    (['--split=all'], ['phantom-', 'trained on']),
    (['--data=toy/two_lengths'], ['phantom-', 'trained on']),  # the same people in another data set
    (['--data=toy/nothing'], ['toy/nothing', 'tfds build']),
    (['--split=tests'], ['tests', 'test|validation']),
    (['--checkpoint=7'], ["'7'", "'best'", "'latest'", '20']),
    (['--checkpoint=newest'], ["'newest'", "'latest'"]),
    (['--data_dir=/nowhere'], ['/nowhere/toy/velocity', 'tfds build']),
    (['--workdir=/nowhere'], ['/nowhere', 'no training run', 'config.json']),
  ],
  ids=lambda value: ' '.join(value) if value[0].startswith('-') else None,
)
def test_evaluate_answers_a_mistake_with_one_sentence(forks, trained, tmp_path, args, words):
  sentence = forks.run('ear_jax.evaluate', '--workdir', trained, '--output', tmp_path / 'out', *args).sentence
  assert [word for word in words if word not in sentence] == [], sentence
  assert not (tmp_path / 'out').exists()


def test_evaluate_asks_for_the_working_directory(forks):
  assert '--workdir' in forks.run('ear_jax.evaluate').sentence


@pytest.mark.parametrize('other', ['{run}', 'ear3d-phantom'])
def test_evaluate_is_not_given_two_networks(forks, trained, tmp_path, other):
  args = ('--workdir', trained, '--checkpoint', other.format(run=trained), '--output', tmp_path / 'out')
  sentence = forks.run('ear_jax.evaluate', *args).sentence
  assert f'--checkpoint {other.format(run=trained)} is a network by itself' in sentence
  assert "give 'best', 'latest' or a step; without --workdir" in sentence
  assert not (tmp_path / 'out').exists()


def test_evaluate_takes_the_best_checkpoint_of_a_run_that_checkpoint_names(forks, trained, tmp_path):  # case S15
  outcome = forks.run('ear_jax.evaluate', '--checkpoint', trained, '--output', tmp_path / 'as_network')
  assert outcome.status == 0, outcome.stderr
  outcome = forks.run('ear_jax.evaluate', '--workdir', trained, '--output', tmp_path / 'as_run')
  assert outcome.status == 0, outcome.stderr
  found = [(tmp_path / name / 'per_frame.csv').read_bytes() for name in ('as_network', 'as_run')]
  assert found[0] == found[1] != b''


def test_a_run_keeps_its_split(forks, config_file, trained, tmp_path):
  shutil.copy(trained / 'split.json', tmp_path)
  run = ('ear_jax.train', '--config', config_file, '--workdir', tmp_path, '--config.split.seed=1')
  sentence = forks.run(*run).sentence
  assert 'split.json' in sentence
  assert 'new --workdir' in sentence
  assert json.loads((tmp_path / 'split.json').read_text()) == json.loads((trained / 'split.json').read_text())


def test_a_run_keeps_its_network(forks, config_file, trained, tmp_path):
  shutil.copytree(trained, tmp_path / 'run')
  before = (trained / 'config.json').read_text()
  run = ('ear_jax.train', '--config', config_file, '--workdir', tmp_path / 'run', '--config.model.filters=4,12')
  sentence = forks.run(*run).sentence
  assert 'config.model.filters was [4, 8] and is [4, 12]' in sentence
  assert 'new --workdir' in sentence
  assert (tmp_path / 'run/config.json').read_text() == before, 'the checkpoint could no longer be evaluated'


def test_evaluate_needs_a_checkpoint(forks, trained, tmp_path):
  for name in ('config.json', 'split.json', 'manifest.json'):
    shutil.copy(trained / name, tmp_path)
  assert 'no checkpoint yet' in forks.run('ear_jax.evaluate', '--workdir', tmp_path).sentence


@pytest.mark.parametrize('module', ['ear_jax.train', 'ear_jax.evaluate'])
def test_help_is_given(forks, module):
  outcome = forks.run(module, '--helpfull')
  assert outcome.status == 0
  assert outcome.stderr == ''
  assert f'python -m {module}' in outcome.stdout
  assert '--workdir: Folder of a run' in outcome.stdout


def test_predict_asks_for_its_place_before_a_network_is_loaded(forks, tmp_path, make_cine):  # case B7
  nifti.write(make_cine(), tmp_path / 'study')
  (tmp_path / 'out').write_text('mine')
  (tmp_path / 'run').mkdir()
  run = ('ear_jax.predict', tmp_path / 'study', f'--checkpoint={tmp_path / "run"}', '--output', tmp_path / 'out')
  assert f'{tmp_path / "out"} is a file, not a folder' in forks.run(*run).sentence
  outcome = forks.run(*run[:-1], tmp_path / 'other')
  assert 'holds no training run' in outcome.sentence
  assert outcome.stdout == 'anna-1 is the study in anna-1_MID_video.nii.gz\n'  # case N7
