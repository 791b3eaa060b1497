"""A study of single-frame magnitude cines as a scanner sends it: the short-axis stack among everything else.

The stack is the geometry (orientation and size) that most files have. Series of another geometry, phase pictures, and
series with one picture a slice beside cines are passed over with a note. Fallbacks, each with a note: without a trigger
time in every frame, instance numbers order and the frame interval is unknown; without image position, SliceLocation;
without that either, each series is a slice, in the order of series numbers.
"""

import math
import pathlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from ear_jax.cine import Cine
from ear_jax.formats.choices import REFUSE, Choices
from ear_jax.formats.dicom import geometry, instances
from ear_jax.formats.dicom import magnitude as dicom
from ear_jax.formats.dicom.instances import Instance
from ear_jax.formats.faults import Fault
from ear_jax.formats.opened import Opened
from ear_jax.formats.source import Source

_GAP = 1.6  # times the usual step of trigger times: a frame is missing
Series = list[Instance]


def open_study(files: Sequence[Instance], root: pathlib.Path, choices: Choices = REFUSE) -> Opened:
  """Looks over one study, pixels included, and returns it with its notes and faults, slices from base to apex."""
  dataset, folder = instances.pseudonym(files[0].study), _folder(files, root)
  series = _series(files)
  magnitudes = [one for one in series if not _is_phase(one)]
  if not magnitudes:
    rule = 'phase pictures only, without the header of velocity mapping (protocol text, RR interval): export it whole'
    return Opened(dataset, (), (), (Fault(folder, '', rule),), root, lambda which: iter(()))
  stack, notes = _stack(magnitudes)
  notes += [_passed(one, 'phase pictures without the header of velocity mapping') for one in series if _is_phase(one)]
  found = _repeated(stack, root)
  places, orientation = _places(stack, notes)
  frames, unread = _frames(stack, places, orientation, root)
  found += unread
  of_series = {file.path: number for number, one in enumerate(stack) for file in one}
  slices = dicom.in_order(frames)
  crowded = _crowded(slices, of_series, stack, folder)
  found += crowded or dicom.faults(slices, folder, root)
  found += [] if crowded else [fault for k, one in enumerate(slices) for fault in _gaps(one, k, root)]
  direction = geometry.towards_apex(orientation) if slices and not found and not places else 0
  if not direction and slices:
    notes.append('which end of the stack is the base is not known: slices are in the order of their position')
  if any(None in [frame.trigger for frame in one] for one in slices):
    notes.append('without trigger times: frames are in the order of instance numbers, the frame interval is unknown')
  if not all(map(dicom.numbered_in_time, slices)):
    notes.append('instance numbers do not rise with trigger times: frames are in the order of trigger times')
  slices = slices[:: direction or 1]
  ids = tuple(map(dicom.slice_id, range(len(slices))))
  known = places is None or all(file.location is not None for one in stack for file in one)

  def cines(which: slice) -> Iterator[tuple[Cine, Source]]:
    for one, name in list(zip(slices, ids, strict=True))[which]:
      cine = dicom.cine(one, subject=dataset, dataset=dataset, slice_id=name)
      paths, position = tuple(frame.path for frame in one), one[0].position if known else math.nan
      yield cine, Source(paths, position, orientation, notes=tuple(notes))

  return Opened(dataset, ids, tuple(notes), tuple(sorted(found)), root, cines)


def _frames(stack: list[Series], places, orientation, root: pathlib.Path) -> tuple[list[dicom.Frame], list[Fault]]:
  """Returns the frames of the stack, and a fault for each file that is none."""
  frames, found = [], []
  for number, one in enumerate(stack):
    for file in one:
      try:
        frames.append(dicom.frame(file, places and places(number, file)))
        if not geometry.parallel(file.orientation, orientation):
          raise ValueError('ImageOrientationPatient differs from that of the other pictures of the stack')
      except ValueError as error:
        found.append(Fault(str(file.path.relative_to(root)), '', f'not a single-frame cine image: {error}'))
  return frames, found


def _folder(files: Sequence[Instance], root: pathlib.Path) -> str:
  parents = {str(file.path.parent.relative_to(root)) for file in files}
  return parents.pop() if len(parents) == 1 else '.'


def _series(files: Sequence[Instance]) -> list[Series]:
  """Returns the files by series, in the order of series numbers; without a SeriesInstanceUID the number tells."""
  series: dict[tuple, Series] = defaultdict(list)
  for file in files:
    series[file.series_number is None, file.series_number, file.series].append(file)
  return [series[key] for key in sorted(series)]


def _is_phase(one: Series) -> bool:
  return any(file.image_type[2:3] == ('P',) for file in one)


def _geometry(one: Series) -> tuple:
  """Returns what the pictures of one stack have in common, by the usual picture of the series."""
  # Rounded, since scanners write the same plane with other last digits.
  found = Counter((file.shape, file.orientation and tuple(np.round(file.orientation, 2))) for file in one)
  return found.most_common(1)[0][0]


def _stack(series: list[Series]) -> tuple[list[Series], list[str]]:
  """Returns the series of the stack, and a note for each that was passed over."""
  sizes: Counter = Counter()
  for one in series:
    sizes[_geometry(one)] += len(one)
  wanted = sizes.most_common(1)[0][0]
  alike = [one for one in series if _geometry(one) == wanted]
  notes = [_passed(one, 'another size or orientation') for one in series if _geometry(one) != wanted]
  longest = [max(Counter(file.corner or file.location for file in one).values()) for one in alike]
  if max(longest) > 1:
    notes += [_passed(one, 'one picture a slice, no cine') for one, n in zip(alike, longest, strict=True) if n == 1]
    cines = [one for one, n in zip(alike, longest, strict=True) if n > 1]
    return cines, notes
  return alike, notes


def _passed(one: Series, why: str) -> str:
  number = 'without number' if one[0].series_number is None else one[0].series_number
  return f'series {number} passed over: {why}'


def _places(stack: list[Series], notes: list[str]):
  """Returns None where image positions tell, else a function of series index and file to mm; and the orientation."""
  files = [file for one in stack for file in one]
  orientations = Counter(file.orientation for file in files if file.orientation)
  orientation = orientations.most_common(1)[0][0] if orientations else None
  if any(file.corner and file.orientation for file in files):
    return None, orientation
  if all(file.location is not None for file in files):
    notes.append('without image positions: slices are in the order of SliceLocation')
    return (lambda _, file: file.location), orientation
  notes.append('without slice positions: each series is taken as one slice, in the order of series numbers')
  return (lambda number, _: float(number)), orientation


def _repeated(stack: list[Series], root: pathlib.Path) -> list[Fault]:
  seen: dict[tuple, Instance] = {}
  found = []
  for file in (file for one in stack for file in one):
    if file.sop and (file.sop, file.frame) in seen:
      first = seen[file.sop, file.frame].path.relative_to(root)
      found.append(Fault(str(file.path.relative_to(root)), '', f'duplicated instance: the same picture as {first}'))
    seen.setdefault((file.sop, file.frame), file)
  return found


def _crowded(slices: dicom.Slices, of_series: dict, stack: list[Series], folder: str) -> list[Fault]:
  """Returns a fault for each slice that several series hold pictures of: nothing says which is meant."""
  found = []
  for index, one in enumerate(slices):
    numbers = sorted({of_series[frame.path] for frame in one})
    if len(numbers) > 1:
      named = ', '.join(str(stack[number][0].series_number) for number in numbers)
      rule = f'{len(numbers)} series ({named}) hold pictures of this place: keep the one that is the cine'
      found.append(Fault(folder, f'slice {index}', rule))
  return found


def _gaps(one: list[dicom.Frame], index: int, root: pathlib.Path) -> Iterator[Fault]:
  """Yields a fault for each step of trigger times that is so long that a frame is missing."""
  times = [frame.trigger for frame in one if frame.trigger is not None]
  if len(times) != len(one) or len(times) < 3:
    return
  steps = np.diff(times)
  usual = sorted(steps)[(len(steps) - 1) // 2]
  for k in np.flatnonzero(steps > _GAP * usual):
    rule = f'missing frame: {steps[k]:.1f} ms to the next one, the usual step is {usual:.1f} ms'
    yield Fault(str(one[k].path.relative_to(root)), f'slice {index}, frame {k}', rule)
