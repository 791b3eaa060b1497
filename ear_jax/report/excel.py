"""Workbooks (Excel) of results: texts stay texts, and the file is there whole or not at all."""

import contextlib
import io
import os
from collections.abc import Iterator

import pandas as pd

import ear_jax
from ear_jax.system.files import replacing


@contextlib.contextmanager
def workbook(path: str | os.PathLike) -> Iterator[pd.ExcelWriter]:
  """Yields a writer for tables; the `.xlsx` file is written when the block ends well."""
  held = io.BytesIO()  # openpyxl leaves its archive open where a disk is full
  with pd.ExcelWriter(held, engine='openpyxl') as book:
    yield book
    _keep_texts(book.book)
    book.book.properties.creator = f'ear_jax {ear_jax.__version__}'
  with replacing(path) as temporary:
    temporary.write_bytes(held.getvalue())


def _keep_texts(book) -> None:
  # A slice may be called what its file calls it; openpyxl takes text that begins with '=' for a formula, Excel runs it.
  for cell in (cell for sheet in book for row in sheet.iter_rows() for cell in row):
    if cell.data_type == 'f':
      cell.data_type = 's'
