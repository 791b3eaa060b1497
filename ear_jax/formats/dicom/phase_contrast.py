"""Phase contrast of any vendor, classic or enhanced: magnitude and velocity along three directions become cines.

The directions need not be the picture's own: velocities are turned into the picture by its orientation. Through the
plane is positive towards the apex as far as the orientation tells. What a tag means is in `velocity_tags`, which
pictures belong together in `phase_slices`.
"""

import dataclasses
import math
import pathlib
from collections.abc import Iterator, Sequence

from ear_jax.cine import Cine
from ear_jax.formats import checks
from ear_jax.formats.choices import Asked
from ear_jax.formats.dicom import geometry, instances, magnitude, phase_slices, stack, velocity_tags
from ear_jax.formats.dicom.component import CONTRADICTORY, is_magnitude, named
from ear_jax.formats.dicom.header import Instance
from ear_jax.formats.dicom.phase_slices import Directed, Pictures, faulty, series_of
from ear_jax.formats.dicom.phase_velocity import Measured, measure, pixel_faults, read_slice
from ear_jax.formats.faults import Fault
from ear_jax.formats.opened import Opened, differing, gathered
from ear_jax.formats.source import Source

DIRECTIONS = 3
_MANY = 15  # slices; more are planes of a volume


def open_study(files: Sequence[Instance], root: pathlib.Path, choices: Asked) -> Opened:
  """Looks over one study, pixels included, and returns it with its notes and faults, slices from base to apex.

  A study with fewer than three directions everywhere is one of magnitudes, with a note.
  """
  dataset = instances.pseudonym(files[0].study)
  places, outside = phase_slices.at_places(files)
  looked = [phase_slices.directed(pictures, root, choices) for pictures in places]
  notes = list(dict.fromkeys(note for _, said, _ in looked for note in said))
  faults_found = [fault for _, _, faults in looked for fault in faults] + _placeless(files, places, root)
  faults_found += _spacing(places, root) + _several(files, root)
  # A place whose tags contradict each other has its fault: how many directions are left there says nothing more.
  several = [(pictures, [] if faults else known) for pictures, (known, _, faults) in zip(places, looked, strict=True)]
  most = max((len(directions) for _, directions in several), default=0)
  if most < DIRECTIONS and not faults_found:
    return _magnitude_only(files, places, most, root, choices, notes)
  outside += [one for pictures, directions in several if not directions for one in pictures]
  slices, faults = _slices(several, root, choices)
  faults_found += faults
  faults_found += [] if faults_found else [fault for one in slices for fault in pixel_faults(one, root)]
  towards = geometry.towards_apex(slices[0].slice.magnitude[0].orientation) if slices else 0
  slices.sort(key=lambda one: one.slice.position * (towards or 1))
  ids = tuple(map(magnitude.slice_id, range(len(slices))))
  notes += _notes(slices, outside, towards)
  levels = geometry.levels(len(slices)) if towards else [''] * len(slices)

  def cines(which: slice) -> Iterator[tuple[Cine, Source]]:
    for one, name, level in list(zip(slices, ids, levels, strict=True))[which]:
      pictures = one.slice.magnitude
      paths = tuple(picture.path for picture in pictures)
      frames, said = tuple(picture.frame for picture in pictures), (*notes, *one.slice.notes)
      source = Source(paths, one.slice.position, pictures[0].orientation, notes=said, frames=frames)
      yield read_slice(one, dataset=dataset, slice_id=name, level=level), source

  own = gathered({name: one.slice.notes for name, one in zip(ids, slices, strict=True)})
  return Opened(dataset, ids, (*notes, *own), tuple(sorted(set(faults_found))), root, cines)


def _placeless(files: Sequence[Instance], places: Sequence[Pictures], root: pathlib.Path) -> list[Fault]:
  """Returns a fault where no velocity of the study says where it lies."""
  if places:
    return []
  rule = 'ImagePositionPatient, ImageOrientationPatient or PixelSpacing is missing or broken: where velocities lie'
  velocities = [one for one in files if velocity_tags.encodes(one)]
  return [faulty(velocities, f'{rule} is not known. Export the originals', root)]


def _several(files: Sequence[Instance], root: pathlib.Path) -> list[Fault]:
  """Returns a fault where stacks with velocities along three directions are not parts of one: 4D flow beside slices."""
  first, *others = phase_slices.stacks(files)
  if all(phase_slices.one_stack(first, other) for other in others):
    return []
  stated = '; '.join(f'{series_of(one)}, {_size(one[0])}' for one in (first, *others))
  rule = f'{1 + len(others)} stacks have velocities along three directions ({stated})'
  return [faulty(first, f'{rule}: give the one that is meant a folder of its own', root)]


def _size(one: Instance) -> str:
  shape, spacing = one.shape or (0, 0), one.spacing or (math.nan, math.nan)
  return f'{shape[0]} x {shape[1]} pixels of {spacing[0]:g} x {spacing[1]:g} mm'


def _spacing(places: Sequence[Pictures], root: pathlib.Path) -> list[Fault]:
  """Returns a fault for each pixel spacing that no picture can have."""
  wrong: dict[str, Pictures] = {}
  for pictures in places:
    if pictures[0].spacing and (rule := checks.spacing_fault(pictures[0].spacing)):
      wrong.setdefault(rule, []).extend(pictures)
  return [faulty(pictures, f'pixel spacing {rule}', root) for rule, pictures in wrong.items()]


def _slices(
  several: Sequence[tuple[Pictures, list[Directed]]], root: pathlib.Path, choices: Asked
) -> tuple[list[Measured], list[Fault]]:
  """Returns the sound slices of places with directions of velocity, and the faults of the others."""
  slices, faults_of_slices = [], []
  for pictures, directions in several:
    if len(directions) == DIRECTIONS:
      one, faults = phase_slices.build(pictures, directions, root, choices)
      measured, more = measure(one, root, choices) if one else (None, [])
      slices += [measured] if measured else []
      faults_of_slices += faults + more
    elif directions:
      rule = f'{len(directions)} directions of velocity at {phase_slices.position(pictures[0]):.1f} mm, expected three'
      unclear = [one for one in pictures if one.component == CONTRADICTORY]
      beside = f', and {series_of(unclear)} holds {named(CONTRADICTORY)}' if unclear else ''
      faults_of_slices.append(faulty(directions[0].pictures, f'{rule}{beside}: export the slice whole', root))
  return slices, faults_of_slices


def _magnitude_only(
  files: Sequence[Instance],
  places: Sequence[Sequence[Instance]],
  count: int,
  root: pathlib.Path,
  choices: Asked,
  notes,
) -> Opened:
  """Returns the study as one of magnitudes, each place once; velocity that is not there is not zero."""
  left = {id(one) for one in files if velocity_tags.component(one) == 'P'}
  for pictures in places:
    held = [one for one in pictures if is_magnitude(velocity_tags.component(one))]
    first = min(held, key=lambda one: one.series_number or 0, default=None)
    left |= {id(one) for one in held if first and one.series != first.series}
  opened = stack.open_study([one for one in files if id(one) not in left], root, choices)
  note = f'velocity along {count} of three directions: only the magnitude is read'
  return dataclasses.replace(opened, notes=(note, *notes, *opened.notes))


def _notes(slices: Sequence[Measured], outside: Sequence[Instance], towards: int) -> list[str]:
  """Returns what had to be decided for the study as a whole."""
  notes = []
  if any(one.slice.held > 1 for one in slices):
    taken = series_of(picture for one in slices for picture in one.slice.magnitude)
    notes.append(f'the magnitude is that of {taken}; up to {max(one.slice.held for one in slices)} series hold one')
  if any(one.oblique for one in slices):
    notes.append('velocities were encoded along axes oblique to the picture and turned into it: wraps are not undone')
  if len(slices) > _MANY:
    notes.append(
      f'{len(slices)} planes with velocities: of 4D flow each is taken for a slice, whatever its orientation'
    )
  if slices and not towards:
    notes.append('which end of the stack is the base is not known: velocity through the plane is along the normal')
  if outside:
    notes.append(f'{series_of(outside)} skipped: another place, size or orientation than the velocities')
  notes += differing('size of pictures', {_size(one.slice.magnitude[0]) for one in slices})
  notes += magnitude.contradictions([one.slice.magnitude[0] for one in slices])
  return notes + differing('phase encoding direction', {one.slice.direction for one in slices})
