"""Evaluation says which data it scored, and refuses what is not the data of the run unless it is told to."""

import dataclasses
import json
import logging

import pytest
import toy

from ear_jax.data.data_set import open_data_set
from ear_jax.data.splits import Split
from ear_jax.networks.load import load_network
from ear_jax.system.errors import UserError
from ear_jax.workflows import evaluate as evaluation

pytestmark = [pytest.mark.multiprocess, pytest.mark.slow]


def _thicker():
  """The phantoms with other contours in the same pictures, and without the last subject."""
  return [cine.replace(mask=cine.mask | (cine.video[..., 0] > 900)) for cine in toy.phantoms()]


@pytest.fixture(scope='module')
def rebuilt(tmp_path_factory):
  """Folder of the data set of the run, built again with other contours."""
  folder = tmp_path_factory.mktemp('rebuilt')
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(toy, 'MAKERS', {'velocity': _thicker})
    toy.build(folder, ['velocity'])
  return folder


def test_data_built_again_are_refused_and_scored_under_their_own_hash_where_that_is_allowed(
  forks, trained, rebuilt, data, config, tmp_path
):  # case T2
  config.data.dir = str(rebuilt)
  other = open_data_set(config)
  assert (other.hash, other.content != data.content) == (data.hash, True)
  run = ('ear_jax.evaluate', '--workdir', trained, '--data_dir', rebuilt, '--output')
  sentence = forks.run(*run, tmp_path / 'refused').sentence
  assert 'other pixels or contours in the same cines' in sentence
  assert f'data_content was {data.content} and is {other.content}' in sentence
  assert not (tmp_path / 'refused').exists()
  allowed = forks.run(*run, tmp_path / 'scored', '--allow_changed_data')
  assert allowed.status == 0, allowed.stderr
  assert 'other pixels or contours' in allowed.stderr
  assert f'data: toy/velocity, content {other.content}' in allowed.stdout
  about = json.loads((tmp_path / 'scored/metrics.json').read_text())['manifest']
  assert (about['data_hash'], about['data_content']) == (other.hash, other.content)
  assert about['training_data'] == {'data_hash': data.hash, 'data_content': data.content}


def test_subjects_that_are_gone_are_named_and_an_exported_network_knows_its_data_too(
  monkeypatch, trained, rebuilt, data, tmp_path, caplog
):  # case T2
  network = load_network(trained)
  fewer = dataclasses.replace(network.split, test=('somebody',))
  older = dict(network.manifest) | {'data_hash': '0123456789ab'}

  def score(**changes):
    monkeypatch.setattr(evaluation, 'load_network', lambda *_: dataclasses.replace(network, **changes))
    evaluation.evaluate(trained, tmp_path / 'out', data_dir=str(rebuilt))

  with pytest.raises(UserError, match=r'data_hash was 0123456789ab and is .*, and lacks subjects somebody: bring the'):
    score(split=fewer, manifest=older)
  with pytest.raises(UserError, match=rf'data_content was {data.content} and is'):
    score(split=None)
  with pytest.raises(UserError, match='name the data set by --data'), caplog.at_level(logging.ERROR):
    score(split=None, manifest=older)


def test_a_split_without_test_subjects_says_what_to_score(monkeypatch, trained, tmp_path):  # case T16
  network = load_network(trained)
  one = Split(train=network.split.train, validation=(), test=())
  monkeypatch.setattr(evaluation, 'load_network', lambda *_: dataclasses.replace(network, split=one))
  with pytest.raises(UserError, match=r"'test' has no subject .*rounds to none.*--data.*--allow_training_subjects"):
    evaluation.evaluate(trained, tmp_path / 'out')


def test_data_that_are_not_there_are_asked_for_by_the_flag_of_evaluate(forks, trained):  # case T15
  sentence = forks.run('ear_jax.evaluate', '--workdir', trained, '--data_dir=/nowhere').sentence
  assert sentence.endswith('--manual_dir=STUDIES --data_dir=/nowhere`, or set --data_dir to where it is')
