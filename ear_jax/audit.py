"""Ranks references that look wrong: `python -m ear_jax.audit DATA --checkpoint runs/fold0,runs/fold1 --output FOLDER`.

DATA is a data set as `tfds build` made it (`sunnybrook/frames`) or a folder of studies with contours beside them. Every
subject is delineated by the networks that were not trained on it: give the runs of a cross-validation. `audit.csv` has
every frame, the most suspicious first, with a suspected fault; `audit.html` shows the worst (`docs/audit.md`). With
`--plant 10` faults are planted into the references, and the command says how many of them it finds.
"""

import pathlib
from types import SimpleNamespace

from absl import flags
from rich.console import Console

from ear_jax.networks import weights
from ear_jax.system import cli
from ear_jax.system.errors import UsageError


def main() -> None:
  """Reads the command line, audits and prints the most suspicious cines."""
  cli.run(
    _audit,
    *cli.shared('output'),
    flags.DEFINE_string(
      'checkpoint',
      None,
      'Folders of the runs of a cross-validation, with commas between them, each for the subjects that it was not '
      f'trained on; or any network: {weights.accepted()}.',
    ),
    flags.DEFINE_string('data_dir', None, 'Where the data set is, if it has moved since training.'),
    flags.DEFINE_bool('trust', False, 'Audit subjects too that every network was trained on.'),
    flags.DEFINE_integer('pictures', 12, 'How many cines the page shows.', lower_bound=0),
    flags.DEFINE_integer('plant', 0, 'Draws of planted faults, to measure how many are found.', lower_bound=0),
    words=1,  # DATA
  )


def _audit(given: SimpleNamespace) -> None:
  names = given.checkpoint.split(',') if given.checkpoint else []
  if len(given.words) != 1 or not given.output:
    raise UsageError('give one DATA (a data set or a folder of studies) and --output (a folder for the audit)')
  if not names:
    raise UsageError('give --checkpoint: the runs of a cross-validation with commas between them, or a network')
  for name in names:
    weights.locate(name)  # before anything slow
  from ear_jax.networks.load import load_network
  from ear_jax.report.audit import terminal
  from ear_jax.system.table import drawn
  from ear_jax.workflows.audit import audit
  from ear_jax.workflows.planted_faults import to_table

  cli.request_cpu_devices(0, 0)
  networks = [load_network(name, 'latest') for name in names]
  output = pathlib.Path(given.output).expanduser()
  choice = {'data_dir': given.data_dir, 'trust': given.trust, 'pictures': given.pictures, 'plant': given.plant}
  ranked = audit(given.words[0], output, networks, **choice)
  console = Console()
  console.print(terminal(ranked))
  if ranked['planted']:
    console.print(drawn(to_table(ranked['planted'])))
  console.print(f'all frames in their order: {output / "audit.csv"}; pictures: {output / "audit.html"}')


if __name__ == '__main__':
  main()
