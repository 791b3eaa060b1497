"""Writes a digital phantom's study as velocity-mapping DICOM: `python -m ear_jax.make_phantom --output FOLDER`.

The files are what a scanner would send (`formats/siemens/study.py` has the layout), of a person who does not exist; the
same seed, size and subject give the same files. `--exact` leaves noise, blur and background phase out, for tests.
"""

from __future__ import annotations

import pathlib

from absl import flags
from rich.console import Console

from ear_jax.phantom import study
from ear_jax.system import cli
from ear_jax.system.errors import UserError
from ear_jax.workflows.make_phantom import make_phantom

_SIZES = {'demo': study.DEMO, 'mini': study.MINI, 'paper': study.PAPER}

flags.declare_key_flag('output')
_SEED = flags.DEFINE_integer('seed', 0, 'Cohort: another seed is other people.', lower_bound=0)
_SUBJECT = flags.DEFINE_integer('subject', 1, 'Which person of the cohort, from 1.', lower_bound=1)
_SIZE = flags.DEFINE_enum('size', 'demo', list(_SIZES), 'demo: 3 slices, 50 frames, 224 x 224; paper: 512 x 512.')
_DIRECTION = flags.DEFINE_enum('direction', 'COL', ['COL', 'ROW'], 'In-plane phase encoding direction.')
_EXACT = flags.DEFINE_bool('exact', False, 'No noise, blur or background phase; velocity 0 outside the wall.')


def main() -> None:
  """Reads the flags, writes the files and says where they are."""
  if not cli.OUTPUT.value:
    raise UserError('give --output, the folder to write into')
  output = pathlib.Path(cli.OUTPUT.value).expanduser()
  files = make_phantom(
    output,
    size=_SIZES[_SIZE.value],
    seed=_SEED.value,
    subject=_SUBJECT.value,
    direction=_DIRECTION.value,
    exact=_EXACT.value,
  )
  Console().print(f'{len(files)} DICOM files: {output}')


if __name__ == '__main__':
  cli.run(main)
