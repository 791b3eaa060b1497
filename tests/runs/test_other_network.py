"""A second network by one line and a section of its own goes everywhere that the paper's goes; case N9."""

import json

import jax
import numpy as np
import pytest
import tiny_network
from ml_collections import ConfigDict

from ear_jax.devices.placement import Placement
from ear_jax.models import NETWORKS, build_model
from ear_jax.networks.export import export
from ear_jax.networks.load import load_network, load_run
from ear_jax.system.errors import UserError
from ear_jax.training.memory import refuse_too_much
from ear_jax.workflows.evaluate import evaluate
from ear_jax.workflows.train import train_and_evaluate


@pytest.fixture
def config(config, monkeypatch):
  """The toy run of two steps with the network of `tiny_network`."""
  monkeypatch.setitem(NETWORKS, 'tiny', tiny_network.build)
  config.update({'steps': 2, 'eval': {'every': 1}, 'model': {'name': 'tiny'}})
  config.model.tiny = ConfigDict({'width': 3})
  return config


def test_it_is_trained_saved_scored_and_exported(config, data, tmp_path):
  state, summary = train_and_evaluate(config, tmp_path / 'run')
  assert summary['step'] == 2
  assert state.params['first']['kernel'].shape == (1, 3, 3, 4, 3)
  assert float(abs(state.params['first']['kernel'] - state.ema_params['first']['kernel']).max()) > 0, 'it learns'
  config.steps = 3
  assert train_and_evaluate(config, tmp_path / 'run')[1]['step'] == 3, 'it goes on from its checkpoint'
  evaluate(tmp_path / 'run', tmp_path / 'scores')
  scores = json.loads((tmp_path / 'scores/metrics.json').read_text())
  assert scores['n_subjects'] == 1
  assert [note for note in scores['notes'] if note.startswith('Window: 32 x 32 pixels at the centre of each picture')]
  export([tmp_path / 'run'], tmp_path / 'tiny.zip')
  cine = data.cine(0)
  found = []
  for source in (tmp_path / 'run', tmp_path / 'tiny.zip'):
    ((_, probability),) = load_network(source, devices=jax.local_devices()[:1]).predict([cine])
    found.append(probability)
  np.testing.assert_allclose(found[1], found[0], atol=1e-6)
  assert np.ptp(found[0]) > 0
  assert load_run(tmp_path / 'run')[0].model.tiny.width == 3


def test_advice_on_memory_names_no_field_that_it_lacks(config):
  size = lambda c: 1000 * c.data.crop**2 * c.batch_size  # noqa: E731
  model = build_model(config.model)
  with pytest.raises(UserError) as fault:
    refuse_too_much(size(config), 1_200_000, config, model, frames=3, devices=1, platform='gpu', estimate=size)
  assert '--config.data.crop=' in str(fault.value)
  assert '--config.batch_size=1' in str(fault.value)
  assert [word for word in ('dtype', 'remat', 'filters') if word in str(fault.value)] == []


def test_weights_of_the_papers_network_are_refused_with_a_sentence(config, tmp_path):
  config.init_from = 'ear3d-phantom'
  with pytest.raises(
    UserError, match=r'^config\.init_from=.ear3d-phantom. does not fit: this run asks for .*leave config\.init_from out'
  ):
    train_and_evaluate(config, tmp_path)
  assert not (tmp_path / 'config.json').exists()


def test_an_array_that_moves_unasked_within_the_loop_is_an_error(config, tmp_path, monkeypatch):
  """What `device_put` and `device_get` move is let through, by the test above; a batch that jax has to fetch is not."""
  monkeypatch.setattr(Placement, 'shard', lambda self, batch: batch)
  with pytest.raises(Exception, match='Disallowed host-to-device transfer'):
    train_and_evaluate(config, tmp_path)
