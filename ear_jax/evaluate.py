"""Scores a trained network: `python -m ear_jax.evaluate --workdir runs/ear3d [--split test] [--checkpoint best]`.

Restores a checkpoint, segments every cine of the split and writes numbers, tables and pictures into
`<workdir>/evaluation_<split>` (or `--output`). Subjects that the network was trained on are refused. An exported
network or one that ships with the package takes the place of a run: `--checkpoint ear3d-phantom --output FOLDER`.
"""

from __future__ import annotations

import pathlib

from absl import flags
from rich.console import Console

from ear_jax.networks.load import load_run
from ear_jax.networks.weights import names
from ear_jax.report import agreement_tables, tables
from ear_jax.system import cli
from ear_jax.system.errors import UserError
from ear_jax.workflows.evaluate import evaluate

for _name in ('workdir', 'checkpoint', 'output'):
  flags.declare_key_flag(_name)
_DATA = flags.DEFINE_string('data', None, 'Another data set, name/config: all of its subjects are scored.')
_SPLIT = flags.DEFINE_string('split', 'test', "Subjects to score: 'test', 'validation', 'train' or 'all'.")
_DATA_DIR = flags.DEFINE_string('data_dir', None, 'Where the data set is, if it has moved since training.')
_ALLOW_TRAINING = flags.DEFINE_bool('allow_training_subjects', False, 'Score subjects that were trained on.')


def _places(part: str) -> tuple[str, pathlib.Path]:
  """Returns the network and the folder to write that the flags name."""
  if cli.WORKDIR.value is not None:
    workdir = pathlib.Path(cli.WORKDIR.value).expanduser()
    load_run(workdir)  # before anything else is said of it
    return str(workdir.absolute()), pathlib.Path(cli.OUTPUT.value or workdir / f'evaluation_{part}').expanduser()
  if not cli.CHECKPOINT.value or not cli.OUTPUT.value:
    raise UserError(
      'give --workdir, the folder of a training run, or --checkpoint, an exported network or the name of one that '
      f'ships with the package ({", ".join(names())}), with --output, a folder'
    )
  return cli.CHECKPOINT.value, pathlib.Path(cli.OUTPUT.value).expanduser()


def main() -> None:
  """Reads the flags, evaluates and prints the tables."""
  part = _DATA.value.replace('/', '_') if _DATA.value else _SPLIT.value
  network, output = _places(part)
  cli.request_cpu_devices(0, 0)
  summary = evaluate(
    network,
    output,
    part=_SPLIT.value,
    checkpoint=cli.CHECKPOINT.value or 'best',
    data_dir=_DATA_DIR.value,
    other_data=_DATA.value,
    allow_training_subjects=_ALLOW_TRAINING.value,
  )
  console = Console()
  console.print(tables.terminal(summary))
  console.print(agreement_tables.terminal(summary['agreement']))
  console.print(f'pictures and tables: {output}')
  console.print(f'subject-mean Dice on {part}: {summary["metrics"]["dice"]["mean"]:.4f}')


if __name__ == '__main__':
  cli.run(main)
