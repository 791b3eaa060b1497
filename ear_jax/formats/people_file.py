"""csv files that name the group, the person and the visit of studies, or a band of values."""

import pathlib

import pandas as pd

from ear_jax.system.errors import UserError, some


def read_people(path: pathlib.Path, needed: tuple[str, ...]) -> pd.DataFrame:
  """Returns 'group', 'person' and 'visit' of each study, as far as the file has them; index study, order of the file.

  Raises: UserError when it cannot be read, lacks a column of `needed`, has an empty cell or names a study twice.
  """
  table = read_table(path, ('study', *needed))
  known = table[[name for name in ('study', 'group', 'person', 'visit') if name in table]]
  empty = known.index[(known == '').any(axis=1)]
  if len(empty):
    raise UserError(f'{path}, line {empty[0] + 2}: a cell is empty')
  twice = known['study'][known['study'].duplicated()]
  if len(twice):
    raise UserError(f'{path}: study {twice.iloc[0]} stands on several lines')
  return known.set_index('study')


def read_table(path: pathlib.Path, needed: tuple[str, ...]) -> pd.DataFrame:
  """Returns a csv file as texts without blanks about them.

  Raises: UserError when it cannot be read or lacks a column.
  """
  try:
    with open(path, encoding='utf-8-sig') as lines:
      head = lines.readline()
    apart = ';' if ';' in head else ','  # as Excel writes csv where the decimal sign is a comma
    table = pd.read_csv(path, dtype=str, keep_default_na=False, sep=apart, encoding='utf-8-sig')
  except (OSError, ValueError) as fault:
    raise UserError(f'{path} cannot be read as a table ({type(fault).__name__}): give a csv file') from fault
  table = table.rename(columns=str.strip).map(lambda cell: cell.strip() if isinstance(cell, str) else '')
  missing = [name for name in needed if name not in table]
  if missing:
    raise UserError(f'{path} has no column {some(missing)}: expected {", ".join(needed)} (it has {some(list(table))})')
  return table
