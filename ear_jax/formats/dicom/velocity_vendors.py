"""Where each vendor writes direction and venc of a phase picture, beside the tags of the standard.

| who | where | what |
|---|---|---|
| Siemens XA | SIEMENS MR SDI 02: (0021,xx29), (0021,xx77) | `v33_through` (the normal), `v33_inplane_rl` |
| Siemens | SIEMENS MR HEADER: (0051,xx14); SequenceName | `v150_through` (against the normal); `*fl2d1_v150in` |
| Siemens | SIEMENS CSA HEADER: (0029,xx10), FlowVenc | cm/s |
| UIH | Image Private Header: (0065,xx12) | `v150_inplane_hf` |
| Philips | Philips Imaging DD 001: (2001,xx1A) | venc in cm/s along left, back and head; one is not 0 |
| GE | GEMS_ACQU_01: (0019,xxCC), (0019,xxE2) | venc in mm/s, counts of a phase of one radian |
| GE | GEMS_PARM_01: (0043,xx30), (0043,xx32) | direction, whether the magnitude weights the phase |
"""

import dataclasses
import math
import struct
from collections.abc import Mapping, Sequence

import numpy as np

from ear_jax.cine import Vector
from ear_jax.formats.dicom.encoded_direction import of_label, patient_axis, picture_axis, read_label
from ear_jax.formats.dicom.private import Private, words

NAMES = ('SequenceName', 'PulseSequenceName')
_LABELS = (  # group, creator, element, name, what `through` is: +1 the normal, -1 against it
  (0x0021, 'SIEMENS MR SDI 02', 0x29, '(0021,xx29) of SIEMENS MR SDI 02', 1),
  (0x0065, 'Image Private Header', 0x12, '(0065,xx12) of Image Private Header', 1),
  (0x0051, 'SIEMENS MR HEADER', 0x14, '(0051,xx14) of SIEMENS MR HEADER', -1),
  (0x0021, 'SIEMENS MR SDI 02', 0x77, '(0021,xx77) of SIEMENS MR SDI 02', -1),
)
_ACQUISITION, _PARAMETERS = (0x0019, 'GEMS_ACQU_01'), (0x0043, 'GEMS_PARM_01')
_GE = {  # vascular collapse flag: letters, and whether they name the axis of an oblique picture
  **{3: ('rl', False), 4: ('ap', False), 5: ('si', False)},
  **{9: ('rl', True), 10: ('ap', True), 11: ('si', True)},
}
_GE_DIFFERENCE = 8
_COARSE = 64  # whole numbers up to venc: a phase that has fewer is one times the magnitude


@dataclasses.dataclass(frozen=True)
class Said:
  """What one source states; None, '' or False where it says nothing of it.

  Attributes:
    source: where it stands.
    axis: unit vector in the patient's axes along which a velocity is positive.
    venc: cm/s.
    component: as of `component.py`.
    slope: of GE, what makes a fraction of venc of a pixel.
    weighted: of GE, that pixels are weighted by the magnitude.
  """

  source: str
  axis: Vector | None = None
  venc: float | None = None
  component: str = ''
  slope: float | None = None
  weighted: bool = False


def statements(own: Private, names: Mapping[str, str], orientation: Sequence[float] | None) -> tuple[Said, ...]:
  """Returns what each source states, the most trusted first.

  Args:
    own: private elements of the header.
    names: of the sequence, by the tag that holds them.
    orientation: six direction cosines, or None.
  """
  said: list[Said | None] = [
    _label(words(own.value(group, creator, number)), name, orientation, through)
    for group, creator, number, name, through in _LABELS
  ]
  venc = _csa_number(own.value(0x0029, 'SIEMENS CSA HEADER', 0x10), 'FlowVenc')
  said += [_philips(own), _ge(own, orientation), Said('FlowVenc', venc=venc) if venc else None]
  said += [_label(text, name, orientation, -1) for name, text in names.items()]
  return tuple(one for one in said if one)


def _label(text: str, source: str, orientation: Sequence[float] | None, through: int) -> Said | None:
  label = read_label(text)
  return Said(source, of_label(label, orientation, through=through), label.venc) if label else None


def _philips(own: Private) -> Said | None:
  value = own.value(0x2001, 'Philips Imaging DD 001', 0x1A)
  speeds = np.atleast_1d(np.asarray(value if value is not None else (), float))
  used = np.flatnonzero(speeds)
  if speeds.shape != (3,) or not used.size:
    return None
  # Several that are not 0 are those of the whole scan, and do not tell this picture's direction.
  axis, limits = None, np.unique(np.abs(speeds[used]))
  if used.size == 1:
    letters = ('rl', 'ap', 'fh') if speeds[used[0]] > 0 else ('lr', 'pa', 'hf')
    axis = patient_axis(letters[used[0]])
  return Said('(2001,xx1A) of Philips', axis, float(limits[0]) if limits.size == 1 else None)


def _ge(own: Private, orientation: Sequence[float] | None) -> Said | None:
  flag, speed = own.value(*_PARAMETERS, 0x30), float(own.value(*_ACQUISITION, 0xCC) or 0)  # mm/s
  if flag is None or not speed:
    return None
  if int(flag) not in _GE:
    return Said('(0043,xx30) of GE', component='M_PCA' if int(flag) == _GE_DIFFERENCE else 'M')
  letters, oblique = _GE[int(flag)]
  axis = (picture_axis(letters, orientation) if orientation else None) if oblique else patient_axis(letters)
  counts = float(own.value(*_ACQUISITION, 0xE2) or 0)
  slope = 1 / (math.pi * counts) if counts > 0 else 1 / speed  # without a scale a pixel is in mm/s
  weighted = bool(own.value(*_PARAMETERS, 0x32)) and 1 / slope < _COARSE
  return Said('(0043,xx30) of GE', axis, speed / 10, 'P', slope, weighted)


def _csa_number(value, name: str) -> float | None:
  """Returns the first number of a tag of a Siemens CSA header: 64 bytes of name, then counts and padded texts."""
  at = bytes(value).find(name.encode() + b'\0') if isinstance(value, bytes | bytearray) else -1
  if at < 0:
    return None
  try:
    length = struct.unpack_from('<i', value, at + 84 + 4)[0]  # the first item follows name, count, kind and three more
    return float(bytes(value)[at + 100 : at + 100 + length].split(b'\0')[0])
  except (struct.error, ValueError):
    return None
