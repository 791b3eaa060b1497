"""The one exception that means "the user can correct this": commands print it as a sentence, without traceback."""

import difflib
import re
from collections.abc import Iterable, Sequence

_SOME = 8  # names that one sentence lists
_ALIKE = 0.75  # of the letters of two words that mean one name
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

  Such a name shares three quarters of its letters, in their order, or one of its parts begins with the word: `rate`,
  `learning_rate`.
  """
  asked, names = word.lower(), {name.lower(): name for name in known}
  if len(asked) < _SHORTEST or not names:
    return []
  begun = [name for name in names if any(part.startswith(asked) for part in re.split(r'[-_./]', name))]
  ways = ((begun, 0.0), (names, _ALIKE))
  found = [name for those, alike in ways for name in difflib.get_close_matches(asked, those, len(names), alike)]
  return [names[name] for name in dict.fromkeys(found)]
