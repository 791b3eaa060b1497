"""The training step of a configuration as a program: jitted for some devices, or only measured there."""

from __future__ import annotations

from collections.abc import Callable

from ml_collections import ConfigDict

from ear_jax.data.pipeline import batch_shapes
from ear_jax.devices.placement import AXIS, Placement
from ear_jax.models import build_model
from ear_jax.system.errors import UserError
from ear_jax.training.losses import check_names
from ear_jax.training.memory import step_bytes
from ear_jax.training.optim import make_optimizer
from ear_jax.training.state import abstract_state
from ear_jax.training.steps import make_train_step


def jitted_step(config: ConfigDict, placement: Placement) -> Callable:
  """Returns the step `(state, batch) -> (state, metrics)` on the devices of a placement, not compiled yet.

  Raises: UserError for an unknown loss.
  """
  try:
    check_names(config.loss.name, config.loss.reduction, config.loss.loss_classes)
  except ValueError as fault:
    raise UserError(str(fault)) from fault
  model, optimizer = build_model(config.model, AXIS), make_optimizer(config.optimizer, config.steps)
  step = make_train_step(model, optimizer, config.loss, ema_decay=config.optimizer.ema_decay, axis_name=AXIS)
  return placement.pmap_step(step)


def needed_bytes(
  config: ConfigDict, placement: Placement, frames: int, step: Callable | None = None, options: dict | None = None
) -> int:
  """Compiles a step and returns the bytes that it needs of each device.

  Args:
    config: of the run.
    placement: the devices; they need not exist, see `benchmarking.gpus`.
    frames: T of the cines.
    step: `jitted_step`'s, which keeps what was compiled; None: one for this call.
    options: the compiler's.
  """
  state = placement.abstract(abstract_state(config, make_optimizer(config.optimizer, config.steps)))
  batch = placement.abstract_batch(batch_shapes(config, frames, len(placement.devices)))
  step = jitted_step(config, placement) if step is None else step
  return step_bytes(step.lower(state, batch).compile(options))
