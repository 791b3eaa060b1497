"""The scanned recurrences against Flax's cells with the same weights, and what they may see of other frames."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import ClosedJaxpr, Jaxpr

from ear_jax.models import recurrence

FEATURES = 3


@pytest.fixture(scope='module')
def video():
  return np.random.default_rng(0).normal(size=(1, 4, 3, 5, 2)).astype(np.float32)


@pytest.fixture(scope='module')
def params():
  rng = np.random.default_rng(1)

  def draw(*shape):
    return 0.4 * rng.normal(size=shape).astype(np.float32)

  return {
    'input': {'kernel': draw(1, 3, 3, 2, 4 * FEATURES), 'bias': draw(4 * FEATURES)},
    'hidden': {'kernel': draw(3, 3, FEATURES, 4 * FEATURES)},
  }


@pytest.fixture(scope='module')
def run(params):
  """Returns `run(video, **options)`, a ConvLSTM with the shared weights; compiled once for each set of options."""
  compiled = {}

  def run(video, **options):
    key = tuple(sorted(options.items()))
    if key not in compiled:
      compiled[key] = jax.jit(recurrence.ConvLSTM(FEATURES, **options).apply)
    return np.asarray(compiled[key]({'params': params}, video))

  return run


@pytest.fixture(scope='module')
def both_ways(draw_variables):
  """A bidirectional block on three channels (one forward, two backward), as a function of the video."""
  block = recurrence.TemporalBlock(bidirectional=True)
  video = np.random.default_rng(2).normal(size=(1, 4, 3, 5, 3)).astype(np.float32)
  variables = draw_variables(block, video)
  return video, variables, jax.jit(block.apply)


def scans(function, *arguments):
  """Number of scans in the jaxpr of a function."""

  def count(jaxpr):
    found = 0
    for equation in jaxpr.eqns:
      found += equation.primitive.name == 'scan'
      for value in jax.tree.leaves(equation.params, is_leaf=lambda x: isinstance(x, (Jaxpr, ClosedJaxpr))):
        value = value.jaxpr if isinstance(value, ClosedJaxpr) else value
        found += count(value) if isinstance(value, Jaxpr) else 0
    return found

  return count(jax.make_jaxpr(function)(*arguments).jaxpr)


def test_conv_lstm_equals_flax_cell_with_the_same_weights(run, params, video):
  # Flax adds a second bias to the recurrent convolution; with zero there, ours is the sum of the two.
  cell = {
    'ih': {'kernel': params['input']['kernel'][0], 'bias': params['input']['bias']},
    'hh': {'kernel': params['hidden']['kernel'], 'bias': np.zeros(4 * FEATURES, np.float32)},
  }
  oracle = nn.RNN(nn.ConvLSTMCell(FEATURES, (3, 3)))
  expected = jax.jit(oracle.apply)({'params': {'cell': cell}}, video)
  np.testing.assert_allclose(run(video), expected, atol=1e-5)


def test_conv_lstm_is_one_scan_and_two_with_a_warm_up(params, video):
  for cyclic, expected in ((False, 1), (True, 2)):
    layer = recurrence.ConvLSTM(FEATURES, cyclic=cyclic)
    assert scans(lambda x, layer=layer: layer.apply({'params': params}, x), video) == expected


def test_reverse_is_forward_on_the_film_run_backwards(run, video):
  backward = run(video, reverse=True)
  np.testing.assert_allclose(backward, run(video[:, ::-1])[:, ::-1], atol=1e-6)
  assert np.abs(backward - run(video)).max() > 1e-2


def test_a_frame_changes_itself_and_later_frames_only(run, video):
  changed = video.copy()
  changed[:, 2] += 1
  difference = np.abs(run(changed) - run(video)).max((0, 2, 3, 4))
  np.testing.assert_array_equal(difference[:2], 0)
  assert (difference[2:] > 1e-3).all()


def test_cyclic_warm_up_is_the_second_of_two_cycles(run, video):
  twice = run(np.concatenate([video, video], axis=1))
  np.testing.assert_allclose(run(video, cyclic=True), twice[:, 4:], atol=1e-5)
  assert np.abs(twice[:, 4:] - twice[:, :4]).max() > 1e-3


def test_one_frame_works(run, params, video):
  # From zero states c = sigmoid(i) tanh(g) and h = sigmoid(o) tanh(c); at one pixel only the centre tap counts.
  pixel = video[:, :1, :1, :1]
  gates = pixel.reshape(2) @ params['input']['kernel'][0, 1, 1] + params['input']['bias']
  i, g, _, o = np.split(gates, 4)
  sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
  expected = sigmoid(o) * np.tanh(sigmoid(i) * np.tanh(g))
  np.testing.assert_allclose(run(pixel).ravel(), expected, atol=1e-6)


def test_bfloat16_comes_out_as_bfloat16_and_near_float32(run, params, video):
  half = jax.jit(recurrence.ConvLSTM(FEATURES, dtype=jnp.bfloat16).apply)
  y = half({'params': params}, video.astype(jnp.bfloat16))
  assert y.dtype == jnp.bfloat16
  np.testing.assert_allclose(y.astype(np.float32), run(video), atol=0.03)
  block = recurrence.TemporalBlock(bidirectional=True, cyclic=True, dtype=jnp.bfloat16)
  shape = jax.eval_shape(lambda x: block.init_with_output(jax.random.key(0), x)[0], video.astype(jnp.bfloat16))
  assert (shape.dtype, shape.shape) == (jnp.bfloat16, video.shape)


def test_block_adds_the_recurrence_to_its_input(video, draw_variables):
  block = recurrence.TemporalBlock()
  variables = draw_variables(block, video)
  y = jax.jit(block.apply)(variables, video)
  layer = recurrence.ConvLSTM(2)
  hidden = jax.jit(layer.apply)({'params': variables['params']['forward']}, video)
  np.testing.assert_allclose(y, video + hidden, atol=1e-6)


def test_bidirectional_block_sees_both_sides_and_one_way_only_the_past(both_ways):
  video, variables, apply = both_ways
  y = np.asarray(apply(variables, video))
  for changed_frame, far_frame in ((0, 3), (3, 0)):
    changed = video.copy()
    changed[:, changed_frame] += 1
    difference = np.abs(np.asarray(apply(variables, changed)) - y)[0, far_frame].max((0, 1))  # by channel
    forward, backward = difference[:1], difference[1:]
    seen, unseen = (forward, backward) if changed_frame == 0 else (backward, forward)
    assert (seen > 1e-5).all()
    np.testing.assert_array_equal(unseen, 0)


def test_dense_lstm_equals_flax_cell_with_the_same_weights(video):
  units, inputs = 15, 30  # 3 x 5 positions, 2 channels
  rng = np.random.default_rng(3)
  kernel_in, kernel_hidden, bias = (
    0.3 * rng.normal(size=s).astype(np.float32) for s in ((inputs, 4 * units), (units, 4 * units), 4 * units)
  )
  ours = {'input': {'kernel': kernel_in}, 'hidden': {'dense': {'kernel': kernel_hidden, 'bias': bias}}}
  theirs = {}
  for gate, k_in, k_hidden, b in zip(
    'igfo', *(np.split(x, 4, axis=-1) for x in (kernel_in, kernel_hidden, bias)), strict=True
  ):
    theirs[f'i{gate}'] = {'kernel': k_in}
    theirs[f'h{gate}'] = {'kernel': k_hidden, 'bias': b + (gate == 'f')}  # Flax's cell adds no 1 to the forget gate
  expected = jax.jit(nn.RNN(nn.OptimizedLSTMCell(units)).apply)({'params': {'cell': theirs}}, video.reshape(1, 4, -1))
  layer = recurrence.DenseLSTM()
  found = jax.jit(layer.apply)({'params': ours}, video)
  assert found.shape == (1, 4, 3, 5, 1)
  np.testing.assert_allclose(found.reshape(1, 4, -1), expected, atol=1e-5)
  assert scans(lambda x: layer.apply({'params': ours}, x), video) == 1


def test_dense_lstm_refuses_a_large_picture_and_says_what_it_would_cost():
  # 17 x 16 = 272 units of 2 channels: 4 * 272 * (272 * 2 + 272 + 1) = 888,896 weights.
  with pytest.raises(ValueError, match=r"dense_lstm at 17 x 16 positions would hold 1 M weights; .*'convlstm'"):
    recurrence.DenseLSTM().init(jax.random.key(0), jnp.zeros((1, 1, 17, 16, 2)))
