"""What a training step needs of a device's memory, known before it runs, and which switch to turn where it is too much.

The numbers are the compiler's own, not a formula's: every switch that the sentence names was compiled. Pure of files,
flags and devices; `devices.memory.memory_limit` knows what there is.
"""

from collections.abc import Callable, Iterator
from typing import Any

import flax.linen as nn
import jax
from ml_collections import ConfigDict

from ear_jax.system.errors import UserError

Estimate = Callable[[ConfigDict], int]
# Buffers are laid out before machine code is made, so code of no quality needs the same memory: measured to be equal.
QUICKLY = {'xla_backend_optimization_level': 0, 'xla_llvm_disable_expensive_passes': True}
_GB = 1e9
_TRIES = 3  # of a smaller crop
_SPARE = 0.9  # of the limit, that a suggested crop is meant to need
# Of the address space, for libraries, compiler and stacks of threads: a tiny run aborted with about 1.5 GB left.
_COMPILER = 2.5e9


def step_bytes(compiled: jax.stages.Compiled) -> int:
  """Returns the peak memory of a compiled step on one device: arguments, results and all that lives between.

  Arguments that are donated are counted once. Scratch space that kernels take for themselves is not in it.
  """
  stats: Any = compiled.memory_analysis()  # jax says 'or None'; of CPU and GPU XLA tells
  arguments_and_results: int = stats.argument_size_in_bytes + stats.output_size_in_bytes - stats.alias_size_in_bytes
  return arguments_and_results + stats.temp_size_in_bytes


def refuse_too_much(
  need: int,
  limit: int | None,
  config: ConfigDict,
  model: nn.Module,
  *,
  frames: int,
  devices: int,
  platform: str,
  estimate: Estimate,
) -> None:
  """Raises UserError where a step needs more than a device has, with the switches that bring it below.

  Args:
    need: bytes a device that the step of `config` takes.
    limit: bytes a device; None: unknown, nothing is checked.
    model: the network, which says what sizes it takes and which fields it has.
    frames: T.   devices: D.   platform: of the devices, 'cpu', 'gpu' or as jax names them.
    estimate: bytes a device of another configuration; asked only where `need` is too much.
  """
  if limit is None or need <= limit:
    return
  measured = list(_measured_switches(config, model, need, limit, devices, platform, estimate))
  enough = [text for text, bytes_ in measured if bytes_ <= limit]
  short = [text for text, bytes_ in measured if limit < bytes_ < need]
  advice = f'set {", or ".join(enough)}' if enough else 'turn several switches together'
  if short:
    advice += f'; not enough alone: {", ".join(short)}'
  raise UserError(f'{describe(config, frames, need, devices)}, there are {limit / _GB:.3g} GB: {advice}')


def check_address_space(free: int | None) -> None:
  """Raises UserError where the address space ends before there is a program: XLA's compiler then aborts the process.

  Args:
    free: bytes left; None: no limit.
  """
  if free is not None and free < _COMPILER:
    raise UserError(
      f'too little memory to compile in: `ulimit -v` leaves {free / _GB:.2g} GB of address space and '
      f'{_COMPILER / _GB:.2g} GB are needed: raise it (`ulimit -v unlimited`, or what the scheduler gives a job), '
      'or set --config.check_memory=False'
    )


def describe(config: ConfigDict, frames: int, need: int, devices: int) -> str:
  """Returns '50x128x128x4 at batch 2 needs about 2.7 GB of memory on each of 2 devices'."""
  size = config.data.crop
  shape = f'{frames}x{size}x{size}x{config.data.channels} at batch {config.batch_size}'
  return f'{shape} needs about {need / _GB:.3g} GB of memory' + (
    f' on each of {devices} devices' if devices > 1 else ''
  )


def _measured_switches(
  config: ConfigDict, model: nn.Module, need: int, limit: int, devices: int, platform: str, estimate: Estimate
) -> Iterator[tuple[str, int]]:
  """Yields each switch as text with its bytes."""
  crop = _crop_that_fits(config, need, limit, model.unit, estimate)
  if crop is not None:
    yield crop
  for changes in _other_switches(config, model, devices, platform):
    estimated = estimate(changed(config, changes))
    yield _text(changes, estimated), estimated


def _other_switches(config: ConfigDict, model: nn.Module, devices: int, platform: str) -> Iterator[dict[str, Any]]:
  """Yields changes that mean less memory; fields that the network does not have are left out."""
  if config.batch_size > devices:
    yield {'batch_size': devices}
  if hasattr(model, 'dtype') and config.model.dtype == 'float32':
    yield {'model.dtype': 'bfloat16'}
  if hasattr(model, 'remat') and not config.model.remat:
    yield {'model.remat': True}
  if platform != 'cpu' and getattr(model, 'gpu_convolution', '3d') != '3d':  # a CPU has a form of its own
    yield {'model.gpu_convolution': '3d'}
  if hasattr(model, 'filters') and min(config.model.filters) > 1:
    yield {'model.filters': tuple(max(1, f // 2) for f in config.model.filters)}


def _crop_that_fits(config: ConfigDict, need: int, limit: int, unit: int, estimate: Estimate) -> tuple[str, int] | None:
  """Returns the largest crop, in steps that the network takes, that fits; activations go with its square."""
  crop = config.data.crop
  for _ in range(_TRIES):
    crop = min(crop - unit, int(crop * (_SPARE * limit / need) ** 0.5) // unit * unit)
    if crop < unit:
      return None
    need = estimate(changed(config, {'data.crop': crop}))
    if need <= limit:
      return _text({'data.crop': crop}, need), need
  return None


def changed(config: ConfigDict, changes: dict[str, Any]) -> ConfigDict:
  """Returns a copy of a configuration with some fields, by dotted names, set to other values."""
  other = ConfigDict(config.to_dict())
  other.update_from_flattened_dict(changes)
  return other


def _text(changes: dict[str, Any], size: int) -> str:
  ((name, value),) = changes.items()
  value = ','.join(map(str, value)) if isinstance(value, tuple) else value
  return f'--config.{name}={value} (about {size / _GB:.3g} GB)'
