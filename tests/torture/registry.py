"""What a long test is: a fault, a function that brings it about once, and how often to try.

A module of long tests has a tuple `FAULTS`; `__main__.py` names the modules.
"""

import dataclasses
import pathlib
from collections.abc import Callable


@dataclasses.dataclass(frozen=True)
class Outcome:
  """What came of one call of a fault's function.

  Attributes:
    tried: cases in this call; a function may bring about many.
    survived: how many of them ended as they should.
    lost: what was lost, in a few words for the table; the worst of all calls is shown.
    failures: what was wrong, one text for each case that did not survive, with what is needed to see it again.
  """

  tried: int = 1
  survived: int = 1
  lost: str = 'nothing'
  failures: tuple[str, ...] = ()

  @classmethod
  def failed(cls, why: str, lost: str = 'unknown') -> 'Outcome':
    """Returns the outcome of a single case that did not survive."""
    return cls(1, 0, lost, (why,))


@dataclasses.dataclass(frozen=True)
class Fault:
  """A row of the table.

  Attributes:
    name: the row's text; unique.
    function: `function(seed, folder)`, which brings the fault about. All chance comes from the seed; `folder` is empty
      and its own, and is removed when it survived. An exception is a failure.
    times: how many seeds, 0 to times - 1.
    group: heading of the table: 'training', 'input', 'privacy', 'load', 'numbers'.
  """

  name: str
  function: Callable[[int, pathlib.Path], Outcome]
  times: int = 1
  group: str = 'training'
