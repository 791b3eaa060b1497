"""Which checkpoints are kept, and that one comes back bit for bit, on one device or two."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ear_jax.data.pipeline import training_batches
from ear_jax.errors import UserError
from ear_jax.training.checkpoint import Checkpoints
from ear_jax.training.parallel import Placement
from ear_jax.training.state import TrainState


@pytest.fixture
def iterator(data, config):
  """Training batches, whose place is saved beside the state."""
  return training_batches(data, data.subjects, config, devices=1)


def _state(step=0, units=3):
  params = {'w': jnp.arange(units, dtype=jnp.float32) / 7 + step}
  return TrainState(
    step=jnp.array(step, jnp.int32),
    params=params,
    batch_stats={},
    opt_state={'count': jnp.array(step)},
    ema_params=None,
    rng=jax.random.key(5),
  )


def _save(folder, iterator, scores):
  with Checkpoints(folder) as checkpoints:
    for step, dice in scores.items():
      checkpoints.save(_state(step), iterator, dice)


@pytest.mark.parametrize(
  ('scores', 'best', 'kept'),
  [
    ({1: 0.2, 2: 0.9, 3: 0.4, 4: 0.5}, 2, [2, 4]),
    ({1: 0.9, 2: 0.5, 3: 0.4}, 1, [1, 3]),
    ({1: 0.1, 2: 0.2, 3: 0.3}, 3, [3]),
    ({1: None, 2: None, 3: None}, 3, [3]),  # no validation fold
  ],
)
def test_best_and_latest_are_kept_and_only_those(tmp_path, iterator, scores, best, kept):
  _save(tmp_path, iterator, scores)
  with Checkpoints(tmp_path) as checkpoints:
    assert (checkpoints.best, checkpoints.latest, checkpoints.steps) == (best, max(scores), kept)
  assert sorted(int(path.name) for path in tmp_path.iterdir() if path.name.isdigit()) == kept


def test_the_best_survives_a_resumed_run(tmp_path, iterator):
  _save(tmp_path, iterator, {1: 0.9, 2: 0.1})
  _save(tmp_path, iterator, {3: 0.3, 4: 0.2})
  with Checkpoints(tmp_path) as checkpoints:
    assert (checkpoints.best, checkpoints.steps) == (1, [1, 4])


def test_nothing_is_saved_twice(tmp_path, iterator):
  _save(tmp_path, iterator, {1: 0.5})
  with Checkpoints(tmp_path) as checkpoints:
    checkpoints.save(_state(1).replace(params={'w': jnp.zeros(3)}), iterator, 0.9)
    state = checkpoints.restore(1, Placement(jax.local_devices()[:1]).abstract(_state()))
  np.testing.assert_array_equal(state.params['w'], _state(1).params['w'])


def test_an_empty_folder_has_no_checkpoint(tmp_path):
  with Checkpoints(tmp_path / 'new') as checkpoints:
    assert (checkpoints.best, checkpoints.latest, checkpoints.steps) == (None, None, [])


@pytest.mark.parametrize(('saved_on', 'restored_on'), [(2, 1), (1, 2)])
def test_a_state_moves_between_numbers_of_devices(tmp_path, iterator, saved_on, restored_on):
  before, after = (Placement(jax.local_devices()[:n]) for n in (saved_on, restored_on))
  with Checkpoints(tmp_path) as checkpoints:
    checkpoints.save(before.replicate(_state(4)), iterator, None)
  with Checkpoints(tmp_path) as checkpoints:
    state = checkpoints.restore(4, after.abstract(_state()))
  assert len(state.params['w'].devices()) == restored_on
  same = jax.tree.map(lambda a, b: np.asarray(a).tobytes() == np.asarray(b).tobytes(), state.params, _state(4).params)
  assert jax.tree.all(same)
  assert int(state.step) == 4
  np.testing.assert_array_equal(jax.random.key_data(state.rng), jax.random.key_data(jax.random.key(5)))


@pytest.mark.parametrize(
  ('other', 'words'),
  [
    (_state(units=4), r'params/w is \(3,\) there and \(4,\) here'),
    (_state().replace(ema_params={'w': jnp.zeros(3)}), 'it has no ema_params/w'),
    (_state().replace(opt_state={}), 'it has opt_state/count'),
  ],
)
def test_a_state_of_another_configuration_is_refused_before_it_is_read(tmp_path, iterator, other, words):
  _save(tmp_path, iterator, {1: 0.5})
  abstract = Placement(jax.local_devices()[:1]).abstract(other)
  with Checkpoints(tmp_path) as checkpoints, pytest.raises(UserError, match=f'not fit this configuration .{words}'):
    checkpoints.restore(1, abstract)
