"""Tables read back: strict JSON, CSV with units, print with sensible digits, files whole or not at all."""

import io
import json
import math

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from ear_jax.report import tables
from ear_jax.scoring.aggregate import hierarchy, summarise
from ear_jax.scoring.segmentation import cine_metrics
from ear_jax.system.csv_files import write_csv
from ear_jax.system.files import replacing
from ear_jax.system.table import document


def markdown(summary):
  """The page of an evaluation, as `write_report` writes it."""
  return document('Evaluation', tables.text_tables(summary), tables.notes(summary))


def rows(subjects=3, spacing=(1.0, 1.0), level='mid', surface=True):
  """Three frames per subject: overlapping, both empty, and a prediction that is empty."""
  reference, prediction = np.zeros((2, 3, 30, 40), np.uint8)
  reference[0, 10:20, 10:20] = reference[2, 5:9, 5:9] = 1
  parts = []
  for index in range(subjects):
    prediction[0] = np.roll(reference[0], index + 1, axis=1)
    names = {'subject': f's{index}', 'dataset': f'd{index}', 'slice_id': 'm', 'level': level}
    parts.append(cine_metrics(prediction, reference, np.ones(3), spacing, **names, surface=surface))
  return pd.concat(parts, ignore_index=True)


def test_per_frame_is_read_back(tmp_path):
  scored = rows()
  write_csv(tmp_path / 'per_frame.csv', tables.per_frame_table(scored.sample(frac=1, random_state=1)))
  read = pd.read_csv(tmp_path / 'per_frame.csv', keep_default_na=False, na_values={'dice': [''], 'hd95_mm': ['']})
  assert read['frame'].tolist() == [0, 1, 2] * 3
  np.testing.assert_allclose(read['dice'], scored['dice'], rtol=1e-5)  # six digits; NaN where both are empty
  np.testing.assert_allclose(read['hd95_mm'], scored['hd95'], rtol=1e-5)
  assert read['case'].tolist() == ['scored', 'both_empty', 'prediction_empty'] * 3
  assert 'hd95' not in read.columns
  text = (tmp_path / 'per_frame.csv').read_bytes()
  assert b'nan' not in text.lower()
  assert b'\r' not in text


def test_per_subject_counts_and_means(tmp_path):
  lost = rows(1).query("case == 'both_empty'").assign(subject='t', dataset='t')
  scored = pd.concat([rows(2), lost], ignore_index=True)
  write_csv(tmp_path / 'per_subject.csv', tables.per_subject_table(scored))
  read = pd.read_csv(tmp_path / 'per_subject.csv').set_index('subject')
  assert read.index.tolist() == ['s0', 's1', 't']
  assert read.loc['s0', ['datasets', 'slices', 'frames_expected', 'frames_scored']].tolist() == [1, 1, 3, 1]
  assert read['frames_prediction_empty'].tolist() == [1, 1, 0]
  assert read['frames_failed'].tolist() == [0, 0, 0]
  means = hierarchy(scored).subjects
  np.testing.assert_allclose(read['dice'][:2], means['dice'], rtol=1e-5)
  np.testing.assert_allclose(read['assd_mm'][:2], means['assd'], rtol=1e-5)
  assert math.isnan(read.loc['t', 'dice'])


def test_rows_joined_with_repeated_index_are_counted_alike():
  scored = rows()
  repeated = scored.set_index(scored['frame'].to_numpy())
  pd.testing.assert_frame_equal(tables.per_subject_table(repeated), tables.per_subject_table(scored))
  pd.testing.assert_frame_equal(tables.per_frame_table(repeated), tables.per_frame_table(scored))


def test_pixels_are_named_in_headers():
  scored = rows(spacing=(math.nan, math.nan))
  assert 'hd95_px' in tables.per_frame_table(scored).columns
  text = markdown(summarise(scored))
  assert '| HD95 (px) |' in text
  assert '| NSD at 2 px |' in text
  assert 'distances are in pixels' in text


def test_json_is_strict():
  summary = summarise(rows())
  text = tables.strict_json(summary)
  assert json.loads(text, parse_constant=lambda name: pytest.fail(f'{name} is not JSON')) == summary
  with pytest.raises(ValueError, match='write None for an undefined value'):
    tables.strict_json({'loss': math.nan})


def test_an_interrupted_write_leaves_the_old_file(tmp_path):
  path = tmp_path / 'table.csv'
  path.write_text('old')

  def interrupted():
    with replacing(path) as temporary:
      temporary.write_text('half')
      raise KeyboardInterrupt

  with pytest.raises(KeyboardInterrupt):
    interrupted()
  assert path.read_text() == 'old'
  assert [p.name for p in tmp_path.iterdir()] == ['table.csv']


def test_markdown_says_what_the_summary_holds():
  summary = summarise(rows(5))
  text = markdown(summary)
  dice, hd95 = summary['metrics']['dice'], summary['metrics']['hd95']
  assert f'| Dice | {dice["mean"]:.3f} | {dice["sd"]:.3f} |' in text
  assert f'| HD95 (mm) | {hd95["mean"]:.2f} |' in text
  assert f'{dice["t_interval"][0]:.3f} to {dice["t_interval"][1]:.3f}' in text
  assert f'| {dice["not_imputed"]["mean"]:.3f} |' in text
  assert '| mid | 5 | 10 |' in text
  assert '| both empty | 5 |' in text
  assert '- 5 frames with both masks empty are excluded.' in text
  assert 'In 5 of the 10 frames the prediction or the reference has no myocardium.' in text
  assert '| median | both drawn |' in text
  assert 'count boundary pixels' in text
  for line in text.splitlines():
    if line.startswith('|'):
      assert line.count('|') in (8, 9, 3)
  summary['frames'] |= {'scored': summary['frames']['in_means']}
  assert 'both drawn' not in markdown(summary), 'where no frame is left out of it, it is the mean'


def test_undefined_is_a_dash_with_its_reason():
  text = markdown(summarise(rows(1, level='')))
  dash = '\N{EN DASH}'
  assert f'| {dash} | {dash} | {dash} |' in text  # SD and both intervals
  assert '- one subject: no spread and no interval' in text
  assert 'nan' not in text.lower().replace('boundary', '')
  assert '## By slice level' not in text


def test_overlap_alone_has_no_surface_note():
  text = markdown(summarise(rows(surface=False)))
  assert 'HD95' not in text
  assert 'boundary' not in text


@pytest.mark.parametrize('width', [96, 120])
def test_the_terminal_shows_the_same_numbers_uncut(width):
  summary = summarise(rows(5))
  console = Console(width=width, record=True, file=io.StringIO())
  console.print(tables.terminal(summary))
  shown = console.export_text()
  assert '…' not in shown
  for table in tables.text_tables(summary):
    for cells in table.rows:
      assert any(all(cell in line for cell in cells) for line in shown.splitlines()), cells


def test_the_contours_of_a_ring_have_a_table_and_open_references_a_note():
  wall = np.zeros((2, 40, 40), np.uint8)
  wall[:, 10:30, 10:30], wall[:, 15:25, 15:25] = 1, 0
  reference = wall.copy()
  reference[1, :20] = 0  # half of it is missing
  names = {'subject': 's', 'dataset': 'd', 'slice_id': 'm'}
  scored = cine_metrics(wall, reference, np.ones(2), (1.0, 1.0), **names)
  text = markdown(summarise(scored))
  assert '| contour | Dice | good (APD < 5 mm) | Dice of good | APD of good (mm) |' in text
  assert '| endo | 1.000 | 1.000 | 1.000 | 0.00 |' in text
  assert '- 1 frames are in no number of the contours' in text
  assert {'endo_apd_mm', 'epi_apd_mm', 'epi_good'} <= set(tables.per_frame_table(scored).columns)
