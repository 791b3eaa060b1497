"""The training state: everything that a step reads and writes, as one pytree without a device axis."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from ear_jax.models import build_model


class TrainState(flax.struct.PyTreeNode):
  """State of a run after `step` training steps.

  Attributes:
    step: int32 scalar.
    params: parameters of the network.
    batch_stats: running batch statistics; empty without batch norm.
    opt_state: state of the optimiser.
    ema_params: moving average of the parameters, or None.
    rng: typed key; step and device are folded in, it never changes.
  """

  step: jax.Array
  params: Any
  batch_stats: Any
  opt_state: Any
  ema_params: Any
  rng: jax.Array

  @property
  def variables(self) -> dict:
    """The variables for prediction: the averaged parameters where they are kept."""
    params = self.params if self.ema_params is None else self.ema_params
    return {'params': params, 'batch_stats': self.batch_stats}


def create_state(
  model: nn.Module,
  optimizer: optax.GradientTransformation,
  channels: int,
  seed: int,
  *,
  size: int,
  ema: bool,
) -> TrainState:
  """Returns the state of step 0.

  Args:
    channels: C of the input, 1 or 4.
    size: H and W to initialise with; no parameter depends on it, save those of a dense LSTM.
    ema: keep a moving average of the parameters.
  """
  init_rng, rng = jax.random.split(jax.random.key(seed))
  # Unoptimised code draws the same bits, and the random draws compile ten times sooner.
  init = jax.jit(model.init, compiler_options={'xla_backend_optimization_level': 0})
  return _first_state(init(init_rng, _example(size, channels)), optimizer, rng, ema)


def _example(size, channels):
  return jnp.zeros((1, 2, size, size, channels))  # two frames are enough: no parameter depends on T


def _first_state(variables, optimizer, rng, ema):
  params = variables['params']
  return TrainState(
    step=jnp.zeros((), jnp.int32),
    params=params,
    batch_stats=variables.get('batch_stats', {}),
    opt_state=optimizer.init(params),
    ema_params=jax.tree.map(jnp.copy, params) if ema else None,
    rng=rng,
  )


def initial_state(config: ConfigDict, optimizer: optax.GradientTransformation) -> TrainState:
  """Returns the state of step 0 of a configuration; a checkpoint is restored into the same structure."""
  return create_state(
    build_model(config.model),  # parameters are made outside pmap, where no device axis exists
    optimizer,
    config.data.channels,
    config.seed,
    size=config.data.crop,
    ema=config.optimizer.ema_decay > 0,
  )


def abstract_state(config: ConfigDict, optimizer: optax.GradientTransformation) -> TrainState:
  """Returns the shapes and dtypes of `initial_state`, without making it."""
  model, ema = build_model(config.model), config.optimizer.ema_decay > 0

  def make(rng):
    return _first_state(model.init(rng, _example(config.data.crop, config.data.channels)), optimizer, rng, ema)

  return jax.eval_shape(make, jax.random.key(0))


def count_parameters(params: Any) -> int:
  """Returns the number of trainable numbers."""
  return sum(x.size for x in jax.tree.leaves(params))
