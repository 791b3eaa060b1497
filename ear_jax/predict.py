"""Delineates and analyses studies: `python -m ear_jax.predict STUDY --checkpoint runs/ear3d --output results`.

STUDY is a folder or file in any format that we read, of any matrix, pixel spacing and frame count; several studies in
one folder are done one after another. Each gets a folder of its own in `--output` with `report.html`, masks, contours,
curves and markers (`docs/predict.md`). A study that cannot be read is named and the others go on; the exit status is
then 1. It is 3 when the quality gate failed a study and its curves were withheld.
"""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Mapping

from absl import flags
from rich.console import Console

from ear_jax.analysis.motion import Settings
from ear_jax.formats import strainmap
from ear_jax.formats.faults import MalformedStudy
from ear_jax.formats.open import open_studies
from ear_jax.formats.opened import Opened
from ear_jax.networks.load import load_network
from ear_jax.networks.segment import Network
from ear_jax.report.results import check_pseudonym
from ear_jax.system import cli
from ear_jax.system.errors import UserError
from ear_jax.workflows.examine import Options
from ear_jax.workflows.predict import predict

_CONTOURS = flags.DEFINE_string('contours', None, 'StrainMap file (.nc) with contours of this study.')
_PSEUDONYM = flags.DEFINE_string('pseudonym', None, 'Name of the study in all outputs; else made from its DICOM UID.')
_SEPTUM = flags.DEFINE_float('septum_angle', None, 'Direction of mid septum in deg: 0 is down, 90 right.')
_ORIENTATION = flags.DEFINE_enum('orientation', 'auto', ['auto', 'CW', 'CCW'], 'Order in which sectors are named.')
_TURN = flags.DEFINE_enum('circumferential', 'ccw', ['ccw', 'cw'], 'Which way round the picture is positive.')
_SIGNS = flags.DEFINE_list('signs', '1,1,1', '1 or -1 for velocity along column, along row, through the plane.')
_SMOOTH = flags.DEFINE_float('smooth_contours', 0.0, 'Strength of the smoothing of contours over frames; 0: off.')
_BORDER = flags.DEFINE_float('border', 0.0, 'mm of wall next to either contour left out of the curves.')
_SHARING = flags.DEFINE_float('view_sharing', 0.0, "Weight of each neighbouring frame in a frame's data, undone.")
_TTA = flags.DEFINE_bool('tta', False, 'Average over mirror images and quarter turns: eight times the work.')
_FORCE = flags.DEFINE_bool('force', False, 'Give curves even where the quality gate fails the study.')
_NAMES = flags.DEFINE_bool(
  'strainmap_names', False, "Name slices by the series' number and description, as StrainMap does; may identify."
)
WORDS = 1  # on the command line beside flags: STUDY
_WITHHELD = 3  # exit status


def _options() -> Options:
  if sorted(set(_SIGNS.value) - {'1', '-1', '+1'}) or len(_SIGNS.value) != 3:
    raise UserError(f'--signs={",".join(_SIGNS.value)}: expected three of 1 or -1, such as 1,-1,1')
  settings = Settings(
    orientation='CCW' if _ORIENTATION.value == 'auto' else _ORIENTATION.value,
    circumferential_sign=1 if _TURN.value == 'ccw' else -1,
    signs=tuple(int(sign) for sign in _SIGNS.value),
    smooth_contours=_SMOOTH.value,
    border=_BORDER.value,
    view_sharing=_SHARING.value,
  )
  drawn: Mapping = {}
  if _CONTOURS.value:
    drawn = strainmap.read_contours(pathlib.Path(_CONTOURS.value).expanduser())
  return Options(settings, _ORIENTATION.value == 'auto', _SEPTUM.value, drawn, _NAMES.value, _TTA.value)


def _networks() -> list[Network]:
  networks = [load_network(name) for name in cli.CHECKPOINT.value.split(',')] if cli.CHECKPOINT.value else []
  for network in networks:
    network.picture()  # one that is too old to say is refused before the work
  return networks


def main() -> int:
  """Reads the flags, analyses every study and says where its results are."""
  if len(cli.ARGUMENTS) != 1 or cli.OUTPUT.value is None:
    raise UserError('give one STUDY (a folder or a file) and --output (a folder for the results)')
  if not cli.CHECKPOINT.value and not _CONTOURS.value:
    raise UserError('give --checkpoint (a network by name, run or file) or --contours (a StrainMap file)')
  cli.request_cpu_devices(0, 0)
  if _PSEUDONYM.value is not None:
    check_pseudonym(_PSEUDONYM.value)  # before the work
  options = _options()
  path, output = (pathlib.Path(p).expanduser() for p in (cli.ARGUMENTS[0], cli.OUTPUT.value))
  studies = _open(path)
  networks, console, status = _networks(), Console(stderr=True), 0
  for opened in studies:
    try:
      folder = output / (_PSEUDONYM.value or opened.dataset)
      summary = predict(
        opened, folder, networks, options, pseudonym=_PSEUDONYM.value, force=_FORCE.value, console=console
      )
    except (MalformedStudy, UserError) as fault:
      print(f'error: {fault}', file=sys.stderr)
      status = 1
      continue
    _say(summary, folder)
    status = status or (_WITHHELD if summary['curves_withheld'] else 0)
  return status


def _open(path: pathlib.Path) -> list[Opened]:
  try:
    studies = open_studies(path)
  except MalformedStudy as fault:
    raise UserError(str(fault)) from fault
  if _PSEUDONYM.value and len(studies) > 1:
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
    where = f' ({", ".join(slices)})' if any(slices) else ''
    console.print(f'  {status}: {name}{where}: {reason}', markup=False, soft_wrap=True)
  if summary['curves_withheld']:
    console.print('  velocity curves are withheld; --force gives them all the same')
  console.print(f'  {folder / "report.html"}', markup=False, soft_wrap=True)


if __name__ == '__main__':
  cli.run(main, arguments=WORDS)
