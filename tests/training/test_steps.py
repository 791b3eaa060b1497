"""One training step: the same on one device and on two, without copies or compilations beyond the first."""

import logging

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from ml_collections import ConfigDict

from ear_jax.devices.placement import AXIS, Placement
from ear_jax.models.unet3d import UNet3D
from ear_jax.training.losses import segmentation_loss
from ear_jax.training.state import count_parameters, create_state
from ear_jax.training.steps import make_train_step

LOSS = ConfigDict({'name': 'dice_iou+cross_entropy', 'smooth': 1.0, 'reduction': 'cine', 'loss_classes': 'both'})
DECAY = 0.9
COMPARED = 4  # steps; later the two runs drift apart by rounding
STEPS = 20


@pytest.fixture(scope='module')
def batch():
  """Two cines, one on each of two devices: much and little foreground, one frame of the second unannotated."""
  rng = np.random.default_rng(0)
  mask = np.zeros((2, 2, 4, 4), np.uint8)
  mask[0, :, :3] = 1
  mask[1, 0, 1, 1] = 1
  video = mask[..., None] + 0.5 * rng.normal(size=(2, 2, 4, 4, 1))
  return {'video': video.astype(np.float32), 'mask': mask, 'annotated': np.array([[True, True], [True, False]])}


@pytest.fixture(scope='module')
def runs(batch):
  """Twenty steps of the same state on the same batch, on one device and on two, the same by `jit` as -1 and -2."""
  model = UNet3D(filters=(2,), norm='batch', axis_name=AXIS)
  # Plain gradient descent: Adam would blow the rounding of vanishing gradients up to full steps.
  optimizer = optax.sgd(0.2, momentum=0.8)
  start = create_state(model.clone(axis_name=None), optimizer, 1, 0, size=4, ema=True)
  start = jax.tree.map(np.asarray, start.replace(rng=None))  # a copy that no step can take away
  step = make_train_step(model, optimizer, LOSS, ema_decay=DECAY, axis_name=AXIS)
  found = {}
  for number in (1, 2, -1, -2):
    devices = abs(number)
    placement = Placement(jax.local_devices()[:devices])
    compiled = placement.pmap_step(step) if number > 0 else placement.jit_step(step)
    state = placement.replicate(start.replace(rng=jax.random.key(0)))
    placed = placement.shard({k: x.reshape(devices, 2 // devices, *x.shape[1:]) for k, x in batch.items()})
    found[number] = run = {'states': [start], 'metrics': [], 'step': compiled, 'batch': placed}
    run['placement'] = placement
    for _ in range(STEPS):
      state, metrics = compiled(state, placed)
      run['metrics'].append({k: float(v) for k, v in metrics.items()})
      run['replicas'] = state
      run['states'].append(jax.tree.map(np.asarray, state.replace(rng=None)))
  return found


@pytest.mark.parametrize('number', [2, -2])
def test_two_devices_train_like_one(runs, number):
  one, two = runs[1], runs[number]
  for a, b in zip(one['metrics'][:COMPARED], two['metrics'][:COMPARED], strict=True):
    assert a == pytest.approx(b, rel=1e-5)
  for step in range(1, COMPARED + 1):
    for part in ('params', 'batch_stats', 'ema_params', 'opt_state'):
      pair = (getattr(run['states'][step], part) for run in (one, two))
      jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), *pair)
  moved = [
    np.abs(a - b).max() for a, b in zip(*(jax.tree.leaves(one['states'][i].params) for i in (0, 4)), strict=True)
  ]
  assert max(moved) > 1e-2


def test_both_forms_give_the_same_bits(runs):
  for devices in (1, 2):
    ours, theirs = runs[devices], runs[-devices]
    assert ours['metrics'] == theirs['metrics']
    jax.tree.map(np.testing.assert_array_equal, ours['states'], theirs['states'])


@pytest.mark.parametrize('number', [2, -2])
def test_replicas_stay_equal_bit_for_bit(runs, number):
  state = runs[number]['replicas']
  leaves = jax.tree.leaves(state.replace(rng=jax.random.key_data(state.rng)))
  for leaf in leaves:
    first, second = (np.asarray(shard.data) for shard in leaf.addressable_shards)
    assert first.shape == leaf.shape
    np.testing.assert_array_equal(first, second)
  assert len(leaves) > 20


def test_steps_are_counted_and_the_loss_falls(runs):
  for run in runs.values():
    assert [int(s.step) for s in run['states']] == list(range(STEPS + 1))
    losses = [m['loss'] for m in run['metrics']]
    assert losses[-1] < 0.6 * losses[0]
    assert run['metrics'][-1]['dice'] > run['metrics'][0]['dice']


def test_moving_average_by_hand(runs):
  states = runs[1]['states']
  average = states[0].params
  for n in range(5):
    decay = min(DECAY, (1 + n) / (10 + n))  # 0.1, 2/11, 3/12, ...: a young average forgets faster
    average = jax.tree.map(lambda a, p, d=decay: d * a + (1 - d) * p, average, states[n + 1].params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), states[n + 1].ema_params, average)
  assert states[5].variables['params'] is states[5].ema_params
  assert states[5].replace(ema_params=None).variables['params'] is states[5].params


@pytest.mark.parametrize('number', [2, -2])
def test_the_next_step_compiles_nothing_copies_nothing_and_frees_the_old_state(runs, number, caplog):
  run = runs[number]
  state = jax.tree.map(jnp.copy, run['replicas'])
  caplog.set_level(logging.DEBUG)
  with jax.log_compiles(), jax.transfer_guard('disallow'):
    new, metrics = run['step'](state, run['batch'])
    jax.block_until_ready(metrics)
  assert [r.getMessage() for r in caplog.records if 'ompiling' in r.getMessage()] == []
  assert all(x.is_deleted() for x in jax.tree.leaves(state.params))
  assert all(x.is_deleted() for x in jax.tree.leaves(state.opt_state))
  assert not any(x.is_deleted() for x in jax.tree.leaves(new))
  with jax.log_compiles():  # the log does see a compilation
    jax.jit(lambda x: 3 * x + 1)(jnp.ones(7))
  assert any('ompiling' in r.getMessage() for r in caplog.records)


class _Pixelwise(nn.Module):
  """Logits (0, w * x): what a step does to it can be worked out."""

  @nn.compact
  def __call__(self, video, train=False):
    logit = self.param('w', nn.initializers.ones, (1, 1, 1, 1, 1)) * video
    return jnp.concatenate([jnp.zeros_like(logit), logit], axis=-1)


def test_a_step_follows_the_gradient_and_reports_what_it_saw():
  video = np.array([2.0, 1.0, -1.0, 3.0, 5.0, 5.0], np.float32).reshape(1, 3, 1, 2, 1)
  mask = np.array([1, 0, 1, 0, 0, 0], np.uint8).reshape(1, 3, 1, 2)
  annotated = np.array([[True, True, False]])
  model, optimizer = _Pixelwise(), optax.sgd(0.5)
  state = create_state(model, optimizer, 1, 0, size=2, ema=False)
  step = jax.jit(make_train_step(model, optimizer, LOSS, ema_decay=0.0, axis_name=None))
  new, metrics = step(state, {'video': video, 'mask': mask, 'annotated': annotated})

  def loss(w):
    logits = jnp.concatenate([0 * video, w * video], axis=-1)
    return segmentation_loss(logits, mask, annotated, **LOSS)

  value, slope = jax.value_and_grad(loss)(1.0)
  assert float(metrics['loss']) == pytest.approx(float(value), rel=1e-6)
  assert float(metrics['grad_norm']) == pytest.approx(abs(float(slope)), rel=1e-5)
  assert float(new.params['w'].ravel()[0]) == pytest.approx(1 - 0.5 * float(slope), rel=1e-6)
  # Annotated pixels (2, 1, -1, 3): predicted 1, 1, 0, 1 against 1, 0, 1, 0, so (2 * 1 + 1) / (3 + 2 + 1).
  assert float(metrics['dice']) == pytest.approx(0.5)
  assert new.ema_params is None
  assert count_parameters(new.params) == 1


def test_deep_supervision_is_the_weighted_mean_over_the_levels(batch):
  model, optimizer = UNet3D(filters=(2, 2, 2), deep_supervision=2), optax.sgd(0.1)
  state = create_state(model, optimizer, 1, 0, size=8, ema=False)
  large = {k: np.kron(x, np.ones((1, 1, 2, 2, 1)[: x.ndim], x.dtype)) for k, x in batch.items() if k != 'annotated'}
  large['annotated'] = batch['annotated']
  _, metrics = jax.jit(make_train_step(model, optimizer, LOSS, ema_decay=0.0, axis_name=None))(state, large)

  @jax.jit
  def levels(variables):
    logits, more = model.apply(variables, large['video'], mutable=['supervision'])
    return logits, more['supervision']['level2'][0], more['supervision']['level3'][0]

  expected = 0.0
  for weight, logits in zip((4 / 7, 2 / 7, 1 / 7), levels(state.variables), strict=True):
    repeats = 8 // logits.shape[2]
    logits = np.asarray(logits).repeat(repeats, axis=2).repeat(repeats, axis=3)
    expected += weight * float(segmentation_loss(logits, large['mask'], large['annotated'], **LOSS))
  assert float(metrics['loss']) == pytest.approx(expected, rel=1e-5)


class _Dense(nn.Dense):
  """Three logits a pixel, as a network of the contract is called."""

  def __call__(self, video, train=False):
    return super().__call__(video)


def test_the_state_depends_on_the_seed_alone():
  model, optimizer = _Dense(3), optax.sgd(0.1)
  first, again, other = (create_state(model, optimizer, 4, seed, size=2, ema=True) for seed in (0, 0, 1))
  kernels = [np.asarray(s.params['kernel']) for s in (first, again, other)]
  np.testing.assert_array_equal(kernels[0], kernels[1])
  assert (kernels[0] != kernels[2]).any()
  np.testing.assert_array_equal(first.ema_params['kernel'], kernels[0])
  assert count_parameters(first.params) == 4 * 3 + 3
  assert first.batch_stats == {}
