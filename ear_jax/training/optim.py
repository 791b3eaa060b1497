"""The optimiser: Adam or AdamW, its learning-rate schedule, clipping and accumulation, from `config.optimizer`."""

from typing import Any

import jax
import optax
from ml_collections import ConfigDict


def make_schedule(config: ConfigDict, steps: int) -> optax.Schedule:
  """Returns the learning rate by update: linear warm-up, then 'cosine' to 0 or 'constant'.

  Args:
    config: the `optimizer` section: `learning_rate`, `warmup_steps`, `schedule`.
    steps: training steps in the whole run.

  Raises: ValueError for another schedule.
  """
  updates = -(-steps // config.accumulate)
  warmup = min(config.warmup_steps, max(updates - 1, 0))
  if config.schedule == 'cosine':
    return optax.warmup_cosine_decay_schedule(
      0.0 if warmup else config.learning_rate, config.learning_rate, warmup, updates
    )
  if config.schedule == 'constant':
    rise = optax.linear_schedule(0.0, config.learning_rate, max(warmup, 1))
    return optax.join_schedules([rise, optax.constant_schedule(config.learning_rate)], [warmup])
  raise ValueError(f"config.optimizer.schedule {config.schedule!r} is not 'cosine' or 'constant'")


def make_optimizer(config: ConfigDict, schedule: optax.Schedule) -> optax.GradientTransformation:
  """Returns Adam (with decoupled decay of kernels when `weight_decay` > 0) behind clipping and accumulation.

  Args:
    config: the `optimizer` section; `clip_norm` 0 switches clipping off; `accumulate` n updates the parameters once
      in n training steps with the mean of their gradients.
    schedule: learning rate by update.
  """
  parts = [optax.clip_by_global_norm(config.clip_norm)] if config.clip_norm else []
  parts.append(
    optax.adamw(schedule, weight_decay=config.weight_decay, mask=_kernels)
    if config.weight_decay
    else optax.adam(schedule)
  )
  optimizer = optax.chain(*parts)
  if config.accumulate > 1:
    return optax.MultiSteps(optimizer, config.accumulate).gradient_transformation()
  return optimizer


def _kernels(params: Any) -> Any:
  """Returns what weight decay is for: kernels; biases and norm gains have one axis."""
  return jax.tree.map(lambda x: x.ndim > 1, params)
