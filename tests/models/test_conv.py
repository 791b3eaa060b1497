"""Every form of the 3-D convolution gives the values and gradients of XLA's own, on a video padded by hand."""

import functools
import re

import flax.linen as nn
import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from ear_jax.models import conv
from ear_jax.models.cpu import frames, taps, taps_gradient
from ear_jax.models.video import pad_time, pending, pixelwise

SHAPES = {  # video [B, T, H, W, C], kernel [kt, kh, kw, C, F]; odd and unequal sizes throughout
  '3x3x3': ((2, 4, 5, 7, 2), (3, 3, 3, 2, 3)),
  'two-frames': ((1, 2, 3, 5, 2), (3, 3, 3, 2, 3)),
  'one-frame': ((2, 1, 3, 5, 2), (3, 3, 3, 2, 3)),
  '1x3x3': ((1, 3, 5, 4, 2), (1, 3, 3, 2, 3)),
  '1x1x1': ((1, 3, 5, 4, 2), (1, 1, 1, 2, 3)),
  'fewer-out': ((2, 3, 5, 4, 5), (3, 3, 3, 5, 2)),
  'many-out': ((2, 3, 5, 4, 3), (3, 3, 3, 3, 17)),
  '5x1x3': ((1, 4, 3, 5, 2), (5, 1, 3, 2, 3)),
  'pairs': ((2, 6, 3, 5, 2), (5, 3, 1, 2, 17)),  # frame by frame would not do: a window reaches two frames far
}


def draw(*shapes):
  rng = np.random.default_rng(3)
  return [rng.normal(size=shape).astype(np.float32) for shape in shapes]


def reference(x, kernel, time_padding):
  kt, kh, kw = kernel.shape[:3]
  t = x.shape[1]
  frames = np.arange(-(kt // 2), t + kt // 2)
  inside = jnp.asarray((frames >= 0) & (frames < t), x.dtype).reshape(1, -1, 1, 1, 1)
  padded = x[:, frames % t] * (inside if time_padding == 'zero' else 1)
  return lax.conv_general_dilated(
    padded,
    kernel,
    (1, 1, 1),
    [(0, 0), ((kh - 1) // 2,) * 2, ((kw - 1) // 2,) * 2],
    dimension_numbers=('NDHWC', 'DHWIO', 'NDHWC'),
  )


def set_group_bytes(monkeypatch, group_bytes):
  for which in ('FORWARD_BYTES', 'BACKWARD_BYTES'):
    monkeypatch.setattr(frames, which, group_bytes)


def taps_form(x, kernel, time_padding):
  return taps.taps_conv3d((pending(x),), kernel, jnp.zeros(kernel.shape[-1:], x.dtype), time_padding)


def planes_form(x, kernel, time_padding):
  return conv.GPU_FORMS['planes']((x,), kernel, time_padding)


def value_and_gradients(function, x, kernel, cotangent):
  """The output, and the gradients by x and kernel of its product with a random cotangent."""

  @jax.jit
  def run(x, kernel, cotangent):
    y, pull = jax.vjp(function, x, kernel)
    return y, *pull(cotangent)

  return run(x, kernel, cotangent)


def assert_same(found, expected):
  for a, b in zip(found, expected, strict=True):
    assert a.shape == b.shape
    np.testing.assert_allclose(a, b, atol=1e-5 * float(jnp.abs(b).max()), rtol=0)


@pytest.mark.parametrize('time_padding', ['zero', 'cyclic'])
@pytest.mark.parametrize('shapes', SHAPES.values(), ids=SHAPES.keys())
def test_all_forms_equal_the_padded_convolution(shapes, time_padding, monkeypatch):
  x, kernel, cotangent = draw(*shapes, (*shapes[0][:-1], shapes[1][-1]))
  expected = value_and_gradients(lambda x, k: reference(x, k, time_padding), x, kernel, cotangent)
  for form in (taps_form, planes_form, conv.native_conv3d, conv.conv3d):
    assert_same(value_and_gradients(lambda x, k, f=form: f(x, k, time_padding), x, kernel, cotangent), expected)
  set_group_bytes(monkeypatch, 1)  # the smallest groups of frames that there can be
  assert_same(value_and_gradients(lambda x, k: taps_form(x, k, time_padding), x, kernel, cotangent), expected)


@pytest.mark.parametrize('block_bytes', [1, 2000, 2**30], ids=['row-by-row', 'some-rows', 'whole-frames'])
def test_the_kernel_gradient_does_not_depend_on_the_blocks(monkeypatch, block_bytes):
  x, kernel, cotangent = draw((2, 3, 7, 5, 3), (3, 3, 3, 3, 4), (2, 3, 7, 5, 4))
  expected = value_and_gradients(lambda x, k: reference(x, k, 'cyclic'), x, kernel, cotangent)[2]
  monkeypatch.setattr(taps_gradient, 'BLOCK_BYTES', block_bytes)
  windows = [pad_time(video, 1, 1, 'cyclic') for video in (x, cotangent)]
  products = taps_gradient.kernel_products(*windows, kernel.shape)
  assert products.shape == taps_gradient.products_shape(2, kernel.shape)
  assert_same([taps_gradient.kernel_gradient(products, kernel.shape)], [expected])


def test_gradients_pass_through_vmap_scan_and_remat():
  xs, kernel, cotangents = draw((3, 2, 4, 5, 3, 2), (3, 3, 3, 2, 3), (3, 2, 4, 5, 3, 3))

  def loss(kernel, x, cotangent, function):
    return jnp.vdot(function(x, kernel, 'cyclic'), cotangent)

  def gradient(function):
    return jax.grad(lambda kernel, x, dy: loss(kernel, x, dy, function), (0, 1))

  expected = [gradient(reference)(kernel, x, dy) for x, dy in zip(xs, cotangents, strict=True)]
  expected = [jnp.stack([e[i] for e in expected]) for i in (0, 1)]
  remat = jax.checkpoint(conv.conv3d, static_argnums=2)
  for function in (conv.conv3d, remat):
    assert_same(jax.vmap(gradient(function), (None, 0, 0))(kernel, xs, cotangents), expected)
    step = lambda _, pair, f=function: (None, gradient(f)(kernel, *pair))  # noqa: E731
    assert_same(jax.lax.scan(step, None, (xs, cotangents))[1], expected)


def test_the_derivative_rule_can_itself_be_differentiated_in_reverse():
  x, kernel = draw(*SHAPES['3x3x3'])

  def curvature(function):
    inner = jax.grad(lambda kernel: jnp.sum(function(x, kernel, 'zero') ** 3))
    return jax.grad(lambda kernel: jnp.sum(inner(kernel) ** 2))(kernel)

  assert_same([curvature(conv.conv3d)], [curvature(reference)])


def test_half_precision_gradients_keep_their_types_and_sum_in_single_precision():
  x, kernel, cotangent = draw((1, 5, 16, 16, 4), (3, 3, 3, 4, 8), (1, 5, 16, 16, 8))
  expected = value_and_gradients(lambda x, k: reference(x, k, 'zero'), x, kernel, cotangent)
  half = [jnp.asarray(a, jnp.bfloat16) for a in (x, kernel, cotangent)]
  for found, wanted in zip(value_and_gradients(conv.conv3d, *half), expected, strict=True):
    assert found.dtype == jnp.bfloat16
    error = jnp.abs(found.astype(jnp.float32) - wanted)
    assert float(error.max() / jnp.abs(wanted).max()) < 0.01  # the rounding of bfloat16 is 0.004


@pytest.mark.parametrize('time_padding', ['zero', 'cyclic'])
@pytest.mark.parametrize(
  'shapes',
  [
    ((2, 3, 6, 10, 2), (2, 3, 3, 5, 3), (3, 3, 3, 5, 2)),
    ((1, 3, 2, 6, 4), (1, 3, 1, 3, 2), (1, 3, 3, 6, 20)),
    ((1, 1, 4, 6, 1), (1, 1, 2, 3, 17), (3, 3, 3, 18, 2)),
  ],
  ids=['odd', 'one-row', 'one-frame'],
)
@pytest.mark.parametrize('group_bytes', [1, 2**30], ids=['frame-by-frame', 'whole-video'])
def test_convolution_of_a_skip_equals_that_of_the_joined_and_repeated_pictures(
  shapes, time_padding, group_bytes, monkeypatch
):
  set_group_bytes(monkeypatch, group_bytes)
  *inputs, cotangent = draw(*shapes, (*shapes[0][:-1], shapes[2][-1]))

  def joined(skip, low, kernel):
    repeated = jnp.repeat(jnp.repeat(low, 2, axis=2), 2, axis=3)
    return reference(jnp.concatenate([skip, repeated], axis=-1), kernel, time_padding)

  @functools.partial(jax.jit, static_argnums=0)
  def run(function, cotangent, *inputs):
    y, pull = jax.vjp(function, *inputs)
    return y, *pull(cotangent)

  split = lambda skip, low, kernel: conv.conv3d(skip, kernel, time_padding, low=low)  # noqa: E731
  expected = run(joined, cotangent, *inputs)
  assert_same(run(split, cotangent, *inputs), expected)
  if group_bytes > 1:  # nothing of a GPU's forms goes by groups
    for form in conv.GPU_FORMS.values():
      on_gpu = lambda skip, low, kernel, form=form: form((skip, low), kernel, time_padding)  # noqa: E731
      assert_same(run(on_gpu, cotangent, *inputs), expected)


@pytest.mark.parametrize('time_padding', ['zero', 'cyclic'])
def test_planes_are_the_3d_convolution_to_the_last_digits_of_float64(time_padding):
  with jax.enable_x64():
    inputs = [
      jnp.asarray(x, jnp.float64) for x in draw((1, 3, 4, 6, 3), (1, 3, 2, 3, 5), (3, 3, 3, 8, 4), (1, 3, 4, 6, 4))
    ]
    found, expected = (
      jax.vjp(lambda skip, low, kernel, form=form: form((skip, low), kernel, time_padding), *inputs[:3])
      for form in (conv.GPU_FORMS['planes'], conv.GPU_FORMS['3d'])
    )
    for a, b in zip((found[0], *found[1](inputs[3])), (expected[0], *expected[1](inputs[3])), strict=True):
      np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13 * float(jnp.abs(b).max()))


@pytest.mark.parametrize('group_bytes', [1, 2**30], ids=['frame-by-frame', 'whole-video'])
def test_a_pending_norm_and_activation_is_done_and_differentiated(group_bytes, monkeypatch):
  set_group_bytes(monkeypatch, group_bytes)
  x, kernel, gain, offset, bias, cotangent = draw(
    (2, 4, 5, 3, 2), (3, 3, 3, 2, 4), (2, 2), (2, 2), (4,), (2, 4, 5, 3, 4)
  )

  per_channel = lambda a: a.reshape(-1, 1, 1, 1, a.shape[-1])  # noqa: E731
  line = lambda x, gain, offset: x * per_channel(gain) + per_channel(offset)  # noqa: E731

  def waiting(x, kernel, gain, offset, bias):
    return conv.conv3d(pixelwise(nn.silu, pixelwise(line, x, constants=(gain, offset))), kernel, 'zero', bias)

  def done(x, kernel, gain, offset, bias):
    return reference(nn.silu(line(x, gain, offset)), kernel, 'zero') + per_channel(bias)

  @functools.partial(jax.jit, static_argnums=0)
  def run(function, *inputs):
    y, pull = jax.vjp(function, *inputs)
    return y, *pull(cotangent)

  inputs = (x, kernel, gain, offset, bias)
  assert_same(run(waiting, *inputs), run(done, *inputs))


@pytest.mark.parametrize(
  ('frames_', 'frame_bytes', 'reach', 'groups'),
  [
    *((50, 2**20, 1, 5), (50, 2**25, 1, 25), (25, 2**23, 1, 25), (50, 1, 1, 1), (23, 2**22, 1, 23)),
    *((6, 2**30, 2, 3), (2, 2**30, 3, 1)),
  ],
)
def test_groups_divide_the_frames_fit_the_limit_and_reach_far_enough(frames_, frame_bytes, reach, groups):
  assert frames.count_groups(frames_, frame_bytes, reach, 2**24) == groups


def test_a_hand_value_tells_the_order_of_the_frames():
  # One pixel, frames 1, 2, 4, kernel 10 x previous + 100 x this + 1000 x next.
  x = jnp.array([1.0, 2.0, 4.0]).reshape(1, 3, 1, 1, 1)
  kernel = jnp.array([10.0, 100.0, 1000.0]).reshape(3, 1, 1, 1, 1)
  np.testing.assert_allclose(conv.conv3d(x, kernel).ravel(), [2100, 4210, 420])
  np.testing.assert_allclose(conv.conv3d(x, kernel, 'cyclic').ravel(), [2140, 4210, 1420])


def test_cyclic_convolution_commutes_with_a_shift_of_the_cycle_and_zero_padding_does_not():
  x, kernel = draw(*SHAPES['3x3x3'])
  for time_padding, commutes in (('cyclic', True), ('zero', False)):
    y = np.asarray(conv.conv3d(x, kernel, time_padding))
    shifted = np.asarray(conv.conv3d(np.roll(x, 1, axis=1), kernel, time_padding))
    assert np.allclose(shifted, np.roll(y, 1, axis=1), atol=1e-5) is commutes


def test_more_padding_than_the_cycle_has_frames_is_refused():
  x, kernel = draw((1, 2, 3, 3, 1), (7, 1, 1, 1, 1))
  assert conv.conv3d(x, kernel, 'zero').shape == x.shape
  with pytest.raises(ValueError, match='2 frames cannot be padded cyclically with 3'):
    conv.conv3d(x, kernel, 'cyclic')


def test_an_unknown_time_padding_is_refused():
  x, kernel = draw(*SHAPES['3x3x3'])
  with pytest.raises(ValueError, match="time padding 'mirror' is not one of"):
    conv.conv3d(x, kernel, 'mirror')


def convolutions(function, platform, *args):
  """How many axes of space and time the convolutions of the program for a platform have."""
  text = jax.jit(function).trace(*args).lower(lowering_platforms=(platform,)).as_text()
  inputs = [
    re.search(r'dim_numbers = \[([^]]*)\]', line) for line in text.splitlines() if 'stablehlo.convolution' in line
  ]
  return {len(found.group(1).split(',')) - 2 for found in inputs}


@pytest.mark.parametrize(
  ('platform', 'gpu', 'axes'), [('cpu', '3d', {2}), ('cuda', 'planes', {2}), ('cuda', '3d', {3})]
)
def test_the_form_follows_the_platform_and_on_a_gpu_the_choice(platform, gpu, axes):
  x, kernel, cotangent = draw(*SHAPES['3x3x3'], (2, 4, 5, 7, 3))
  chosen = functools.partial(conv.conv3d, gpu=gpu)
  assert convolutions(chosen, platform, x, kernel) == axes

  def pull(x, kernel, cotangent):
    return jax.vjp(chosen, x, kernel)[1](cotangent)

  assert convolutions(pull, platform, x, kernel, cotangent) == axes


@pytest.mark.parametrize('time_padding', ['zero', 'cyclic'])
def test_one_export_serves_both_platforms_and_any_number_of_frames(time_padding):
  x, kernel = draw(*SHAPES['3x3x3'])
  b, t = jax.export.symbolic_shape('b, t')
  videos = jax.ShapeDtypeStruct((b, t, *x.shape[2:]), x.dtype)
  function = jax.jit(lambda x, kernel: conv.conv3d(x, kernel, time_padding))
  exported = jax.export.export(function, platforms=('cpu', 'cuda'))(videos, kernel)
  np.testing.assert_allclose(exported.call(x, kernel), function(x, kernel), atol=1e-6)


@pytest.mark.parametrize('form', [conv.matmul_conv2d, conv.conv2d_in_scan])
@pytest.mark.parametrize('extents', [(3, 3), (1, 5)])
def test_convolution_as_a_matrix_product_equals_xlas(form, extents):
  x, kernel, cotangent = draw((2, 5, 6, 3), (*extents, 3, 4), (2, 5, 6, 4))

  def native(x, kernel):
    return lax.conv_general_dilated(x, kernel, (1, 1), 'SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC'))

  assert_same(value_and_gradients(form, x, kernel, cotangent), value_and_gradients(native, x, kernel, cotangent))


def test_the_layer_adds_its_bias_and_computes_in_its_dtype(draw_variables):
  x, _ = draw(*SHAPES['3x3x3'])
  layer = conv.Conv3D(3, (1, 3, 3))
  params = draw_variables(layer, x)['params'] | {'bias': np.zeros(3, np.float32)}
  plain = layer.apply({'params': params}, x)
  np.testing.assert_allclose(plain, conv.conv3d(x, params['kernel']), atol=1e-6)
  shifted = layer.apply({'params': params | {'bias': jnp.array([1.0, 2.0, 3.0])}}, x)
  np.testing.assert_allclose(shifted - plain, np.broadcast_to([1.0, 2.0, 3.0], plain.shape), atol=1e-5)
  assert set(draw_variables(conv.Conv3D(3, use_bias=False), x)['params']) == {'kernel'}
  half = conv.Conv3D(3, (1, 3, 3), dtype=jnp.bfloat16)
  assert jax.eval_shape(half.apply, {'params': params}, x).dtype == jnp.bfloat16
  assert jax.eval_shape(half.init, jax.random.key(0), x)['params']['kernel'].dtype == jnp.float32


@pytest.mark.parametrize(('shape', 'convolutions'), [('1x3x3', 2), ('1x1x1', 0)])
def test_kernels_of_one_frame_are_no_3d_convolution_for_a_gpu(shape, convolutions):
  x, kernel = draw(*SHAPES[shape])
  gradient = jax.jit(jax.grad(lambda x, k: conv.native_conv3d(x, k, 'zero').sum(), (0, 1)))
  text = gradient.lower(x, kernel).as_text()
  found = re.findall(r'stablehlo\.convolution.*?(\(tensor<\S+>, tensor<\S+>\))', text)
  assert len(found) == convolutions  # of the values, which nobody needs here, none
  assert all(operand.count('x') == 4 for pair in found for operand in re.findall(r'tensor<(\S+?)>', pair))
