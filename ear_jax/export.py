"""Writes a trained network as one file: `python -m ear_jax.export --checkpoint runs/ear3d --output ear3d.zip`.

The best checkpoint of the run with its weights, for any number of cines and frames, on CPU and CUDA; it runs without
our code (`docs/export.md`), and `ear_jax.predict` takes it in place of the run. It names no path, host or person.
Runs that differ in their seed, `--checkpoint runs/seed0,runs/seed1`, become one network that answers with their mean.
"""

import pathlib
from types import SimpleNamespace

from absl import flags, logging

from ear_jax.system import cli
from ear_jax.system.errors import UsageError


def main() -> None:
  """Reads the command line, exports and says what was written."""
  cli.run(
    _export,
    flags.DEFINE_string(
      'checkpoint', None, 'Folder of a training run; several with commas between them become one network, their mean.'
    ),
    flags.DEFINE_string('output', None, 'File to write, .zip.'),
    writes='file',
  )


def _export(given: SimpleNamespace) -> None:
  if not given.checkpoint or not given.output:
    raise UsageError('give --checkpoint (working directory of a training run) and --output (a file, .zip)')
  runs = [pathlib.Path(run).expanduser() for run in given.checkpoint.split(',')]
  output = pathlib.Path(given.output).expanduser()
  if output.suffix != '.zip':
    raise UsageError(f'--output={output}: an exported network is a file that ends in .zip')
  from ear_jax.networks.export import export

  description = export(runs, output)
  network, size = description['network'], output.stat().st_size / 1e6
  logging.info('%s: %s, step %d, %.1f MB', output, network['name'], network['step'], size)


if __name__ == '__main__':
  main()
