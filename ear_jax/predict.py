"""Delineates and analyses studies: `python -m ear_jax.predict STUDY --checkpoint runs/ear3d --output results`.

STUDY is a folder or file in any format that we read, of any matrix, pixel spacing and frame count; several studies in
one folder are done one after another. Each gets a folder of its own in `--output` with `report.html`, masks, contours,
curves and markers (`docs/predict.md`). A study that cannot be read is named and the others go on; the exit status is
then 1. It is 3 when the quality gate failed a study and its curves were withheld.
"""

from __future__ import annotations

import dataclasses
import pathlib
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

from absl import flags, logging
from rich.console import Console

from ear_jax.networks import weights
from ear_jax.system import cli
from ear_jax.system.errors import UsageError, UserError, printable, some
from ear_jax.system.files import require_writable
from ear_jax.system.terminal import progress_console

if TYPE_CHECKING:
  from ear_jax.formats.choices import Choices
  from ear_jax.formats.contour_files import Drawn
  from ear_jax.formats.faults import Fault
  from ear_jax.formats.opened import Opened
  from ear_jax.workflows.examine import Options

_WITHHELD = 3  # exit status


def main() -> None:
  """Reads the command line, analyses every study and says where its results are."""
  cli.run(
    _predict,
    *cli.shared('output'),
    flags.DEFINE_string(
      'checkpoint', None, f'Network: {weights.accepted()}; several with commas between them are averaged.'
    ),
    flags.DEFINE_multi_string(
      'contours', None, 'StrainMap file (.nc), or a folder with contours; each goes to the study that it matches.'
    ),
    flags.DEFINE_bool(
      'carry', False, 'Carry contours that are drawn in some frames to the others; a network is mixed in if given.'
    ),
    flags.DEFINE_string('pseudonym', None, 'Name of the study in all outputs; else made from its DICOM UID.'),
    flags.DEFINE_float('smooth_contours', 0.0, 'Strength of the smoothing of contours over frames; 0: off.'),
    flags.DEFINE_bool('tta', False, 'Average over the quarter turns and mirror images that a network learnt.'),
    *study_flags(),
    words=1,  # STUDY
    alive=True,
  )


def study_flags() -> list[flags.FlagHolder]:
  """Makes the flags that settle what a study leaves open, and the conventions of its results."""
  return [
    flags.DEFINE_float('septum_angle', None, 'Direction of mid septum in deg: 0 is down, 90 right.'),
    flags.DEFINE_enum(
      'orientation', 'auto', ['auto', 'CW', 'CCW'], 'Order in which sectors are named.', case_sensitive=False
    ),
    flags.DEFINE_enum(
      'circumferential', 'ccw', ['ccw', 'cw'], 'Which way round the picture is positive.', case_sensitive=False
    ),
    flags.DEFINE_list(
      'signs', None, "1 or -1 for velocity along column, along row, through the plane; else the contours' file's, or 1."
    ),
    flags.DEFINE_list(
      'venc', None, 'cm/s along column, along row, through the plane, where the study does not say it.'
    ),
    flags.DEFINE_integer(
      'ed_frame', None, 'Frame of end diastole, from 0; else that of the largest cavity.', lower_bound=0
    ),
    flags.DEFINE_integer(
      'es_frame', None, 'Frame of end systole, from 0; else that of the smallest cavity.', lower_bound=0
    ),
    flags.DEFINE_float('border', 0.0, 'mm of wall next to either contour left out of the curves.'),
    flags.DEFINE_float('view_sharing', 0.0, "Weight of each neighbouring frame in a frame's data, undone."),
    flags.DEFINE_bool(
      'force', False, 'Give curves even where the quality gate fails the study; take contours off the wall.'
    ),
    flags.DEFINE_enum(
      'repeated',
      'refuse',
      ['refuse', 'first', 'last'],
      'Of several series at one place, which is read.',
      case_sensitive=False,
    ),
    flags.DEFINE_integer('label', None, 'Value of the myocardium in masks of several values.'),
    flags.DEFINE_enum(
      'gaps', 'refuse', ['refuse', 'accept'], 'Whether slices or frames may be missing.', case_sensitive=False
    ),
    flags.DEFINE_bool(
      'strainmap_names', False, "Name slices by the series' number and description, as StrainMap does; may identify."
    ),
  ]


def _predict(given: SimpleNamespace) -> int:
  if len(given.words) != 1 or given.output is None:
    raise UsageError('give one STUDY (a folder or a file) and --output (a folder for the results)')
  if not given.checkpoint and not given.contours:
    raise UsageError('give --checkpoint (a network by name, run or file) or --contours (a StrainMap file)')
  names = given.checkpoint.split(',') if given.checkpoint else []
  for name in names:
    weights.locate(name)  # before anything slow
  logging.info('loading jax and its libraries')
  from ear_jax.formats import references
  from ear_jax.formats.faults import MalformedStudy
  from ear_jax.networks.load import load_network
  from ear_jax.report.results import check_pseudonym
  from ear_jax.workflows.predict import NoContours, predict

  cli.request_cpu_devices(0, 0)
  if given.pseudonym is not None:
    check_pseudonym(given.pseudonym)  # before the work
  options = options_of(given)
  settings = dataclasses.replace(options.settings, smooth_contours=given.smooth_contours)
  options = dataclasses.replace(options, settings=settings, tta=given.tta, carry=given.carry)
  path, output = (pathlib.Path(p).expanduser() for p in (given.words[0], given.output))
  drawn, unread = _contours(given.contours or [])
  studies = _open(path, given.pseudonym, choices_of(given))
  bare = studies
  studies, unused = references.attach(bare, drawn, trusted=given.force)
  used = any(one is not before for one, before in zip(studies, bare, strict=True))
  for fault in (*unread, *unused):
    print(f'error: {fault}', file=sys.stderr)
  if any('lie on a wall' in fault.rule for fault in unused):
    print('contours that do not lie on a wall are taken with --force', file=sys.stderr)
  require_writable(output, 'results')
  for opened in studies:
    say_origin(given.pseudonym or opened.dataset, opened, path)
  networks = [load_network(name) for name in names]
  for network in networks:
    network.picture()  # one that is too old to say is refused before the work
  console, status = progress_console(), int(bool(unread or unused))
  for opened in studies:
    try:
      folder = output / (given.pseudonym or opened.dataset)
      named = {'pseudonym': given.pseudonym, 'force': given.force}
      summary = predict(opened, folder, networks, options, **named, console=console)
    except (MalformedStudy, UserError) as fault:
      if used or not unused or not isinstance(fault, NoContours):  # else why none of those given is used has been said
        print(f'error: {fault}', file=sys.stderr)
      status = 1
      continue
    _say(summary, folder)
    status = status or (_WITHHELD if summary['curves_withheld'] else 0)
  return status


def say_origin(called: str, opened: Opened, path: pathlib.Path) -> None:
  """Prints where a study lies: the path of the command line, or what is below it; in no file, it may name a patient."""
  if len(opened) or opened.origin != '.':  # else it stands for files of no study
    print(printable(f'{called} is the study in {path if opened.origin == "." else opened.origin}'))


def options_of(given: SimpleNamespace) -> Options:
  """Returns the conventions that `study_flags` ask for. Raises: UserError."""
  from ear_jax.analysis.motion import Settings
  from ear_jax.workflows.examine import Options

  signs = given.signs or ['1', '1', '1']
  if sorted(set(signs) - {'1', '-1', '+1'}) or len(signs) != 3:
    raise UsageError(f'--signs={",".join(signs)}: expected three of 1 or -1, such as 1,-1,1')
  column, row, through = map(int, signs)
  settings = Settings(
    orientation='CCW' if given.orientation == 'auto' else given.orientation,
    circumferential_sign=1 if given.circumferential == 'ccw' else -1,
    signs=(column, row, through),
    border=given.border,
    view_sharing=given.view_sharing,
  )
  auto = {'auto_orientation': given.orientation == 'auto', 'auto_signs': given.signs is None}
  return Options(
    settings,
    **auto,
    septum_angle=given.septum_angle,
    strainmap_names=given.strainmap_names,
    ed_frame=given.ed_frame,
    es_frame=given.es_frame,
  )


def choices_of(given: SimpleNamespace) -> Choices:
  """Returns what `study_flags` say of what a study leaves open. Raises: UserError."""
  from ear_jax.formats.choices import Choices

  return Choices(
    repeated=given.repeated, gaps=given.gaps, venc=_venc(given.venc), label=given.label, trusted=given.force
  )


def _contours(paths: list[str]) -> tuple[list[Drawn], list[Fault]]:
  """Returns the contours at all paths and the faults of files among them; a path without any contours is a mistake."""
  from ear_jax.formats import references

  drawn: list[Drawn] = []
  faults: list[Fault] = []
  for path in paths:
    files = references.find(pathlib.Path(path).expanduser())
    if not files.drawn:
      raise UserError(f'--contours={path}: ' + '; '.join(map(str, files.faults or ['no contours lie there'])))
    drawn += files.drawn
    faults += files.faults
  return drawn, faults


def _venc(words: list[str] | None) -> tuple[float, float, float] | None:
  from ear_jax.formats.checks import is_number

  if words is None:
    return None
  values = [float(word) for word in words if is_number(word)]
  if len(words) != 3 or len(values) != 3 or not min(values) > 0:
    raise UsageError(f'--venc={",".join(words)}: expected three positive numbers of cm/s, such as 20,20,30')
  column, row, through = values
  return column, row, through


def _open(path: pathlib.Path, pseudonym: str | None, choices: Choices) -> list[Opened]:
  from ear_jax.formats.faults import MalformedStudy
  from ear_jax.formats.open import open_studies

  try:
    studies = open_studies(path, choices)
  except MalformedStudy as fault:
    raise UserError(str(fault)) from fault
  if pseudonym and len(studies) > 1:
    raise UserError(f'--pseudonym names one study, and {len(studies)} are in {path}: give them one at a time')
  return studies


def _say(summary: dict, folder: pathlib.Path) -> None:
  console = Console()
  console.print(f'{summary["study"]}: {len(summary["slices"])} slices, quality {summary["verdict"]}', style='bold')
  places: dict[tuple[str, str, str], list[str]] = {}
  for check in summary['checks']:
    if check['status'] != 'pass':
      places.setdefault((check['status'], check['name'], check['reason']), []).append(check['slice_id'])
  for (status, name, reason), slices in places.items():
    where = f' ({some(slices)})' if any(slices) else ''
    console.print(f'  {status}: {name}{where}: {reason}', markup=False, soft_wrap=True)
  console.print(f'  {_volumes_in_words(summary["volumes"])}', markup=False, soft_wrap=True)
  if all(one['venc_cm_s'] is None for one in summary['slices']):
    console.print('  magnitude only: no velocity curves')
  elif summary['curves_withheld']:
    console.print('  velocity curves are withheld; --force gives them anyway')
  console.print(f'  {folder / "report.html"}', markup=False, soft_wrap=True)


def _volumes_in_words(volumes: dict) -> str:
  if volumes['missing']:
    return f'no volumes: {volumes["missing"]}'
  edv, esv, mass = (round(volumes[key]) for key in ('edv_mL', 'esv_mL', 'mass_g'))
  ef = round(volumes['ejection_fraction_percent'])
  frames = f'frames {volumes["ed_frame"]} and {volumes["es_frame"]}'
  return '; '.join([f'EDV {edv} mL, ESV {esv} mL ({frames}), EF {ef} %, mass {mass} g', *volumes['notes']])


if __name__ == '__main__':
  main()
