"""Derivatives of a whole network and its loss against finite differences: `python in_float64.py NETWORK`.

A process of its own: "float32" is made to mean float64 before anything of ours is imported, since fields and defaults
take it at import. Two losses a small step apart are then known to ten digits, and a wrong derivative cannot hide
behind rounding. Prints each derivative as found and as expected, one line a direction.
"""

import sys

import jax

jax.config.update('jax_enable_x64', True)
jax.config.update('jax_platforms', 'cpu')
import jax.numpy as jnp  # noqa: E402

jnp.float32 = jnp.float64

import numpy as np  # noqa: E402

from configs import base  # noqa: E402
from ear_jax.models import build_model  # noqa: E402
from ear_jax.models.cpu import frames  # noqa: E402
from ear_jax.training.losses import segmentation_loss  # noqa: E402

STEP = 1e-8  # with 1e-6 a leaky ReLU's kinks within it were up to 0.01 of a derivative
DIRECTIONS = 4
NETWORKS = {
  'unet3d': {'name': 'unet3d'},
  'spatial': {'name': 'unet3d_attention', 'attention': 'spatial'},
  'ear3d': {'name': 'ear3d'},
  'cyclic': {'name': 'ear3d', 'time_padding': 'cyclic', 'bidirectional': True, 'cyclic_recurrence': True},
}


def main(name: str) -> None:
  """Prints the derivatives of one of `NETWORKS` along some random directions of weights and video together."""
  # Several groups of frames, so that the loops over them are part of what is checked.
  frames.FORWARD_BYTES = frames.BACKWARD_BYTES = 2**14
  rng, config = np.random.default_rng(3), base.get_config()
  config.model.update({'filters': (4, 8)} | NETWORKS[name])
  model = build_model(config.model).clone(dtype=jnp.float64)
  video = jnp.asarray(rng.normal(size=(2, 4, 8, 8, 4)))
  mask, annotated = rng.integers(0, 2, (2, 4, 8, 8)), np.array([[1, 0, 1, 1], [1, 1, 1, 1]], bool)
  variables = jax.tree.map(lambda x: jnp.asarray(x, jnp.float64), model.init(jax.random.key(0), video))

  @jax.jit
  def loss(both):
    return segmentation_loss(model.apply(both['variables'], both['video']), mask, annotated, name='dice_iou')

  point = {'variables': variables, 'video': video}
  leaves, structure = jax.tree.flatten(point)
  gradient = jax.jit(jax.grad(loss))(point)
  assert {leaf.dtype.name for leaf in jax.tree.leaves((gradient, loss(point)))} == {'float64'}
  for _ in range(DIRECTIONS):
    along = jax.tree.unflatten(structure, [rng.normal(size=leaf.shape) for leaf in leaves])
    before, after = (float(loss(jax.tree.map(lambda x, d, s=s: x + s * d, point, along))) for s in (-STEP, STEP))
    found = sum(float(jnp.vdot(g, d)) for g, d in zip(*map(jax.tree.leaves, (gradient, along)), strict=True))
    print(found, (after - before) / (2 * STEP))


if __name__ == '__main__':
  main(sys.argv[1])
