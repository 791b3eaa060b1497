"""What a network that starts from another computes at its first step: what that one did, as far as both can."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from configs import base
from ear_jax.models import build_model
from ear_jax.training.state import create_state
from ear_jax.training.transfer import FIRST, HEAD, take_over

_ROUNDING = {'rtol': 0, 'atol': 1e-6}  # sums over four channels, three of them zero, are grouped otherwise


def _config(channels=4, **model):
  config = base.get_config()
  config.data.update({'channels': channels, 'crop': 8})
  config.model.update({'filters': (4, 8)} | model)
  return config


def _fresh(config):
  ema = config.optimizer.ema_decay > 0
  return create_state(build_model(config.model), optax.adam(1.0), config.data.channels, config.seed, size=8, ema=ema)


def _trained(config):
  """A state none of whose weights is as a fresh one has it."""
  state = _fresh(config)
  keys = iter(jax.random.split(jax.random.key(9), 100))
  params = jax.tree.map(lambda x: x + 0.1 * jax.random.normal(next(keys), x.shape), state.params)
  return state.replace(params=params)


def _start(config, trained, source):
  config.seed, config.optimizer.ema_decay = 5, 0.9
  there, here = (json.loads(one.model.to_json()) for one in (source, config))
  return take_over(_fresh(config), trained.variables, there=there, here=here)


def _logits(config, variables, video):
  return np.asarray(jax.jit(build_model(config.model).apply)(variables, video))


def _video(channels, seed=0):
  return np.random.default_rng(seed).normal(size=(1, 3, 8, 8, channels)).astype(np.float32)


@pytest.mark.parametrize('norm', ['group', 'batch'])
def test_the_same_network_starts_with_the_same_bits_and_a_fresh_optimiser(norm):
  source = _config(norm=norm)
  trained = _trained(source)
  trained = trained.replace(batch_stats=jax.tree.map(lambda x: x + 0.5, trained.batch_stats))
  fresh = _fresh(_config(norm=norm))
  state, notes = _start(_config(norm=norm), trained, source)
  assert notes == []
  for variables in (state.variables, {'params': state.params, 'batch_stats': state.batch_stats}):
    np.testing.assert_array_equal(_logits(source, variables, _video(4)), _logits(source, trained.variables, _video(4)))
  assert int(state.step) == 0
  assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), state.opt_state, fresh.opt_state))
  assert not jnp.array_equal(jax.random.key_data(state.rng), jax.random.key_data(trained.rng))


def test_magnitude_alone_starts_as_the_four_channels_did_without_motion():
  source, config = _config(4), _config(1)
  trained = _trained(source)
  state, notes = _start(config, trained, source)
  video = _video(1)
  still = np.concatenate([video, np.zeros((*video.shape[:-1], 3), np.float32)], axis=-1)
  found, expected = _logits(config, state.variables, video), _logits(source, trained.variables, still)
  np.testing.assert_allclose(found, expected, **_ROUNDING)
  assert np.ptp(found) > 0.1
  assert '4 there and 1 here' in notes[0]


def test_four_channels_start_as_magnitude_alone_did_whatever_moves_and_learn_to_see_it():
  source, config = _config(1), _config(4)
  trained = _trained(source)
  state, _ = _start(config, trained, source)
  video = _video(4)
  expected = _logits(source, trained.variables, video[..., :1])
  np.testing.assert_allclose(_logits(config, state.variables, video), expected, **_ROUNDING)
  loss = lambda params: jnp.square(build_model(config.model).apply({'params': params}, video)).sum()  # noqa: E731
  gradient = jax.jit(jax.grad(loss))(state.params)['encoder1']['conv1']['kernel']
  assert (jnp.abs(gradient[..., 1:, :]).max(axis=(0, 1, 2, 4)) > 0).all()


def test_other_classes_keep_all_but_the_head():
  source, config = _config(), _config(classes=3)
  trained = _trained(source)
  state, notes = _start(config, trained, source)
  fresh = _fresh(config)
  assert 'classes: 2 there and 3 here' in notes[0]
  np.testing.assert_array_equal(state.params['head']['kernel'], fresh.params['head']['kernel'])
  for name in sorted(set(trained.params) - {'head'}):
    same = jax.tree.map(lambda a, b: bool((a == b).all()), state.params[name], trained.params[name])
    assert jax.tree.all(same), name


@pytest.mark.parametrize(('there', 'here'), [(0, 1), (1, 0), (1, 1)])
def test_heads_of_deep_supervision_start_anew_and_change_no_result(there, here):
  source, config = _config(deep_supervision=there), _config(deep_supervision=here)
  trained = _trained(source)
  state, _ = _start(config, trained, source)
  fresh = _fresh(config)
  assert ('head2' in state.params) == bool(here)
  if here:
    np.testing.assert_array_equal(state.params['head2']['kernel'], fresh.params['head2']['kernel'])
  np.testing.assert_array_equal(
    _logits(config, state.variables, _video(4)), _logits(source, trained.variables, _video(4))
  )


@pytest.mark.parametrize(
  ('model', 'words'),
  [
    (
      {'filters': (4, 6)},
      ['params/', 'model.filters [4, 6], that network has [4, 8]; ', 'set --config.model.filters=4,8,'],
    ),
    (
      {'name': 'unet3d'},
      ['params/attention1', 'only in that network', "asks for model.name 'unet3d', that network has 'ear3d'"],
    ),
    ({'norm': 'batch'}, ['only in this run', "model.norm 'batch', that network has 'group'", 'model.norm=group']),
  ],
  ids=['filters', 'rung', 'norm'],
)
def test_another_network_is_refused_with_what_differs(model, words):
  source = _config()
  with pytest.raises(ValueError, match=r'^does not fit: this run asks for') as fault:
    _start(_config(**model), _trained(source), source)
  assert [word for word in words if word not in str(fault.value)] == [], str(fault.value)


def test_a_field_that_changes_no_shape_is_told():
  source = _config()
  _, notes = _start(_config(time_padding='cyclic'), _trained(source), source)
  assert notes == ["model.time_padding is 'zero' there and 'cyclic' here"]


def test_the_names_that_are_bridged_are_those_of_the_network():
  for config, names in ((_config(channels=1), {FIRST}), (_config(classes=3), set(HEAD))):
    shapes, others = (
      {
        'params/' + jax.tree_util.keystr(path, simple=True, separator='/'): x.shape
        for path, x in jax.tree.leaves_with_path(_fresh(c).params)
      }
      for c in (_config(), config)
    )
    assert {name for name in shapes if shapes[name] != others[name]} == names
