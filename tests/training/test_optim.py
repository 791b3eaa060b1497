"""Learning rates by hand; clipping, accumulation and weight decay against plain optax."""

import jax
import numpy as np
import optax
import pytest
from ml_collections import ConfigDict

from ear_jax.config.fields import default_config
from ear_jax.devices.placement import Placement
from ear_jax.system.errors import UserError
from ear_jax.training.optim import make_optimizer, make_schedule
from ear_jax.training.program import make_program


def options(**changes):
  plain = {
    'learning_rate': 0.1,
    'schedule': 'constant',
    'warmup_steps': 0,
    'weight_decay': 0.0,
    'clip_norm': 0.0,
    'accumulate': 1,
  }
  return ConfigDict(plain | changes)


PARAMS = {'kernel': np.float32([[1.0, -2.0]]), 'bias': np.float32([3.0])}


def gradients(count):
  rng = np.random.default_rng(0)
  sizes = 10.0 ** np.arange(count)  # Adam forgets the size of equal gradients: these differ
  return [jax.tree.map(lambda p, s=s: np.float32(s * rng.normal(size=p.shape)), PARAMS) for s in sizes]


def run(optimizer, grads):
  """The parameters after each gradient."""

  @jax.jit
  def step(params, state, gradient):
    updates, state = optimizer.update(gradient, state, params)
    return optax.apply_updates(params, updates), state

  params, state, found = PARAMS, jax.jit(optimizer.init)(PARAMS), []
  for g in grads:
    params, state = step(params, state, g)
    found.append(params)
  return found


def optimizer_of(config, steps):
  return make_optimizer(config, make_schedule(config, steps))


def assert_same(found, expected):
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), found, expected)


def test_cosine_schedule_rises_to_its_peak_and_falls_to_zero():
  schedule = make_schedule(options(schedule='cosine', warmup_steps=20), 100)
  # Half way down, at step 60, the cosine is half the peak.
  rates = [float(schedule(step)) for step in (0, 10, 20, 60, 100)]
  np.testing.assert_allclose(rates, [0, 0.05, 0.1, 0.05, 0], atol=1e-8)


def test_constant_schedule_rises_and_stays():
  schedule = make_schedule(options(warmup_steps=20), 100)
  rates = [float(schedule(step)) for step in (0, 10, 20, 60, 100)]
  np.testing.assert_allclose(rates, [0, 0.05, 0.1, 0.1, 0.1], rtol=1e-6)


@pytest.mark.parametrize('name', ['cosine', 'constant'])
def test_without_warm_up_the_first_update_has_the_full_rate(name):
  assert float(make_schedule(options(schedule=name), 100)(0)) == pytest.approx(0.1)


def test_a_warm_up_longer_than_the_run_ends_before_it():
  schedule = make_schedule(options(schedule='cosine', warmup_steps=20), 5)
  assert float(schedule(4)) == pytest.approx(0.1)
  assert float(make_schedule(options(schedule='cosine', warmup_steps=20), 1)(0)) == pytest.approx(0.1)


def test_an_unknown_schedule_is_refused_and_whoever_trains_is_told_in_a_sentence():
  sentence = r"config\.optimizer\.schedule 'step' is not 'cosine' or 'constant'"
  with pytest.raises(ValueError, match=sentence) as fault:
    make_schedule(options(schedule='step'), 100)
  assert fault.type is ValueError
  config = default_config()
  config.optimizer.schedule = 'step'
  with pytest.raises(UserError, match=sentence):
    make_program(config, Placement(jax.local_devices()[:1]))


def test_clipping_shortens_long_gradients_only():
  # The first gradient has norm 5 and becomes a fifth of itself, the second has norm 0.5 and stays.
  long = {'kernel': np.float32([[3.0, 0.0]]), 'bias': np.float32([4.0])}
  fifth, short = (jax.tree.map(lambda g, f=f: g * np.float32(f), long) for f in (0.2, 0.1))
  found = run(optimizer_of(options(clip_norm=1.0), 10), [long, short])[-1]
  assert_same(found, run(optax.adam(0.1), [fifth, short])[-1])
  unclipped = run(optimizer_of(options(), 10), [long, short])[-1]
  assert_same(unclipped, run(optax.adam(0.1), [long, short])[-1])
  assert np.abs(found['kernel'] - unclipped['kernel']).max() > 1e-3


def test_accumulation_updates_once_with_the_mean_gradient():
  grads = gradients(6)
  found = run(optimizer_of(options(accumulate=3, schedule='cosine', warmup_steps=1), 12), grads)
  means = [jax.tree.map(lambda *g: np.mean(g, 0), *grads[i : i + 3]) for i in (0, 3)]
  expected = run(optimizer_of(options(schedule='cosine', warmup_steps=1), 4), means)  # 12 steps are 4 updates
  for i in range(6):
    assert_same(found[i], PARAMS if i < 2 else expected[0] if i < 5 else expected[1])
  assert np.abs(expected[1]['kernel'] - PARAMS['kernel']).max() > 1e-3


def test_weight_decay_shrinks_kernels_and_nothing_else():
  still = jax.tree.map(np.zeros_like, PARAMS)
  (found,) = run(optimizer_of(options(weight_decay=0.5), 10), [still])
  # Decoupled: kernel - rate * decay * kernel = 0.95 of it.
  np.testing.assert_allclose(found['kernel'], 0.95 * PARAMS['kernel'], rtol=1e-6)
  np.testing.assert_array_equal(found['bias'], PARAMS['bias'])
  (plain,) = run(optimizer_of(options(), 10), [still])
  assert_same(plain, PARAMS)
