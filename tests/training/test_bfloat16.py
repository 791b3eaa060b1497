"""bfloat16 against float32: how far loss, gradient and result of a training step may differ."""

import jax
import numpy as np
import optax
import pytest

from configs import base
from ear_jax.models import build_model
from ear_jax.training.state import create_state
from ear_jax.training.steps import make_train_step


@pytest.fixture(scope='module')
def stepped():
  """The metrics of one step from the same weights on the same batch, by dtype, and the parameters before and after."""
  rng = np.random.default_rng(0)
  mask = np.zeros((1, 3, 16, 16), np.uint8)
  mask[:, :, 4:11, 5:12] = 1
  batch = {
    'video': rng.normal(size=(1, 3, 16, 16, 4)).astype(np.float32),
    'mask': mask,
    'annotated': np.ones((1, 3), bool),
  }
  batch['video'][..., 0] += 2 * mask
  results = {}
  for dtype in ('float32', 'bfloat16'):
    config = base.get_config()
    config.model.update({'filters': (4, 8), 'dtype': dtype})
    optimizer = optax.sgd(1.0)  # the update is the gradient
    state = create_state(build_model(config.model), optimizer, 4, 0, size=16, ema=False)
    step = make_train_step(build_model(config.model), optimizer, config.loss, ema_decay=0.0, axis_name=None)
    after, metrics = jax.jit(step)(state, batch)
    moved = jax.tree.map(lambda a, b: np.asarray(a - b).ravel(), state.params, after.params)
    results[dtype] = jax.device_get(metrics), np.concatenate(jax.tree.leaves(moved)), after
  return results


def test_the_loss_agrees_to_one_in_a_hundred(stepped):
  (single, _, _), (half, _, _) = stepped['float32'], stepped['bfloat16']
  assert 0 < abs(half['loss'] - single['loss']) < 0.01 * single['loss']


def test_the_gradient_points_the_same_way(stepped):
  (_, single, _), (_, half, _) = stepped['float32'], stepped['bfloat16']
  difference = np.linalg.norm(half - single) / np.linalg.norm(single)
  assert 0 < difference < 0.2  # 0.14 measured: 8 bits, dozens of roundings in a row, few pixels to average them


def test_parameters_stay_in_float32(stepped):
  assert {leaf.dtype.name for leaf in jax.tree.leaves(stepped['bfloat16'][2].params)} == {'float32'}
