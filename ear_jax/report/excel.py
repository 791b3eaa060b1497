"""Workbooks (Excel) of results: texts stay texts, they print, and the file is there whole or not at all."""

import contextlib
import io
import math
import os
from collections.abc import Iterator

import pandas as pd
from openpyxl import styles, utils  # type: ignore[import-untyped]  # has no types

import ear_jax
from ear_jax.report import STATEMENT
from ear_jax.system.files import replacing

_NARROW, _WIDE = 8, 90  # characters of a column
_ACROSS = 26  # columns that can be read on a sheet of paper


@contextlib.contextmanager
def workbook(path: str | os.PathLike) -> Iterator[pd.ExcelWriter]:
  """Yields a writer for tables; the `.xlsx` file is written when the block ends well."""
  held = io.BytesIO()  # openpyxl leaves its archive open where a disk is full
  with pd.ExcelWriter(held, engine='openpyxl') as book:
    yield book
    _keep_texts(book.book)
    for sheet in book.book:
      _for_paper(sheet)
    book.book.properties.creator = f'ear_jax {ear_jax.__version__}'
  with replacing(path) as temporary:
    temporary.write_bytes(held.getvalue())


def _keep_texts(book) -> None:
  # A slice may be called what its file calls it; openpyxl takes text that begins with '=' for a formula, Excel runs it.
  for cell in (cell for sheet in book for row in sheet.iter_rows() for cell in row):
    if cell.data_type == 'f':
      cell.data_type = 's'


def _for_paper(sheet) -> None:
  """Columns as wide as their texts, two decimals shown of all; on A4, with what the sheet is and what it is not for."""
  for index, column in enumerate(sheet.iter_cols(), start=1):
    texts = [cell for cell in column if isinstance(cell.value, str)]
    longest = max((len(cell.value) for cell in texts), default=0)
    sheet.column_dimensions[utils.get_column_letter(index)].width = min(max(longest + 2, _NARROW), _WIDE)
    for cell in texts:
      if len(cell.value) > _WIDE:
        cell.alignment = styles.Alignment(wrap_text=True, vertical='top')
    for cell in column:
      if isinstance(cell.value, float) and not cell.value.is_integer():
        cell.number_format = '0.00'
  sheet.sheet_properties.pageSetUpPr.fitToPage = True
  setup = sheet.page_setup
  setup.orientation, setup.paperSize = 'landscape', sheet.PAPERSIZE_A4
  setup.fitToWidth, setup.fitToHeight = math.ceil(sheet.max_column / _ACROSS), 0
  sheet.print_title_rows, sheet.print_title_cols = '1:1', 'A:A'
  sheet.oddHeader.left.text = '&F, &A'
  sheet.oddFooter.left.text, sheet.oddFooter.right.text = STATEMENT, '&P of &N'
