"""Tables as CSV: read back by another reader, and no cell is a formula."""

import csv

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ear_jax.system.csv_files import write_csv


def cells(path):
  with open(path, encoding='utf-8', newline='') as lines:
    return list(csv.reader(lines))


def test_numbers_have_six_digits_and_undefined_ones_are_empty(tmp_path):
  table = pd.DataFrame({'subject': ['a', 'b'], 'dice': [-0.123456789, np.nan], 'frames': [-3, 4]})
  write_csv(tmp_path / 'table.csv', table, table)
  rows = [['a', '-0.123457', '-3'], ['b', '', '4']]
  assert cells(tmp_path / 'table.csv') == [['subject', 'dice', 'frames'], *rows, *rows]


@pytest.mark.parametrize(
  'name', ['=1+1', '=HYPERLINK("http://a")', '+A1', "-2+3+cmd|' /C calc'!A0", '@SUM(A1)', '-A1 to 2']
)
def test_a_name_that_a_spreadsheet_would_run_is_quoted(tmp_path, name):
  write_csv(tmp_path / 'table.csv', pd.DataFrame({'subject': [name], name: [0.5]}))
  assert cells(tmp_path / 'table.csv') == [['subject', f"'{name}"], [f"'{name}", '0.5']]


@pytest.mark.parametrize('text', ['-0.02', '+3', '-.5e-03', '-0.021 to 0.050', '-0.02 ± 0.01', '–', 'sax1', ''])  # noqa: RUF001
def test_numbers_and_plain_names_stay(tmp_path, text):
  write_csv(tmp_path / 'table.csv', pd.DataFrame({'subject': [text], 'dice': [1]}))
  assert cells(tmp_path / 'table.csv')[1] == [text, '1']


def test_a_name_with_control_characters_stays_in_its_cell(tmp_path):
  write_csv(tmp_path / 'table.csv', pd.DataFrame({'subject': ['a\r=1\n\tb\0'], 'dice': [1]}))
  assert cells(tmp_path / 'table.csv')[1] == ['a\\r=1\\n\\tb\\x00', '1']


@given(st.text(st.characters(codec='utf-8', exclude_categories=('Cc',)), max_size=12))
def test_no_text_becomes_a_formula_and_all_come_back(tmp_path_factory, text):
  path = tmp_path_factory.mktemp('csv') / 'table.csv'
  write_csv(path, pd.DataFrame({'subject': [text], 'dice': [1]}))
  ((_, _), (found, _)) = cells(path)
  assert found in (text, f"'{text}")
  if found.startswith(('=', '+', '-', '@')):
    assert found[1:2].isdigit() or found[1:2] == '.'
