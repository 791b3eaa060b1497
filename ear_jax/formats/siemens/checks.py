"""The rules that the five series of one velocity-mapping slice must keep; a broken one is a fault, never a guess."""

import dataclasses
import math
import pathlib
from collections.abc import Callable, Iterator

import numpy as np

from ear_jax.formats import checks
from ear_jax.formats.checks import COUNTS
from ear_jax.formats.dicom import geometry, instances, pixels
from ear_jax.formats.dicom.header import Instance
from ear_jax.formats.faults import Fault, frames
from ear_jax.formats.siemens.series import RR, Series, fault, position
from ear_jax.system.errors import some

FRAMES = 50  # of a series, by the layout
ROLES = ('MagAvg', 'PhaseZ', 'PhaseX', 'PhaseY', 'RefMag')
_RR_RANGE = (200.0, 3000.0)  # ms
_RR_AGREE = 0.01  # relative
_FRAMES_AGREE = 0.75  # frames that trigger times may leave of the RR interval: a missing one is more
_NAME_FIELDS = 13  # patient.modality.protocol.SERIES.INSTANCE.yyyy.mm.dd.hh.mm.ss.ms.uid
_LOOK = 3  # frames that the pattern of a group is looked up in


@dataclasses.dataclass(frozen=True)
class Slice:
  """One sound slice: its four or five series in the order of frames, and what their headers say.

  `venc` in cm/s of PhaseZ, PhaseX, PhaseY; `interval` between frames in ms; `position` in mm.
  """

  series: tuple[Series, ...]
  position: float
  shape: tuple[int, int]
  spacing: tuple[float, float]
  direction: str
  venc: tuple[float, float, float]
  interval: float
  notes: tuple[str, ...]


def check(five: list[Series], root: pathlib.Path) -> tuple[Slice | None, list[Fault]]:
  """Returns the slice and no fault, or None and every fault of its headers; then of its pixels."""
  first = five[0][0]
  faults = [broken for role, one in zip(ROLES, five, strict=False) for broken in _series_faults(one, role, first, root)]
  used = five[:4]
  counts = [len(one) for one in used]
  if len(set(counts)) > 1:
    stated = ', '.join(f'{role} {count}' for role, count in zip(ROLES, counts, strict=False))
    faults.append(fault(five[0], root, f'unequal numbers of frames: {stated}; export the shorter series again'))
  if faults:
    return None, faults
  assert first.shape
  assert first.spacing
  rr = [value for one in used if not math.isnan(value := _rr(one[0]))] or [math.nan]
  if max(rr) - min(rr) > _RR_AGREE * rr[0]:
    stated = ', '.join(f'{value:g}' for value in rr)
    faults.append(fault(five[0], root, f'RR intervals of the four series differ ({stated} ms): series are mixed'))
  faults += [fault for one in used for fault in _time_faults(one, rr[0], root)] + _text_faults(five, root)
  if rule := checks.size_rule((len(used[0]), *first.shape, 4)):
    faults.append(fault(five[0], root, f'the slice {rule}'))
  faults = faults or _pixel_faults(five, root) or _pattern_faults(five, root)
  if faults:
    return None, faults
  z, x, y = (_venc(one[0], role) for one, role in zip(used[1:], ROLES[1:], strict=False))
  place, direction, notes = position(first), first.direction, _notes(five)
  interval = _step(used[0]) or rr[0] / counts[0]
  return Slice(tuple(five), place, first.shape, first.spacing, direction, (z, x, y), interval, notes), []


def _series_faults(one: Series, role: str, model: Instance, root: pathlib.Path) -> Iterator[Fault]:
  """Yields the faults of the headers of one series; a rule that several frames break is one fault."""
  name = f'series {one[0].series_number} ({role})'
  rules: dict[str, list[int]] = {}
  for index, file in enumerate(one):
    for rule in _header_rules(file, role, model):
      rules.setdefault(rule, []).append(index)
  for rule, which in rules.items():
    within = name if len(which) == len(one) else f'{name}, {frames(which)}'
    yield Fault(str(one[which[0]].path.relative_to(root)), within, rule)
  numbers = [file.number for file in one if file.number is not None]
  if len(numbers) == len(one):
    yield from (Fault(str(one[0].path.relative_to(root)), name, rule) for rule in _number_rules(numbers))
  repeated = len(one) - len({file.sop for file in one})
  if repeated:
    yield Fault(str(one[0].path.relative_to(root)), name, f'duplicated instances: {repeated} repeat a SOPInstanceUID')
  late = [t for t in range(1, len(one)) if _not_later(one[t - 1], one[t])]
  if late:
    rule = 'trigger times must increase with the instance number'
    yield Fault(str(one[late[0]].path.relative_to(root)), f'{name}, {frames(late)}', rule)


def _header_rules(file: Instance, role: str, model: Instance) -> Iterator[str]:
  """Yields what is wrong with one header, as the `role` of a slice whose first file is `model`."""
  if file.number is None:
    yield 'InstanceNumber is missing or no whole number: the order of frames is not known'
  yield from _name_rules(file)
  if file.samples != 1 or file.frames != 1 or file.photometric not in ('MONOCHROME2', ''):
    yield f'{file.samples} samples a pixel and {file.frames} frames in one file, expected one MONOCHROME2 picture'
  if file.shape is None:
    yield 'Rows or Columns is missing'
  elif file.shape != model.shape:
    yield f'picture has {file.shape[0]} x {file.shape[1]} pixels, the first of the slice {model.shape}'
  if not geometry.parallel(file.orientation, model.orientation):
    yield 'ImageOrientationPatient differs from that of the first picture of the slice'
  if file.spacing is None:
    yield 'PixelSpacing is missing or not two numbers'
  elif wrong := checks.spacing_fault(file.spacing):
    yield f'PixelSpacing {wrong}'
  elif file.spacing != model.spacing:
    yield 'PixelSpacing differs from that of the first picture of the slice'
  if role == 'RefMag':
    return
  if file.direction not in ('ROW', 'COL'):
    stated = 'missing' if not file.direction else 'neither ROW nor COL'
    yield f'InPlanePhaseEncodingDirection is {stated}: the direction of the velocities is not known'
  elif file.direction != model.direction:
    yield f'InPlanePhaseEncodingDirection is {file.direction}, of the first picture of the slice another'
  yield from _raised(_rr, file)
  if role != 'MagAvg':
    yield from _raised(_venc, file, role)


def _raised(function: Callable, *arguments) -> Iterator[str]:
  try:
    function(*arguments)
  except ValueError as error:
    yield str(error)


def _rr(file: Instance) -> float:
  """Returns the mean RR interval in ms of a header; NaN where it says none, and a trigger time instead."""
  stated = RR.match(file.comments)
  if not stated and file.trigger is not None:
    return math.nan
  if not stated:
    raise ValueError('RR interval is missing: ImageComments is not `RR <mean> +/- <sd>` in ms')
  try:
    value = float(stated[1])
  except ValueError:
    raise ValueError('RR interval is not a number: ImageComments is not `RR <mean> +/- <sd>` in ms') from None
  if not _RR_RANGE[0] <= value <= _RR_RANGE[1]:
    raise ValueError(f'RR interval is {value:g}, expected {_RR_RANGE[0]:g} to {_RR_RANGE[1]:g} ms')
  return value


def _venc(file: Instance, role: str) -> float:
  """Returns the venc in cm/s of the component that a phase series of `role` holds."""
  if file.protocol is None:
    raise ValueError('venc is missing: no protocol text in (0021,1019) or (0029,1020)')
  if not file.protocol.spirals:
    raise ValueError('the protocol text does not name the parallel spirals sequence, so its values cannot be relied on')
  if role == 'PhaseZ':
    return file.protocol.venc(0)
  plane = file.protocol.venc(1), file.protocol.venc(2)
  if plane[0] != plane[1]:
    raise ValueError(
      f'in-plane venc {plane[0]:g} and {plane[1]:g} cm/s differ, and the header does not say which belongs to X: '
      'convert the study to HDF5 or NIfTI, where venc is stated along column and row'
    )
  return plane[0]


def _name_rules(file: Instance) -> Iterator[str]:
  fields = file.path.name.removesuffix('.dcm').split('.')
  if len(fields) != _NAME_FIELDS or not (fields[3].isdecimal() and fields[4].isdecimal()):
    return
  if int(fields[3]) != file.series_number:
    yield f'the file is named after series {int(fields[3])}, but its header says series {file.series_number}'
  elif int(fields[4]) != file.number:
    yield 'the file is named after another instance than its header says'  # which: a line a file


def _number_rules(numbers: list[int]) -> Iterator[str]:
  twice = sorted({number for number in numbers if numbers.count(number) > 1})
  if twice:
    yield f'duplicated instances: instance number {some(twice)} occurs more than once'
  missing = sorted(set(range(1, max(numbers) + 1)) - set(numbers)) if max(numbers) <= 10_000 else []
  if missing:
    yield f'missing frame: instance number {some(missing)} of {max(numbers)} is not there; export the series again'
  if min(numbers) < 1 or max(numbers) > 10_000:
    yield f'instance numbers run from {min(numbers)} to {max(numbers)}, expected 1, 2, 3, ...'


def _not_later(before: Instance, after: Instance) -> bool:
  return before.trigger is not None and after.trigger is not None and not after.trigger > before.trigger


def _step(one: Series) -> float | None:
  """Returns the mean step of the trigger times in ms; None where they do not tell."""
  times = [file.trigger for file in one if file.trigger is not None]
  return (times[-1] - times[0]) / (len(one) - 1) if len(times) == len(one) > 1 else None


def _time_faults(one: Series, rr: float, root: pathlib.Path) -> list[Fault]:
  """Returns a fault when the trigger times step otherwise than the RR interval over the frames: some are missing."""
  step, wanted = _step(one), rr / len(one)
  if step is None or math.isnan(rr) or (step > 0 and abs(rr / step - len(one)) < _FRAMES_AGREE):
    return []
  rule = f'trigger times step by {step:.1f} ms, but RR {rr:g} ms over {len(one)} frames is {wanted:.1f} ms'
  return [fault(one, root, f'{rule}: frames are missing, or RR belongs to another scan')]


def _text_faults(five: list[Series], root: pathlib.Path) -> list[Fault]:
  """Returns a fault when the protocol texts of one slice state another venc in one series, or file, than elsewhere."""
  seen: dict[tuple[tuple[int, str], ...], str] = {}
  for role, one in zip(ROLES, five, strict=False):
    for file in one:
      if file.protocol and file.protocol.words:
        seen.setdefault(file.protocol.words, f'series {file.series_number} ({role})')
  if len(seen) < 2:
    return []
  stated = '; '.join(
    f'{name} says {", ".join(word if checks.is_number(word) else "no number" for _, word in text)} cm/s'
    for text, name in seen.items()
  )
  rule = f'venc is contradictory in the protocol texts of one slice (through the plane, then the two in it): {stated}'
  return [fault(five[0], root, f'{rule}. Export the slice again')]


def _pixel_faults(five: list[Series], root: pathlib.Path) -> list[Fault]:
  faults = []
  for role, one in zip(ROLES, five, strict=False):
    name = f'series {one[0].series_number} ({role})'
    for t, file in enumerate(one if role != 'RefMag' else one[:_LOOK]):
      if rule := _pixel_rule(file):
        faults.append(Fault(str(file.path.relative_to(root)), f'{name}, frame {t}', rule))
  return faults


def _pixel_rule(file: Instance) -> str:
  """Returns what is wrong with the pixels of one file, or ''."""
  try:
    stored = pixels.stored(file)
  except Exception as error:  # pydicom's decoders raise errors of many kinds, and all mean the same to the user
    return f'pixels are not readable ({instances.reason(error)}): export the file again'
  if stored.shape != file.shape:
    return f'pixels have shape {stored.shape}, the header says {file.shape}'
  if stored.min() < 0 or stored.max() >= COUNTS:
    return f'stored values reach from {stored.min()} to {stored.max()}, expected 12 bits, 0 to 4095'
  return ''


def _pattern_faults(five: list[Series], root: pathlib.Path) -> list[Fault]:
  """Returns a fault unless pixels, and ImageType where it tells, say magnitude, three phases, magnitude.

  Where the first series is darkest (air, lung) a magnitude is dark too, and a phase is zero velocity or uniform over
  its whole range: its mean is near 2048 either way.
  """
  means = [np.mean([pixels.stored(file) for file in one[:_LOOK]], axis=0) for one in five]
  dark = means[0] <= np.quantile(means[0], 0.25)
  seen = []
  for mean in means:
    level, overall = mean[dark].mean(), mean.mean()
    phase = abs(level - COUNTS / 2) < COUNTS / 8 and level > 0.75 * overall
    magnitude = level < 0.75 * overall
    seen.append('phase' if phase else 'magnitude' if magnitude else 'neither')
  wanted = ['phase' if role.startswith('Phase') else 'magnitude' for role in ROLES[: len(five)]]
  if seen != wanted:
    rule = (
      f'the pixels of the {len(five)} series look like {", ".join(seen)}, expected {", ".join(wanted)}: the order of '
    )
    return [fault(five[0], root, f'{rule}series is not MagAvg, PhaseZ, PhaseX, PhaseY, RefMag')]
  stated = _stated(five)
  if len(set(stated)) > 1 and stated != wanted:
    rule = f'ImageType says {", ".join(word or "nothing" for word in stated)}, expected {", ".join(wanted)}'
    return [fault(five[0], root, f'{rule}: the order of series is not MagAvg, PhaseZ, PhaseX, PhaseY, RefMag')]
  return []


def _stated(five: list[Series]) -> list[str]:
  """Returns 'magnitude', 'phase' or '' by the third word of ImageType of each series."""
  return [{'M': 'magnitude', 'P': 'phase'}.get((*one[0].image_type, '', '', '')[2], '') for one in five]


def _notes(five: list[Series]) -> tuple[str, ...]:
  notes = []
  if len(set(_stated(five))) == 1:
    notes.append('ImageType does not tell phase from magnitude: the pixels do')
  if any(file.trigger is None for file in five[0]):
    notes.append('without trigger times: frames are in the order of their instance numbers')
  if any(not RR.match(file.comments) for one in five[:4] for file in one):
    notes.append('ImageComments does not state the RR interval everywhere: trigger times tell the frame interval')
  if len(five) < len(ROLES):
    notes.append('RefMag is missing, which nothing uses')
  return tuple(notes)
