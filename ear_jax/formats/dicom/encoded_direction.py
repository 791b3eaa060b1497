"""Which direction of the patient a label of velocity encoding means: `v150_through`, `fl3d1_v20fh`, `v33_inplane_rl`.

Letters are the patient's: `rl` points from right to left (+x), `ap` to the back (+y), `fh` to the head (+z). `in` and
`through` are the normal of the picture. An `inplane` label names the axis of an oblique picture by the letters that
lie nearest, and so is that axis; letters alone are the patient's axis.
"""

import dataclasses
import itertools
import re
from collections.abc import Sequence

import numpy as np

from ear_jax.cine import Vector

_LETTERS = {'rl': (0, 1), 'lr': (0, -1), 'ap': (1, 1), 'pa': (1, -1), 'fh': (2, 1), 'hf': (2, -1)}  # axis, sign
_LETTERS |= {'is': (2, 1), 'si': (2, -1)}
_LABEL = re.compile(
  r'(?:^|[_*-])v([0-9]+(?:\.[0-9]+)?)(?:cm/s)?[_-]?(inplane|through|in)?[_-]?(rl|lr|ap|pa|fh|hf)?\s*$', re.IGNORECASE
)


@dataclasses.dataclass(frozen=True)
class Label:
  """The parts of a label: venc in cm/s, 'through', 'inplane' or '', and two letters or ''."""

  venc: float
  plane: str
  letters: str


def read_label(words: str) -> Label | None:
  """Returns the parts of a label, also at the end of a sequence's name; None where the words are none."""
  match = _LABEL.search(words.strip('\0 '))
  if not match or not float(match[1]):
    return None
  plane = (match[2] or '').lower()
  return Label(float(match[1]), 'through' if plane == 'in' else plane, (match[3] or '').lower())


def of_label(label: Label, orientation: Sequence[float] | None, *, through: int) -> Vector | None:
  """Returns the unit vector of a label; `through` is +1 where the vendor's `through` is the normal, -1 against it."""
  if not label.plane:
    return patient_axis(label.letters) if label.letters else None
  if orientation is None:
    return None
  if label.plane == 'through':
    normal = _axes(orientation)[2]
    sign = float(normal @ _unit(label.letters)) if label.letters else float(through)
    return _vector(normal * np.sign(sign)) if sign else None
  return picture_axis(label.letters, orientation, in_plane=True) if label.letters else None


def patient_axis(letters: str) -> Vector:
  """Returns the axis of the patient that two letters name."""
  return _vector(_unit(letters))


def picture_axis(letters: str, orientation: Sequence[float], *, in_plane: bool = False) -> Vector:
  """Returns the axis of the picture that two letters name best, with their sign.

  Across, down and normal each get a name of their own, so that the three together lie as near as they can.
  """
  axes, wanted = _axes(orientation), _unit(letters)
  nearness = np.abs(axes)  # [across, down, normal; x, y, z]
  order = max(itertools.permutations(range(3)), key=lambda names: sum(nearness[k, n] for k, n in enumerate(names)))
  which = order.index(_LETTERS[letters][0])
  if in_plane and which == 2:
    which = int(np.argmax(nearness[:2, _LETTERS[letters][0]]))
  return _vector(axes[which] * np.sign(axes[which] @ wanted))


def _axes(orientation: Sequence[float]) -> np.ndarray:
  across, down = np.reshape(orientation, (2, 3)).astype(float)
  return np.array([across, down, np.cross(across, down)])


def _unit(letters: str) -> np.ndarray:
  axis, sign = _LETTERS[letters]
  return sign * np.eye(3)[axis]


def _vector(values: np.ndarray) -> Vector:
  x, y, z = map(float, values)
  return x, y, z
