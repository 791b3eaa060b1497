"""What a run tells while it trains: figures of each step, validations, the share of time in which devices were idle."""

import contextlib
import math
import pathlib
from typing import Any, NamedTuple, Self

import jax
import numpy as np
from flax.traverse_util import flatten_dict

from ear_jax.devices.together import is_first
from ear_jax.training.log import MetricWriter, ProgressLine, read_metrics
from ear_jax.training.pace import Pace, Step
from ear_jax.training.program import Program


class Validated(NamedTuple):
  """What a validation found: Dice, and a picture `[H, W, 3]` uint8 of one cine with both masks."""

  dice: float
  picture: np.ndarray


class Monitor:
  """Checks, writes and shows the figures of a run; use as a context manager. Of several processes the first writes.

  Attributes:
    loss: of the last step that was read.
    best: highest validation Dice of the run, resumed parts included; None before the first.
    pace: of the steps.
    stale: validations since the best one.
  """

  def __init__(self, program: Program, folder: pathlib.Path, first: int):
    config = self._config = program.config
    self._schedule = program.schedule
    self._validates = config.split.fold >= 0
    often = config.eval.every if self._validates else 0
    self._progress = ProgressLine(config.steps, first, config.log_every, often) if is_first() else None
    self._writer = MetricWriter(folder, first) if is_first() else None
    self._shown: dict[str, float] = {}
    before = [line for line in read_metrics(folder) if line['step'] <= first]
    self.loss = next((line['loss'] for line in reversed(before) if 'loss' in line), math.nan)
    self.best: float | None = None
    self.stale = 0
    for line in before:
      if 'validation_dice' in line:
        self._judge(line['validation_dice'])
    self.pace = Pace(host_computes=program.placement.devices[0].platform == 'cpu')

  def __enter__(self) -> Self:
    self._stack = contextlib.ExitStack()
    for part in (self.pace, self._writer, self._progress):
      if part:
        self._stack.enter_context(part)
    if self._writer:
      self._writer.settings(flatten_dict(self._config.to_dict(), sep='.'))
    return self

  def __exit__(self, *details: Any) -> None:
    self._stack.__exit__(*details)

  def trained(self, step: int, done: Step) -> None:
    """Takes the figures of the training step that led to `step`, waiting for the device if need be.

    Raises: FloatingPointError when the loss or the gradient is not finite.
    """
    scalars = {name: float(value) for name, value in jax.device_get(done.metrics).items()}
    _check_finite(scalars, step)
    self.loss = scalars['loss']
    self.pace.add(done)
    if step % self._config.log_every == 0 or step == self._config.steps:
      with jax.transfer_guard('allow'):  # optax reckons in numbers that jax moves to the device
        scalars['learning_rate'] = float(self._schedule((step - 1) // self._config.optimizer.accumulate))
      scalars |= self.pace.take()
      if self._writer:
        self._writer.write(step, scalars)
      self._shown |= scalars
    if self._progress:
      self._progress.update(step, self._shown)

  def validating(self, step: int) -> None:
    """Says that a validation begins, where there is a fold for it."""
    if self._progress and self._validates:
      self._progress.validating(step)

  def validated(self, step: int, validated: Validated | None) -> None:
    """Takes what a validation found, None where there was none."""
    if validated is None:
      return
    self._judge(validated.dice)
    self._shown['validation_dice'] = validated.dice
    if self._writer:
      self._writer.write(step, {'validation_dice': validated.dice})
      self._writer.picture(step, validated.picture)
    if self._progress:
      self._progress.say(f'step {step}: validation Dice {validated.dice:.4f}')

  def exhausted(self) -> bool:
    """Whether so many validations were no better than the best that training is to end, which it says."""
    patience = self._config.eval.patience
    if not patience or self.stale < patience:
      return False
    if self._progress:
      self._progress.say(f'{self.stale} validations brought no better than Dice {self.best:.4f}: training ends here')
    return True

  def _judge(self, dice: float) -> None:
    if self.best is None or dice > self.best:
      self.best, self.stale = dice, 0
    else:
      self.stale += 1


def _check_finite(scalars: dict[str, float], step: int) -> None:
  for name in ('loss', 'grad_norm'):
    if not math.isfinite(scalars[name]):
      found = f'{name} is {scalars[name]} at step {step}'
      if step == 1:  # its figures are those of the weights that training began with
        raise FloatingPointError(
          f'{found}, before any weight was changed, which no learning rate does: the network, the loss or the weights '
          'of config.init_from do; try --config.model.name=unet3d, then --config.loss.name=dice_iou, to see which'
        )
      raise FloatingPointError(
        f'{found}: train anew, in another --workdir, with a smaller --config.optimizer.learning_rate, '
        '--config.optimizer.clip_norm=1, or --config.model.dtype=float32; the last checkpoint here is sound'
      )
