"""Private tags of a header: in blocks that an archive may have moved, and in sequences within the header.

A private element belongs to the block of its creator, which may be any of a group's 240; so it is looked up by the
creator's name. Where an archive has dropped the name, the block that the vendor itself writes is looked at.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

GROUPS = (0x0019, 0x0021, 0x0029, 0x0043, 0x0051, 0x0065, 0x2001, 0x2005)  # that readers ask for
_DEEPEST = 3  # sequences within sequences
_FIRST = 0x10  # block


@dataclasses.dataclass(frozen=True)
class Private:
  """The private elements of a header.

  Attributes:
    sets: the header, and the first items of its private sequences.
    blocks: for a group and a creator, the data sets with their block numbers.
  """

  sets: Sequence[Dataset]
  blocks: Mapping[tuple[int, str], Sequence[tuple[Dataset, int]]]

  def value(self, group: int, creator: str, number: int) -> Any:
    """Returns the first value of an element, `number` without its block; None without one."""
    places = list(self.blocks.get((group, creator), ()))
    places += [(one, _FIRST) for one in self.sets if (group, _FIRST) not in one]
    for one, block in places:
      key = (group, (block << 8) + number)
      if key in one and not _empty(value := _value(one, key)):
        return value
    return None


def private(header: Dataset) -> Private:
  """Returns the private elements of a header, of which nothing else is decoded."""
  sets = list(_within(header))
  blocks: dict[tuple[int, str], list[tuple[Dataset, int]]] = defaultdict(list)
  for one in sets:
    for key in [key for key in one.keys() if key.is_private_creator]:  # noqa: SIM118 - a loop over it decodes each
      blocks[key.group, words(_value(one, key))].append((one, key.element))
  return Private(sets, blocks)


def words(value: Any) -> str:
  """Returns text, also where an archive has made bytes of it (VR UN), without padding."""
  text = value.decode('ascii', errors='replace') if isinstance(value, bytes | bytearray) else str(value or '')
  return text.strip('\0 ')


def _empty(value: Any) -> bool:
  return value is None or (hasattr(value, '__len__') and not len(value))


def _value(one: Dataset, key: Any) -> Any:
  """Returns the value of an element; None where it cannot be understood, for nothing may be lost but itself."""
  try:
    return one[key].value
  except Exception:  # pydicom raises errors of many kinds for a value of the wrong type or form
    return None


def _within(one: Dataset, depth: int = 0) -> Iterator[Dataset]:
  yield one
  keys = [key for key in one.keys() if key.is_private and key.group in GROUPS]  # noqa: SIM118
  for key in keys if depth < _DEEPEST else ():
    items = _value(one, key) if one.get_item(key).VR in ('SQ', 'UN', None) else None
    if isinstance(items, Items) and items:
      yield from _within(items[0], depth + 1)
