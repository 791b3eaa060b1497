"""What does a training step need on a GPU that is not here? `python -m ear_jax.plan_memory --config configs/ear3d.py`.

Compiles the step of a configuration for GPUs by name, as it stands and with the switches that change its memory, and
prints the compiler's peak. Needs jax's CUDA plugin and no GPU. Nothing is run: scratch space that cuDNN takes for
itself comes on top.
"""

import pathlib
from types import SimpleNamespace

from absl import flags
from rich.console import Console

from ear_jax.config import flag
from ear_jax.system import cli
from ear_jax.system.errors import UsageError
from ear_jax.system.files import write_text


def main() -> None:
  """Reads the command line, compiles and prints the table."""
  from ear_jax.benchmarking.gpus import GPUS

  cli.run(
    _plan,
    flag.define('Configuration of the training, see configs/.'),
    flags.DEFINE_list('gpu', ['h100'], f'GPUs, with commas between them: {", ".join(GPUS)}.'),
    flags.DEFINE_integer('frames', 50, 'Frames of a cine.', lower_bound=1),
    *cli.shared('output'),
  )


def _plan(given: SimpleNamespace) -> None:
  if given.config is None:
    raise UsageError('give --config, such as configs/ear3d.py')
  from ear_jax.benchmarking.gpu_memory import plan, table
  from ear_jax.report.tables import strict_json

  cli.request_cpu_devices(1, 1)
  rows = plan(given.config, given.gpu, given.frames)
  Console().print(table(rows, given.config, given.frames))
  if given.output:
    write_text(pathlib.Path(given.output).expanduser() / 'plan_memory.json', strict_json({'steps': rows}))


if __name__ == '__main__':
  main()
