"""The report of a study as one HTML file that needs nothing else: pictures, curves, script and style are inside.

`page_slice` turns a slice into small pictures, after which its cine can be dropped; `write_page` writes the file. The
layout is `page.html.jinja`, the style `page.css`, the behaviour the four `page*.js`. Jinja escapes every string; a
content security policy lets the browser run only the script written here and fetch nothing at all.
"""

import base64
import dataclasses
import datetime
import decimal
import hashlib
import math
import os
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
import matplotlib
import numpy as np

from ear_jax.analysis import origin, uncertainty
from ear_jax.analysis.checks_of_study import STATUSES, Check, worst
from ear_jax.analysis.expected_dice import MEANS
from ear_jax.analysis.motion import COMPONENTS, SliceMotion, region_names
from ear_jax.analysis.volumes import Volumes
from ear_jax.cine import Cine
from ear_jax.report import STATEMENT, page_numbers, page_volumes, sprites
from ear_jax.report.deformation import Told
from ear_jax.report.warned import NO_INTERVAL, WARNED
from ear_jax.system.files import write_text

_HERE = pathlib.Path(__file__).parent
_SCRIPTS = ('page_player.js', 'page_curves.js', 'page_maps.js', 'page.js')
_COLOURS = 'RdBu_r'  # blue to white to red: told apart with any colour vision, and red is positive as in Doppler
_SIGNS = {'pass': '✓', 'beyond': '○', 'partly': '◐', 'warn': '!', 'fail': '✗'}


@dataclasses.dataclass(frozen=True, eq=False)
class PageSlice:
  """What the page shows of one slice.

  Attributes:
    name: `dataset/slice`.   level: 'base', 'mid', 'apex' or ''.
    frames: T.   spacing: mm along row and column.   frame_interval: ms.
    sheets: its pictures.
    motion: its analysis; None when it has no contours: the page then shows pictures alone.
    reference: the analysis of the reference contours, where there are any.
    uncertainty: `[T]`, 1 minus the expected Dice of each frame; NaN in frames without a ventricle, None where unknown.
  """

  name: str
  level: str
  frames: int
  spacing: tuple[float, float]
  frame_interval: float
  sheets: sprites.Sheets
  motion: SliceMotion | None
  reference: SliceMotion | None
  uncertainty: np.ndarray | None

  @property
  def label(self) -> str:
    """The slice's id within its study."""
    return self.name.rpartition('/')[2]

  @property
  def has_curves(self) -> bool:
    """Whether there is any velocity to show; a slice has none that the ventricle leaves in some frames or all."""
    return any(m is not None and np.isfinite(m.curves['global']).any() for m in (self.motion, self.reference))

  @property
  def expected_dice(self) -> float | None:
    """Of its contours, mean over the frames; None where it is not known."""
    known = self.motion is not None and not self.motion.contours.failed.all()
    return None if self.uncertainty is None or not known else 1 - float(np.nanmean(self.uncertainty))

  @property
  def intervals(self) -> str:
    """What the intervals of its markers hold, in words."""
    shown = self.motion or self.reference
    return uncertainty.said(shown) if shown else ''

  @property
  def made(self) -> str:
    """Where its contours are from, in words; '' where there are none of its own."""
    return '' if self.motion is None else origin.in_words([self.motion.contours])

  def marker_rows(self) -> list[tuple[dict, dict]]:
    """Returns the global markers, each with the reference's; the second is empty without one to compare with."""
    tables = [page_numbers.markers(m)['global'][0] for m in (self.motion, self.reference) if m is not None]
    others = {(m['component'], m['marker']): m for m in (tables[1] if len(tables) == 2 else [])}
    return [(m, others.get((m['component'], m['marker']), {})) for m in (tables[0] if tables else [])]


def page_slice(
  cine: Cine,
  motion: SliceMotion | None,
  reference: SliceMotion | None = None,
  uncertainty: np.ndarray | None = None,
) -> PageSlice:
  """Returns what the page needs of a slice; it does not hold on to `cine`.

  Args:
    cine: the slice, with or without velocities.
    motion: its analysis; None when it failed or there is none.
    reference: the analysis with the reference contours.
    uncertainty: `[T]`, of the delineation of each frame, as of `PageSlice`.

  Raises:
    ValueError: an argument has another number of frames than the cine.
  """
  lengths = {'the motion': motion and len(motion.mask), 'the reference': reference and len(reference.mask)}
  lengths['the uncertainty'] = None if uncertainty is None else len(uncertainty)
  for what, length in lengths.items():
    if length not in (None, len(cine.video)):
      raise ValueError(f'{cine.name}: {what} has {length} frames, the cine {len(cine.video)}')
  sheets = sprites.sheets(cine, motion, reference)
  facts = (cine.name, cine.level, len(cine.video), cine.spacing, cine.frame_interval)
  return PageSlice(*facts, sheets, motion, reference, uncertainty)


def write_page(
  path: str | os.PathLike,
  *,
  pseudonym: str,
  slices: Sequence[PageSlice],
  checks: Sequence[Check],
  settings: Mapping[str, object],
  versions: Mapping[str, object],
  withheld: bool,
  volumes: Volumes | None = None,
  deformation: Told | None = None,
  beside: Mapping[str, Any] | None = None,
  date: datetime.date | None = None,
) -> None:
  """Writes the page of a study, whole or not at all.

  Args:
    path: the file, 'report.html'.
    pseudonym: the only name that the page gives the study.
    slices: from base to apex.
    checks: what the quality gate found.
    settings: conventions and switches, name to value.
    versions: of this software, of what it stands on, and of the checkpoint; name to value.
    withheld: pictures and contours are shown, and no velocity curve, marker or map is in the file: the gate failed and
      nothing overrode it, or (when it did not fail) the study holds magnitude only.
    volumes: of the same slices; None: nothing is said of them.
    deformation: of the same slices; None: nothing is said of it.
    beside: a network's contours and those that came with the study (`report.reference.tell`); None without either.
    date: of the analysis; None: it is not said.
  """
  analysed = [] if withheld else [m for s in slices for m in (s.motion, s.reference) if m is not None]
  study = {
    'components': COMPONENTS,
    'directions': page_numbers.directions(analysed[0].settings) if analysed else None,
    'groups': page_numbers.TITLES,
    'axes': page_numbers.axes(analysed),
    'ranges': page_numbers.colour_ranges(analysed),
    'colours': _colour_table(),
    'wall': {'centre': sprites.CENTRE, 'steps': sprites.STEPS},
  }
  script, style = _inside(pseudonym)
  text = (
    environment()
    .get_template('page.html.jinja')
    .render(
      pseudonym=pseudonym,
      verdict=worst(checks),
      withheld=withheld,
      moving=any(s.sheets.venc is not None for s in slices),
      study=study,
      deformation=deformation,
      beside=beside,
      slices=[(s, _slice_data(s, withheld or not s.has_curves)) for s in slices],
      volumes=page_volumes.of_study(volumes),
      parts=[page_volumes.of_slice(volumes, index) for index in range(len(slices))],
      summary=[] if withheld else [row for index, s in enumerate(slices) for row in _summary(index, s)],
      marker_names=page_numbers.MARKERS,
      checks=sorted(checks, key=lambda check: -STATUSES.index(check.status)),
      settings=settings,
      evidence=MEANS,
      warned=WARNED,
      no_interval=NO_INTERVAL[any(s.uncertainty is not None for s in slices)],
      versions=versions,
      statement=STATEMENT,
      about=_about(slices, versions, date),
      script=script,
      style=style,
      policy=policy(pseudonym),
    )
  )
  write_text(path, text)


def policy(pseudonym: str) -> str:
  """Returns the content security policy of the page of a study: this script and style alone, and nothing is fetched."""
  script, style = map(digest, _inside(pseudonym))
  return f"default-src 'none'; img-src data:; script-src {script}; style-src {style}"


def _inside(pseudonym: str) -> tuple[str, str]:
  """Script and style of the page."""
  return '\n'.join(map(read, _SCRIPTS)), read('page.css') + _each_sheet(pseudonym)


def _about(slices: Sequence[PageSlice], versions: Mapping[str, object], date: datetime.date | None):
  """Yields what a reader must know before a number: name and value."""
  for name, value in versions.items():
    if name.startswith(('network', 'contours', 'edit')):
      yield name.capitalize(), value
  vencs = {one.sheets.venc for one in slices if one.sheets.venc is not None}
  if vencs:
    yield 'Venc', '; '.join(', '.join(_number(v, 0) for v in venc) for venc in sorted(vencs)) + ' cm/s'
  if date is not None:
    yield 'Analysed', date.isoformat()


def _each_sheet(pseudonym: str) -> str:
  """Returns the rule that prints statement, study and number on each sheet; a name there cannot end its string."""
  name = re.sub(r'[^\w .-]', '', pseudonym)
  left = f'@bottom-left {{ content: "{name}  {STATEMENT}"; font: 600 9px sans-serif; }}'
  right = '@bottom-right { content: "page " counter(page) " of " counter(pages); font: 9px sans-serif; }'
  return f'@page {{ {left} {right} }}\n'


def environment() -> jinja2.Environment:
  """Returns what fills the templates of this folder, everything escaped."""
  environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_HERE),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
  )
  environment.policies['json.dumps_kwargs'] = {'allow_nan': False, 'separators': (',', ':')}
  environment.filters['number'] = _number
  environment.globals['span'] = _span
  environment.globals['signs'] = _SIGNS
  return environment


def _slice_data(shown: PageSlice, withheld: bool) -> dict:
  """Everything the script needs of one slice."""
  sheets = shown.sheets
  views = {view: uri for view, uri in sheets.uris.items() if not (withheld and view == sprites.WALL)}
  place = {name: value for name, value in vars(sheets).items() if name != 'uris'}
  data = {
    'name': shown.label,
    'frames': shown.frames,
    'interval': page_numbers.plain(shown.frame_interval),
    'spacing': [page_numbers.plain(s) for s in shown.spacing],
    'sheet': place,
    'views': views,
    'uncertainty': None if shown.uncertainty is None else page_numbers.numbers(shown.uncertainty),
  }
  for key, motion in (('prediction', shown.motion), ('reference', shown.reference)):
    data[key] = None if motion is None else _motion_data(motion, sheets, withheld)
  return data


def _motion_data(motion: SliceMotion, sheets: sprites.Sheets, withheld: bool) -> dict:
  corner = (sheets.top, sheets.left)
  shown = {
    'contours': page_numbers.contours(motion.contours, *corner),
    'failed': motion.contours.failed.tolist(),
    'flags': list(motion.contours.flags),
  }
  if withheld:
    return shown
  return shown | {
    'centre': page_numbers.points(motion.centre, *corner),
    'septum': page_numbers.points(motion.septum, *corner),
    'curves': page_numbers.curves(motion),
    'markers': page_numbers.markers(motion),
    'names': {group: region_names(group, motion.settings.orientation) for group in motion.curves},
  }


def _summary(index: int, shown: PageSlice):
  """Rows of the table at the head of the page: the global markers of a slice, of its reference too."""
  for source, motion in (('', shown.motion), ('reference', shown.reference)):
    if motion is None:
      continue
    markers = page_numbers.markers(motion)['global'][0]
    yield {
      'index': index,
      'slice': shown,
      'source': source,
      'first': motion is not shown.reference or shown.motion is None,
      'cycle': shown.frames * shown.frame_interval,
      'good': int((~motion.contours.failed).sum()),
      'es': next((m['time'] for m in markers if m['marker'] == 'ES'), None),
      'peaks': {(m['component'], m['marker']): m for m in markers},
    }


def _number(value: float | None, digits: int = 2) -> str:
  """Rounds halves away from zero, as the browser does when it writes the same number."""
  if value is None or not math.isfinite(value):
    return '\N{EN DASH}'
  return str(decimal.Decimal(value).quantize(decimal.Decimal(1).scaleb(-digits), decimal.ROUND_HALF_UP))


def _span(low: float | None, high: float | None, digits: int = 2) -> str:
  """An interval in words; nothing where there is none."""
  return '' if low is None or high is None else f'{_number(low, digits)} to {_number(high, digits)}'


def _colour_table() -> list[int]:
  """255 colours from most negative to most positive, r, g, b, r, g, b, ..."""
  table = matplotlib.colormaps[_COLOURS](np.linspace(0.04, 0.96, 2 * sprites.STEPS + 1))[:, :3]
  return np.rint(table * 255).astype(int).ravel().tolist()


def read(name: str) -> str:
  """Returns a file of this folder."""
  return (_HERE / name).read_text(encoding='utf-8')


def digest(text: str) -> str:
  """Returns what a content security policy calls a text by, so that it alone may run."""
  return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
