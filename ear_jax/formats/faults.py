"""Faults of a data set: what is wrong, where, and which rule says so; all of them reported together.

Every reader looks over all its files before it yields the first cine, and collects one `Fault` a broken rule, so that
a user mends a folder in one go and no half of a data set is ever written.
"""

import dataclasses
import pathlib
from collections.abc import Hashable, Iterable

from ear_jax.system.errors import printable, some


@dataclasses.dataclass(frozen=True, order=True)
class Fault:
  """One broken rule.

  Attributes:
    file: path of the file, relative to the folder that was read; '.': that folder.
    frame: what within the file: 'frame 3', 'slice MID, frame 3', or '' for the file as a whole.
    rule: what was found, what was expected, and what to do.
  """

  file: str
  frame: str
  rule: str

  def __str__(self) -> str:
    where = ', '.join(part for part in (self.file, self.frame) if part not in ('', '.'))
    return printable(f'{where}: {self.rule}' if where else self.rule)


class MalformedStudy(ValueError):
  """A folder that cannot be read; `faults` holds every broken rule, and the message lists them all.

  One rule that the folder as a whole breaks is a sentence with the path that was asked for.
  """

  def __init__(self, root: pathlib.Path | str, faults: Iterable[Fault]):
    self.faults = tuple(faults)
    self.root = str(root)
    problems = 'problem' if len(self.faults) == 1 else 'problems'
    asked, of_all = printable(str(root)), [fault.file == '.' and not fault.frame for fault in self.faults]
    lines = [f'{asked}: {len(self.faults)} {problems}; nothing was read.', *(f'  {fault}' for fault in self.faults)]
    if of_all == [True]:
      lines = [f'{asked}: {self.faults[0]}']
    super().__init__('\n'.join(lines))

  def __reduce__(self):  # the default would call __init__ with the message alone: Beam and pytest-xdist pickle errors
    return MalformedStudy, (self.root, self.faults)


def require_none(root: pathlib.Path | str, faults: Iterable[Fault]) -> None:
  """Raises MalformedStudy that lists all `faults`, in the order of their files, unless there are none."""
  faults = sorted(faults)
  if faults:
    raise MalformedStudy(root, faults)


def once(faults: Iterable[tuple[Hashable, Fault]]) -> list[Fault]:
  """Returns one fault for each rule that the files of a group break: that of the first, with how many there are."""
  groups: dict[tuple, list[Fault]] = {}
  for group, fault in faults:
    groups.setdefault((group, fault.rule), []).append(fault)
  return [
    first if not more else dataclasses.replace(first, rule=f'{first.rule} ({1 + len(more)} times; this is the first)')
    for first, *more in map(sorted, groups.values())
  ]


def require_folder(root: pathlib.Path, holding: str) -> None:
  """Raises MalformedStudy unless `root` is a folder; `holding` says what should lie in it."""
  if not root.is_dir():
    raise MalformedStudy(root, [Fault('.', '', f'there is no such folder; it should hold {holding}')])


def frames(indices: Iterable[int]) -> str:
  """Returns 'frame 3' or 'frames 3, 4, 7' for a fault; frames count from 0."""
  indices = list(indices)
  return ('frame ' if len(indices) == 1 else 'frames ') + some(indices)
