"""One slice from pixels to results: delineation, contours, velocity curves, checks. `predict` calls it, slice by slice.

What comes back holds no video, so that a study of any number of slices takes the memory of one.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from ear_jax.analysis import on_wall
from ear_jax.analysis import septum as septum_lib
from ear_jax.analysis.checks_of_study import EXPECTED, Check, check_slice
from ear_jax.analysis.expected_dice import Expected, expected_dice
from ear_jax.analysis.motion import Contours, Settings, SliceMotion
from ear_jax.analysis.outline import without_ring
from ear_jax.analysis.septum import Septum
from ear_jax.analysis.slices import analyse, analyse_with_contours
from ear_jax.analysis.uncertainty import READER, of_network, with_intervals
from ear_jax.cine import Cine
from ear_jax.data.upright import Axes
from ear_jax.formats import strainmap_marks
from ear_jax.formats.dicom import geometry, instances
from ear_jax.formats.faults import frames as named_frames
from ear_jax.formats.source import Source
from ear_jax.networks.segment import Network, segment
from ear_jax.report import sprites
from ear_jax.report.page import PageSlice, page_slice
from ear_jax.report.results import SliceResult
from ear_jax.system.clock import Clock
from ear_jax.system.errors import UserError


@dataclasses.dataclass(frozen=True)
class Options:
  """What is asked for.

  Attributes:
    settings: conventions of the analysis.
    auto_orientation: name sectors as the file of the contours states, else by how the slice lies in the patient, where
      one of both is known.
    auto_signs: turn the signs of the velocities that the file of the contours states.
    septum_angle: deg, direction of mid septum in the picture; None: from the file, or estimated.
    strainmap_names: give slices StrainMap's names in the results.
    tta: average the networks over mirror images and quarter turns.
    axes: how slices without a place lie in the patient (`networks.recognise`); None: unknown.
    ed_frame, es_frame: of end diastole and end systole; None: of the largest and the smallest cavity.
  """

  settings: Settings = dataclasses.field(default_factory=Settings)
  auto_orientation: bool = True
  auto_signs: bool = True
  septum_angle: float | None = None
  strainmap_names: bool = False
  tta: bool = False
  axes: Axes | None = None
  ed_frame: int | None = None
  es_frame: int | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Examined:
  """One slice: what its files and its part of the page are made from.

  Attributes:
    result: for the files.
    page: for the page; it also holds frames, frame interval and the analysis of a person's contours.
    expected: how good the delineation is by the pictures.
    checks: of this slice.
  """

  result: SliceResult
  page: PageSlice
  checks: tuple[Check, ...]
  expected: Expected

  @property
  def holds_ventricle(self) -> bool:
    """Whether a wall is found here: drawn by a person, or expected to be one."""
    found = self.expected
    return self.result.motion.contours.drawn or (bool(found.kind) and found.dice >= EXPECTED[found.kind][1])


def examine(
  cine: Cine, source: Source, networks: Sequence[Network], options: Options, clock: Clock | None = None
) -> Examined:
  """Delineates and analyses one slice; with contours by a person and no network, those are analysed.

  Raises: UserError when there is neither a network nor contours for the slice, or the network cannot take it.
  """
  clock, drawn = clock or Clock(), source.drawn
  name = instances.series_name(source.instances[0]) if source.instances and options.strainmap_names else ''
  septum = septum_lib.find(options.septum_angle, source.septum, source.orientation)
  settings = _by_file(options, source)
  other = None
  if networks:
    with clock.measure('delineate'):
      found = segment(cine, networks, tta=options.tta, axes=options.axes)
    with clock.measure('analyse'):
      motion = analyse(cine, found.probability, septum=septum, settings=settings)
      other = _of_reference(cine, source, septum, settings) if cine.annotated.any() else None
  elif not cine.annotated.any():
    raise UserError(f'slice {cine.slice_id}: there are no contours for it, and no --checkpoint is given')
  else:
    if drawn is not None and settings.smooth_contours:
      raise UserError('contours that a person drew are kept as drawn: leave --smooth_contours out, or give a network')
    with clock.measure('analyse'):
      motion = _of_reference(cine, source, septum, settings)
  with clock.measure('analyse'):
    expected = expected_dice(cine, motion.contours)
    motion = with_intervals(cine, motion, of_network(expected.dice, motion) if networks else READER)
    checks = check_slice(cine, motion, expected if networks else None)
  if motion.contours.drawn:
    checks.append(_on_wall(cine, motion.contours))
  if drawn is not None and drawn.failed.any():
    missing = named_frames(np.flatnonzero(drawn.failed))
    checks.append(Check('drawn contours', cine.slice_id, 'warn', f'{missing} of {len(drawn.failed)}: not drawn'))
  if cine.venc is not None:
    checks.append(Check('septal reference', cine.slice_id, 'pass' if septum.certain else 'warn', septum.origin))
  with clock.measure('draw'):
    page = page_slice(cine, motion, other, 1 - expected.by_frame if networks else None)
  result = SliceResult(motion, source, name, strainmap_marks.fingerprint(cine))
  return Examined(result, page, tuple(checks), expected)


def without_ventricle(examined: Examined) -> Examined:
  """Returns a slice that lies beyond the ventricle: without contours, and with one check that says so."""
  result, page, expected = examined.result, examined.page, examined.expected
  motion = without_ring(result.motion)
  uris = {view: uri for view, uri in page.sheets.uris.items() if view != sprites.WALL}
  page = dataclasses.replace(page, motion=motion, sheets=dataclasses.replace(page.sheets, uris=uris), uncertainty=None)
  found = f'expected Dice {expected.dice:.2f}: {expected.said or "most frames are without a ring"}'
  said = f'no left ventricle is found at this end of the stack ({found}); no part of verdict and results'
  check = Check('ventricle', page.label, 'absent', said)
  return Examined(dataclasses.replace(result, motion=motion), page, (check,), expected)


def _of_reference(cine: Cine, source: Source, septum: Septum, settings: Settings) -> SliceMotion:
  """Analyses the contours that a person drew, point by point, or the mask that came with the cine."""
  if source.drawn is not None:
    return analyse_with_contours(cine, source.drawn, septum=septum, settings=settings)
  return analyse(cine, cine.mask, septum=septum, settings=settings)


def _on_wall(cine: Cine, contours: Contours) -> Check:
  rule = on_wall.fault(cine, contours)
  found = on_wall.evidence(cine, contours) if not contours.failed.all() else on_wall.Evidence(*[math.nan] * 3)
  said = ', '.join(f'{name} {value:.2f}' for name, value in found._asdict().items() if math.isfinite(value))
  return Check('contours on a wall', cine.slice_id, 'fail' if rule else 'pass', rule or f'{said} (1 is best)')


def _by_file(options: Options, source: Source) -> Settings:
  """Returns the conventions, with signs and sectors as the file of the contours states, where it states them."""
  settings = _named_by_place(options, source)
  if options.auto_orientation and source.sectors:
    settings = dataclasses.replace(settings, orientation=source.sectors)
  if options.auto_signs and source.signs:
    settings = dataclasses.replace(settings, signs=source.signs)
  return settings


def _named_by_place(options: Options, source: Source) -> Settings:
  """Returns the conventions, with sectors named by how the slice lies in the patient.

  Where the normal points towards the apex the picture shows the heart from the base: counter-clockwise.
  """
  towards = geometry.towards_apex(source.orientation) if options.auto_orientation else 0
  if not towards:
    return options.settings
  return dataclasses.replace(options.settings, orientation='CCW' if towards > 0 else 'CW')


def conventions(asked: Options, source: Source, used: Settings) -> list[Check]:
  """Returns what a study's page says about signs and order of the sectors where the file of its contours states them.

  Args:
    asked: what the user asked for.
    source: of a slice of the study.
    used: the settings of its analysis.
  """
  by_place = _named_by_place(asked, source).orientation
  found = []
  for name, file, value, flag in (
    ('velocity signs', source.signs, used.signs, '--signs'),
    ('order of sectors', source.sectors, used.orientation, '--orientation'),
  ):
    if file and file != value:
      found.append(Check(name, '', 'warn', f'{value} by {flag}; the file of the contours states {file}'))
    elif file and asked.auto_orientation and value == source.sectors and by_place != value:
      text = f'{value} as the file of the contours states; by how the slice lies in the patient it would be {by_place}'
      found.append(Check(name, '', 'warn', text))
    elif file:
      found.append(Check(name, '', 'pass', f'{value} as the file of the contours states'))
  return found
