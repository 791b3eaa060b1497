"""What a user decided where a study does not say it: handed to the readers, and said in their notes."""

import dataclasses
import typing
from typing import Any, Literal

from ear_jax.system.errors import UserError


@dataclasses.dataclass(frozen=True)
class Choices:
  """Each default refuses, and the refusal names the flag.

  Attributes:
    repeated: of several series at one place, which is read: none ('refuse'), or the one of the lowest or highest
      series number.
    gaps: a slice that is missing in the stack, or a frame in the cycle: 'refuse', or 'accept' what is there.
    label: value of the myocardium in masks of several values, where their layout does not say it; None refuses them.
    trusted: take contours beside a study even where they do not seem to lie on a wall.
    followed: contours that were carried from a person's to other frames: 'take' them as references like the person's,
      or 'leave' them, so that training carries them anew (`data.carry`).
    venc: cm/s along column, along row and through the plane, where a phase contrast study does not state it or
      contradicts itself.

  Raises: UserError for a value that a field does not take.
  """

  repeated: Literal['refuse', 'first', 'last'] = 'refuse'
  gaps: Literal['refuse', 'accept'] = 'refuse'
  label: int | None = None
  trusted: bool = False
  venc: tuple[float, float, float] | None = None
  followed: Literal['take', 'leave'] = 'take'

  def __post_init__(self):
    for name in ('repeated', 'gaps', 'followed'):
      known, given = typing.get_args(type(self).__annotations__[name]), getattr(self, name)
      if given not in known:
        raise UserError(f'{name} is {given!r}, expected one of {", ".join(known)}')
    if self.venc is None:
      return
    if len(self.venc) != 3 or not all(isinstance(value, int | float) and value > 0 for value in self.venc):
      raise UserError(f'venc is {self.venc}, expected three positive numbers of cm/s, such as 20, 20, 30')
    object.__setattr__(self, 'venc', tuple(map(float, self.venc)))  # JSON has lists


class Asked:
  """The choices that were made, for one opening of studies, and which of them a reader has asked for."""

  def __init__(self, made: Choices):
    self.made = made
    self._settled: set[str] = set()

  def settle(self, name: str) -> Any:
    """Returns a choice, for a reader to which the study leaves it open."""
    self._settled.add(name)
    return getattr(self.made, name)

  def idle(self) -> list[str]:
    """Returns a note for each choice that was made, and that no study left open."""
    notes = []
    for name in _FLAGS:
      value = getattr(self.made, name)
      if value != getattr(REFUSE, name) and name not in self._settled:
        words = ','.join(f'{one:g}' for one in value) if isinstance(value, tuple) else value
        notes.append(f'--{name}={words} changed nothing: {_FLAGS[name]}')
    return notes


REFUSE = Choices()
_FLAGS = {
  'repeated': 'no place holds several series, beats or copies to choose from',
  'gaps': 'no slice or frame is missing',
  'label': 'no mask lies beside these studies',
  'followed': 'no contours beside these studies were carried',
  'venc': 'it is for velocities in DICOM; HDF5 and NIfTI state their own',
}
