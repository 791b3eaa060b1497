"""Two frames from four convolutions: the numbers of XLA's own 3-D convolution, for two thirds of the arithmetic."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ear_jax.models.cpu.two_frames import convolve_window


def inputs(kernel, frames):
  rng = np.random.default_rng(7)
  window = rng.standard_normal((2, frames + 2 * (kernel[0] // 2), 6, 5, kernel[3]), np.float32)
  return jnp.asarray(window), jnp.asarray(rng.standard_normal(kernel, np.float32))


def direct(window, kernel, padding):
  """XLA's own, at its highest precision."""
  around = ((0, 0), *((p, p) for p in padding))
  numbers = ('NDHWC', 'DHWIO', 'NDHWC')
  return jax.lax.conv_general_dilated(window, kernel, (1, 1, 1), around, dimension_numbers=numbers, precision='highest')


@pytest.mark.parametrize('frames', [1, 2, 3, 6, 7])
@pytest.mark.parametrize(
  'kernel', [(3, 3, 3, 5, 4), (3, 2, 2, 3, 8), (3, 1, 1, 4, 3), (1, 3, 3, 4, 6), (5, 3, 3, 2, 3)]
)
def test_equals_the_convolution_that_xla_makes(kernel, frames):
  window, weights = inputs(kernel, frames)
  padding = tuple(k // 2 for k in kernel[1:3])
  expected = direct(window, weights, padding)
  found = convolve_window(window, weights, padding)
  assert found.shape == expected.shape == (2, frames, *expected.shape[2:])
  np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6 * float(jnp.abs(expected).max()))


@pytest.mark.parametrize(('frames', 'share'), [(8, 2 / 3), (7, 16 / 21)])
def test_two_frames_take_four_convolutions_where_three_taps_would_take_six(frames, share):
  window, weights = inputs((3, 3, 3, 24, 32), frames)

  def work(function):
    return jax.jit(function).lower(window, weights).cost_analysis()['flops']

  found = work(lambda x, k: convolve_window(x, k, (1, 1))) / work(lambda x, k: direct(x, k, (1, 1)))
  assert found == pytest.approx(share, rel=0.03)  # the sums before and after come on top
