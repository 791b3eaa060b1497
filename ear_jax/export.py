"""Writes a trained network as one file: `python -m ear_jax.export --checkpoint runs/ear3d --output ear3d.zip`.

The best checkpoint of the run with its weights, for any number of cines and frames, on CPU and CUDA; it runs without
our code (`docs/export.md`), and `ear_jax.predict` takes it in place of the run. It names no path, host or person.
Runs that differ in their seed, `--checkpoint runs/seed0,runs/seed1`, become one network that answers with their mean.
"""

from __future__ import annotations

import pathlib

from absl import flags, logging

from ear_jax.networks.export import export
from ear_jax.system import cli
from ear_jax.system.errors import UserError

for _name in ('checkpoint', 'output'):
  flags.declare_key_flag(_name)


def main() -> None:
  """Reads the flags, exports and says what was written."""
  if not cli.CHECKPOINT.value or not cli.OUTPUT.value:
    raise UserError('give --checkpoint (working directory of a training run) and --output (a file, .zip)')
  runs = [pathlib.Path(run).expanduser() for run in cli.CHECKPOINT.value.split(',')]
  output = pathlib.Path(cli.OUTPUT.value).expanduser()
  if output.suffix != '.zip':
    raise UserError(f'--output={output}: an exported network is a file that ends in .zip')
  description = export(runs, output)
  network, size = description['network'], output.stat().st_size / 1e6
  logging.info('%s: %s, step %d, %.1f MB', output, network['name'], network['step'], size)


if __name__ == '__main__':
  cli.run(main)
