"""The studies of a command line, ready to be served: read as `predict` reads them, with what they begin with."""

import contextlib
import dataclasses
import functools
import pathlib
from collections.abc import Iterator, Mapping, Sequence

from ear_jax.cine import Cine
from ear_jax.editor.base import on_360
from ear_jax.editor.follow import Base
from ear_jax.editor.studies import Study
from ear_jax.formats import references
from ear_jax.formats.choices import REFUSE, Choices
from ear_jax.formats.contour_files import Drawn
from ear_jax.formats.faults import Fault, MalformedStudy
from ear_jax.formats.matching import contours_of
from ear_jax.formats.open import open_studies
from ear_jax.formats.opened import Opened
from ear_jax.formats.references import septum_of
from ear_jax.formats.source import Source
from ear_jax.formats.strainmap_marks import fingerprint
from ear_jax.networks.load import load_network
from ear_jax.system.errors import UserError
from ear_jax.workflows.examine import Options
from ear_jax.workflows.predict import require_frames


def begin(
  study: pathlib.Path,
  output: pathlib.Path,
  *,
  checkpoints: Sequence[str] = (),
  results: pathlib.Path | None = None,
  contours: Sequence[pathlib.Path] = (),
  blind: str = '',
  options: Options | None = None,
  choices: Choices = REFUSE,
) -> tuple[list[Study], list[Fault]]:
  """Returns the studies at a path, and the faults of contours that are not used.

  Args:
    study: folder or file.
    output: folder that holds a folder a study.
    checkpoints: names, runs or files of networks.
    results: folder that `predict` or the editor wrote.
    contours: files or folders with contours by persons.
    blind: pseudonym of a reader who shall not see what others drew; '' for one who may.
    options: conventions of the results; None: nothing special.
    choices: what settles what the study leaves open; `trusted` also gives curves that the gate would withhold.

  Raises: UserError when there is nothing to edit, or a network or contours cannot be read.
  """
  try:
    opened = open_studies(study, choices)
  except MalformedStudy as fault:
    raise UserError(str(fault)) from fault
  drawn: list[Drawn] = []
  faults: list[Fault] = []
  for path in contours:
    references_found = references.find(path)
    if not references_found.drawn:
      raise UserError(
        f'--contours={path}: ' + '; '.join(map(str, references_found.faults or ['no contours lie there']))
      )
    drawn += references_found.drawn
    faults += references_found.faults
  for one in opened:
    with contextlib.suppress(MalformedStudy):  # told where the study opens
      require_frames(one, options or Options())
  opened, unused = references.attach(opened, drawn, trusted=choices.trusted)
  networks = [load_network(name) for name in checkpoints]
  for network in networks:
    network.picture()  # one that is too old to say is refused before the work
  held = _of_results(results, opened) if results else {}
  first = functools.partial(_base, held) if results else None
  settled = networks, options or Options(), first, blind, choices.trusted
  studies = [Study(_with_septa(one, held) if held else one, output / one.dataset, *settled) for one in opened]
  return studies, [*faults, *unused]


def _of_results(folder: pathlib.Path, opened: Sequence[Opened]) -> dict[str, Drawn]:
  """Returns the contours among results by the fingerprint of their pictures.

  Raises: UserError when there are none, or none is of a slice of these studies.
  """
  drawn_in: dict[str, Drawn] = {}
  for file in sorted(folder.rglob('*.nc')):
    drawn_in |= {one.mark.fingerprint: one for one in references.find(file).drawn if one.mark.fingerprint}
  if not drawn_in:
    raise UserError(f'--results={folder}: no contours that ear_jax wrote lie there')
  shown = False
  for one in opened:
    with contextlib.suppress(MalformedStudy):  # told where the study opens
      for cine, _ in one.read():
        if fingerprint(cine) in drawn_in:  # of the first slice, as a rule: no more is read
          return drawn_in
        shown = True
  if shown:
    raise UserError(f'--results={folder}: its contours are of other pictures than the study: give its own results')
  return drawn_in


def _base(held: Mapping[str, Drawn], cine: Cine, source: Source) -> Base | None:
  """The contours that results hold of a slice."""
  drawn = held.get(fingerprint(cine))
  if drawn is None or drawn.count != len(cine.video):
    return None
  contours = on_360(contours_of(drawn, source, len(cine.video)))
  if drawn.mark.drawn and not drawn.mark.corrected:
    return Base(drawn=contours, made='contours of results')
  return Base(network=contours, made='results')


def _with_septa(opened: Opened, held: Mapping[str, Drawn]) -> Opened:
  """The study with the septal points that results hold of its slices, set by a person or estimated."""

  def cines(which: slice) -> Iterator[tuple[Cine, Source]]:
    for cine, source in opened.cines(which):
      drawn = held.get(fingerprint(cine))
      septum = septum_of(drawn) if drawn and drawn.count == len(cine.video) else None
      yield cine, dataclasses.replace(source, septum=source.septum or septum)

  return dataclasses.replace(opened, cines=cines)
