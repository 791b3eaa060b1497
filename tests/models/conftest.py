"""Random variables without compiling a network's own initialisation, which takes longer than the network."""

import jax
import numpy as np
import pytest


def _draw_variables(model, video, seed=0):
  rng = np.random.default_rng(seed)
  shapes = jax.eval_shape(model.init, jax.random.key(0), video)

  def draw(path, shape):
    values = rng.normal(size=shape.shape) / np.sqrt(max(np.prod(shape.shape[:-1]), 1))
    gain = path[-1].key in ('scale', 'var')
    return np.float32(1 + 0.1 * np.abs(values) if gain else values)

  return jax.tree_util.tree_map_with_path(draw, shapes)


@pytest.fixture(scope='session')
def draw_variables():
  """Returns `draw(model, video)`, random variables of a network: kernels at the scale of their fan-in."""
  return _draw_variables
