"""The short-axis stack among all pictures of a study: which series take part, and a note for each that does not.

A series is first parted by component (magnitude, phase, ...) and by orientation. Parts with several pictures at a place
are cines. Of the orientations that have cines, the one across the heart's long axis is the stack; a part of another
matrix belongs to it where nothing else lies and it has as many frames as the others.
"""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from ear_jax.formats.dicom import geometry
from ear_jax.formats.dicom.header import Instance

CLOSE = 0.15  # cosines to the long axis that differ less tell nothing: the larger stack is taken


@dataclasses.dataclass(frozen=True)
class Part:
  """Pictures of one series, component and orientation; `whole` when they are all that the series has."""

  pictures: tuple[Instance, ...]
  whole: bool

  @property
  def first(self) -> Instance:
    """The picture that stands for the others."""
    return self.pictures[0]

  @property
  def name(self) -> str:
    """The series in words."""
    number = self.first.series_number
    return f'series {"without number" if number is None else number}'

  def passed(self, why: str) -> str:
    """Returns the note that the part is skipped."""
    count = '' if self.whole else f', {len(self.pictures)} pictures'
    return f'{self.name}{count} skipped: {why}'

  def places(self) -> Counter:
    """Returns how many pictures lie at each place."""
    return Counter(_place(picture) for picture in self.pictures)

  def is_cine(self) -> bool:
    """Returns whether several pictures lie at one place."""
    return max(self.places().values()) > 1


def series_key(picture: Instance) -> tuple[bool, int | None, str]:
  """Returns what orders series: the number, and the SeriesInstanceUID where numbers are the same or missing."""
  return picture.series_number is None, picture.series_number, picture.series


def parts(pictures: Sequence[Instance]) -> list[Part]:
  """Returns the parts of a study, in the order of series numbers; without a SeriesInstanceUID the number tells."""
  series: dict[tuple, list[Instance]] = defaultdict(list)
  for picture in pictures:
    series[series_key(picture)].append(picture)
  parts_of_study = []
  for key in sorted(series):
    by_component: dict[str, list[Instance]] = defaultdict(list)
    for picture in series[key]:
      by_component[picture.component].append(picture)
    split = [some for one in by_component.values() for some in _by_orientation(one)]
    parts_of_study += [Part(tuple(some), len(split) == 1) for some in split]
  return parts_of_study


def stack(magnitudes: list[Part]) -> tuple[list[Part], list[str]]:
  """Returns the parts of the short-axis stack, and a note for each other one."""
  cines = [part for part in magnitudes if part.is_cine()]
  taken, notes = _short_axis(cines or magnitudes)
  if cines:
    notes += [part.passed('one picture a slice, no cine') for part in magnitudes if not part.is_cine()]
  taken, others = _of_one_size(taken)
  return taken, notes + others


def _by_orientation(pictures: Sequence[Instance]) -> Iterable[list[Instance]]:
  """Returns the pictures by plane; one that is alone stays with the most: it is an error, no view."""
  groups: list[list[Instance]] = []
  for picture in pictures:
    for group in groups:
      if geometry.coplanar(group[0].orientation, picture.orientation):
        group.append(picture)
        break
    else:
      groups.append([picture])
  groups.sort(key=len, reverse=True)
  most, *others = groups
  most += [group[0] for group in others if len(group) == 1]
  return [most, *(group for group in others if len(group) > 1)]


def _short_axis(cines: list[Part]) -> tuple[list[Part], list[str]]:
  groups: list[list[Part]] = []
  for part in cines:
    for group in groups:
      if geometry.coplanar(group[0].first.orientation, part.first.orientation):
        group.append(part)
        break
    else:
      groups.append([part])
  cosines = [cosine(group[0].first) for group in groups]
  close = [k for k, across in enumerate(cosines) if across >= max(cosines) - CLOSE]
  best = max(close, key=lambda k: (len({p for part in groups[k] for p in part.places()}), _count(groups[k])))
  notes = [
    part.passed(
      f'another orientation (cosine to the long axis of the heart {across:.2f}, of the stack {cosines[best]:.2f})'
    )
    for k, (group, across) in enumerate(zip(groups, cosines, strict=True))
    if k != best
    for part in group
  ]
  return groups[best], notes


def _of_one_size(taken: list[Part]) -> tuple[list[Part], list[str]]:
  """Returns the parts without those of another matrix that lie where others do, or are no cine of the same kind."""
  sizes: Counter = Counter()  # by places: a perfusion scan has fewer slices, and more pictures
  for part in taken:
    sizes[_size(part)] += len(part.places())
  usual = sizes.most_common(1)[0][0]
  model = [part for part in taken if _size(part) == usual]
  places = {place for part in model for place in map(_level, part.pictures)}
  frames = Counter(count for part in model for count in part.places().values()).most_common(1)[0][0]
  kept, notes = [], []
  for part in taken:
    if _size(part) == usual:
      kept.append(part)
    elif places & set(map(_level, part.pictures)):
      notes.append(part.passed(f'another size ({_words(part)}), at a place of the stack ({_words(model[0])})'))
    elif set(part.places().values()) != {frames}:
      notes.append(
        part.passed(f'another size ({_words(part)}) and number of frames than the stack ({_words(model[0])})')
      )
    else:
      kept.append(part)
      notes.append(f'{part.name} has another size ({_words(part)}) than the stack ({_words(model[0])})')
  return kept, notes


def _size(part: Part) -> tuple[int, int] | None:
  return Counter(picture.shape for picture in part.pictures).most_common(1)[0][0]


def _words(part: Part) -> str:
  rows, columns = _size(part) or (0, 0)
  return f'{rows} x {columns}'


def cosine(picture: Instance) -> float:
  """Returns how far a picture lies across the heart's long axis, 1 for exactly; -1 where its place is not known."""
  try:
    return float(abs(geometry.normal(picture.orientation or ()) @ geometry.APEXWARD))
  except ValueError:
    return -1.0


def _count(group: list[Part]) -> int:
  return sum(len(part.pictures) for part in group)


def _place(picture: Instance) -> tuple | float | None:
  return tuple(np.round(picture.corner, 1)) if picture.corner else picture.location


def _level(picture: Instance) -> float | None:
  """Returns the position along the slice normal, so that a larger field of view at a place is found."""
  try:
    return round(geometry.position(picture.orientation or (), picture.corner or ()))
  except ValueError:
    return picture.location
