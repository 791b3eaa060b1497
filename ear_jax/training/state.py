"""The training state: everything that a step reads and writes, as one pytree without a device axis."""

from typing import Any

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
import optax

FIRST_VIDEO = (1, 2)  # B and T to initialise with: two frames are enough, no parameter depends on T


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
  def variables(self) -> dict[str, Any]:
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
  # Unoptimised code draws the same bits, and the random draws compile ten times sooner.
  make: Any = jax.jit(make_state, static_argnums=range(5), compiler_options={'xla_backend_optimization_level': 0})
  state: TrainState = make(model, optimizer, channels, size, ema, jax.random.key(seed))
  make.clear_cache()  # tens of megabytes of code that nothing calls again
  return state


def make_state(
  model: nn.Module, optimizer: optax.GradientTransformation, channels: int, size: int, ema: bool, rng: jax.Array
) -> TrainState:
  """Returns `create_state` as a function of its key, to be traced: a checkpoint is restored into its shapes."""
  return make_state_and_logits(model, optimizer, channels, size, ema, rng)[0]


def make_state_and_logits(
  model: nn.Module, optimizer: optax.GradientTransformation, channels: int, size: int, ema: bool, rng: jax.Array
) -> tuple[TrainState, jax.Array]:
  """Returns the state of `make_state`, and what the network makes of the `FIRST_VIDEO` that it is made with."""
  init_rng, rng = jax.random.split(rng)
  video = jnp.zeros((*FIRST_VIDEO, size, size, channels))
  logits, variables = model.init_with_output(init_rng, video, train=False)
  params = variables['params']
  state = TrainState(
    step=jnp.zeros((), jnp.int32),
    params=params,
    batch_stats=variables.get('batch_stats', {}),
    opt_state=optimizer.init(params),
    ema_params=jax.tree.map(jnp.copy, params) if ema else None,
    rng=rng,
  )
  return state, logits


def count_parameters(params: Any) -> int:
  """Returns the number of trainable numbers."""
  return sum(x.size for x in jax.tree.leaves(params))
