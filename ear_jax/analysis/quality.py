"""What a check of the quality gate says; the checks themselves are in `checks_of_study`."""

import dataclasses
from collections.abc import Iterable

STATUSES = ('pass', 'warn', 'fail')  # from good to bad


@dataclasses.dataclass(frozen=True)
class Check:
  """The outcome of one check.

  Attributes:
    name: what was looked at, in words.
    slice_id: the slice, or '' for the study as a whole.
    status: 'pass', 'warn' or 'fail'.
    reason: the value found and the value expected, in a sentence.
  """

  name: str
  slice_id: str
  status: str
  reason: str

  def __post_init__(self):
    if self.status not in STATUSES:
      raise ValueError(f'check {self.name!r} has status {self.status!r}, expected one of {", ".join(STATUSES)}')


def worst(checks: Iterable[Check]) -> str:
  """Returns the worst status among `checks`; 'pass' when there are none."""
  return max((check.status for check in checks), key=STATUSES.index, default='pass')
