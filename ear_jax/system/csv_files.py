"""Tables as CSV files: whole or not at all, and with nothing in them that a spreadsheet would run."""

import os
import re

import pandas as pd

from ear_jax.system.files import replacing

_CONTROL = re.compile(r'[\x00-\x1f\x7f]')
_FORMULA = re.compile(r'[=+\-@]')  # what Excel, LibreOffice and Google Sheets take for the start of one
_NUMBER = r'[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?'
_NUMBERS = re.compile(rf'{_NUMBER}(?: (?:±|to) {_NUMBER})?')  # '-0.02 to 0.05' is no formula


def write_csv(path: str | os.PathLike, *tables: pd.DataFrame) -> None:
  """Writes tables of the same columns one below the other, numbers with six significant digits.

  Undefined values are empty cells. Names come from users' files: a text that begins as a formula does (`=`, `+`, `-`,
  `@`) and is no number gets a single quote in front, so that no spreadsheet runs it, and control characters are written
  as escapes (`\\r`), so that a name stays in its cell.
  """
  with replacing(path) as temporary, open(temporary, 'w', encoding='utf-8', newline='') as lines:
    for number, table in enumerate(tables):
      shown = table.map(_as_text).rename(columns=_as_text)
      shown.to_csv(lines, header=number == 0, index=False, float_format='%.6g', lineterminator='\n')


def _as_text(value):
  """Returns a cell's value; a text so that it stays one in a spreadsheet."""
  if not isinstance(value, str):
    return value
  text = _CONTROL.sub(lambda cell: ascii(cell[0])[1:-1], value)
  return f"'{text}" if _FORMULA.match(text) and not _NUMBERS.fullmatch(text) else text
