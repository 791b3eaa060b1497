"""The parts of a level against Flax's own layers, NumPy, and themselves spread over two devices."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ear_jax.models import blocks, conv
from ear_jax.models.conv import Conv3D

SHAPE = (2, 3, 4, 6, 12)  # 12 channels: the most groups up to 8 that divide them are 6


@pytest.fixture(scope='module')
def video():
  rng = np.random.default_rng(0)
  return (3 + rng.normal(size=SHAPE) * np.linspace(0.5, 2, 12)).astype(np.float32)


@pytest.fixture(scope='module')
def affine():
  rng = np.random.default_rng(1)
  return {name: rng.normal(size=12).astype(np.float32) for name in ('scale', 'bias')}


def value_and_gradient(function, *arguments):
  """The output of `function`, and the gradients by all arguments of its product with fixed weights."""

  @jax.jit
  def run(*arguments):
    y, pull = jax.vjp(function, *arguments)
    return y, *pull(jnp.cos(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape))

  return run(*arguments)


@pytest.mark.parametrize(('kind', 'groups'), [('group', 6), ('instance', 12)])
def test_norm_equals_flax_group_norm_over_the_whole_volume(video, affine, kind, groups):
  ours, theirs = blocks.Norm(kind, None, train=True), nn.GroupNorm(groups, epsilon=1e-5)
  found = value_and_gradient(lambda x, p: jnp.asarray(ours.apply({'params': {'GroupNorm_0': p}}, x)), video, affine)
  expected = value_and_gradient(lambda x, p: theirs.apply({'params': p}, x), video, affine)
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5 * np.abs(b).max()), found, expected)


def test_group_norm_takes_each_cine_and_group_on_its_own(video):
  norm = blocks.GroupNorm(3)
  y = np.asarray(jnp.asarray(norm.apply({'params': {'scale': np.ones(12), 'bias': np.zeros(12)}}, video)))
  grouped = y.reshape(2, -1, 3, 4)  # [B, T * H * W, groups, channels of a group]
  np.testing.assert_allclose(grouped.mean((1, 3)), 0, atol=1e-5)
  np.testing.assert_allclose(grouped.std((1, 3)), 1, atol=1e-4)


def test_group_norm_of_a_constant_is_finite_and_keeps_the_dtype():
  # A mean of 300 with rounding in one pass: the variance must not turn negative.
  x = jnp.full(SHAPE, 300.7, jnp.bfloat16)
  y = jnp.asarray(blocks.GroupNorm(4).apply({'params': {'scale': np.ones(12), 'bias': np.zeros(12)}}, x))
  assert y.dtype == jnp.bfloat16
  np.testing.assert_allclose(y.astype(jnp.float32), 0, atol=0.2)


def test_unknown_norm_is_refused(video):
  with pytest.raises(ValueError, match="norm 'layer' is not one of"):
    blocks.Norm('layer', None, train=True).init(jax.random.key(0), video)


def test_batch_norm_over_two_devices_equals_one_on_the_joined_batch(video, affine):
  stats = {'mean': np.full(12, 0.5, np.float32), 'var': np.full(12, 2.0, np.float32)}
  variables = {'params': {'BatchNorm_0': affine}, 'batch_stats': {'BatchNorm_0': stats}}

  def run(axis_name):
    norm = blocks.Norm('batch', axis_name, train=True)

    return lambda x: norm.apply(variables, x, mutable=['batch_stats'])

  joined, joined_stats = jax.jit(run(None))(video)
  apart, apart_stats = jax.pmap(run('batch'), axis_name='batch')(video[:, None])
  np.testing.assert_allclose(apart[:, 0], joined, rtol=2e-5, atol=2e-5)
  for device in (0, 1):
    jax.tree.map(lambda a, b, d=device: np.testing.assert_allclose(a[d], b, atol=1e-6), apart_stats, joined_stats)
  # Running mean by hand: momentum 0.99 as in Keras.
  expected = 0.99 * 0.5 + 0.01 * video.mean((0, 1, 2, 3))
  np.testing.assert_allclose(joined_stats['batch_stats']['BatchNorm_0']['mean'], expected, rtol=1e-5)


def test_batch_norm_predicts_with_running_statistics(video, affine):
  stats = {'mean': np.full(12, 0.5, np.float32), 'var': np.full(12, 2.0, np.float32)}
  variables = {'params': {'BatchNorm_0': affine}, 'batch_stats': {'BatchNorm_0': stats}}
  y = jax.jit(blocks.Norm('batch', None, train=False).apply)(variables, video)
  expected = (video - 0.5) / np.sqrt(2.0 + 1e-3) * affine['scale'] + affine['bias']
  np.testing.assert_allclose(y, expected, atol=1e-5)


@pytest.mark.parametrize('activate', ['both', 'last'])
def test_block_is_the_composition_of_its_parts(activate, draw_variables):
  class Negate(nn.Module):
    @nn.compact
    def __call__(self, x):
      return -jnp.asarray(x)

  x = np.random.default_rng(2).normal(size=(1, 2, 4, 4, 2)).astype(np.float32)
  options = {'norm': 'group', 'activation': 'relu', 'time_kernel': 3, 'time_padding': 'zero', 'dtype': jnp.float32}
  block = blocks.ConvBlock((4, 6), activate=activate, axis_name=None, train=True, between=Negate(), **options)
  params = draw_variables(block, x)['params']

  def by_hand(params, y):
    for i, (features, groups) in enumerate([(4, 4), (6, 6)], start=1):
      y = Conv3D(features).apply({'params': params[f'conv{i}']}, y)
      y = blocks.GroupNorm(groups).apply({'params': params[f'norm{i}']['GroupNorm_0']}, y)
      if i == 2 or activate == 'both':
        y = jnp.maximum(jnp.asarray(y), 0.0)
      if i == 1:
        y = -jnp.asarray(y)
    return y

  found, expected = jax.jit(lambda p, x: (jnp.asarray(block.apply({'params': p}, x)), by_hand(p, x)))(params, x)
  np.testing.assert_allclose(found, expected, atol=1e-6)
  assert (found > 0).any()


def test_leaky_relu_has_the_released_slope():
  np.testing.assert_allclose(blocks.ACTIVATIONS['leaky_relu'](jnp.array([-2.0, 2.0])), [-0.6, 2.0], rtol=1e-6)


def test_an_unknown_place_of_the_activation_is_refused():
  block = blocks.ConvBlock((2, 2), 'group', 'relu', 'first', 3, 'zero', jnp.float32, None, train=True)
  with pytest.raises(ValueError, match="activate 'first' is not one of"):
    block.init(jax.random.key(0), jnp.zeros((1, 1, 2, 2, 1)))


def test_max_pool_equals_flax_in_value_and_gradient():
  x = np.random.default_rng(4).permutation(2 * 3 * 4 * 6 * 2).reshape(2, 3, 4, 6, 2).astype(np.float32)  # no ties
  found = value_and_gradient(blocks.max_pool, x)
  expected = value_and_gradient(lambda x: nn.max_pool(x, (1, 2, 2), (1, 2, 2)), x)
  for a, b in zip(found, expected, strict=True):
    np.testing.assert_array_equal(a, b)


def test_upsample_repeats_pixels_and_its_gradient_sums_them(video):
  def repeat(x):
    return jnp.repeat(jnp.repeat(x, 2, axis=2), 2, axis=3)

  y, gradient = value_and_gradient(conv.upsample, video)
  np.testing.assert_array_equal(y, np.repeat(np.repeat(video, 2, axis=2), 2, axis=3))
  np.testing.assert_allclose(gradient, value_and_gradient(repeat, video)[1], atol=1e-5)
  cotangent = np.cos(np.arange(y.size)).reshape(y.shape)
  by_hand = cotangent.reshape(2, 3, 4, 2, 6, 2, 12).sum((3, 5))
  np.testing.assert_allclose(gradient, by_hand, atol=1e-2)  # cos of large float32 arguments is coarse
