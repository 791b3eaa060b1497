"""What a training step needs on GPUs that are not here, as configured and with the switches that change it."""

import rich.table
from absl import logging
from ml_collections import ConfigDict

from ear_jax.benchmarking.gpus import GPUS, compile_only, usable
from ear_jax.config.fields import check_config
from ear_jax.devices.placement import Placement
from ear_jax.system.errors import UsageError
from ear_jax.system.table import Table, drawn
from ear_jax.training.memory import changed, describe
from ear_jax.training.program import make_program

SWITCHES: dict[str, dict] = {
  'as configured': {},
  'model.dtype=bfloat16': {'model.dtype': 'bfloat16'},
  'model.remat=True': {'model.remat': True},
  'model.gpu_convolution=3d': {'model.gpu_convolution': '3d'},
  'bfloat16 and remat': {'model.dtype': 'bfloat16', 'model.remat': True},
}


def plan(config: ConfigDict, gpus: list[str], frames: int) -> list[dict]:
  """Returns for each GPU and each switch: `gpu`, `switch`, `bytes` that the step needs, `usable` bytes there.

  One device has the whole batch. Raises: UserError for a name that is not one of `GPUS`, or a field that cannot be.
  """
  gpus = [name.lower() for name in gpus]
  if unknown := [name for name in gpus if name not in GPUS]:
    raise UsageError(f'--gpu {unknown[0]!r} is not one of {", ".join(GPUS)}')
  check_config(config)
  rows = []
  for name in gpus:
    placement = Placement([compile_only(name)])
    for switch, changes in SWITCHES.items():
      other = changed(config, changes)
      need = make_program(other, placement).needed_bytes(frames)
      logging.info('%s, %s: %s', name, switch, describe(other, frames, need, 1))
      rows.append({'gpu': name, 'switch': switch, 'bytes': need, 'usable': usable(name)})
  return rows


def table(plans: list[dict], config: ConfigDict, frames: int) -> rich.table.Table:
  """Returns what `plan` found as a table for the terminal."""
  shape = f'{frames} x {config.data.crop} x {config.data.crop} x {config.data.channels}'
  title = f'{config.model.name}, {shape}, batch {config.batch_size}: peak memory of a training step'
  rows = []
  for row in plans:
    need, there = row['bytes'], row['usable']
    size = f'{need / 1e9:.3g}', f'{there / 1e9:.3g} GB', 'fits' if need <= there else 'too much'
    rows.append([GPUS[row['gpu']].title, row['switch'], *size])
  return drawn(Table(title, ['GPU', 'switch', 'GB', 'jax takes up to', ''], rows), left=('switch', ''))
