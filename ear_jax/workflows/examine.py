"""One slice from pixels to results: delineation, contours, velocity curves, checks. `predict` calls it, slice by slice.

What comes back holds no video, so that a study of any number of slices takes the memory of one.
"""

import dataclasses
from collections.abc import Mapping, Sequence

from ear_jax.analysis import septum as septum_lib
from ear_jax.analysis.checks_of_study import Check, check_slice
from ear_jax.analysis.motion import Settings
from ear_jax.analysis.slices import analyse
from ear_jax.cine import Cine
from ear_jax.data.upright import Axes
from ear_jax.formats import strainmap
from ear_jax.formats.dicom import geometry, instances
from ear_jax.formats.source import Source
from ear_jax.networks.segment import Network, segment
from ear_jax.report.page import PageSlice, page_slice
from ear_jax.report.results import SliceResult
from ear_jax.system.clock import Clock
from ear_jax.system.errors import UserError


@dataclasses.dataclass(frozen=True)
class Options:
  """What is asked for.

  Attributes:
    settings: conventions of the analysis.
    auto_orientation: name sectors by how the slice lies in the patient, where that is known.
    septum_angle: deg, direction of mid septum in the picture; None: from the file, or estimated.
    drawn: contours by a person, by StrainMap's name of the cine or by slice id.
    strainmap_names: give slices StrainMap's names in the results.
    tta: average the networks over mirror images and quarter turns.
    axes: how slices without a place lie in the patient (`networks.recognise`); None: unknown.
  """

  settings: Settings = dataclasses.field(default_factory=Settings)
  auto_orientation: bool = True
  septum_angle: float | None = None
  drawn: Mapping[str, strainmap.StrainMapSlice] = dataclasses.field(default_factory=dict)
  strainmap_names: bool = False
  tta: bool = False
  axes: Axes | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Examined:
  """One slice: what its files and its part of the page are made from.

  Attributes:
    result: for the files.
    page: for the page; it also holds frames, frame interval, uncertainty and the analysis of a person's contours.
    checks: of this slice.
  """

  result: SliceResult
  page: PageSlice
  checks: tuple[Check, ...]


def examine(
  cine: Cine, source: Source, networks: Sequence[Network], options: Options, clock: Clock | None = None
) -> Examined:
  """Delineates and analyses one slice; with contours by a person and no network, those are analysed.

  Raises: UserError when there is neither a network nor contours for the slice, or the network cannot take it.
  """
  clock = clock or Clock()
  wanted = options.drawn or options.strainmap_names
  name = instances.series_name(source.instances[0]) if source.instances and wanted else ''
  drawn = options.drawn.get(cine.slice_id) or options.drawn.get(name)
  if drawn is not None:
    cine = strainmap.with_reference(cine, drawn)
  reference = cine.mask if cine.annotated.all() else None
  septum = septum_lib.find(options.septum_angle, source.septum if drawn is None else drawn.septum, source.orientation)
  settings = _named_by_place(options, source)
  wall, uncertainty, beside = reference, None, None
  if networks:
    with clock.measure('delineate'):
      found = segment(cine, networks, tta=options.tta, axes=options.axes)
    wall, uncertainty, beside = found.probability, found.uncertainty, reference
  if wall is None:
    raise UserError(f'slice {cine.slice_id}: there are no contours for it in every frame, and no --checkpoint is given')
  with clock.measure('analyse'):
    motion = analyse(cine, wall, septum=septum, settings=settings)
    other = None if beside is None else analyse(cine, beside, septum=septum, settings=settings)
    checks = check_slice(cine, motion, uncertainty)
  if cine.venc is not None:
    checks.append(Check('septal reference', cine.slice_id, 'pass' if septum.certain else 'warn', septum.origin))
  with clock.measure('draw'):
    page = page_slice(cine, motion, other, uncertainty)
  return Examined(SliceResult(motion, source, name if options.strainmap_names else ''), page, tuple(checks))


def _named_by_place(options: Options, source: Source) -> Settings:
  """Returns the conventions, with sectors named by how the slice lies in the patient.

  Where the normal points towards the apex the picture shows the heart from the base: counter-clockwise.
  """
  towards = geometry.towards_apex(source.orientation) if options.auto_orientation else 0
  if not towards:
    return options.settings
  return dataclasses.replace(options.settings, orientation='CCW' if towards > 0 else 'CW')
