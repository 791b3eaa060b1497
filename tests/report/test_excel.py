"""Workbooks of results."""

import gc
import resource
import signal

import numpy as np
import openpyxl
import pandas as pd
import pytest

from ear_jax.report.excel import workbook


def test_a_full_disk_raises_and_leaves_neither_a_file_nor_an_open_archive(tmp_path):
  noise = pd.DataFrame(np.random.default_rng(0).normal(size=(200, 50)))  # more than the limit when packed
  before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
  resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
  try:
    with pytest.raises(OSError, match='too large'), workbook(tmp_path / 'a.xlsx') as book:
      noise.to_excel(book)
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)
  gc.collect()  # an archive that is still open says so now, which is an error in tests
  assert not list(tmp_path.iterdir())


def test_a_text_that_begins_like_a_formula_stays_a_text(tmp_path):
  with workbook(tmp_path / 'a.xlsx') as book:
    pd.DataFrame({'slice': ['=1+1']}).to_excel(book, index=False)
  cell = openpyxl.load_workbook(tmp_path / 'a.xlsx').active['A2']
  assert (cell.value, cell.data_type) == ('=1+1', 's')


def test_a_sheet_prints_with_its_texts_whole_and_no_more_columns_than_can_be_read(tmp_path):
  """Case N14."""
  with workbook(tmp_path / 'a.xlsx') as book:
    pd.DataFrame({'Mean RR interval (ms)': [900.123456, 15.0], 'why': ['word ' * 40, '']}).to_excel(
      book, sheet_name='few', index=False
    )
    pd.DataFrame(np.zeros((2, 72))).to_excel(book, sheet_name='many')
  few, many = openpyxl.load_workbook(tmp_path / 'a.xlsx')
  assert few.column_dimensions['A'].width > len('Mean RR interval (ms)')
  assert few.column_dimensions['B'].width < 100
  assert few['B2'].alignment.wrap_text
  assert (few['A2'].value, few['A2'].number_format, few['A3'].number_format) == (900.123456, '0.00', 'General')
  assert [(s.page_setup.fitToWidth, s.page_setup.fitToHeight) for s in (few, many)] == [(1, 0), (3, 0)]
  assert all(s.sheet_properties.pageSetUpPr.fitToPage and s.page_setup.orientation == 'landscape' for s in (few, many))
  assert many.print_title_rows == '$1:$1'
  assert few.oddFooter.left.text.startswith('Research software. Not a medical device')
