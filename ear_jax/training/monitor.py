"""What a run tells while it trains: figures of each step, validations, the share of time spent waiting for data."""

import contextlib
import math
import pathlib
import time
from collections.abc import Iterator
from typing import Any, Self

import jax

from ear_jax.devices.together import is_first
from ear_jax.training.log import MetricWriter, ProgressLine, read_metrics
from ear_jax.training.program import Program

_SHOWN = ('loss', 'dice', 'seconds_per_step', 'wait_share', 'validation_dice')


class Monitor:
  """Checks, writes and shows the figures of a run; use as a context manager. Of several processes the first writes.

  Attributes:
    loss: of the last step that was read.
    best: highest validation Dice of the run, resumed parts included; None before the first.
  """

  def __init__(self, program: Program, folder: pathlib.Path, first: int):
    config = self._config = program.config
    self._schedule = program.schedule
    self._progress = ProgressLine(config.steps, first, config.log_every) if is_first() else None
    self._writer = MetricWriter(folder, first) if is_first() else None
    self._shown: dict[str, float] = {}
    before = read_metrics(folder)
    self.loss = next((line['loss'] for line in reversed(before) if 'loss' in line), math.nan)
    self.best = max((line['validation_dice'] for line in before if 'validation_dice' in line), default=None)
    self._restart()

  def __enter__(self) -> Self:
    self._stack = contextlib.ExitStack()
    for part in (self._writer, self._progress):
      if part:
        self._stack.enter_context(part)
    return self

  def __exit__(self, *details: Any) -> None:
    self._stack.__exit__(*details)

  @contextlib.contextmanager
  def waiting(self) -> Iterator[None]:
    """Counts the time within as time spent waiting for data."""
    start = time.perf_counter()
    yield
    self._waited += time.perf_counter() - start

  def trained(self, step: int, metrics: dict[str, jax.Array]) -> None:
    """Takes the figures of the training step that led to `step`, waiting for the device if need be.

    Raises: FloatingPointError when the loss or the gradient is not finite.
    """
    scalars = {name: float(value) for name, value in jax.device_get(metrics).items()}
    _check_finite(scalars, step)
    self.loss = scalars['loss']
    self._steps += 1
    if step % self._config.log_every == 0 or step == self._config.steps:
      seconds = time.perf_counter() - self._start
      with jax.transfer_guard('allow'):  # optax reckons in numbers that jax moves to the device
        scalars['learning_rate'] = float(self._schedule((step - 1) // self._config.optimizer.accumulate))
      scalars['seconds_per_step'] = seconds / self._steps
      scalars['wait_share'] = self._waited / max(seconds, 1e-9)
      if self._writer:
        self._writer.write(step, scalars)
      self._shown |= {name: value for name, value in scalars.items() if name in _SHOWN}
      self._restart()
    if self._progress:
      self._progress.update(step, self._shown)

  def validated(self, step: int, dice: float | None) -> None:
    """Takes a validation Dice, None where there is no validation fold; the time it took is nobody's step."""
    if dice is not None:
      self.best = dice if self.best is None else max(self.best, dice)
      self._shown['validation_dice'] = dice
      if self._writer:
        self._writer.write(step, {'validation_dice': dice})
      if self._progress:
        self._progress.say(f'step {step}: validation Dice {dice:.4f}')
    self._restart()

  def _restart(self) -> None:
    self._start, self._steps, self._waited = time.perf_counter(), 0, 0.0


def _check_finite(scalars: dict[str, float], step: int) -> None:
  for name in ('loss', 'grad_norm'):
    if not math.isfinite(scalars[name]):
      raise FloatingPointError(
        f'{name} is {scalars[name]} at step {step}: train anew, in another --workdir, with a smaller '
        '--config.optimizer.learning_rate, --config.optimizer.clip_norm=1, or --config.model.dtype=float32; '
        'the last checkpoint here is sound'
      )
