"""What does a training step need on a GPU that is not here? `python -m ear_jax.plan_memory --config configs/ear3d.py`.

Compiles the step of a configuration for GPUs by name, as it stands and with the switches that change its memory, and
prints the compiler's peak. Needs jax's CUDA plugin and no GPU. Nothing is run: scratch space that cuDNN takes for
itself comes on top.
"""

from __future__ import annotations

import pathlib

from absl import flags
from ml_collections import config_flags
from rich.console import Console
from rich.table import Table

from ear_jax.benchmarking.gpu_memory import plan
from ear_jax.benchmarking.gpus import GPUS
from ear_jax.report.tables import strict_json
from ear_jax.system import cli
from ear_jax.system.errors import UserError
from ear_jax.system.files import write_text

_CONFIG = config_flags.DEFINE_config_file('config', None, 'Configuration of the training, see configs/.')
_GPU = flags.DEFINE_list('gpu', ['h100'], f'GPUs, with commas between them: {", ".join(GPUS)}.')
_FRAMES = flags.DEFINE_integer('frames', 50, 'Frames of a cine.', lower_bound=1)
flags.declare_key_flag('output')


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
