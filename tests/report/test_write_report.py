"""One call leaves a complete folder: every file, the right cines in the pictures, nothing stale."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from ear_jax.cine import Cine
from ear_jax.report.evaluation import extremes, write_report
from ear_jax.report.figures import Case
from ear_jax.scoring.aggregate import subject_mean_dice
from ear_jax.scoring.segmentation import cine_metrics

TABLES = {'metrics.json', 'per_frame.csv', 'per_subject.csv', 'summary.md'}
PICTURES = {'result.png', 'best.png', 'worst.png', 'dice_against_frame.png'}


def study(shifts):
  """Cines s<i>-1/mid whose prediction is `shifts[i]` columns off: the larger, the worse."""
  rng, cases, parts = np.random.default_rng(0), [], []
  for index, shift in enumerate(shifts):
    reference = np.zeros((2, 32, 32), np.uint8)
    reference[:, 10:20, 8:18] = 1
    annotated = np.array([True, True])
    prediction = np.roll(reference, shift, axis=2)
    name = f's{index}-1'
    names = {'subject': f's{index}', 'dataset': name, 'slice_id': 'mid', 'level': 'mid'}
    video = rng.random((2, 32, 32, 1)).astype(np.float32)
    cases.append(Case(Cine(video, reference, annotated, None, (1.0, 1.0), np.nan, **names), prediction))
    parts.append(cine_metrics(prediction, reference, annotated, (1.0, 1.0), **names))
  return pd.concat(parts, ignore_index=True), cases


def test_everything_is_written_and_returned(tmp_path):
  rows, cases = study([3, 0, 5, 1])

  def drawn_then_refuse():
    yield from cases[:3]
    raise AssertionError('cine s3 is in no picture, and all that are were given')

  summary = write_report(tmp_path / 'test', rows, drawn_then_refuse(), {'checkpoint': 'best', 'split': 'test'})
  assert {p.name for p in (tmp_path / 'test').iterdir()} == TABLES | PICTURES | {'median.png'}
  assert json.loads((tmp_path / 'test' / 'metrics.json').read_text()) == summary
  assert summary['metrics']['dice']['mean'] == subject_mean_dice(rows)
  assert summary['manifest'] == {'checkpoint': 'best', 'split': 'test'}
  # Shifted by k of 10 columns, Dice is 1 - k / 10; of four the lower middle one is the median.
  assert summary['cines'] == {
    'best': {'name': 's1-1/mid', 'dice': 1.0},
    'median': {'name': 's0-1/mid', 'dice': pytest.approx(0.7)},
    'worst': {'name': 's2-1/mid', 'dice': pytest.approx(0.5)},
  }
  for name in PICTURES:
    with Image.open(tmp_path / 'test' / name) as image:
      image.load()


def test_fewer_cines_leave_no_stale_picture(tmp_path):
  for shifts, roles in [([3, 0, 5], {'best', 'median', 'worst'}), ([2], {'best'})]:
    rows, cases = study(shifts)
    assert set(write_report(tmp_path, rows, cases, {})['cines']) == roles
    assert {p.stem for p in tmp_path.glob('*.png')} == roles | {'result', 'dice_against_frame'}


def test_equal_scores_are_ordered_by_name():
  rows, _ = study([2, 2, 2])
  assert {role: name for role, (name, _) in extremes(rows).items()} == {
    'best': 's2-1/mid',
    'median': 's1-1/mid',
    'worst': 's0-1/mid',
  }
  assert extremes(rows.assign(case='both_empty')) == {}


def test_a_refusal_leaves_the_folder_as_it_was(tmp_path):
  rows, cases = study([0, 4])
  (tmp_path / 'metrics.json').write_text('{"earlier": 1}')
  with pytest.raises(ValueError, match='no pictures for s1-1/mid'):
    write_report(tmp_path, rows, cases[:1], {})
  with pytest.raises(ValueError, match='write None'):
    write_report(tmp_path, rows, cases, {'loss': float('nan')})
  assert [p.name for p in tmp_path.iterdir()] == ['metrics.json']
