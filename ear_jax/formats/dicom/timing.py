"""The pictures of one place in the order of the heart cycle, and the time between them.

Trigger times order, whatever the instance numbers say. Without them the ranks in time of the header do, else instance
numbers; the interval is then that of the RR interval and the number of pictures in it. Where these tags contradict each
other, the cine is refused with both numbers, or a note has them.
"""

import dataclasses
import itertools
import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from ear_jax.formats import checks
from ear_jax.formats.choices import Asked
from ear_jax.formats.dicom.header import Instance

_LONG = 1.6  # times the usual step of trigger times: a frame may be missing
_SEVERAL = 1.5  # times the RR interval: several beats; less is a change of heart rate
_SAMPLED = 4  # frames a beat at least, or the times are none
_SHORT, _HALF = 0.9, 0.6  # of the RR interval: the end of the cycle is missing; the times may be those of another scan
_LATE = 0.25  # share of the cycle before the first frame that is worth a note


@dataclasses.dataclass(frozen=True)
class Timed:
  """The pictures in order of time; `interval` in ms, NaN when unknown.

  `notes` say what was decided: what kind it is, for one line a study, and the sentence. `rule` is what is wrong, and
  `at` the index of the frame that it shows at; '' and 0 for a sound cine.
  """

  pictures: tuple[Instance, ...]
  interval: float
  notes: tuple[tuple[str, str], ...] = ()
  rule: str = ''
  at: int = 0


def in_time(pictures: Sequence[Instance], choices: Asked) -> Timed:
  """Returns the pictures of one place in order of time."""
  times = [one.trigger for one in pictures]
  if None in times or len(set(times)) == 1 < len(times):
    return _without_times(pictures, choices)
  ordered = sorted(pictures, key=_by_trigger)
  repeats = Counter(times)
  if len(repeats) < len(times):
    each = set(repeats.values())
    if len(each) > 1:
      k = next(k for k in range(1, len(ordered)) if ordered[k].trigger == ordered[k - 1].trigger)
      rule = f'trigger time {ordered[k].trigger:g} ms is that of another picture too: trigger times must increase'
      return Timed(tuple(ordered), math.nan, rule=rule, at=k)
    return _repeated(ordered, each.pop(), choices)
  return _with_times(ordered, choices)


def _by_trigger(one: Instance) -> tuple:
  return one.trigger, one.series_number or 0, one.number or 0, one.path.name, one.frame or 0


def _repeated(ordered: list[Instance], times: int, choices: Asked) -> Timed:
  """Returns the cine of pictures that have each trigger time as often."""
  said = f'{len(ordered)} pictures have {len(ordered) // times} trigger times, each {times} times'
  if choices.settle('repeated') == 'refuse':
    rule = f'{said}: two scans or beats, or magnitude and phase that no header tells apart; export one of them'
    return Timed(tuple(ordered), math.nan, rule=f'{rule}, or choose by --repeated=first or --repeated=last')
  first = 0 if choices.made.repeated == 'first' else times - 1
  timed = _with_times(ordered[first::times], choices)
  note = ('repeated', f'{said}: the {choices.made.repeated} by series and instance number is taken')
  return dataclasses.replace(timed, notes=(note, *timed.notes))


def _without_times(pictures: Sequence[Instance], choices: Asked) -> Timed:
  """Returns the cine by the ranks in time that the header states, or by instance numbers."""
  same = len(pictures) > 1 and pictures[0].trigger is not None and len({one.trigger for one in pictures}) == 1
  without = sum(one.trigger is None for one in pictures)
  some = f' in {without} of {len(pictures)} pictures' if without < len(pictures) else ''
  lacking = 'trigger times are all the same' if same else f'without trigger times{some}'
  by_rank = len({one.temporal for one in pictures} - {None}) == len(pictures) > 1
  ranked = sorted(
    (((one.temporal if by_rank else one.number) or 0, one.path.name, k) for k, one in enumerate(pictures))
  )
  ordered = tuple(pictures[k] for _, _, k in ranked)
  by = 'temporal positions' if by_rank else 'instance numbers'
  interval, source = _nominal(ordered)
  known = f'the frame interval is {source}' if source else 'the frame interval is unknown'
  notes = [('untimed', f'{lacking}: frames are in the order of {by}, {known}')] if len(ordered) > 1 else []
  strides = np.diff([rank for rank, _, _ in ranked])
  rule = ''
  if 0 in strides:
    rule = f'{lacking}, and one of the {by} occurs more than once: the order is not known'
  elif len(set(strides)) > 1:
    said = f'{lacking}, and {by} step unevenly, by {strides.min()} to {strides.max()}'
    if choices.settle('gaps') == 'accept':
      notes.append(('gap', f'{said}: taken as --gaps=accept says'))
    else:
      rule = f'{said}: frames are missing, or they are no order; --gaps=accept takes what is there'
  return Timed(ordered, interval, tuple(notes), rule, int(strides.argmin()) + 1 if rule else 0)


def _nominal(pictures: Sequence[Instance]) -> tuple[float, str]:
  """Returns the frame interval of the RR interval and the number of pictures in it, and where it is from."""
  rr, stated, count = _rr(pictures[0]), pictures[0].cardiac_images, len(pictures)
  if math.isnan(rr) or stated not in (None, 0, count):
    return math.nan, ''
  return rr / count, f'{rr / count:.1f} ms, the RR interval of {rr:g} ms over {count} frames'


def _rr(picture: Instance) -> float:
  """Returns the RR interval in ms that a header states, NaN where no heart has it."""
  rr = picture.interval or math.nan
  return rr if checks.SHORTEST_BEAT <= rr <= checks.LONGEST_BEAT else math.nan


def _with_times(ordered: Sequence[Instance], choices: Asked) -> Timed:
  ordered, times, notes = _from_r_wave(ordered)
  rr = _rr(ordered[0])
  numbers = [one.number for one in ordered if one.number]
  if any(after <= before for before, after in itertools.pairwise(numbers)):
    notes.append(
      ('numbers', 'instance numbers do not rise with trigger times: frames are in the order of trigger times')
    )
  rule, at = _gap(ordered, times, choices, notes)
  raw = checks.frame_interval(times)
  if raw < rr / _SAMPLED and len(ordered) * raw >= _SEVERAL * rr:
    return _one_beat(Timed(tuple(ordered), raw, tuple(notes), rule, at), rr, choices)
  interval, wrong = checks.beat(len(ordered), raw)
  if wrong:
    interval, source = _nominal(ordered)
    notes.append(('beat', f'{wrong}; it is taken as {source}' if source else wrong))
    return Timed(tuple(ordered), interval, tuple(notes), rule, at)
  if times[0] > _LATE * interval * len(ordered):
    notes.append(
      ('late', f'the first trigger time is {times[0]:g} ms: frame 0 lies later in the cycle than the R wave')
    )
  lost = _lost(ordered, interval, rr, choices, notes)
  return Timed(tuple(ordered), interval, tuple(notes), rule or lost, at)


def _from_r_wave(ordered: Sequence[Instance]) -> tuple[Sequence[Instance], np.ndarray, list[tuple[str, str]]]:
  """Returns frames and their times; where they begin late and run beyond the RR interval, from its beginning on."""
  times = np.array([one.trigger for one in ordered], float)
  rr, step = _rr(ordered[0]), checks.frame_interval(times)
  beyond = int((times >= rr).sum())
  if not beyond or not times[-1] - rr + step / 2 < times[0] or times[0] < 2 * step:
    return ordered, times, []
  said = f'trigger times run from {times[0]:g} to {times[-1]:g} ms, beyond the RR interval of {rr:g} ms'
  times[-beyond:] -= rr
  note = ('wrapped', f'{said}: frames begin with the next R wave')
  return [*ordered[-beyond:], *ordered[:-beyond]], np.roll(times, beyond), [note]


def _gap(ordered: Sequence[Instance], times: np.ndarray, choices: Asked, notes: list) -> tuple[str, int]:
  """Returns what is wrong with the steps of time, and the frame before; a long step that is sound becomes a note."""
  steps = np.diff(times)
  if len(steps) < 2:
    return '', 0
  usual = sorted(steps)[(len(steps) - 1) // 2]
  long = [int(k) for k in np.flatnonzero(steps > _LONG * usual)]
  if not long:
    return '', 0
  said = f'{steps[long[0]]:.1f} ms to the next one, the usual step is {usual:.1f} ms'
  numbers = [one.number for one in ordered]
  strides = [b - a for a, b in itertools.pairwise(numbers) if a is not None and b is not None]
  whole = len(strides) == len(steps) and len(set(strides)) == 1 and strides[0] != 0
  if whole or choices.settle('gaps') == 'accept':
    why = 'no instance number is missing' if whole else 'taken as --gaps=accept says'
    notes.append(('gap', f'frames are not evenly spaced ({said}): {why}'))
    return '', 0
  return f'missing frame: {said}; export the slice again, or --gaps=accept takes what is there', long[0]


def _lost(ordered: Sequence[Instance], interval: float, rr: float, choices: Asked, notes: list) -> str:
  """Returns what is wrong where the RR interval and the number of pictures that a header states say more than there is.

  Where only one of them says so it becomes a note.
  """
  count, stated = len(ordered), ordered[0].cardiac_images or len(ordered)
  cover = count * interval
  short = cover < _SHORT * rr
  said = f'{count} frames of {interval:.1f} ms cover {cover:.0f} ms'
  if short:
    said += f', but the RR interval is {rr:g} ms'
  if stated != count:
    said += f', and CardiacNumberOfImages is {stated}'
  if short and stated > count and choices.settle('gaps') == 'refuse':
    return f'frames are missing: {said}; export the slice again, or --gaps=accept takes what is there'
  if stated != count or cover < _HALF * rr or cover > (2 - _HALF) * rr:
    plain = said if short or stated != count else f'{said}, but the RR interval is {rr:g} ms'
    notes.append(('rr', f'{plain}: trigger times are taken'))
  return ''


def _one_beat(timed: Timed, rr: float, choices: Asked) -> Timed:
  """Returns one beat of a cine that has several by the RR interval that its header states."""
  count = len(timed.pictures)
  cover = count * timed.interval
  said = f'{count} frames of {timed.interval:.1f} ms cover {cover:.0f} ms, but the RR interval is {rr:g} ms'
  if choices.settle('repeated') == 'refuse':
    rule = f'{said}: several beats in one cine; export one, or choose by --repeated=first or --repeated=last'
    return dataclasses.replace(timed, rule=timed.rule or rule)
  one = round(rr / timed.interval)
  pictures = timed.pictures[:one] if choices.made.repeated == 'first' else timed.pictures[-one:]
  note = ('beats', f'{said}: the {choices.made.repeated} beat is taken')
  return dataclasses.replace(timed, pictures=pictures, notes=(*timed.notes, note))
