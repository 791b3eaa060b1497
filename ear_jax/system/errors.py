"""The one exception that means "the user can correct this": commands print it as a sentence, without traceback."""

from collections.abc import Sequence

_SOME = 8  # names that one sentence lists


class UserError(ValueError):
  """A fault in a command, a configuration or the data; its text says what is wrong, where, and what to do."""

  def __init__(self, sentence: str):
    super().__init__(printable(sentence))


def printable(text: str) -> str:
  """Returns text fit for a terminal: names of files and of what is in them may hold its control sequences."""
  return ''.join(c if c.isprintable() or c == '\n' else '\N{REPLACEMENT CHARACTER}' for c in text)


def some(names: Sequence[object]) -> str:
  """Returns names or numbers with commas; of many the first and how many they are."""
  return ', '.join(map(str, names[:_SOME])) + f', ... ({len(names)} of them)' * (len(names) > _SOME)
