"""Runs a grid of experiments: `python -m ear_jax.ablation --config configs/ablation.py --workdir runs/ablation`.

Trains every cell on every fold, scores each network on its validation fold and the networks of a cell together on the
test subjects, and writes Tables 1 and 2 of the paper, and more, into the working directory. The same command again
does only what is missing. Exit status 1 when a job failed.
"""

import pathlib
import sys
from types import SimpleNamespace

from absl import flags
from ml_collections import config_flags

from ear_jax.config import flag
from ear_jax.system import cli
from ear_jax.system.errors import UsageError, UserError


def main() -> None:
  """Reads the command line and runs the grid."""
  meaning = 'Configuration of a grid: configs/ablation.py, or alike.'
  cli.run(_run, flag.define(meaning), *cli.shared('workdir', 'output'))


def _run(given: SimpleNamespace) -> int:
  from ear_jax.ablations.run import run

  if given.config is None or given.workdir is None:
    raise UsageError('give --config (configs/ablation.py, or alike) and --workdir (a folder for this grid)')
  workdir = pathlib.Path(given.workdir).expanduser()
  given.config.base = flag.found_from(given.config.base, config_flags.get_config_filename(flags.FLAGS['config']))
  try:
    output = given.output and pathlib.Path(given.output).expanduser()
    failed = run(given.config, workdir, output)
  except KeyboardInterrupt as fault:
    told, status = cli.stopped_by(fault)
    print(f'{told}; the same command goes on from here', file=sys.stderr)
    return status
  if failed:
    raise UserError(f'{failed} jobs have no result; the same command tries them again')
  return 0


if __name__ == '__main__':
  main()
