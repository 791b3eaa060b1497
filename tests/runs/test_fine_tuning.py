"""A run that begins from a trained network: with its very weights, once, and saying so."""

import json

import jax
import numpy as np
import pytest

from ear_jax.devices.placement import Placement
from ear_jax.networks.export import export
from ear_jax.networks.load import load_network, load_run, restore_state

pytestmark = pytest.mark.multiprocess

# The weights stay as they began; a run of two steps is the program of one step.
_STILL = ('--config.optimizer.learning_rate=0.0', '--config.eval.every=1')
_STILL += ('--config.optimizer.schedule=constant', '--config.optimizer.warmup_steps=0')


def _train(forks, config_file, workdir, source, *args):
  outcome = forks.run(
    'ear_jax.train', '--config', config_file, '--workdir', workdir, f'--config.init_from={source}', *_STILL, *args
  )
  assert outcome.status == 0, outcome.stderr
  return outcome.stderr


def _saved(workdir):
  config, _ = load_run(workdir)
  return restore_state(config, workdir, 'latest', Placement(jax.local_devices()[:1]))


def test_a_run_begins_from_a_file_once_and_says_so(forks, config_file, trained, tmp_path):
  source, workdir = tmp_path / 'source.zip', tmp_path / 'tuned'
  export([trained], source)
  expected = load_network(trained, devices=jax.local_devices()[:1])
  said = _train(forks, config_file, workdir, source, '--config.steps=1')
  assert f'starting from {expected.name}' in said
  source.unlink()  # what goes on has no need of it
  said = _train(forks, config_file, workdir, source, '--config.steps=2')
  assert 'resuming at step 1' in said
  assert 'starting from' not in said
  state = _saved(workdir)
  assert int(state.step) == 2
  same = jax.tree.map(lambda a, b: bool((np.asarray(a) == b).all()), state.params, expected.variables['params'])
  assert jax.tree.all(same)
  averaged = jax.tree.map(lambda a, b: bool(np.allclose(a, b, atol=1e-6)), state.ema_params, state.params)
  assert jax.tree.all(averaged)
  manifest = json.loads((workdir / 'manifest.json').read_text())
  assert manifest['init_from']['network'] == expected.name
  assert manifest['init_from']['config_hash'] == expected.manifest['config_hash']
  assert str(tmp_path) not in json.dumps(manifest)


def test_a_run_on_magnitude_begins_from_the_working_directory_of_one_on_velocities(
  forks, config_file, trained, tmp_path
):
  said = _train(forks, config_file, tmp_path / 'tuned', trained, '--config.steps=1', '--config.data.channels=1')
  assert '4 there and 1 here; magnitude kept' in said
  found = _saved(tmp_path / 'tuned').params['encoder1']['conv1']['kernel']
  expected = load_network(trained, devices=jax.local_devices()[:1]).variables['params']['encoder1']['conv1']['kernel']
  np.testing.assert_array_equal(found, expected[..., :1, :])


def test_what_cannot_be_taken_over_is_refused_before_anything_is_written(forks, config_file, trained, tmp_path):
  run = ('ear_jax.train', '--config', config_file, '--workdir', tmp_path / 'run')
  other = forks.run(*run, f'--config.init_from={trained}', '--config.model.filters=4,12').sentence
  assert f'config.init_from={str(trained)!r} does not fit: this run asks for model.filters [4, 12]' in other
  unknown = forks.run(*run, '--config.init_from=ear3d-fantom').sentence
  assert "'ear3d-fantom'" in unknown
  assert 'ear3d-phantom' in unknown
  assert not (tmp_path / 'run/config.json').exists()
