"""The slices of a phase contrast study: at each place three directions and a magnitude, frame by frame.

Pictures are grouped by place, direction and time alone, so that it does not matter how many series or files hold them.
"""

import contextlib
import dataclasses
import itertools
import math
import pathlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from ear_jax.cine import Vector
from ear_jax.formats.choices import Asked
from ear_jax.formats.dicom import choose, geometry, magnitude, velocity_tags
from ear_jax.formats.dicom.component import is_magnitude
from ear_jax.formats.dicom.header import Instance
from ear_jax.formats.dicom.timing import Timed, in_time
from ear_jax.formats.faults import Fault

Pictures = list[Instance]
_SAME_AXIS = 0.98  # cosine, 11 degrees: one direction
_SAME_NORMAL = 0.999  # cosine, 2.6 degrees
_BESIDE = 3.0  # mm along the normal: nearer is the same slice, or a plane of a volume
_WHOLE_SET = 3  # directions
_INDEPENDENT = 0.3  # volume that three unit vectors span
_LATE = 0.5  # frames that two directions of one slice may differ in time
_WHOLE = 0.75  # frames that a cycle may differ from RR before it is said
_TOO_LONG = 0.1  # relative, by which frames may go beyond RR


@dataclasses.dataclass(frozen=True)
class Directed:
  """Phase pictures of one direction at one place in the order of time; `axis` is a unit vector in the patient."""

  axis: Vector
  timed: Timed

  @property
  def pictures(self) -> tuple[Instance, ...]:
    """Frame by frame."""
    return self.timed.pictures


@dataclasses.dataclass(frozen=True)
class PhaseSlice:
  """One slice that is sound by its headers.

  Attributes:
    magnitude: frame by frame.
    directions: of velocity, frame by frame.
    position: mm along the normal.
    interval: ms between frames, NaN when unknown.
    direction: of phase encoding in the plane, 'ROW', 'COL' or ''.
    held: how many series hold a magnitude of this place.
    notes: what had to be decided.
  """

  magnitude: tuple[Instance, ...]
  directions: tuple[Directed, Directed, Directed]
  position: float
  interval: float
  direction: str
  held: int
  notes: tuple[str, ...]


def series_of(pictures: Iterable[Instance]) -> str:
  """Returns 'series 3' or 'series 3, 5' of pictures."""
  numbers = sorted({one.series_number for one in pictures if one.series_number is not None})
  return f'series {", ".join(map(str, numbers))}' if numbers else 'a series without number'


def stacks(files: Sequence[Instance]) -> list[Pictures]:
  """Returns the velocities of each stack of slices that could be meant, that with the most first.

  These have three directions and lie across the heart's long axis. Where no plane has three, the one with the most
  velocities is the only one.
  """
  planes: dict[tuple, Pictures] = defaultdict(list)
  for one in files:
    if velocity_tags.encodes(one):
      planes[_plane(one)].append(one)
  largest_first = sorted(planes.values(), key=len, reverse=True)
  whole = [pictures for pictures in largest_first if _directions(pictures) >= _WHOLE_SET]
  best = max((choose.cosine(pictures[0]) for pictures in whole), default=0.0)
  return [one for one in whole if choose.cosine(one[0]) >= best - choose.CLOSE] or largest_first[:1]


def one_stack(some: Pictures, others: Pictures) -> bool:
  """Returns whether pictures of another size, or stored another way round, are slices beside those of a stack."""
  known = [[one for one in part if magnitude.place(one)] for part in (some, others)]
  if not all(known):
    return False
  normal, other = (geometry.normal(part[0].orientation or ()) for part in known)
  if normal @ other < _SAME_NORMAL:
    return False
  here, there = (np.unique([np.round(normal @ (one.corner or ()), 1) for one in part]) for part in known)
  return bool(np.abs(np.subtract.outer(here, there)).min() > _BESIDE)


def _directions(pictures: Pictures) -> int:
  axes: list[Vector] = []
  for one in pictures:
    with contextlib.suppress(ValueError):  # a contradiction, which has its fault elsewhere
      axis = velocity_tags.direction(one)[0]
      if axis and not any(float(np.dot(axis, other)) > _SAME_AXIS for other in axes):
        axes.append(axis)
  return len(axes)


def at_places(files: Sequence[Instance]) -> tuple[list[Pictures], Pictures]:
  """Returns the pictures of the stacks that velocities lie in, by place along the normal, and all others."""
  planes = [_plane(one[0]) for one in stacks(files)]
  inside = [one for one in files if _plane(one) in planes and magnitude.place(one) and one.shape]
  kept = {id(one) for one in inside}
  places: list[Pictures] = []
  for one in sorted(inside, key=lambda one: (planes.index(_plane(one)), position(one))):
    before = places[-1][0] if places else None
    same = before and _plane(one) == _plane(before)
    if before and same and position(one) - position(before) <= magnitude.SAME_PLACE:
      places[-1].append(one)
    else:
      places.append([one])
  return places, [one for one in files if id(one) not in kept]


def directed(pictures: Pictures, root: pathlib.Path, choices: Asked) -> tuple[list[Directed], list[str], list[Fault]]:
  """Returns the directions that the velocities of one place were encoded along, with notes and faults."""
  phases = [one for one in pictures if velocity_tags.component(one) == 'P']
  groups: dict[Vector, Pictures] = {}
  notes: dict[str, None] = {}
  rules: dict[str, Pictures] = defaultdict(list)
  unknown: Pictures = []
  for one in phases:
    try:
      axis, note = velocity_tags.direction(one)
    except ValueError as error:
      rules[str(error)].append(one)
      continue
    if note:
      notes[note] = None
    if axis is None:
      unknown.append(one)
      continue
    same = next((known for known in groups if float(np.dot(known, axis)) > _SAME_AXIS), axis)
    groups.setdefault(same, []).append(one)
  if unknown:
    notes[f'phases of {series_of(unknown)} were not used: no tag says which direction of velocity they encode'] = None
  directions = [Directed(axis, in_time(group, choices)) for axis, group in groups.items()]
  return directions, list(notes), [faulty(group, rule, root) for rule, group in rules.items()]


def build(
  pictures: Pictures, directions: list[Directed], root: pathlib.Path, choices: Asked
) -> tuple[PhaseSlice | None, list[Fault]]:
  """Returns a slice of three directions and no fault, or None and what its headers break."""
  if rules := [rule for one in directions for rule in _time_rules(one)] or _agreement(directions):
    return None, [faulty(group, rule, root) for group, rule in rules]
  first = directions[0].pictures
  candidates, refused = _magnitudes(pictures, directions, choices)
  if not candidates:
    rule = f'no magnitude of {len(first)} frames at the place of these velocities: export the magnitude too'
    return None, [faulty(first, rule, root)] if not refused else [faulty(*each, root) for each in refused]
  if unlike := list(_unlike(candidates[0], directions)):
    return None, [faulty([picture], rule, root) for picture, rule in unlike]
  one, two, three = directions
  said = dict.fromkeys([text for direction in directions for _, text in direction.timed.notes])
  if note := _short(one.timed):
    said[note] = None
  where, interval = position(first[0]), one.timed.interval
  taken = tuple(candidates[0])
  return PhaseSlice(taken, (one, two, three), where, interval, first[0].direction, len(candidates), tuple(said)), []


def faulty(pictures: Sequence[Instance], rule: str, root: pathlib.Path) -> Fault:
  """Returns one fault for all pictures that break a rule, which names the first."""
  count = '' if len(pictures) == 1 else f', {len(pictures)} pictures'
  return Fault(str(pictures[0].path.relative_to(root)), f'{series_of(pictures)}{count}', rule)


def _plane(one: Instance) -> tuple:
  # Rounded, since scanners write the same plane with other last digits.
  return one.shape, one.orientation and tuple(np.round(one.orientation, 2)), one.spacing


def position(one: Instance) -> float:
  """Returns mm along the normal."""
  return geometry.position(one.orientation or (), one.corner or ())


def _times(pictures: Sequence[Instance]) -> list[float] | None:
  """Returns the trigger times in ms where they tell the frames apart; None where they do not."""
  times = [one.trigger for one in pictures if one.trigger is not None]
  return times if len(set(times)) == len(pictures) else None


def _time_rules(one: Directed) -> list[tuple[Sequence[Instance], str]]:
  """Returns what is wrong with the frames of one direction."""
  count, timed = len(one.pictures), one.timed
  if timed.rule:
    limits = sorted({said.venc for picture in one.pictures for said in velocity_tags.statements(picture) if said.venc})
    stated = f' (venc {" and ".join(f"{limit:g}" for limit in limits)} cm/s)' if len(limits) > 1 else ''
    return [(one.pictures, timed.rule + stated)]
  rr = one.pictures[0].interval or math.inf
  if count * timed.interval > (1 + _TOO_LONG) * rr + timed.interval:
    both = (
      f'{count} frames of {timed.interval:.1f} ms are {count * timed.interval:.0f} ms, the RR interval is {rr:.0f} ms'
    )
    return [(one.pictures, f'{both}: trigger times and RR contradict each other')]
  return []


def _short(timed: Timed) -> str:
  """Returns a note with both numbers where the frames do not reach to the end of the RR interval."""
  rr, count = timed.pictures[0].interval or math.nan, len(timed.pictures)
  if not rr / timed.interval - count > _WHOLE:
    return ''
  both = (
    f'{count} frames of {timed.interval:.1f} ms are {count * timed.interval:.0f} ms, the RR interval is {rr:.0f} ms'
  )
  return f'{both}: frames at the end are missing, or the scan does not cover the cycle'


def _agreement(directions: list[Directed]) -> list[tuple[Sequence[Instance], str]]:
  """Returns what the three directions of a place do not have in common."""
  first = directions[0]
  if abs(np.linalg.det([one.axis for one in directions])) < _INDEPENDENT:
    return [(first.pictures, 'the three directions of velocity do not span the room: their tags cannot be right')]
  counts = [len(one.pictures) for one in directions]
  if len(set(counts)) > 1:
    stated = ', '.join(f'{series_of(one.pictures)} {count}' for one, count in zip(directions, counts, strict=True))
    return [(first.pictures, f'unequal numbers of frames: {stated}; export the shorter series again')]
  times = _times(first.pictures)
  for other in directions[1:]:
    later = _times(other.pictures)
    if times and later and len(times) > 1:
      off = np.abs(np.subtract(later, times)).max()
      if off > _LATE * (times[-1] - times[0]) / (len(times) - 1):
        return [
          (
            other.pictures,
            f'trigger times differ by {off:.1f} ms from those of {series_of(first.pictures)}: series are mixed',
          )
        ]
  return []


def _unlike(taken: Sequence[Instance], directions: list[Directed]) -> Iterator[tuple[Instance, str]]:
  """Yields the first picture of each series that does not belong to the slice, and why."""
  for frames in (taken, *(one.pictures for one in directions)):
    unlike = ((one, magnitude.unlike(one, frames[0]) or magnitude.beside(one, taken[0])) for one in frames)
    yield from itertools.islice(((one, rule) for one, rule in unlike if rule), 1)


def _magnitudes(
  pictures: Pictures, directions: list[Directed], choices: Asked
) -> tuple[list[tuple[Instance, ...]], list[tuple[Pictures, str]]]:
  """Returns the series that could be the magnitude, and those that could not though they have its number of frames.

  The best is the first: of the velocities' own series, then the nearest.
  """
  count, times = len(directions[0].pictures), _times(directions[0].pictures)
  phases = [one for direction in directions for one in direction.pictures]
  uids, numbers = {one.series for one in phases}, [one.series_number or 0 for one in phases]
  series: dict[tuple[str, str], Pictures] = defaultdict(list)
  for one in pictures:
    if is_magnitude(velocity_tags.component(one)):
      series[one.series, velocity_tags.component(one)].append(one)
  kept, refused = [], []
  for (uid, word), group in series.items():
    timed = in_time(group, choices)
    own, number = _times(timed.pictures), group[0].series_number or 0
    apart = np.abs(np.subtract(own, times)).max() if times and own and len(own) == count else 0.0
    if len(group) >= count and timed.rule:
      refused.append((group, timed.rule))
    elif len(timed.pictures) == count and apart > directions[0].timed.interval:
      near = (
        f'trigger times of this magnitude differ by {apart:.1f} ms from those of {series_of(directions[0].pictures)}'
      )
      refused.append((group, f'{near}: series are mixed, or times have two units'))
    elif len(timed.pictures) == count:
      kept.append((uid not in uids, word != 'M', min(abs(number - other) for other in numbers), number, timed.pictures))
  return [ordered for *_, ordered in sorted(kept, key=lambda one: one[:4])], refused
