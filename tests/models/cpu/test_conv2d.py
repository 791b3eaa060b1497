"""The 2-D convolution on CPU: XLA's own values, and never its Eigen."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import base
from ear_jax.models import build_model
from ear_jax.models.cpu.conv2d import NARROW, conv2d


@pytest.mark.parametrize('channels', [(2, 3), (NARROW, NARROW), (NARROW + 1, 2), (3, NARROW + 1)])
@pytest.mark.parametrize(('extent', 'padding'), [(1, 0), (3, 1), (2, 1), (2, 0), (5, 2)])
def test_it_is_the_convolution(channels, extent, padding):
  rng = np.random.default_rng(0)
  x = rng.standard_normal((2, 3, 8, 6, channels[0])).astype(np.float32)
  kernel = rng.standard_normal((extent, extent, *channels)).astype(np.float32)
  frames, pads = x.reshape(6, *x.shape[2:]), [(padding, padding)] * 2
  wanted = jax.lax.conv_general_dilated(frames, kernel, (1, 1), pads, dimension_numbers=('NHWC', 'HWIO', 'NHWC'))
  found = conv2d(x, kernel, (padding, padding))
  np.testing.assert_allclose(found.reshape(wanted.shape), wanted, rtol=1e-5, atol=1e-4)


def test_extents_and_padding_may_differ():
  rng = np.random.default_rng(0)
  x = rng.standard_normal((1, 2, 8, 6, 3)).astype(np.float32)
  kernel = rng.standard_normal((2, 3, 3, 4)).astype(np.float32)
  wanted = jax.lax.conv_general_dilated(
    x[0], kernel, (1, 1), [(1, 1), (1, 1)], dimension_numbers=('NHWC', 'HWIO', 'NHWC')
  )
  np.testing.assert_allclose(conv2d(x, kernel, (1, 1))[0], wanted, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
def test_no_convolution_is_left_to_eigen(dtype, draw_variables):
  # On several devices of one process its results are other ones at each call, see docs/reliability.md.
  assert _by_eigen(lambda x: _convolve(x, 16)), 'XLA chooses otherwise now'
  assert not _by_eigen(lambda x: _convolve(x, 32))
  config = base.get_config().model
  config.filters, config.dtype = (4, 8), dtype
  model, video = build_model(config), jnp.zeros((1, 6, 16, 16, 4))
  variables = draw_variables(model, video)
  assert not _by_eigen(jax.grad(lambda variables: jnp.square(model.apply(variables, video)).mean()), variables)


def _convolve(x, features):
  kernel = jnp.ones((3, 3, x.shape[-1], features))
  return jax.lax.conv_general_dilated(x, kernel, (1, 1), 'SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC'))


def _by_eigen(function, x=None) -> list[str]:
  """Instructions of the compiled program that are convolutions outside what is given to a library as a whole."""
  x = jnp.zeros((1, 16, 16, 4)) if x is None else x
  found, fused = [], False
  for line in jax.jit(function).lower(x).compile().as_text().splitlines():
    if line.startswith(('%', 'ENTRY')):
      fused = line.startswith('%fused_computation')
    if ' convolution(' in line and not fused:
      found.append(line.strip())
  return found
