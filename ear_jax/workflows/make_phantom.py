"""Writes a digital phantom's study as velocity-mapping DICOM; the same seed, size and subject give the same files."""

import dataclasses
import os
import pathlib
import tempfile
from collections.abc import Sequence

import numpy as np
from rich.progress import Progress

from ear_jax.analysis.motion import Contours
from ear_jax.analysis.slices import analyse
from ear_jax.cine import Study
from ear_jax.formats import strainmap
from ear_jax.formats.dicom import instances
from ear_jax.formats.siemens import writer as siemens_writer
from ear_jax.phantom import study
from ear_jax.system.errors import UserError
from ear_jax.system.terminal import progress_console

_SERIES = 5  # of a slice


def make_phantom(
  output: str | os.PathLike,
  *,
  size: study.Size | str = study.DEMO,
  seed: int = 0,
  subject: int = 1,
  direction: str = 'COL',
  exact: bool = False,
  contours: bool = False,
) -> list[pathlib.Path]:
  """Writes the first visit of one subject into `output` and returns the files.

  Args:
    output: a new folder.
    size: 'mini', 'demo' or 'paper', or counts, grid and encoding of your own.
    seed: another seed is another cohort.
    subject: which person of the cohort, from 1.
    direction: 'COL' or 'ROW', in-plane phase encoding.
    exact: no noise, blur or background phase.
    contours: write the exact contours too, as `contours.nc`, the last of the files, in the form of StrainMap.

  Raises: UserError when `output` holds files already or the cohort has no such subject.

  >>> files = ear_jax.make_phantom('scan', size='mini')
  >>> len(files)  # 3 slices of 5 series of 16 frames
  240
  """
  output, size = pathlib.Path(output), study.SIZES[size] if isinstance(size, str) else size
  if output.exists() and (not output.is_dir() or any(output.iterdir())):
    raise UserError(f'{output} is not an empty folder: name a new one with --output')
  if subject > size.subjects:
    raise UserError(f'{size.name} has {size.subjects} subjects: --subject is 1 to {size.subjects}, not {subject}')
  visits = study.first_visit(size, seed=seed, subject=subject)
  with Progress(console=progress_console()) as progress:
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
      gap = study.people(visits[0])[0].heart.length / (len(visits) - 1)
      files = siemens_writer.write(
        made, folder, direction=direction, gap=gap, progress=lambda: progress.advance(writing)
      )
      if contours:
        files.append(_write_contours(folder / 'contours.nc', made, visits, files))
      folder.rename(output)  # whole or not at all: half a study would be refused later, with a fault for each file
  return [output / path.name for path in files]


def _write_contours(
  path: pathlib.Path, made: Study, plans: Sequence[study.SlicePlan], files: Sequence[pathlib.Path]
) -> pathlib.Path:
  """Writes what a person would have drawn in StrainMap who knew the truth; cines are named as StrainMap names them."""
  motions, names = [], []
  for k, (cine, plan) in enumerate(zip(made, plans, strict=True)):
    truth, frames = study.truth(plan), len(cine.video)
    drawn = Contours(truth.endo, truth.epi, ('',) * frames, np.zeros(frames, bool), drawn=True)
    motions.append(dataclasses.replace(analyse(cine, truth.mask), contours=drawn))
    names.append(instances.series_name(files[k * _SERIES * frames]))
  strainmap.write(path, motions, names, pseudonym=made.dataset)
  return path
