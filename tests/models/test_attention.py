"""Both attentions against NumPy written from their formulas; the spatial form never holds all scores."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import ClosedJaxpr, Jaxpr

from ear_jax.models import attention


@pytest.fixture(scope='module')
def features():
  return np.random.default_rng(0).normal(size=(1, 2, 3, 4, 3)).astype(np.float32)


@pytest.fixture(scope='module')
def params():
  rng = np.random.default_rng(1)
  kernel = 0.5 * rng.normal(size=(1, 3, 3, 3, 3))
  return {'conv': {'kernel': kernel.astype(np.float32), 'bias': rng.normal(size=3).astype(np.float32)}}


def convolve(features, params):
  """The 1x3x3 convolution as a loop over pixels and taps."""
  kernel, bias = (np.asarray(params['conv'][name], float) for name in ('kernel', 'bias'))
  _, _, h, w, _ = features.shape
  out = np.zeros((*features.shape[:-1], kernel.shape[-1])) + bias
  for r in range(h):
    for c in range(w):
      for i in (-1, 0, 1):
        for j in (-1, 0, 1):
          if 0 <= r + i < h and 0 <= c + j < w:
            out[:, :, r, c] += features[:, :, r + i, c + j] @ kernel[0, i + 1, j + 1]
  return out


def softmax(scores):
  exponential = np.exp(scores - scores.max(-1, keepdims=True))
  return exponential / exponential.sum(-1, keepdims=True)


def test_channel_attention_is_its_formula(features, params):
  key = convolve(features, params)
  weights = softmax(convolve(key**2, params))
  found = jax.jit(attention.ChannelAttention().apply)({'params': params}, features)
  np.testing.assert_allclose(jnp.asarray(found), key * weights, atol=1e-5)


def test_channel_attention_over_one_channel_is_only_the_convolution(features, params):
  # The softmax of one number is 1: what happens to the deepest skip of the released network.
  one = {'conv': {'kernel': params['conv']['kernel'][..., :1, :1], 'bias': params['conv']['bias'][:1]}}
  found = jax.jit(attention.ChannelAttention().apply)({'params': one}, features[..., :1])
  np.testing.assert_allclose(jnp.asarray(found), convolve(features[..., :1], one), atol=1e-5)


def test_spatial_attention_is_its_formula_frame_by_frame(features, params):
  keys = convolve(features, params)
  expected = np.empty_like(keys)
  for t in range(2):
    f, k = features[0, t].reshape(12, 3), keys[0, t].reshape(12, 3)
    expected[0, t] = (softmax(f @ k.T) @ k).reshape(3, 4, 3)
  found = jax.jit(attention.SpatialAttention().apply)({'params': params}, features)
  np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize('chunk', [3, 5, 10, 64])  # 10 positions: with a rest, without, all at once, more than all
def test_chunks_change_neither_value_nor_gradient(chunk):
  rng = np.random.default_rng(2)
  queries, keys, cotangent = rng.normal(size=(3, 2, 10, 3)).astype(np.float32)

  def dense(q, k):
    return jax.nn.softmax(jnp.einsum('nqc,nkc->nqk', q, k), axis=-1) @ k

  @jax.jit
  def run(q, k):
    results = []
    for function in (dense, lambda q, k: attention.attend(q, k, chunk)):
      y, pull = jax.vjp(function, q, k)
      results.append((y, *pull(cotangent)))
    return results

  expected, found = run(queries, keys)
  for a, b in zip(found, expected, strict=True):
    np.testing.assert_allclose(a, b, atol=1e-5)


def largest_intermediate(jaxpr):
  """Number of elements of the largest array that a jaxpr, or one within it, computes."""
  sizes = []
  for equation in jaxpr.eqns:
    sizes += [v.aval.size for v in equation.outvars]
    for value in jax.tree.leaves(equation.params, is_leaf=lambda x: isinstance(x, (Jaxpr, ClosedJaxpr))):
      if isinstance(value, ClosedJaxpr):
        value = value.jaxpr
      if isinstance(value, Jaxpr):
        sizes.append(largest_intermediate(value))
  return max(sizes, default=0)


def test_not_all_scores_are_held_at_once_not_even_for_the_gradient():
  positions, chunk = 256, 16
  x = jnp.zeros((1, positions, 2))

  def largest(chunk):
    def loss(q, k):
      return attention.attend(q, k, chunk).sum()

    return largest_intermediate(jax.make_jaxpr(jax.grad(loss, argnums=(0, 1)))(x, x).jaxpr)

  assert largest(positions) == positions * positions  # the measure sees the scores
  assert largest(chunk) == chunk * positions


def test_attention_computes_in_its_dtype(features, params):
  for layer in (attention.ChannelAttention, attention.SpatialAttention):
    layer = layer(dtype=jnp.bfloat16)
    half = jax.eval_shape(lambda p, f, a=layer: jnp.asarray(a.apply({'params': p}, f)), params, features)
    assert (half.dtype, half.shape) == (jnp.bfloat16, features.shape)
