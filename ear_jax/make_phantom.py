"""Writes a digital phantom's study as velocity-mapping DICOM: `python -m ear_jax.make_phantom --output FOLDER`.

The files are what a scanner would send (`formats/siemens/study.py` has the layout), of a person who does not exist; the
same seed, size and subject give the same files. `--exact` leaves noise, blur and background phase out, for tests.
"""

import pathlib
from types import SimpleNamespace

from absl import flags
from rich.console import Console

from ear_jax.system import cli
from ear_jax.system.errors import UsageError


def main() -> None:
  """Reads the command line, writes the files and says where they are."""
  sizes = ['demo', 'mini', 'paper']
  cli.run(
    _make_phantom,
    *cli.shared('output'),
    flags.DEFINE_integer('seed', 0, 'Cohort: another seed is other people.', lower_bound=0),
    flags.DEFINE_integer('subject', 1, 'Which person of the cohort, from 1.', lower_bound=1),
    flags.DEFINE_enum(
      'size', 'demo', sizes, 'demo: 3 slices, 50 frames, 224 x 224; paper: 512 x 512.', case_sensitive=False
    ),
    flags.DEFINE_enum('direction', 'COL', ['COL', 'ROW'], 'In-plane phase encoding direction.', case_sensitive=False),
    flags.DEFINE_bool('exact', False, 'No noise, blur or background phase; velocity 0 outside the wall.'),
    flags.DEFINE_bool('contours', False, 'The exact contours too, as contours.nc in the form of StrainMap.'),
  )


def _make_phantom(given: SimpleNamespace) -> None:
  if not given.output:
    raise UsageError('give --output, the folder to write into')
  from ear_jax.workflows.make_phantom import make_phantom

  output = pathlib.Path(given.output).expanduser()
  person = {'seed': given.seed, 'subject': given.subject}
  files = make_phantom(
    output, size=given.size, direction=given.direction, exact=given.exact, contours=given.contours, **person
  )
  Console().print(f'{len(files)} files: {output}')


if __name__ == '__main__':
  main()
