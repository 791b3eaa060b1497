"""Writes a digital phantom's study as velocity-mapping DICOM; the same seed, size and subject give the same files."""

from __future__ import annotations

import pathlib
import tempfile

from rich.console import Console
from rich.progress import Progress

from ear_jax.cine import Study
from ear_jax.formats.siemens import writer as siemens_writer
from ear_jax.phantom import study
from ear_jax.system.errors import UserError

_SERIES = 5  # of a slice


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
