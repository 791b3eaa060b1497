"""Training and evaluation through their command lines, ending in numbers that can be computed another way."""

import io
import json
import pathlib
import re

import command_line
import jax
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from tensorboardX.proto import event_pb2

from ear_jax.data.normalise import normalise
from ear_jax.data.splits import Split
from ear_jax.devices.placement import Placement
from ear_jax.models import build_model
from ear_jax.networks.load import load_run, restore_state
from ear_jax.training.checkpoint import Checkpoints
from ear_jax.training.log import read_metrics

pytestmark = [pytest.mark.multiprocess, pytest.mark.slow]


@pytest.fixture(scope='module')
def evaluated(trained):
  """Folder of the evaluation of the test subjects, and what the command printed; TensorFlow cannot be imported."""
  outcome = command_line.run_without_tensorflow('ear_jax.evaluate', '--workdir', trained)
  assert outcome.status == 0, outcome.stderr
  assert outcome.stderr.endswith('without TensorFlow\n')
  return trained / 'evaluation_test', outcome.stdout


def _margin(workdir, step, cine):
  """Returns the logit of the myocardium above that of the rest, by the shortest way."""
  config, _ = load_run(workdir)
  state = restore_state(config, workdir, step, Placement(jax.local_devices()[:1]))
  video = normalise(cine.video, cine.venc, config.data.normalise)
  logits = jax.jit(build_model(config.model).apply)(state.variables, video[None])
  return np.asarray(logits[0, ..., 1] - logits[0, ..., 0])


def _dice(mask, reference):
  """Mean over the frames of `[T, H, W]` bool masks."""
  return np.mean(2 * (mask & reference).sum((1, 2)) / (mask.sum((1, 2)) + reference.sum((1, 2))))


def _events(folder: pathlib.Path):
  """Yields the events of a TensorBoard folder; a record is length, checksum, message, checksum."""
  for path in sorted(folder.iterdir()):
    content = path.read_bytes()
    while content:
      length = int.from_bytes(content[:8], 'little')
      yield event_pb2.Event.FromString(content[12 : 12 + length])
      content = content[16 + length :]


def test_the_loss_falls(trained):
  losses = [line['loss'] for line in read_metrics(trained) if 'loss' in line]
  assert len(losses) == 20
  assert np.mean(losses[-5:]) < 0.95 * np.mean(losses[:5])


def test_the_run_tells_what_it_was_made_of(trained):
  config, split = load_run(trained)
  assert config.data.name == 'toy/velocity'
  parts = split.train, split.validation, split.test
  assert [len(part) for part in parts] == [2, 2, 1]
  assert sorted(sum(parts, ())) == [f'phantom-0{i}' for i in range(1, 6)]
  manifest = json.loads((trained / 'manifest.json').read_text())
  assert manifest['packages']['jax'] == jax.__version__
  assert manifest['devices'] == ['cpu']
  assert manifest['split_hash'] == Split.from_json((trained / 'split.json').read_text()).hash
  assert str(pathlib.Path.home()) not in json.dumps(manifest)


def test_every_step_is_written_once(trained):
  lines = read_metrics(trained)
  assert [line['step'] for line in lines if 'loss' in line] == list(range(1, 21))
  assert [line['step'] for line in lines if 'validation_dice' in line] == [7, 14, 20]
  assert {'loss', 'dice', 'grad_norm', 'learning_rate', 'seconds_per_step', 'wait_share'} <= set(lines[0])


def test_tensorboard_holds_the_same_figures(trained):
  values = [(event.step, value) for event in _events(trained / 'tensorboard') for value in event.summary.value]
  shown = {step: value.simple_value for step, value in values if value.tag == 'training/loss'}
  expected = {line['step']: line['loss'] for line in read_metrics(trained) if 'loss' in line}
  assert shown == pytest.approx(expected, rel=1e-6)  # float32
  tags = {value.tag for _, value in values}
  groups = {'training/learning_rate', 'pace/seconds_per_step', 'pace/wait_share', 'validation/dice'}
  assert groups | {'_hparams_/experiment', '_hparams_/session_start_info'} <= tags
  pictures = {step: value.image for step, value in values if value.tag == 'validation/example'}
  assert sorted(pictures) == [7, 14, 20]
  with Image.open(io.BytesIO(pictures[20].encoded_image_string)) as picture:
    assert picture.size == (pictures[20].width, pictures[20].height)
    assert np.ptp(np.asarray(picture).astype(int).max(-1) - np.asarray(picture).min(-1)) > 100, 'no mask in colour'
  (settings,) = {v.metadata.plugin_data.content for _, v in values if v.tag == '_hparams_/session_start_info'}
  assert b'model.filters' in settings


def test_what_was_said_is_kept_beside_the_results(trained):
  log = (trained / 'log.txt').read_text()
  assert re.search(
    r'^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d INFO data set toy/velocity in \S+: 10 cines of 5 subjects', log, re.M
  )
  assert re.findall(r'INFO step (\d+): validating\n', log) == ['7', '14', '20']
  assert 'training from step 0 to step 20, validation every 7 steps and after the last\n' in log
  assert re.search(r'INFO step 19 of 20, 0:00:\d\d left: loss \d\.\d{4}  \S+ s/step  rate \S+  val\. \S+  Dice', log)


def test_a_run_ends_early_saves_between_validations_and_leaves_a_trace(forks, config_file, tmp_path):
  # Nothing is learnt, so that no validation is better than the first.
  still = ('--config.optimizer.learning_rate=0', '--config.model.name=unet3d', '--config.eval.every=4')
  still += ('--config.optimizer.ema_decay=0', '--config.eval.patience=2', '--config.save_every=1')
  run = ('ear_jax.train', '--config', config_file, '--workdir', tmp_path, *still)
  outcome = forks.run(*run, '--profile')
  assert outcome.status == 0, outcome.stderr
  assert '2 validations brought no better than Dice' in outcome.stderr
  assert [line['step'] for line in read_metrics(tmp_path) if 'validation_dice' in line] == [4, 8, 12]
  with Checkpoints(tmp_path / 'checkpoints', read_only=True) as checkpoints:
    assert checkpoints.steps == [11, 12]
  assert list((tmp_path / 'profile').rglob('*.trace.json.gz'))
  again = forks.run(*run)
  assert 'done: step 12' in again.stderr


def test_the_latest_two_and_the_best_are_kept(trained):
  dice = {line['step']: line['validation_dice'] for line in read_metrics(trained) if 'validation_dice' in line}
  with Checkpoints(trained / 'checkpoints') as checkpoints:
    assert checkpoints.latest == 20
    assert dice[checkpoints.best] == max(dice.values())
    assert checkpoints.steps == sorted({14, 20, checkpoints.best})


def test_the_evaluation_is_complete_and_readable(evaluated):
  output, stdout = evaluated
  summary = json.loads((output / 'metrics.json').read_text())
  assert f'subject-mean Dice on test: {summary["metrics"]["dice"]["mean"]:.4f}' in stdout
  assert len(pd.read_csv(output / 'per_frame.csv')) == 2 * 3  # slices, frames
  assert len(pd.read_csv(output / 'per_subject.csv')) == 1
  for name in ('result', 'best', 'worst', 'dice_against_frame'):
    with Image.open(output / f'{name}.png') as picture:
      assert np.ptp(np.asarray(picture.convert('L'))) > 100, f'{name}.png is empty'
  assert 'Dice' in (output / 'summary.md').read_text()


def test_the_score_is_that_of_the_restored_network(trained, evaluated, data):
  summary = json.loads((evaluated[0] / 'metrics.json').read_text())
  _, split = load_run(trained)
  assert summary['manifest']['subjects'] == list(split.test)
  step = str(summary['manifest']['step'])
  worst, best = [], []
  for record in data.records_of(split.test):
    cine = data.cine(record)
    reference = cine.mask.astype(bool)
    margin = _margin(trained, step, cine)
    undecided = np.abs(margin) < 1e-4  # two compilations may round such a pixel to either side
    worst.append(_dice(np.where(undecided, ~reference, margin > 0), reference))
    best.append(_dice(np.where(undecided, reference, margin > 0), reference))
  assert len(best) == 2  # slices of one subject
  assert np.mean(worst) - 1e-9 <= summary['metrics']['dice']['mean'] <= np.mean(best) + 1e-9
  assert np.mean(best) - np.mean(worst) < 0.01


def test_validation_during_training_is_the_evaluation(forks, trained, tmp_path):
  logged = {line['step']: line['validation_dice'] for line in read_metrics(trained) if 'validation_dice' in line}
  outcome = forks.run(
    'ear_jax.evaluate', '--workdir', trained, '--output', tmp_path, '--split=validation', '--checkpoint=20'
  )
  assert outcome.status == 0, outcome.stderr
  summary = json.loads((tmp_path / 'metrics.json').read_text())
  assert summary['manifest']['step'] == 20
  assert summary['metrics']['dice']['mean'] == pytest.approx(logged[20], abs=1e-9)


def test_training_subjects_are_scored_when_allowed(forks, trained, tmp_path):
  args = ('--output', tmp_path, '--split=train', '--allow_training_subjects', '--checkpoint=latest')
  outcome = forks.run('ear_jax.evaluate', '--workdir', trained, *args)
  assert outcome.status == 0, outcome.stderr
  assert json.loads((tmp_path / 'metrics.json').read_text())['manifest']['trained_on']


def test_all_of_another_data_set_is_scored(forks, trained, tmp_path):
  outcome = forks.run('ear_jax.evaluate', '--workdir', trained, '--output', tmp_path, '--data=toy/others')
  assert outcome.status == 0, outcome.stderr
  summary = json.loads((tmp_path / 'metrics.json').read_text())
  assert summary['manifest']['subjects'] == ['phantom1-01', 'phantom1-02']
  assert summary['manifest']['data'] == 'toy/others'
  assert summary['n_subjects'] == 2
  rows = pd.read_csv(tmp_path / 'per_frame.csv')
  assert set(rows['subject']) == {'phantom1-01', 'phantom1-02'}


def test_a_finished_run_is_left_alone(forks, config_file, trained):
  before = (trained / 'metrics.jsonl').read_text()
  outcome = forks.run('ear_jax.train', '--config', config_file, '--workdir', trained)
  assert outcome.status == 0, outcome.stderr
  assert re.search(rf'done: step 20, loss \S+, best validation Dice \S+, in {trained}\n', outcome.stderr)
  assert f'python -m ear_jax.evaluate --workdir {trained}`' in outcome.stderr
  assert f'python -m ear_jax.predict STUDY --checkpoint {trained} --output results`' in outcome.stderr
  assert 'nan' not in outcome.stderr
  assert (trained / 'metrics.jsonl').read_text() == before


def test_a_loss_that_is_not_finite_stops_the_run_and_spares_its_checkpoint(forks, config_file, tmp_path):
  # Two steps an update: the first, at step 2, is as large as float32 allows, so that step 3 has no finite loss.
  wild = [f'--config.optimizer.{change}' for change in ('learning_rate=1e38', 'warmup_steps=0', 'clip_norm=0')]
  small = ('--config.model.name=unet3d', '--config.eval.every=1')
  sentence = forks.run('ear_jax.train', '--config', config_file, '--workdir', tmp_path, *small, *wild).sentence
  assert 'nan at step 3' in sentence
  assert 'smaller --config.optimizer.learning_rate' in sentence
  config, _ = load_run(tmp_path)
  with Checkpoints(tmp_path / 'checkpoints') as checkpoints:
    assert checkpoints.best == 1
  state = restore_state(config, tmp_path, 'best', Placement(jax.local_devices()[:1]))
  assert all(np.isfinite(x).all() for x in jax.tree.leaves(state.params))
