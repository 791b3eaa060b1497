"""A video still to be computed is the array it stands for, and is not kept for the gradient."""

import jax
import jax.numpy as jnp
import numpy as np

from ear_jax.models.conv import conv3d
from ear_jax.models.video import pending, pixelwise

SHAPE = (2, 3, 4, 5, 2)


def draw(*shapes):
  rng = np.random.default_rng(5)
  return [rng.normal(size=shape).astype(np.float32) for shape in shapes]


def subtract(x, other, offset):
  return 2 * x - other + offset[:, None, None, None]


def test_it_is_what_the_functions_give_one_after_the_other():
  x, other, offset = draw(SHAPE, SHAPE, (2, 2))
  by_hand = np.exp(2 * x - other + offset.reshape(2, 1, 1, 1, 2))
  found = pixelwise(jnp.exp, pixelwise(subtract, x, other, constants=(offset,)))
  assert found.shape == SHAPE
  np.testing.assert_allclose(jnp.asarray(found), by_hand, rtol=1e-5)
  further = pixelwise(subtract, found, other, constants=(offset,))  # of one that is itself still to be computed
  np.testing.assert_allclose(jnp.asarray(further), 2 * by_hand - other + offset.reshape(2, 1, 1, 1, 2), rtol=1e-5)


def test_an_array_is_itself():
  (x,) = draw(SHAPE)
  np.testing.assert_array_equal(jnp.asarray(pending(x)), x)
  assert pending(pending(x)).videos[0] is x
  assert jnp.asarray(pending(x).astype(jnp.bfloat16)).dtype == jnp.bfloat16


def test_two_made_alike_are_one_structure():
  x, _, offset = draw(SHAPE, SHAPE, (2, 2))
  make = lambda: pixelwise(jnp.exp, pixelwise(subtract, x, x, constants=(offset,)))  # noqa: E731
  assert jax.tree.structure(make()) == jax.tree.structure(make())
  assert jax.tree.structure(make()) != jax.tree.structure(pixelwise(jnp.sin, pixelwise(subtract, x, x)))


def test_only_what_it_is_computed_from_is_kept_for_the_gradient():
  x, kernel = draw(SHAPE, (3, 3, 3, 2, 4))

  def kept(exp):
    pull = jax.vjp(lambda x: conv3d(exp(x), kernel), x)[1]
    return {'x' if np.allclose(found, x) else 'exp x' for found in jax.tree.leaves(pull) if found.shape == SHAPE}

  assert kept(lambda x: pixelwise(jnp.exp, x)) == {'x'}
  assert 'exp x' in kept(jnp.exp)  # the measure sees it
