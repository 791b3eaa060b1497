"""A table of strings with labelled lines and columns, and its three forms: for Markdown and terminal, csv, LaTeX."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from ear_jax.report.tables import TextTable

DASH = '–'  # noqa: RUF001, a dash stands for what is undefined


class Sheet(NamedTuple):
  """A table of strings: file name without ending, title, and the cells with their labels.

  The columns of `cells` have one level or two.
  """

  name: str
  title: str
  cells: pd.DataFrame


def as_text(sheet: Sheet) -> TextTable:
  """Returns a sheet for `report.tables.as_markdown` and `as_terminal`."""
  rows = [[str(label), *cells] for label, cells in zip(sheet.cells.index, sheet.cells.to_numpy().tolist(), strict=True)]
  return TextTable(sheet.title, ['', *_flat(sheet.cells.columns)], rows)


def latex(sheet: Sheet) -> str:
  """Returns a sheet as a LaTeX `tabular` with the rules of booktabs; losses stand once over their columns."""
  style = sheet.cells.style.format(escape='latex').format_index(escape='latex', axis=0)
  style = style.format_index(escape='latex', axis=1)
  text = style.to_latex(hrules=True, multicol_align='c', column_format='l' + 'c' * sheet.cells.shape[1])
  return text.replace('±', r'$\pm$').replace(DASH, '--')


def flat(sheet: Sheet) -> pd.DataFrame:
  """Returns a sheet for a csv file: one line of column names, the labels of the lines as first column."""
  return sheet.cells.set_axis(_flat(sheet.cells.columns), axis=1).rename_axis('').reset_index()


def _flat(columns: pd.Index) -> list[str]:
  return [' '.join(filter(None, c)) if isinstance(c, tuple) else str(c) for c in columns]
