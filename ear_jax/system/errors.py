"""The one exception that means "the user can correct this": commands print it as a sentence, without traceback."""

import re
from collections.abc import Iterable, Sequence

_SOME = 8  # names that one sentence lists
_ALIKE, _MOST = 4, 3  # of so many letters one may be wrong, of a whole word so many
_SHORTEST = 3  # letters of a word that says what is meant


class UserError(ValueError):
  """A fault in a command, a configuration or the data; its text says what is wrong, where, and what to do."""

  def __init__(self, sentence: str):
    super().__init__(printable(sentence))


class UsageError(UserError):
  """A command line that says what no work can begin with: a value that a flag does not take, a word that is missing."""


def printable(text: str) -> str:
  """Returns text fit for a terminal: names of files and of what is in them may hold its control sequences."""
  return ''.join(c if c.isprintable() or c == '\n' else '\N{REPLACEMENT CHARACTER}' for c in text)


def some(names: Sequence[object]) -> str:
  """Returns names or numbers with commas; of many the first and how many they are."""
  return ', '.join(map(str, names[:_SOME])) + f', ... ({len(names)} of them)' * (len(names) > _SOME)


def nearest(word: str, known: Iterable[str]) -> str:
  """Returns, for the end of a sentence, which of the known names a word is likely meant to be; '' where none is."""
  found = near(word, known)
  return f'; nearest: {found[0]}' if found else ''


def near(word: str, known: Iterable[str]) -> list[str]:
  """Returns the known names that a word is likely meant to be, the nearest first.

  Such a name differs by one letter in four at most, or one of its parts begins with the word: `rate`, `learning_rate`.
  """
  asked = word.lower()
  apart = {name: _apart(asked, name.lower()) for name in known}
  parts = {name: re.split(r'[-_./]', name.lower()) for name in apart}
  meant = [
    name
    for name, wrong in apart.items()
    if wrong <= min(max(1, max(len(asked), len(name)) // _ALIKE), _MOST)
    or any(part.startswith(asked) for part in parts[name])
  ]
  return sorted(meant, key=apart.__getitem__) if len(asked) >= _SHORTEST else []


def _apart(one: str, other: str) -> int:
  """Returns how many letters make the difference: wrong, too many, missing, or two neighbours in the wrong order."""
  before: list[int] = []
  last = list(range(len(other) + 1))  # of the letters of `one` so far, to each beginning of `other`
  for i, letter in enumerate(one):
    row = [i + 1]
    for j, there in enumerate(other):
      ways = [last[j + 1] + 1, row[j] + 1, last[j] + (letter != there)]
      if i and j and letter == other[j - 1] and one[i - 1] == there:
        ways.append(before[j - 1] + 1)
      row.append(min(ways))
    before, last = last, row
  return last[-1]
