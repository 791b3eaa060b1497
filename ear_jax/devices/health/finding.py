"""One line of the doctor's table."""

import dataclasses
from typing import Literal

Result = Literal['pass', 'warn', 'fail']


@dataclasses.dataclass(frozen=True)
class Finding:
  """What was looked at, how it is, and what to do where it is not well; `remedy` is '' where nothing is to be done."""

  what: str
  result: Result
  found: str
  remedy: str = ''
