"""What a user decided where a study does not say it: handed to the readers, and said in their notes."""

import dataclasses
from typing import Literal


@dataclasses.dataclass(frozen=True)
class Choices:
  """Each default refuses, and the refusal names the flag.

  Attributes:
    repeated: of several series at one place, which is read: none ('refuse'), or the one of the lowest or highest
      series number.
    gaps: a slice that is missing in the stack, or a frame in the cycle: 'refuse', or 'accept' what is there.
    label: value of the myocardium in masks of several values, where their layout does not say it; None refuses them.
    trusted: take contours beside a study even where they do not seem to lie on a wall.
    venc: cm/s along column, along row and through the plane, where a phase contrast study does not state it or
      contradicts itself.
  """

  repeated: Literal['refuse', 'first', 'last'] = 'refuse'
  gaps: Literal['refuse', 'accept'] = 'refuse'
  label: int | None = None
  trusted: bool = False
  venc: tuple[float, float, float] | None = None


REFUSE = Choices()
