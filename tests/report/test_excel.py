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
