"""The model of a second reader against circles on paper, and the table of the document, which this file prints.

`python tests/scoring/test_second_reader.py` writes the table into docs/evaluation.md anew.
"""

import math
import pathlib
import sys

import numpy as np
import pytest

from ear_jax.scoring.second_reader import dice_of_radii, second_readers, smooth_errors
from ear_jax.system.table import Table, markdown

DOCUMENT = pathlib.Path(__file__).parents[2] / 'docs/evaluation.md'
BEGIN, END = '<!-- second readers, printed by tests/scoring/test_second_reader.py -->', '<!-- end of second readers -->'


def printed():
  header = ['radii (mm)', 'error (mm)', 'APD (mm)', 'ring', 'endo', 'epi']
  rows = []
  for row in second_readers().to_dict('records'):
    dice = [f'{row[name]:.2f} ({row[f"{name}_low"]:.2f})' for name in ('ring', 'endo', 'epi')]
    place = f'{row["heart"]}: {row["endo_mm"]:g} and {row["epi_mm"]:g}'
    rows.append([place, f'{row["error"]:g}', f'{row["apd"]:.1f}', *dice])
  return f'{BEGIN}\n\n{markdown(Table("", header, rows))}\n\n{END}'


def test_circles_of_other_radii():
  first, second = (np.reshape(radii, (2, 1)) * np.ones(360) for radii in ((10.0, 20.0), (12.0, 18.0)))
  # Of squares of radii: both 18^2 - 12^2 = 180 of 20^2 - 10^2 = 300 and 180; 100 of 100 and 144; 324 of 400 and 324.
  expected = {'ring': 360 / 480, 'endo': 200 / 244, 'epi': 648 / 724}
  assert dice_of_radii(first, second) == pytest.approx(expected)


def test_rings_that_do_not_meet_have_nothing_in_common():
  first, second = (np.reshape(radii, (2, 1)) * np.ones(360) for radii in ((10.0, 12.0), (13.0, 15.0)))
  assert dice_of_radii(first, second)['ring'] == 0


def test_errors_are_of_the_size_that_was_asked_for_smooth_and_closed():
  errors = smooth_errors(1.5, 500, np.random.default_rng(1))
  assert errors.std() == pytest.approx(1.5)
  assert abs(errors.mean()) < 0.1
  steps = np.abs(np.diff(errors, axis=-1, append=errors[:, :1]))
  assert steps.max() < 0.2  # mm between two degrees, the last and the first among them


def test_small_hearts_and_large_errors_cost_more():
  table = second_readers(draws=200)
  assert (table.groupby('heart')['ring'].diff().dropna() < 0).all()
  normal = table['error'].to_numpy() * math.sqrt(2 / math.pi)  # the mean size of a normal error
  assert table['apd'].to_numpy() == pytest.approx(normal, rel=0.1)
  large, small = (part.set_index('error') for _, part in table.groupby('heart', sort=False))
  assert (small[['ring', 'endo', 'epi']] < large[['ring', 'endo', 'epi']]).all(axis=None)


def test_the_document_prints_the_table():
  assert printed() in DOCUMENT.read_text()


if __name__ == '__main__':
  text = DOCUMENT.read_text()
  DOCUMENT.write_text(text[: text.index(BEGIN)] + printed() + text[text.index(END) + len(END) :])
  sys.exit(0)
