"""Scores a trained network: `python -m ear_jax.evaluate --workdir runs/ear3d [--split test] [--checkpoint best]`.

Restores a checkpoint, segments every cine of the split and writes numbers, tables and pictures into
`<workdir>/evaluation_<split>` (or `--output`). Subjects that the network was trained on are refused. An exported
network or one that ships with the package takes the place of a run: `--checkpoint ear3d-phantom --output FOLDER`.
`--studies FOLDER` scores studies as `predict` takes them, against the contours beside them, by one network or several
with commas between them, whose mean is taken; with `--reader RESULTS` not a network's contours are, but those of a
second reader.
"""

import pathlib
from types import SimpleNamespace

from absl import flags, logging
from rich.console import Console

from ear_jax.networks import weights
from ear_jax.system import cli
from ear_jax.system.errors import UsageError


def main() -> None:
  """Reads the command line, evaluates and prints the tables."""
  cli.run(
    _evaluate,
    *cli.shared('workdir', 'output'),
    flags.DEFINE_string(
      'checkpoint',
      None,
      "With --workdir: 'best' by validation Dice (default), 'latest' or a step; without: the network, "
      f'{weights.accepted()}.',
    ),
    flags.DEFINE_string('data', None, 'Another data set, name/config: all of its subjects are scored.'),
    flags.DEFINE_string('studies', None, 'A folder of studies with contours, in place of a data set.'),
    flags.DEFINE_string('reader', None, "A second reader's results, compared with the contours of --studies."),
    flags.DEFINE_enum(
      'split', 'test', ['test', 'validation', 'train', 'all'], 'Subjects to score.', case_sensitive=False
    ),
    flags.DEFINE_string('data_dir', None, 'Where the data set is, if it has moved since training.'),
    flags.DEFINE_bool('allow_training_subjects', False, 'Score subjects that were trained on.'),
    flags.DEFINE_bool('allow_changed_data', False, 'Score a data set that has changed since training.'),
    alive=True,
  )


def _evaluate(given: SimpleNamespace) -> None:
  if given.workdir is None and given.checkpoint and given.output:
    weights.locate(given.checkpoint)  # before anything slow
  logging.info('loading jax and its libraries')
  from ear_jax.networks.load import load_run
  from ear_jax.report import agreement_tables, tables, volume_agreement
  from ear_jax.system import table
  from ear_jax.workflows.evaluate import evaluate
  from ear_jax.workflows.evaluate_studies import evaluate_reader, evaluate_studies

  part = given.data.replace('/', '_') if given.data else 'studies' if given.studies else given.split
  network, checkpoint, output = given.checkpoint, 'best', given.output
  if given.workdir is not None:
    workdir, checkpoint = pathlib.Path(given.workdir).expanduser(), given.checkpoint or 'best'
    load_run(workdir)  # before anything else is said of it
    is_network = checkpoint in weights.names() or pathlib.Path(checkpoint).expanduser().exists()
    if is_network and checkpoint not in ('best', 'latest') and not checkpoint.isdigit():
      raise UsageError(
        f"--checkpoint {checkpoint} is a network by itself: with --workdir, which names one, give 'best', 'latest' or "
        'a step; without --workdir give the network, and --output, a folder'
      )
    network, output = str(workdir.absolute()), given.output or workdir / f'evaluation_{part}'
  elif given.reader and not (given.studies and output):
    raise UsageError('--reader goes with --studies, whose contours are of the first reader, and --output, a folder')
  elif not given.reader and (not network or not output):
    raise UsageError(
      'give --workdir, the folder of a training run, or --checkpoint, an exported network or the name of one that '
      f'ships with the package ({", ".join(weights.names())}), with --output, a folder'
    )
  output = pathlib.Path(output).expanduser()
  cli.request_cpu_devices(0, 0)
  if given.reader:
    summary = evaluate_reader(given.reader, output, pathlib.Path(given.studies).expanduser())
  elif given.studies:
    networks = [network] if given.workdir else network.split(',')
    summary = evaluate_studies(networks, output, pathlib.Path(given.studies).expanduser(), checkpoint=checkpoint)
  else:
    summary = evaluate(
      network,
      output,
      part=given.split,
      checkpoint=checkpoint,
      data_dir=given.data_dir,
      other_data=given.data,
      allow_training_subjects=given.allow_training_subjects,
      allow_changed_data=given.allow_changed_data,
    )
  console = Console()
  console.print(tables.terminal(summary))
  console.print(agreement_tables.terminal(summary['agreement']))
  if 'data_content' in summary['manifest']:
    console.print(f'data: {summary["manifest"]["data"]}, content {summary["manifest"]["data_content"]}')
  if 'window' in summary['manifest']:
    console.print(f'window: {summary["manifest"]["window"]}')
  if summary.get('volumes', {}).get('quantities'):
    volumes = summary['volumes']
    console.print(table.terminal([volume_agreement.text_table(volumes)], volumes['notes']))
  console.print(f'pictures and tables: {output}')
  console.print(f'subject-mean Dice on {part}: {summary["metrics"]["dice"]["mean"]:.4f}')


if __name__ == '__main__':
  main()
