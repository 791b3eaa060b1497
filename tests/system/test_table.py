"""A table of strings in its forms: read back from each, and numbers as a reader expects them."""

import io

import pandas as pd
import pytest
from rich.console import Console
from rich.text import Text

from ear_jax.system.csv_files import write_csv
from ear_jax.system.table import DASH, Table, document, drawn, frame, latex, markdown, number, span, spread, terminal

PLAIN = Table('Scores', ['who', 'mean', 'found'], [['a', '0.50', 'x'], ['b', DASH, 'y']])


def shown(what):
  console = Console(width=80, file=io.StringIO(), record=True)
  console.print(what)
  return [line.rstrip() for line in console.export_text().splitlines()]


def test_markdown_aligns_numbers_to_the_right_unless_a_rule_is_given():
  assert markdown(PLAIN).splitlines() == [
    '| who | mean | found |',
    '| --- | ---: | ---: |',
    '| a | 0.50 | x |',
    f'| b | {DASH} | y |',
  ]
  assert markdown(PLAIN, rule='|---|---|---|').splitlines()[1] == '|---|---|---|'


def test_a_document_has_titles_above_its_tables_and_remarks_below():
  text = document('All', [PLAIN, PLAIN._replace(title='Again')], ['one', 'two'])
  assert text.startswith(f'# All\n\n## Scores\n\n{markdown(PLAIN)}\n\n## Again\n\n| who')
  assert text.endswith('| y |\n\n- one\n- two\n')


def test_the_terminal_has_numbers_right_named_columns_left_and_no_markup_of_strangers():
  table = Table('', ['who', 'score', 'why'], [['a [b]x[/b]', Text('0.5', style='green'), 'bad'], ['c', '0.25', 'no']])
  lines = shown(drawn(table, left=['why']))
  assert [line for line in lines if 'a [b]x[/b]' in line] == ['  a [b]x[/b]     0.5   bad']
  assert [line for line in lines if ' c ' in line] == ['  c             0.25   no']
  assert shown(terminal([PLAIN], ['[i]n = 2']))[-1] == '• [i]n = 2'
  assert shown(terminal([PLAIN], []))[0].strip() == 'Scores'


def test_csv_has_one_line_of_names(tmp_path):
  table = Table('', ['', ('Dice', 'mean'), ('', 'n')], [['a', '0.5', '3']])
  write_csv(tmp_path / 'a.csv', frame(table))
  assert (tmp_path / 'a.csv').read_text() == ',Dice mean,n\na,0.5,3\n'


def test_latex_escapes_names_and_shares_the_upper_of_two_lines_of_names():
  made = Table('x', ['', ('a_b', 'c'), ('a_b', 'd')], [['e & f', '50 %', '0.1 ± 0.2'], ['g', DASH, '1']])
  assert latex(made).splitlines() == [
    r'\begin{tabular}{lcc}',
    r'\toprule',
    r' & \multicolumn{2}{c}{a\_b} \\',
    r' & c & d \\',
    r'\midrule',
    r'e \& f & 50 \% & 0.1 $\pm$ 0.2 \\',
    r'g & -- & 1 \\',
    r'\bottomrule',
    r'\end{tabular}',
  ]


@pytest.mark.parametrize(
  ('value', 'digits', 'text'),
  [(0.25, 1, '0.2'), (-0.004, 2, '0.00'), (-0.006, 2, '-0.01'), (None, 2, DASH), (12.0, 0, '12')],
)
def test_numbers(value, digits, text):
  assert number(value, digits) == text


def test_intervals_and_spreads():
  assert span([-0.001, 0.5], 2) == '0.00 to 0.50'
  assert spread({'mean': 0.5, 'sd': 0.125}, 3) == '0.500 ± 0.125'
  assert spread({'mean': 0.5, 'sd': None}, 1) == '0.5'
  assert (span(None, 2), spread(None, 2)) == (DASH, DASH)
  with pytest.raises(AssertionError, match='None instead'):
    number(float('nan'), 2)


def test_a_frame_holds_strings_alone():
  assert pd.api.types.is_string_dtype(frame(PLAIN).stack())
