"""Gradients of losses and of whole networks against finite differences, in float64.

Our code computes in `jnp.float32` by name; here that name means float64, so that the difference of two
losses is known to ten digits and a wrong derivative cannot hide behind rounding.
"""

import os
import pathlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ear_jax.training.losses import CLASSES, LOSSES, REDUCTIONS, segmentation_loss

STEP = 1e-5


@pytest.fixture
def double(monkeypatch):
  """Everything of ours in float64."""
  # What was traced in float32 must not be taken for it, nor the other way round.
  jax.clear_caches()
  with jax.enable_x64(True):
    monkeypatch.setattr(jnp, 'float32', jnp.float64)
    yield
  jax.clear_caches()


def assert_derivative(function, point, rng, rtol):
  """Compares the derivative along a random direction with a central difference of fourth order."""
  leaves, structure = jax.tree.flatten(point)
  along = jax.tree.unflatten(structure, [rng.normal(size=np.shape(leaf)) for leaf in leaves])

  def at(step):
    return float(function(jax.tree.map(lambda x, d: x + step * d, point, along)))

  gradient = jax.grad(function)(point)
  assert {leaf.dtype for leaf in jax.tree.leaves(gradient)} == {jnp.dtype('float64')}
  found = sum(float(jnp.vdot(g, d)) for g, d in zip(*map(jax.tree.leaves, (gradient, along)), strict=True))
  expected = (8 * (at(STEP) - at(-STEP)) - (at(2 * STEP) - at(-2 * STEP))) / (12 * STEP)
  assert abs(expected) > 1e-6, 'a derivative of 0 proves nothing'
  assert found == pytest.approx(expected, rel=rtol)


@pytest.mark.parametrize('name', [*LOSSES, 'dice_iou+cross_entropy'])
def test_losses(double, name):
  rng = np.random.default_rng(len(name))
  logits = jnp.asarray(rng.normal(size=(2, 3, 5, 4, 2)))
  mask, annotated = rng.integers(0, 2, (2, 3, 5, 4)), np.array([[1, 0, 1], [1, 1, 1]], bool)
  for reduction in REDUCTIONS:
    for classes in CLASSES:

      def loss(logits, reduction=reduction, classes=classes):
        return segmentation_loss(logits, mask, annotated, name=name, reduction=reduction, loss_classes=classes)

      assert_derivative(loss, logits, rng, rtol=1e-7)


@pytest.mark.slow
@pytest.mark.multiprocess
@pytest.mark.parametrize('network', ['unet3d', 'spatial', 'ear3d', 'cyclic'])
def test_networks_with_their_loss(network):
  script = pathlib.Path(__file__).with_name('in_float64.py')
  environment = os.environ | {'PYTHONPATH': str(script.parents[2])}
  done = subprocess.run([sys.executable, script, network], env=environment, capture_output=True, text=True)
  assert done.returncode == 0, done.stderr
  lines = np.array([line.split() for line in done.stdout.splitlines()], float)
  assert len(lines) == 4
  np.testing.assert_allclose(lines[:, 0], lines[:, 1], rtol=1e-5)
  assert np.all(np.abs(lines[:, 1]) > 1e-4)  # a derivative of 0 proves nothing
