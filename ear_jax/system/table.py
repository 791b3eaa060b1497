"""A table of strings: how numbers are written in one, and its forms for Markdown, the terminal, csv and LaTeX."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import pandas as pd
import rich.table
from rich import box
from rich.console import Group
from rich.markup import escape
from rich.text import Text

DASH = '–'  # noqa: RUF001, a dash stands for what is undefined


class Table(NamedTuple):
  """A table of strings.

  Attributes:
    title: stands above it; '' for none.
    header: a name a column; a pair of names where several columns share the first.
    rows: a label, then a cell a column; for the terminal a cell may be a `Text` in colour.
  """

  title: str
  header: Sequence[str | tuple[str, str]]
  rows: Sequence[Sequence[str | Text]]

  @property
  def columns(self) -> list[str]:
    """One name a column, pairs joined."""
    return [name if isinstance(name, str) else ' '.join(filter(None, name)) for name in self.header]


def markdown(table: Table, rule: str = '') -> str:
  """Returns the lines of a table without its title; `rule` is the line below the header, numbers right without it."""
  lines = [f'| {" | ".join(map(str, cells))} |' for cells in (table.columns, *table.rows)]
  lines.insert(1, rule or '| --- |' + ' ---: |' * (len(table.header) - 1))
  return '\n'.join(lines)


def document(title: str, tables: Iterable[Table], remarks: Iterable[str]) -> str:
  """Returns tables and remarks as a Markdown document."""
  parts = [part for table in tables for part in (f'## {table.title}', markdown(table))]
  return '\n\n'.join([f'# {title}', *parts, '\n'.join(f'- {remark}' for remark in remarks)]) + '\n'


def drawn(table: Table, left: Collection[str] = ()) -> rich.table.Table:
  """Returns a table to be printed by `rich`, numbers right: all columns but the first and those named in `left`."""
  rich_table = rich.table.Table(title=table.title, box=box.SIMPLE_HEAD, title_justify='left', title_style='bold')
  for index, name in enumerate(table.columns):
    rich_table.add_column(name, justify='right' if index and name not in left else 'left')
  for cells in table.rows:
    rich_table.add_row(*(escape(cell) if isinstance(cell, str) else cell for cell in cells))
  return rich_table


def terminal(tables: Iterable[Table], remarks: Iterable[str]) -> Group:
  """Returns tables and remarks, to be printed by `rich`."""
  return Group(*map(drawn, tables), *(f'[dim]• {escape(remark)}[/dim]' for remark in remarks))


def frame(table: Table) -> pd.DataFrame:
  """Returns a table for a csv file."""
  return pd.DataFrame(table.rows, columns=table.columns)


def latex(table: Table) -> str:
  """Returns a table as a LaTeX `tabular` with the rules of booktabs; a shared name stands once over its columns."""
  heads: pd.Index = pd.Index(list(table.header[1:]))  # of two levels where it holds pairs
  style = pd.DataFrame([cells[1:] for cells in table.rows], [cells[0] for cells in table.rows], heads).style
  style = style.format(escape='latex').format_index(escape='latex', axis=0).format_index(escape='latex', axis=1)
  text = style.to_latex(hrules=True, multicol_align='c', column_format='l' + 'c' * (len(table.header) - 1))
  return text.replace('±', r'$\pm$').replace(DASH, '--')


def number(value: float | None, digits: int) -> str:
  """Returns a finite number with some decimals, never '-0.00'; a dash for None."""
  if value is None:
    return DASH
  assert math.isfinite(value), 'a summary holds None instead'
  text = f'{value:.{digits}f}'
  return text.lstrip('-') if float(text) == 0 else text


def span(interval: Sequence[float] | None, digits: int) -> str:
  """Returns '0.71 to 0.83'; a dash for None."""
  return DASH if interval is None else f'{number(interval[0], digits)} to {number(interval[1], digits)}'


def spread(entry: Mapping | None, digits: int) -> str:
  """Returns the 'mean' and 'sd' of an entry as '0.77 ± 0.03', without an SD the mean alone; a dash for None."""
  if not entry:
    return DASH
  return number(entry['mean'], digits) + ('' if entry['sd'] is None else f' ± {number(entry["sd"], digits)}')
