"""What a picture encodes by its header: along which direction, with which venc, on which scale.

Standard tags of enhanced files are believed before a vendor's private ones (`velocity_vendors`), those before the name
of the sequence; two that contradict each other are a fault with both values. What no tag says is not guessed.
"""

import dataclasses
import math
from collections.abc import Iterator

import numpy as np

from ear_jax.cine import Vector
from ear_jax.formats.dicom.header import Instance
from ear_jax.formats.dicom.velocity_vendors import Said

_UNITS = {'cm/s': 1.0, 'cm.s-1': 1.0, 'mm/s': 0.1, 'm/s': 100.0}  # of a velocity, in cm/s
_ANGLES = {'mrad': 1000.0, 'milliradians': 1000.0, 'milliradian': 1000.0, 'rad': 1.0, 'radians': 1.0, 'radian': 1.0}
_ROUNDED, _SAME = 0.51, 0.01  # two venc may differ by so much: cm/s, since labels are whole numbers; relative
_SAME_AXIS = 0.5  # cosine: letters name the axis of an oblique picture that lies nearest
_FULL = 0.9  # of venc, that the smallest pixel reaches at least: a phase has the whole range
_SHORT = 2.0**15  # of a signed number of 16 bits, without a scale
_COUNTS = 12  # bits of a Siemens phase without a rescale


@dataclasses.dataclass(frozen=True)
class Scale:
  """Velocity = slope * stored + intercept, a fraction of venc; `weighted`: times the stored magnitude."""

  slope: float
  intercept: float
  weighted: bool = False


def component(picture: Instance) -> str:
  """Returns the component of a picture, also where it is the vendor's flag that says it."""
  return next((one.component for one in picture.said if one.component), picture.component)


def encodes(picture: Instance) -> bool:
  """Returns whether a picture is a phase whose header states the velocity that it encodes."""
  return component(picture) == 'P' and bool(picture.said or picture.encodings)


def statements(picture: Instance) -> Iterator[Said]:
  """Yields what each source states of a picture, the most trusted first."""
  for one in picture.encodings:
    length = math.hypot(*one.direction)
    x, y, z = (value / length if length else math.nan for value in one.direction)
    # Some write 0 for the lowest velocity, some exchange the two.
    yield Said('MRVelocityEncodingSequence', (x, y, z) if length else None, max(abs(one.low), abs(one.high)) or None)
  yield from picture.said


def direction(picture: Instance) -> tuple[Vector | None, str]:
  """Returns the axis that the most trusted source states, and a note where another states the opposite sign.

  Raises: ValueError with both directions where two sources state different axes.
  """
  first, note = None, ''
  for one in statements(picture):
    if one.axis and first and first.axis:
      cosine = float(np.dot(first.axis, one.axis))
      both = f'{first.source} says {_plain(first.axis)}, {one.source} says {_plain(one.axis)} (left, back, head)'
      if abs(cosine) < _SAME_AXIS:
        raise ValueError(f'the direction of the velocity is contradictory: {both}')
      if cosine < 0:
        note = note or f'the sign of the velocity is contradictory: {both}; the first was used, --signs turns it'
    elif one.axis:
      first = one
  return (first.axis if first else None), note


def venc(picture: Instance) -> float | None:
  """Returns the venc in cm/s, None when nothing states it.

  Raises: ValueError with both values where two sources differ.
  """
  for encoding in picture.encodings:
    if encoding.low and encoding.high and not _alike(abs(encoding.low), abs(encoding.high)):
      both = f'MRVelocityEncodingSequence says {encoding.low:g} to {encoding.high:g} cm/s'
      raise ValueError(f'venc is contradictory: {both}, which is not as far on both sides of 0')
  first = None
  for one in statements(picture):
    if one.venc and first and first.venc and not _alike(one.venc, first.venc):
      both = f'{first.source} says {first.venc:g} cm/s, {one.source} says {one.venc:g} cm/s'
      raise ValueError(f'venc is contradictory: {both}')
    first = first or (one if one.venc else None)
  low, unit = _lowest(picture)
  if unit not in _UNITS:
    return first.venc if first else _of_philips(picture, low)
  reached = -low * _UNITS[unit]
  if first and first.venc and not _alike(reached, first.venc) and reached > 0:
    rule = f'{first.source} says {first.venc:g} cm/s, pixels reach -{reached:g} cm/s'
    raise ValueError(f'venc is contradictory: {rule}')
  return first.venc if first else (reached if reached > 0 else None)


def scale(picture: Instance, limit: float) -> Scale:
  """Returns what makes fractions of `limit`, the venc in cm/s, of stored pixels.

  Raises: ValueError when the header does not tell; the sentence holds the numbers that it does state.
  """
  ge = next((one for one in picture.said if one.slope), None)
  if ge and ge.slope:
    return Scale(ge.slope, 0.0, ge.weighted)
  slope, intercept, unit = _linear(picture)
  low, high = (slope * end + intercept for end in picture.stored)
  if unit in _UNITS and 0 < -low * _UNITS[unit] < _FULL * limit:
    raise ValueError(f'pixels reach -{-low * _UNITS[unit]:g} cm/s by their scale and unit, and venc is {limit:g} cm/s')
  if unit in _UNITS or _alike(-low, limit):
    factor = _UNITS.get(unit, 1.0) / limit
    return Scale(slope * factor, intercept * factor)
  if unit in _ANGLES or math.isclose(-low, 1000 * math.pi, rel_tol=1e-3):
    factor = 1 / (_ANGLES.get(unit, 1000.0) * math.pi)
    return Scale(slope * factor, intercept * factor)
  counts = low < 0 and math.log2(-low).is_integer() and high >= 0.99 * -low
  if counts and low != -_SHORT:  # which says what can be stored, not what the phase is
    return Scale(slope / -low, intercept / -low)
  siemens = 'siemens' in picture.manufacturer.lower() or any('SIEMENS' in one.source for one in picture.said)
  if siemens and picture.rescale is None and picture.stored == (0, 2**_COUNTS):
    return Scale(2 / 2**_COUNTS, -1.0)
  raise ValueError(
    f'what a pixel is worth is not known: rescaled phases begin at {low:g}, which is neither venc ({limit:g} cm/s) nor '
    '-1000 pi mrad'
  )


def _linear(picture: Instance) -> tuple[float, float, str]:
  """Returns slope, intercept and unit of the real-world mapping to a velocity or angle, else of the rescale."""
  known = [one for one in picture.real_world if one.unit.lower() in (*_UNITS, *_ANGLES)]
  used = known[0] if known else picture.rescale
  return (used.slope, used.intercept, used.unit.lower().strip()) if used else (1.0, 0.0, '')


def _lowest(picture: Instance) -> tuple[float, str]:
  slope, intercept, unit = _linear(picture)
  return slope * picture.stored[0] + intercept, unit


def _of_philips(picture: Instance, low: float) -> float | None:
  """Returns the venc that a Philips rescale to cm/s holds, which has no unit in older files."""
  angle = math.isclose(-low, 1000 * math.pi, rel_tol=1e-3)
  return -low if low < 0 and 'philips' in picture.manufacturer.lower() and not angle else None


def _alike(one: float, other: float) -> bool:
  return abs(one - other) <= max(_ROUNDED, _SAME * other)


def _plain(axis: Vector) -> str:
  return f'({", ".join(f"{value:.2f}" for value in axis)})'
