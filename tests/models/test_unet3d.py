"""The whole network: its published size, its switches, and what it may not depend on."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import base
from ear_jax.models import RUNGS, build_model
from ear_jax.models.attention import ChannelAttention, SpatialAttention
from ear_jax.models.unet3d import UNet3D

RELEASED = {'filters': (32, 64, 128, 256), 'norm': 'batch', 'activate': 'last'}


@pytest.fixture(scope='module')
def video():
  return np.random.default_rng(0).normal(size=(1, 3, 4, 8, 2)).astype(np.float32)


@pytest.fixture(scope='module')
def small(video, draw_variables):
  """A 3D-EAR of one level and its variables."""
  model = UNet3D(filters=(2,), attention='channel', temporal='convlstm', time_padding='cyclic')
  return model, draw_variables(model, video)


@pytest.mark.parametrize(
  ('switches', 'count'),
  [
    ({}, 19_051_170),
    ({'attention': 'channel'}, 22_185_570),
    (
      {'attention': 'channel', 'temporal': 'dense_lstm', 'temporal_sites': ('encoder', 'decoder')},
      216_122_476,
    ),
  ],
  ids=['unet3d', 'unet3d-attention', '3d-ear'],
)
def test_the_released_networks_have_their_published_number_of_parameters(switches, count):
  model = UNet3D(**RELEASED, **switches)
  variables = jax.eval_shape(model.init, jax.random.key(0), jax.ShapeDtypeStruct((1, 2, 128, 128, 4), jnp.float32))
  assert set(variables) == {'params', 'batch_stats'}
  assert sum(x.size for x in jax.tree.leaves(variables)) == count


def test_the_rungs_of_the_ladder_differ_in_their_switches_only():
  config = base.get_config().model
  fields = {}
  for name in RUNGS:
    config.name = name
    model = build_model(config, axis_name='batch')
    fields[name] = {
      f.name: getattr(model, f.name) for f in dataclasses.fields(model) if f.name not in ('parent', 'name')
    }
  assert fields['ear3d']['filters'] == (16, 32, 64, 128)
  assert fields['ear3d']['dtype'] == jnp.float32
  assert fields['ear3d']['axis_name'] == 'batch'
  assert [(f['attention'], f['temporal']) for f in fields.values()] == [
    ('none', 'none'),
    ('channel', 'none'),
    ('channel', 'convlstm'),
  ]
  for f in fields.values():
    del f['attention'], f['temporal']
  assert fields['unet3d'] == fields['unet3d_attention'] == fields['ear3d']


def test_every_model_field_of_the_configuration_reaches_the_network():
  config = base.get_config().model
  config.unlock()
  config.update({'filters': [4, 8], 'dtype': 'bfloat16', 'bidirectional': True, 'norm': 'instance', 'remat': True})
  model = build_model(config)
  assert (model.filters, model.dtype, model.axis_name) == ((4, 8), jnp.bfloat16, None)
  assert (model.bidirectional, model.norm, model.remat) == (True, 'instance', True)
  known = {f.name for f in dataclasses.fields(UNet3D)}
  assert set(config) - {'name'} <= known


def test_an_unknown_model_is_refused():
  config = base.get_config().model
  config.name = 'unet4d'
  with pytest.raises(ValueError, match=r"config\.model\.name 'unet4d' is not one of unet3d, unet3d_attention, ear3d"):
    build_model(config)


@pytest.mark.parametrize('attention', ['channel', 'spatial'])
def test_a_cyclic_network_without_recurrence_commutes_with_a_shift_of_the_cycle(attention, draw_variables):
  model = UNet3D(filters=(2,), attention=attention, time_padding='cyclic')
  x = np.random.default_rng(1).normal(size=(1, 5, 4, 8, 1)).astype(np.float32)
  variables = draw_variables(model, x)
  apply = jax.jit(model.apply)
  y, shifted = (np.asarray(apply(variables, v)) for v in (x, np.roll(x, 2, axis=1)))
  # Eight layers of float32; with zero padding the ends differ by more than 1e-2.
  np.testing.assert_allclose(shifted, np.roll(y, 2, axis=1), atol=1e-4)
  assert np.abs(y[:, 0] - y[:, 1]).max() > 1e-2


def test_recomputed_activations_change_neither_value_nor_gradient(video, draw_variables):
  model = UNet3D(filters=(2,))
  variables = draw_variables(model, video)
  weights = np.cos(np.arange(np.prod(video.shape))).reshape(video.shape).astype(np.float32)  # 2 channels, 2 classes

  def value_and_gradient(model):
    return jax.jit(jax.value_and_grad(lambda v: (model.apply(v, video, train=True) * weights).mean()))(variables)

  value, gradient = value_and_gradient(model)
  again, gradient_again = value_and_gradient(model.clone(remat=True))
  assert float(again) == pytest.approx(float(value), rel=1e-5)
  largest = max(float(jnp.abs(g).max()) for g in jax.tree.leaves(gradient))
  assert largest > 1e-3
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5 * largest), gradient_again, gradient)


def test_bfloat16_gives_float32_logits_near_those_of_float32(small, video):
  model, variables = small
  y = jax.jit(model.apply)(variables, video)
  half = jax.jit(model.clone(dtype=jnp.bfloat16).apply)(variables, video)
  assert y.shape == (*video.shape[:-1], 2)
  assert half.dtype == jnp.float32
  assert np.isfinite(half).all()
  assert 0 < np.abs(half - y).max() < 0.1 * np.abs(y).max()


def test_with_a_time_kernel_of_one_and_no_norm_over_time_every_frame_is_on_its_own(video, draw_variables):
  model = UNet3D(filters=(2,), norm='batch', time_kernel=1)
  variables = draw_variables(model, video)
  apply = jax.jit(model.apply)
  whole = apply(variables, video)
  alone = [apply(variables, video[:, t : t + 1]) for t in range(video.shape[1])]
  np.testing.assert_allclose(whole, np.concatenate(alone, axis=1), atol=1e-6)
  assert {k.shape[0] for k in jax.tree.leaves(variables['params']) if k.ndim == 5} == {1}


def test_a_network_sees_at_most_an_odd_number_of_frames_at_once(video):
  with pytest.raises(ValueError, match=r'model\.time_kernel is 2: it must be odd'):
    UNet3D(filters=(2,), time_kernel=2).init(jax.random.key(0), video)


def test_the_recurrence_carries_a_frame_across_the_cine(draw_variables):
  # Four convolutions of one level reach 4 frames far; frame 0 reaches frame 9 by the recurrence only.
  x = np.random.default_rng(1).normal(size=(1, 10, 2, 2, 1)).astype(np.float32)
  changed = x.copy()
  changed[:, 0] += 1
  for temporal, reaches in (('none', False), ('convlstm', True)):
    model = UNet3D(filters=(2,), temporal=temporal, norm='batch')  # group norm would see the whole cine
    variables = draw_variables(model, x)
    apply = jax.jit(model.apply)
    difference = np.abs(np.asarray(apply(variables, changed)) - np.asarray(apply(variables, x)))
    assert bool(difference[:, 9].any()) is reaches
    assert difference[:, 0].any()


@pytest.mark.parametrize(
  ('max_tokens', 'kinds'),
  [
    (128, [SpatialAttention, SpatialAttention]),
    (127, [ChannelAttention, SpatialAttention]),  # level 1 has 8 x 16 positions, level 2 4 x 8
    (31, [ChannelAttention, ChannelAttention]),
  ],
)
def test_large_skips_fall_back_to_channel_attention_level_by_level(max_tokens, kinds):
  model = UNet3D(filters=(2, 4), attention='spatial', attention_max_tokens=max_tokens)
  used = {}

  def record(call, args, kwargs, context):
    used[context.module.name] = type(context.module)
    return call(*args, **kwargs)

  with nn.intercept_methods(record):
    jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 2, 8, 16, 1)))
  assert [used[f'attention{level}'] for level in (1, 2)] == kinds


@pytest.mark.parametrize('sites', [('bottleneck',), ('encoder', 'decoder'), ()])
def test_the_recurrence_stands_where_it_is_asked_for(sites):
  model = UNet3D(filters=(2, 4), temporal='convlstm', temporal_sites=sites)
  params = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 2, 4, 8, 1)))['params']
  paths = {'/'.join(k.key for k in path) for path, _ in jax.tree_util.tree_leaves_with_path(params)}
  for site in ('bottleneck', 'encoder', 'decoder'):
    assert any(f'temporal_{site}' in path for path in paths) is (site in sites), site


@pytest.mark.parametrize('shape', [(1, 2, 6, 8, 1), (1, 2, 8, 6, 1), (2, 8, 8, 4), (8, 8, 4)])
def test_a_picture_that_cannot_be_halved_often_enough_is_refused(shape):
  with pytest.raises(ValueError, match=r'expected \[B, T, H, W, C\] with H and W divisible by 4 \(2 levels\)') as fault:
    UNet3D(filters=(2, 4)).init(jax.random.key(0), jnp.zeros(shape))
  assert str(shape) in str(fault.value)


@pytest.mark.parametrize(
  ('field', 'value'),
  [
    ('attention', 'self'),
    ('temporal', 'gru'),
    ('temporal_sites', ('botleneck',)),
    ('norm', 'layer'),
    ('activation', 'swish'),
    ('activate', 'first'),
    ('time_padding', 'mirror'),
  ],
)
def test_unknown_names_are_refused_by_their_field(field, value):
  name = value[0] if isinstance(value, tuple) else value
  with pytest.raises(ValueError, match=rf"model\.{field} '{name}' is not one of"):
    UNet3D(**{'filters': (2,), 'temporal': 'convlstm'} | {field: value}).init(
      jax.random.key(0), jnp.zeros((1, 2, 4, 4, 1))
    )
