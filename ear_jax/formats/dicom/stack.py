"""A study of magnitude cines as a scanner sends it: the short-axis stack among all other series, classic or enhanced.

`choose` says which pictures are the stack, `timing` in which order they follow each other. Fallbacks, each with a note:
without image position, SliceLocation orders slices; without that either, each series is a slice, in the order of series
numbers. Two series at one place are refused, or one is taken as the user chooses.
"""

import dataclasses
import math
import pathlib
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from ear_jax.cine import Cine
from ear_jax.formats.choices import Asked
from ear_jax.formats.dicom import choose, component, geometry, instances
from ear_jax.formats.dicom import magnitude as dicom
from ear_jax.formats.dicom.choose import Part
from ear_jax.formats.dicom.header import Instance
from ear_jax.formats.dicom.magnitude import Grouped
from ear_jax.formats.faults import Fault, once
from ear_jax.formats.opened import Opened
from ear_jax.formats.source import Source

_NEAR = 0.5  # times the usual step: two series that are nearer show the same slice
_CONTRADICTION = 1.0  # mm
_THICK = 2.0  # times the step: slices overlap, but not so much
_UNEVEN = 0.2  # steps of SliceLocation, over those along the normal
Placed = tuple[float, Instance]


def open_study(files: Sequence[Instance], root: pathlib.Path, choices: Asked) -> Opened:
  """Looks over one study, pixels included, and returns it with its notes and faults, slices from base to apex."""
  dataset, folder = instances.pseudonym(files[0].study), _folder(files, root)
  notes: list[str] = []
  parts = choose.parts(_series(files, notes))
  others = {part: why for part in parts if (why := _no_magnitude(part))}
  if len(others) == len(parts):
    rule = f'no magnitude pictures, only {", ".join(sorted(set(others.values())))}: export it whole'
    return Opened(dataset, (), (), (Fault(folder, '', rule),), root, lambda which: iter(()))
  velocities = any(part.first.component == 'P' for part in others)
  stack, passed = choose.stack([part for part in parts if part not in others])
  notes += passed
  if not any(part.is_cine() for part in stack):
    notes.append('one picture a slice: this is no cine')
  notes += [part.passed(why) for part, why in others.items()]
  pictures = [picture for part in stack for picture in part.pictures]
  places, orientation = _places(stack, notes)
  placed, broken = _placed(stack, places, orientation, root)
  faults = once(_duplicates(pictures, root, notes) + broken)
  placed, crowded = _one_series_a_place(placed, folder, choices, notes)
  slices = dicom.in_order(placed, choices)
  if crowded or not slices:
    unused = 'phase pictures, which state no velocity encoding, were not used' if velocities else ''
    faults += [dataclasses.replace(fault, rule=f'{fault.rule}; {unused}') for fault in crowded] if unused else crowded
  else:
    looked, said = dicom.look(slices, root)
    faults += once(looked) + dicom.stack_faults(slices, folder, choices, said)
    notes += _counted(said) + _contradictions(slices)
  direction = geometry.towards_apex(orientation) if slices and not faults and not places else 0
  if not direction and slices:
    notes.append('which end of the stack is the base is not known: slices are in the order of their position')
  slices = slices[:: direction or 1]
  ids = tuple(map(dicom.slice_id, range(len(slices))))
  known = places is None or all(picture.location is not None for picture in pictures)

  def cines(which: slice) -> Iterator[tuple[Cine, Source]]:
    for one, name in list(zip(slices, ids, strict=True))[which]:
      cine = dicom.cine(one, subject=dataset, dataset=dataset, slice_id=name)
      paths, position = tuple(picture.path for picture in one.pictures), one.position if known else math.nan
      frames, lies = tuple(picture.frame for picture in one.pictures), one.pictures[0].orientation or orientation
      yield cine, Source(paths, position, lies, notes=tuple(notes), frames=frames)

  return Opened(dataset, ids, tuple(notes), tuple(sorted(faults)), root, cines)


def _series(files: Sequence[Instance], notes: list[str]) -> Sequence[Instance]:
  """Returns the pictures; where each has a SeriesInstanceUID of its own, without it."""
  if len({file.series for file in files}) < len(files) or len({file.series_number for file in files}) == len(files):
    return files
  notes.append('each picture has a SeriesInstanceUID of its own: series numbers tell which belong together')
  return [dataclasses.replace(file, series='') for file in files]


def _no_magnitude(part: Part) -> str:
  """Returns what the pictures of a part are in words, '' for a magnitude."""
  if all(picture.samples == 3 for picture in part.pictures):
    return 'colour pictures'
  return '' if component.is_magnitude(part.first.component) else component.named(part.first.component)


def _folder(files: Sequence[Instance], root: pathlib.Path) -> str:
  parents = {str(file.path.parent.relative_to(root)) for file in files}
  return parents.pop() if len(parents) == 1 else '.'


def _places(stack: list[Part], notes: list[str]):
  """Returns None where image positions tell, else a function of series index and file to mm; and the orientation."""
  files = [picture for part in stack for picture in part.pictures]
  orientations = Counter(file.orientation for file in files if file.orientation)
  orientation = orientations.most_common(1)[0][0] if orientations else None
  if any(file.corner and file.orientation for file in files):
    return None, orientation
  if all(file.location is not None for file in files):
    notes.append('without image positions: slices are in the order of SliceLocation')
    return (lambda _, file: file.location), orientation
  notes.append('without slice positions: each series is taken as one slice, in the order of series numbers')
  return (lambda number, _: float(number)), orientation


def _placed(stack: list[Part], places, orientation, root: pathlib.Path) -> tuple[list[Placed], list[Grouped]]:
  """Returns the pictures of the stack with their positions, and a fault for each that is none."""
  placed: list[Placed] = []
  faults: list[Grouped] = []
  for number, part in enumerate(stack):
    for picture in part.pictures:
      try:
        there = dicom.position(picture, places and places(number, picture))
        if picture.corner and orientation and not places:
          there = geometry.position(orientation, picture.corner)  # one normal, whichever way up a slice is stored
        placed.append((there, picture))
        if not geometry.coplanar(picture.orientation, orientation):
          raise ValueError('ImageOrientationPatient differs from that of the other pictures of the stack')
      except ValueError as error:
        rule = f'not a single-frame cine image: {error}'
        faults.append((picture.series, Fault(str(picture.path.relative_to(root)), '', rule)))
  return placed, faults


def _duplicates(pictures: Sequence[Instance], root: pathlib.Path, notes: list[str]) -> list[Grouped]:
  """Returns a fault for each picture that is there twice; pictures that an archive gave one UID become a note."""
  seen: dict[tuple, tuple] = {}
  faults: list[Grouped] = []
  shared = 0
  for picture in pictures:
    own = picture.series, picture.number, picture.trigger, picture.corner
    before = seen.setdefault((picture.sop, picture.frame), own)
    if picture.sop and before is not own and before != own:
      shared += 1
    elif picture.sop and before is not own:
      rule = 'duplicated instance: another file holds the same picture (SOPInstanceUID): remove one of both'
      faults.append((picture.series, Fault(str(picture.path.relative_to(root)), '', rule)))
  if shared:
    notes.append(f'{shared + 1} pictures have the same SOPInstanceUID, and differ: all were read')
  return faults


def _one_series_a_place(
  placed: list[Placed], folder: str, choices: Asked, notes: list[str]
) -> tuple[list[Placed], list[Fault]]:
  """Returns the pictures of one series a place, or a fault for each place where several lie."""
  kept, faults = [], []
  for index, here in enumerate(_near(placed)):
    series = sorted({choose.series_key(p) for _, p in here})
    if len(series) == 1:
      kept += here
      continue
    said = f'{len(series)} series ({", ".join(str(number) for _, number, _ in series)}) hold pictures of this place'
    original = sorted({choose.series_key(p) for _, p in here if p.image_type[:1] == ('ORIGINAL',)})
    derived = {choose.series_key(p) for _, p in here if p.image_type[:1] == ('DERIVED',)}
    locations = [p.location for _, p in here if p.location is not None]
    if locations and max(locations) - min(locations) > _CONTRADICTION:
      rule = (
        f'{said}, but their SliceLocation reaches from {min(locations):g} to {max(locations):g} mm: one of both lies'
      )
      faults.append(Fault(folder, f'slice {index}', rule))
    elif len(original) == 1 and len(derived) == len(series) - 1:
      kept += [(at, p) for at, p in here if choose.series_key(p) == original[0]]
      notes.append(f'{said}: series {original[0][1]} is taken, the others are derived (ImageType)')
    elif choices.settle('repeated') == 'refuse':
      rule = f'{said}: keep the one that is the cine, or choose by --repeated=first or --repeated=last'
      faults.append(Fault(folder, f'slice {index}', rule))
    else:
      wanted = series[0 if choices.made.repeated == 'first' else -1]
      kept += [(at, p) for at, p in here if choose.series_key(p) == wanted]
      notes.append(f'{said}: series {wanted[1]} is taken')
  return kept, faults


def _near(placed: list[Placed]) -> list[list[Placed]]:
  """Returns the pictures by place; places much nearer than the usual step are one, unless a series has both."""
  groups: list[list[Placed]] = []
  for here, picture in sorted(placed, key=lambda both: both[0]):
    if groups and here - groups[-1][0][0] < dicom.SAME_PLACE:
      groups[-1].append((here, picture))
    else:
      groups.append([(here, picture)])
  if len(groups) < 3:
    return groups
  steps = np.diff([group[0][0] for group in groups])
  usual = sorted(steps)[(len(steps) - 1) // 2]
  merged = groups[:1]
  for step, group in zip(steps, groups[1:], strict=True):
    shared = {p.series for _, p in group} & {p.series for _, p in merged[-1]}
    if step < _NEAR * usual and not shared:
      merged[-1] = merged[-1] + group
    else:
      merged.append(group)
  return merged


def _counted(notes: list[tuple[str, str]]) -> list[str]:
  """Returns one note a kind: the first, and how often there is one of the kind."""
  first: dict[str, str] = {}
  for kind, said in notes:
    first.setdefault(kind, said)
  times = Counter(kind for kind, _ in notes)
  return [said if times[kind] == 1 else f'{said} ({times[kind]} times)' for kind, said in first.items()]


def _contradictions(slices: dicom.Slices) -> list[str]:
  """Returns notes on header values that disagree with the positions that were used."""
  first = [one.pictures[0] for one in slices]
  steps = np.abs(np.diff([one.position for one in slices]))
  notes = dicom.contradictions(first)
  if not all(geometry.parallel(first[0].orientation, picture.orientation) for picture in first):
    notes.append('slices of one plane are stored turned or mirrored against each other: each has its own place')
  gap = first[0].gap
  if len(steps) and gap and gap >= (first[0].thickness or math.inf) and abs(np.median(steps) - gap) > _CONTRADICTION:
    notes.append(f'slices lie {np.median(steps):.1f} mm apart, SpacingBetweenSlices says {gap:.1f} mm')
  thickness = first[0].thickness or 0.0
  if len(steps) and thickness > _THICK * np.median(steps):
    notes.append(f'slices lie {np.median(steps):.1f} mm apart, SliceThickness says {thickness:.1f} mm')
  locations = [picture.location for picture in first if picture.corner and picture.location is not None]
  # Some makers count it along the axis of the patient that is nearest to the normal, so that its steps are shorter.
  if len(locations) == len(slices) > 1 and np.ptp(np.diff(locations) / steps) > _UNEVEN:
    notes.append('SliceLocation contradicts ImagePositionPatient: slices are in the order of image positions')
  return notes
