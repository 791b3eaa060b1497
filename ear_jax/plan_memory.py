"""What does a training step need on a GPU that is not here? `python -m ear_jax.plan_memory --config configs/ear3d.py`.

Compiles the step of a configuration for GPUs by name, as it stands and with the switches that change its memory, and
prints the compiler's peak. Needs jax's CUDA plugin and no GPU. Nothing is run: scratch space that cuDNN takes for
itself comes on top.
"""

from __future__ import annotations

import pathlib

from absl import flags, logging
from ml_collections import ConfigDict, config_flags
from rich.console import Console
from rich.table import Table

from ear_jax import cli
from ear_jax.benchmarking.gpus import GPUS, compile_only, usable
from ear_jax.errors import UserError
from ear_jax.files import write_text
from ear_jax.report.tables import strict_json
from ear_jax.training.memory import describe
from ear_jax.training.parallel import Placement
from ear_jax.training.program import needed_bytes

_CONFIG = config_flags.DEFINE_config_file('config', None, 'Configuration of the training, see configs/.')
_GPU = flags.DEFINE_list('gpu', ['h100'], f'GPUs, with commas between them: {", ".join(GPUS)}.')
_FRAMES = flags.DEFINE_integer('frames', 50, 'Frames of a cine.', lower_bound=1)
flags.declare_key_flag('output')

SWITCHES = {
  'as configured': {},
  'model.dtype=bfloat16': {'model.dtype': 'bfloat16'},
  'model.remat=True': {'model.remat': True},
  'both': {'model.dtype': 'bfloat16', 'model.remat': True},
}


def plan(config: ConfigDict, gpus: list[str], frames: int) -> list[dict]:
  """Returns for each GPU and each switch: `gpu`, `switch`, `bytes` that the step needs, `usable` bytes there.

  One device has the whole batch. Raises: UserError for a name that is not one of `GPUS`.
  """
  if unknown := [name for name in gpus if name not in GPUS]:
    raise UserError(f'--gpu {unknown[0]!r} is not one of {", ".join(GPUS)}')
  found = []
  for name in gpus:
    placement = Placement([compile_only(name)])
    for switch, changes in SWITCHES.items():
      other = ConfigDict(config.to_dict())
      other.update_from_flattened_dict(changes)
      need = needed_bytes(other, placement, frames)
      logging.info('%s, %s: %s', name, switch, describe(other, frames, need, 1))
      found.append({'gpu': name, 'switch': switch, 'bytes': need, 'usable': usable(name)})
  return found


def main() -> None:
  """Reads the flags, compiles and prints the table."""
  if _CONFIG.value is None:
    raise UserError('give --config, such as configs/ear3d.py')
  cli.request_cpu_devices(1, 1)
  config, frames = _CONFIG.value, _FRAMES.value
  found = plan(config, _GPU.value, frames)
  shape = f'{frames} x {config.data.crop} x {config.data.crop} x {config.data.channels}'
  table = Table(title=f'{config.model.name}, {shape}, batch {config.batch_size}: peak memory of a training step')
  for column in ('GPU', 'switch', 'GB', 'jax takes up to', ''):
    table.add_column(column, justify='right' if column in ('GB', 'jax takes up to') else 'left')
  for row in found:
    fits = 'fits' if row['bytes'] <= row['usable'] else 'too much'
    table.add_row(
      GPUS[row['gpu']].title, row['switch'], f'{row["bytes"] / 1e9:.3g}', f'{row["usable"] / 1e9:.3g} GB', fits
    )
  Console().print(table)
  if cli.OUTPUT.value:
    write_text(pathlib.Path(cli.OUTPUT.value).expanduser() / 'plan_memory.json', strict_json({'steps': found}))


if __name__ == '__main__':
  cli.run(main)
