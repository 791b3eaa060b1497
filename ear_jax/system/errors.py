"""The one exception that means "the user can correct this": commands print it as a sentence, without traceback."""

import difflib
from collections.abc import Iterable, Sequence

_SOME = 8  # names that one sentence lists


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
  """Returns, for the end of a sentence, which of the known names is most like a word; '' where none is."""
  found = difflib.get_close_matches(word, list(known), 1)
  return f'; nearest: {found[0]}' if found else ''
