"""What a configuration becomes on some devices: network, optimiser, state and step, built once and handed on."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import optax
from absl import logging
from ml_collections import ConfigDict

from ear_jax.data.pipeline import batch_shapes
from ear_jax.devices.memory import memory_limit
from ear_jax.devices.placement import AXIS, Placement
from ear_jax.models import NETWORKS, build_model, check_name
from ear_jax.system.errors import UserError, nearest
from ear_jax.training.contract import check_logits, check_loss_of, check_network, of_network
from ear_jax.training.losses import check_loss
from ear_jax.training.memory import QUICKLY, describe, refuse_too_much, step_bytes
from ear_jax.training.optim import make_optimizer, make_schedule
from ear_jax.training.state import FIRST_VIDEO, TrainState, create_state, make_state_and_logits
from ear_jax.training.steps import make_train_step


@dataclasses.dataclass(frozen=True, eq=False)
class Program:
  """The training of a configuration on the devices of a placement; nothing in it is compiled before it is needed.

  Attributes:
    config: the whole configuration.   placement: the devices; to be measured on, they need not exist.
    model: the network of one device, by which parameters are made and cines predicted.
    schedule: learning rate by update.
    initial_state: `() -> state` of step 0.   shapes: its shapes and dtypes.
    step: `(state, batch) -> (state, metrics)` on the devices.
  """

  config: ConfigDict
  placement: Placement
  model: nn.Module
  schedule: optax.Schedule
  initial_state: Callable[[], TrainState]
  shapes: TrainState
  step: Any

  def needed_bytes(self, frames: int, options: dict[str, Any] | None = None) -> int:
    """Returns the bytes that the step needs of each device, for cines of T frames; it is compiled then.

    `options` are the compiler's; without them the step keeps what was compiled.
    """
    place, devices = self.placement, len(self.placement.devices)
    batch = place.abstract_batch(batch_shapes(self.config, frames, devices))
    with of_network(self.config):
      lowered = self.step.lower(place.abstract(self.shapes), batch)
    return step_bytes(lowered.compile(options))


def check_names(config: ConfigDict) -> None:
  """Raises UserError for a network or loss that there is not, with the nearest; it takes no time."""
  try:
    check_name(config.model)
  except ValueError as fault:
    raise UserError(f'{fault}{nearest(config.model.name, NETWORKS)}') from fault
  try:
    check_loss(*(config.loss[key] for key in ('name', 'reduction', 'loss_classes')))
  except ValueError as fault:
    raise UserError(str(fault)) from fault


def make_program(config: ConfigDict, placement: Placement) -> Program:
  """Returns the program of a configuration.

  Raises: UserError for networks, schedules, losses and sizes that cannot be, own ones too: see `contract`.
  """
  ema_decay = config.optimizer.ema_decay
  size, channels, ema = config.data.crop, config.data.channels, ema_decay > 0
  check_names(config)
  try:
    schedule = make_schedule(config.optimizer, config.steps)
  except ValueError as fault:  # a schedule that there is not
    raise UserError(str(fault)) from fault
  optimizer = make_optimizer(config.optimizer, schedule)
  with of_network(config):
    model = build_model(config.model)
    check_network(model, config)
    step = make_train_step(model.clone(axis_name=AXIS), optimizer, config.loss, ema_decay=ema_decay, axis_name=AXIS)
    like = model, optimizer, channels
    made = functools.partial(make_state_and_logits, *like, size, ema)
    shapes, logits = jax.eval_shape(made, jax.random.key(0))
  check_logits(logits, (*FIRST_VIDEO, size, size, channels), config)
  check_loss_of(logits, config)
  initial_state = functools.partial(create_state, *like, config.seed, size=size, ema=ema)
  jit = config.get('parallel') == 'jit'  # runs of earlier versions do not say
  spread = placement.jit_step if jit else placement.pmap_step
  return Program(config, placement, model, schedule, initial_state, shapes, spread(step))


def check_memory(program: Program, frames: int, held: int = 0) -> None:
  """Compiles the step, which its first call then finds compiled; raises UserError when a device is too small for it.

  `held` are the bytes that the training set will take of each device.

  To be called before there is a state, which may be too large itself, and which would be missing from the free memory.
  """
  config, placement = program.config, program.placement
  if placement.processes > 1:  # jax compiles a step that spans processes only when it is called
    logging.info('what a step of several processes needs of memory is not known before it runs')
    return
  devices = len(placement.devices)

  def estimate(other: ConfigDict) -> int:
    logging.info('too much: measuring what a smaller setting would need')
    return make_program(other, placement).needed_bytes(frames, QUICKLY)

  limit, need = memory_limit(placement.devices), program.needed_bytes(frames)
  if held:
    logging.info('the training set takes %.3g GB of each device', held / 1e9)
    limit = limit and limit - held
  logging.info('%s%s', describe(config, frames, need, devices), f'; there are {limit / 1e9:.3g} GB' if limit else '')
  if config.check_memory:
    there = {'frames': frames, 'devices': devices, 'platform': placement.devices[0].platform}
    refuse_too_much(need, limit, config, program.model, **there, estimate=estimate)
