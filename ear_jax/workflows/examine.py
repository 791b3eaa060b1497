"""One slice from pixels to results: delineation, contours, velocity curves, checks. `predict` calls it, slice by slice.

What comes back holds no video, so that a study of any number of slices takes the memory of one.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from ear_jax.analysis import ends, on_wall, origin
from ear_jax.analysis import septum as septum_lib
from ear_jax.analysis.carrying import Carried, carry
from ear_jax.analysis.checks_of_study import EXPECTED, Check, check_delineation, check_slice
from ear_jax.analysis.ends import End
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
from ear_jax.report import reference, sprites
from ear_jax.report.page import PageSlice, page_slice
from ear_jax.report.reference import Beside
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
    tta: average over the quarter turns and mirror images that the networks learnt.
    carry: where contours are given in some frames only, carry them to the others (`analysis.carrying`), a network's
      contours mixed in where there is one.
    axes: how slices without a place lie in the patient (`networks.recognise`); None: unknown.
    ed_frame, es_frame: of end diastole and end systole; None: of the largest and the smallest cavity.
  """

  settings: Settings = dataclasses.field(default_factory=Settings)
  auto_orientation: bool = True
  auto_signs: bool = True
  septum_angle: float | None = None
  strainmap_names: bool = False
  tta: bool = False
  carry: bool = False
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
    beside: a network's contours and those that came with the slice; None without either.
  """

  result: SliceResult
  page: PageSlice
  checks: tuple[Check, ...]
  expected: Expected
  beside: Beside | None = None

  @property
  def holds_ventricle(self) -> bool:
    """Whether a wall is found here."""
    return holds_ventricle(self.result.motion.contours, self.expected)


def examine(
  cine: Cine, source: Source, networks: Sequence[Network], options: Options, clock: Clock | None = None
) -> Examined:
  """Delineates and analyses one slice; with contours by a person and no network, those are analysed.

  Raises: UserError when there is neither a network nor contours for the slice, or the network cannot take it.
  """
  clock, drawn = clock or Clock(), source.drawn
  name = instances.series_name(source.instances[0]) if source.instances and options.strainmap_names else ''
  septum = septum_lib.find(options.septum_angle, source.septum, source.orientation)
  settings = by_file(options, source)
  if not networks and not cine.annotated.any():
    raise UserError(f'slice {cine.slice_id}: there are no contours for it, and no --checkpoint is given')
  if not networks and drawn is not None and settings.smooth_contours:
    raise UserError('contours that a person drew are kept as drawn: leave --smooth_contours out, or give a network')
  probability = None
  if networks:
    with clock.measure('delineate'):
      probability = segment(cine, networks, tta=options.tta, axes=options.axes).probability
  told = tuple(one.told for one in networks)
  with clock.measure('analyse'):
    carried = _carried(cine, source, options, settings, probability)
    if carried is not None:
      contours = dataclasses.replace(carried.contours, networks=told)
      motion = analyse_with_contours(cine, contours, septum=septum, settings=settings)
    elif probability is not None:
      motion = analyse(cine, probability, septum=septum, settings=settings)
      motion = dataclasses.replace(motion, contours=origin.all_of(motion.contours, 'network', told))
    else:
      motion = _of_reference(cine, source, septum, settings)
    expected = expected_dice(cine, motion.contours)
    by_person = origin.by_person(motion.contours)
    motion = with_intervals(cine, motion, READER if by_person else of_network(expected.dice))
    beside = bool(networks or carried) and cine.annotated.any()
    other = _of_reference(cine, source, septum, settings) if beside else None
    checks = check(cine, motion, expected, drawn if networks and carried is None else None)
  with clock.measure('draw'):
    page = page_slice(cine, motion, other, None if by_person else 1 - expected.by_frame)
  result = SliceResult(motion, source, name, strainmap_marks.fingerprint(cine))
  alone = bool(networks) and carried is None  # the network's contours know nothing of the others
  both = reference.beside(cine, motion, drawn, source.cavities) if alone else None
  return Examined(result, page, tuple(checks), expected, both)


def holds_ventricle(contours: Contours, expected: Expected) -> bool:
  """Returns whether a wall is found in a slice: drawn by a person, or expected to be one."""
  known = bool(expected.kind) and expected.dice >= EXPECTED[expected.kind][1]
  return contours.drawn or contours.corrected or known


def at_an_end(examined: Examined, end: End) -> Examined:
  """Returns a slice at an end of the stack, without contours where no ventricle is, and with a check that says so."""
  result, page, expected = examined.result, examined.page, examined.expected
  motion = without_ring(result.motion, end.flags)
  checks = [Check('ventricle', page.label, end.status, end.reason)]
  if not motion.contours.failed.all():
    gone = np.array([bool(flag) for flag in end.flags])
    by_frame = np.where(gone, math.nan, expected.by_frame)
    expected = dataclasses.replace(expected, by_frame=by_frame, dice=float(by_frame[~gone].mean()))
    again = {check.name: check for check in check_delineation(page.label, motion, expected)}
    checks += [again.get(check.name, check) for check in examined.checks]
  uris = {view: uri for view, uri in page.sheets.uris.items() if view != sprites.WALL}
  unsure = None if motion.contours.failed.all() else 1 - expected.by_frame
  page = dataclasses.replace(
    page, motion=motion, sheets=dataclasses.replace(page.sheets, uris=uris), uncertainty=unsure
  )
  beside = examined.beside and examined.beside.without_network(motion.contours.failed)
  return Examined(dataclasses.replace(result, motion=motion), page, tuple(checks), expected, beside)


def find_ends(slices: Sequence[Examined], given: bool) -> tuple[dict[int, End], str]:
  """Returns `ends.find_ends` of the slices of a stack; `given` as there."""
  motions, lies = [one.result.motion for one in slices], slices[0].result.source.orientation
  first, last = motions[0].place, motions[-1].place
  towards = geometry.towards_apex(lies)
  if towards and lies and first and last:
    towards *= int(np.sign(geometry.normal(lies) @ np.subtract(last.corner, first.corner)))
  else:
    towards = 0
  return ends.find_ends(motions, [s.expected for s in slices], [s.holds_ventricle for s in slices], towards, given)


def _of_reference(cine: Cine, source: Source, septum: Septum, settings: Settings) -> SliceMotion:
  """Analyses the contours that a person drew, point by point, or the mask that came with the cine."""
  if source.drawn is not None:
    return analyse_with_contours(cine, source.drawn, septum=septum, settings=settings)
  motion = analyse(cine, cine.mask, septum=septum, settings=settings)
  return dataclasses.replace(motion, contours=origin.all_of(motion.contours, 'mask'))


def _carried(
  cine: Cine, source: Source, options: Options, settings: Settings, probability: np.ndarray | None
) -> Carried | None:
  """Carries the contours of some frames to the others; None where it is not asked for, or all or none have contours."""
  given = cine.mask if source.drawn is None else source.drawn
  frames = np.flatnonzero(cine.annotated if source.drawn is None else ~source.drawn.failed)
  if not options.carry or not 0 < len(frames) < len(cine.video):
    return None
  return carry(cine, given, frames.tolist(), network=probability, settings=settings)


def _which_carried(cine: Cine, contours: Contours) -> Check:
  own = origin.frames_of(contours, 'carried')
  by_hand = np.flatnonzero(~own & ~contours.failed)
  was, them = ('was', 'it') if len(by_hand) == 1 else ('were', 'them')
  agreed = ' or agreed to' * bool(origin.frames_of(contours, 'agreed').any())
  others = 'the other frame' if own.sum() == 1 else f'the other {own.sum()} frames'
  by = 'the pictures' if cine.venc is None else 'the measured velocity and the pictures'
  many = len(contours.networks)
  mixed = f', averaged with those of the network{"s" * (many > 1)}' * bool(many)
  error = np.array(contours.error)[own] if contours.error else np.full(1, math.nan)
  unit = 'px' if math.isnan(cine.spacing[0]) else 'mm'
  added = f'that adds a standard error of {error.min():.1f} to {error.max():.1f} {unit} to the radius'
  how_sure = f'if what was drawn is right, {added}; whether it is right is not in this number'
  if not np.isfinite(error).all():
    how_sure = 'what error that adds is not known: the file of the contours does not say it'
  said = f'{named_frames(by_hand)} {was} drawn{agreed}; the contours of {others} were made from {them} by {by}{mixed}'
  return Check('carried contours', cine.slice_id, 'warn', f'{said} ({how_sure})')


def check(
  cine: Cine,
  motion: SliceMotion,
  expected: Expected,
  beside: Contours | None = None,
) -> list[Check]:
  """Returns all that the quality gate says of one slice, the same of the same contours wherever they come from.

  Args:
    cine: of the slice, or a window that holds all that is looked at.
    motion: its analysis.
    expected: how good the delineation is by the pictures.
    beside: contours that came with the cine, where those of `motion` are a network's.
  """
  contours = motion.contours
  checks = check_slice(cine, motion, None if origin.by_person(contours) else expected)
  if (seen := origin.looked_at(contours)) is not None:
    checks.append(_on_wall(cine, seen, expected))
  if bulge := on_wall.bulge(contours, origin.frames_of(contours, 'drawn', 'agreed', 'given'), cine.spacing):
    told = f'{bulge}: look whether the wall goes there'
    checks.insert(0, Check('bulge of a drawn contour', cine.slice_id, 'warn', told))  # read before the others
  drawn = contours if contours.drawn else beside
  if origin.frames_of(contours, 'carried').any():
    checks.append(_which_carried(cine, contours))
  elif drawn is not None and (undrawn := drawn.failed & (np.array(drawn.origins or '') != 'cleared')).any():
    missing = f'{named_frames(np.flatnonzero(undrawn))} of {len(undrawn)}: not drawn'
    checks.append(Check('drawn contours', cine.slice_id, 'warn', f'{missing}; --carry carries contours there'))
  if cine.venc is not None:
    septum = motion.septal_reference
    checks.append(Check('septal reference', cine.slice_id, 'pass' if septum.certain else 'warn', septum.origin))
  return checks


def _on_wall(cine: Cine, contours: Contours, expected: Expected) -> Check:
  """Whether a person's contours lie on a wall; it warns where a network's like them would fail the gate."""
  wall = on_wall.judge(cine, contours)
  limits, found = on_wall.limits_of(contours), wall.evidence._asdict()
  known = [
    f'{name} {value:.2f} (fails below {limits[name]:g})' for name, value in found.items() if math.isfinite(value)
  ]
  said = ', '.join(known) + ', where 1 is best'
  judged = expected.by_frame[~contours.failed]  # not those that were carried
  if not wall.fault and judged.size and judged.mean() < EXPECTED[expected.kind][1]:
    told = f'{said}, but a network that drew them would have an expected Dice of {judged.mean():.2f}'
    return Check('contours on a wall', cine.slice_id, 'warn', f'{told}: {expected.said or "look at them"}')
  status = 'fail' if wall.fault else 'pass'
  return Check('contours on a wall', cine.slice_id, status, wall.fault or said)


def by_file(options: Options, source: Source) -> Settings:
  """Returns the conventions of a slice: signs and sectors as the file of its contours states, where it states them."""
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
  checks = []
  for name, file, value, flag in (
    ('velocity signs', source.signs, used.signs, '--signs'),
    ('order of sectors', source.sectors, used.orientation, '--orientation'),
  ):
    if file and file != value:
      text = f'{_in_words(value)} by {flag}; the file of the contours states {_in_words(file)}'
      checks.append(Check(name, '', 'warn', text))
    elif file and asked.auto_orientation and value == source.sectors and by_place != value:
      text = f'{value} as the file of the contours states; by how the slice lies in the patient it would be {by_place}'
      checks.append(Check(name, '', 'warn', text))
    elif file:
      checks.append(Check(name, '', 'pass', f'{_in_words(value)} as the file of the contours states'))
  return checks


def _in_words(convention: str | Sequence[int]) -> str:
  return convention if isinstance(convention, str) else ', '.join(f'{sign:+d}' for sign in convention)
