"""Writes a digital phantom's study as velocity-mapping DICOM: `python -m ear_jax.make_phantom --output FOLDER`.

The files are what a scanner would send (`formats/siemens/study.py` has the layout), of a person who does not exist; the
same seed, size and subject give the same files. `--exact` leaves noise, blur and background phase out, for tests.
"""

from __future__ import annotations

import pathlib
import tempfile

from absl import flags
from rich.console import Console
from rich.progress import Progress

from ear_jax.cine import Study
from ear_jax.formats.siemens import writer as siemens_writer
from ear_jax.phantom import study
from ear_jax.system import cli
from ear_jax.system.errors import UserError

_SIZES = {'demo': study.DEMO, 'mini': study.MINI, 'paper': study.PAPER}
_SERIES = 5  # of a slice

flags.declare_key_flag('output')
_SEED = flags.DEFINE_integer('seed', 0, 'Cohort: another seed is other people.', lower_bound=0)
_SUBJECT = flags.DEFINE_integer('subject', 1, 'Which person of the cohort, from 1.', lower_bound=1)
_SIZE = flags.DEFINE_enum('size', 'demo', list(_SIZES), 'demo: 3 slices, 50 frames, 224 x 224; paper: 512 x 512.')
_DIRECTION = flags.DEFINE_enum('direction', 'COL', ['COL', 'ROW'], 'In-plane phase encoding direction.')
_EXACT = flags.DEFINE_bool('exact', False, 'No noise, blur or background phase; velocity 0 outside the wall.')


def make_phantom(
  output: pathlib.Path,
  *,
  size: study.Size = study.DEMO,
  seed: int = 0,
  subject: int = 1,
  direction: str = 'COL',
  exact: bool = False,
) -> list[pathlib.Path]:
  """Writes the first visit of one subject into `output` and returns the files.

  Raises: UserError when `output` holds files already or the cohort has no such subject.
  """
  if output.exists() and (not output.is_dir() or any(output.iterdir())):
    raise UserError(f'{output} is not an empty folder: name a new one with --output')
  if subject > size.subjects:
    raise UserError(f'{size.name} has {size.subjects} subjects: --subject is 1 to {size.subjects}, not {subject}')
  visits = [p for p in study.plan(size, seed) if p.subject_index == subject - 1 and p.visit_index == 0]
  with Progress(console=Console(stderr=True)) as progress:
    making = progress.add_task('making slices', total=len(visits))
    cines = []
    for p in visits:
      cines.append(study.exact(p) if exact else study.render(p))
      progress.advance(making)
    writing = progress.add_task('writing DICOM', total=len(cines) * _SERIES * size.frames)
    made = Study(cines[0].subject, cines[0].dataset, tuple(cines))
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f'.{output.name}.') as unfinished:
      folder = pathlib.Path(unfinished) / output.name
      files = siemens_writer.write(made, folder, direction=direction, progress=lambda: progress.advance(writing))
      folder.rename(output)  # whole or not at all: half a study would be refused later, with a fault for each file
  return [output / path.name for path in files]


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
