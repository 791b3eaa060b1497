"""Which series of a study are the five of a slice: by slice location and consecutive series number.

What is not part of such a five is skipped with a note if nothing marks it as velocity mapping, and is a fault if
something does: a slice that lost a series must not vanish.
"""

import itertools
import math
import pathlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from ear_jax.formats.dicom import geometry
from ear_jax.formats.dicom.header import Instance
from ear_jax.formats.faults import Fault

Series = tuple[Instance, ...]  # of one series number, in the order of instance numbers
RR = re.compile(r'\s*RR\s+(\S+)')
_SAME_PLACE = 0.1  # mm
_FIVE, _USED = 5, 4  # without RefMag, which nothing uses
_PATTERN = 'MagAvg, PhaseZ, PhaseX, PhaseY, RefMag'


def evident(file: Instance) -> bool:
  """Returns True when the header says velocity mapping: the spirals' sequence, or the RR interval as a comment."""
  return bool((file.protocol and file.protocol.spirals) or RR.match(file.comments))


def position(file: Instance) -> float:
  """Returns the position in mm along the slice normal, else SliceLocation, else NaN."""
  if file.orientation and file.corner:
    return geometry.position(file.orientation, file.corner)
  return math.nan if file.location is None else file.location


def group(files: Sequence[Instance], root: pathlib.Path) -> tuple[list[list[Series]], list[str], list[Fault]]:
  """Returns the groups of the study in the order of series number, notes on what was skipped, and faults.

  A group is five series, or four where RefMag is missing.
  """
  series, faults = _by_number(files, root)
  model = _model(series)
  kept, notes = [], []
  for one in series:
    marked = any(map(evident, one))
    if not marked and not _like(one[0], model):
      notes.append(f'series {one[0].series_number} skipped: another size or orientation')
    elif rule := _place_rule(one):
      if marked:
        faults.append(fault(one, root, rule))
      else:
        notes.append(f'series {one[0].series_number} skipped: no single slice')
    else:
      kept.append(one)
  groups = []
  for run in _runs(kept):
    if not any(evident(file) for one in run for file in one):
      notes.append(f'{_named(run)} skipped: not part of a group of five')
      continue
    run = _trimmed(run)
    if _USED <= len(run) <= _FIVE:
      groups.append(run)
      continue
    rule = f'{len(run)} consecutive series at one slice location ({_named(run)}), expected five: {_PATTERN}'
    advice = 'export the missing series' if len(run) < _FIVE else 'remove the ones that do not belong to the slice'
    faults.append(fault(run[0], root, f'{rule}; {advice}'))
  faults += _repeated(groups, root)
  return sorted(groups, key=lambda five: _number(five[0])), notes, faults


def _by_number(files: Sequence[Instance], root: pathlib.Path) -> tuple[list[Series], list[Fault]]:
  numbered: dict[int, list[Instance]] = {}
  faults = []
  for file in files:
    if file.series_number is None:
      faults.append(Fault(str(file.path.relative_to(root)), '', 'SeriesNumber is missing or no whole number'))
    else:
      numbered.setdefault(file.series_number, []).append(file)
  in_order = lambda file: (file.number is None, file.number, file.path)  # noqa: E731
  series = [tuple(sorted(numbered[n], key=in_order)) for n in sorted(numbered)]
  for one in series:
    count = len({file.series for file in one})
    if count > 1:
      faults.append(fault(one, root, f'{count} different SeriesInstanceUID under one SeriesNumber: series are mixed'))
  return series, faults


def _model(series: list[Series]) -> Instance | None:
  """Returns a file with the usual size among the series that are marked as velocity mapping."""
  marked = [one[0] for one in series if any(map(evident, one))]
  sizes = Counter(file.shape for file in marked)
  return next((file for file in marked if file.shape == sizes.most_common(1)[0][0]), None)


def _like(file: Instance, model: Instance | None) -> bool:
  return model is None or (file.shape == model.shape and geometry.parallel(file.orientation, model.orientation))


def _place_rule(one: Series) -> str:
  """Returns what is wrong with the place of the pictures of one series, or ''."""
  try:
    places = [position(file) for file in one]
  except ValueError as error:
    return str(error)
  if any(map(math.isnan, places)):
    return 'no slice location: SliceLocation or ImagePositionPatient with ImageOrientationPatient is missing'
  if max(places) - min(places) > _SAME_PLACE:
    return f'pictures of one series lie between {min(places):.1f} and {max(places):.1f} mm: slices are mixed'
  return ''


def _runs(series: list[Series]) -> Iterator[list[Series]]:
  """Yields the series of consecutive numbers at one place."""
  by_place = sorted(series, key=lambda one: position(one[0]))
  clusters: list[list[Series]] = []
  for one in by_place:
    if clusters and position(one[0]) - position(clusters[-1][0][0]) <= _SAME_PLACE:
      clusters[-1].append(one)
    else:
      clusters.append([one])
  for cluster in clusters:
    numbered = sorted(cluster, key=_number)
    # In a run of consecutive numbers the number minus its rank stays the same.
    for _, run in itertools.groupby(enumerate(numbered), lambda ranked: _number(ranked[1]) - ranked[0]):
      yield [one for _, one in run]


def _number(one: Series) -> int:
  number = one[0].series_number
  assert number is not None  # `_by_number` has kept such files out
  return number


def _trimmed(run: list[Series]) -> list[Series]:
  """Returns a run of more than five without the unmarked series at either end."""
  while len(run) > _FIVE and not any(map(evident, run[-1])):
    run = run[:-1]
  while len(run) > _FIVE and not any(map(evident, run[0])):
    run = run[1:]
  return run


def _repeated(groups: list[list[Series]], root: pathlib.Path) -> list[Fault]:
  places = sorted((position(five[0][0]), five[0][0].series_number, five) for five in groups)
  return [
    fault(later[0], root, f'the slice at {there:.1f} mm was scanned twice (series {number} too): remove one of both')
    for (here, number, _), (there, _, later) in itertools.pairwise(places)
    if there - here <= _SAME_PLACE
  ]


def _named(run: list[Series]) -> str:
  first, last = run[0][0].series_number, run[-1][0].series_number
  return f'series {first}' if first == last else f'series {first} to {last}'


def fault(one: Series, root: pathlib.Path, rule: str) -> Fault:
  """Returns the fault of a series that breaks a rule."""
  return Fault(str(one[0].path.relative_to(root)), f'series {one[0].series_number}', rule)
