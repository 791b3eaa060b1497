"""Frame and cine scores: hand values, the table of missing values row by row, and properties of any two masks."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ear_jax.scoring import segmentation
from ear_jax.scoring.challenge import COLUMNS
from ear_jax.scoring.segmentation import cine_metrics, frame_metrics, is_closed_ring

UNKNOWN = (math.nan, math.nan)
MASKS = hnp.arrays(bool, (8, 8))
RATIOS = ('dice', 'iou', 'sensitivity', 'ppv', 'nsd')


def block(rows, columns, shape=(30, 40)):
  mask = np.zeros(shape, bool)
  mask[slice(*rows), slice(*columns)] = True
  return mask


def same(one, other):
  """Equality of two scores, in which NaN equals NaN."""
  pd.testing.assert_series_equal(pd.Series(one), pd.Series(other), rtol=1e-12)


def test_hand_values_of_unequal_masks():
  prediction, reference = block((4, 8), (4, 9)), block((6, 12), (6, 16))
  # |P| = 4 * 5 = 20, |G| = 6 * 10 = 60, common: rows 6-7, columns 6-8, 6 pixels.
  score = frame_metrics(prediction, reference, (1.0, 1.0), surface=False)
  assert score == {
    'case': 'scored',
    'intersection': 6,
    'prediction_pixels': 20,
    'reference_pixels': 60,
    'dice': pytest.approx(12 / 80),
    'iou': pytest.approx(6 / 74),
    'sensitivity': pytest.approx(6 / 60),
    'ppv': pytest.approx(6 / 20),
    'imputed': False,
    'distance_unit': 'mm',
  }


def test_one_pixel_each():
  score = frame_metrics(block((3, 4), (5, 6)), block((6, 7), (9, 10)), (2.0, 1.5))
  # 3 rows of 2 mm, 4 columns of 1.5 mm: sqrt(36 + 36).
  assert score['hd95'] == score['assd'] == pytest.approx(math.sqrt(72))
  assert (score['dice'], score['nsd'], score['closed_ring']) == (0, 0, 0)


SOME, EMPTY = block((4, 8), (4, 9)), np.zeros((30, 40), bool)
DIAGONAL = 50 * 0.85  # of 30 x 40 pixels


@pytest.mark.parametrize(
  ('prediction', 'reference', 'case', 'ratio', 'distance', 'imputed'),
  [
    (EMPTY, EMPTY, 'both_empty', math.nan, math.nan, False),
    (SOME, EMPTY, 'reference_empty', 0.0, DIAGONAL, True),
    (EMPTY, SOME, 'prediction_empty', 0.0, DIAGONAL, True),
    (None, SOME, 'failed', 0.0, DIAGONAL, True),
    (None, EMPTY, 'failed', 0.0, DIAGONAL, True),
  ],
  ids=['both-empty', 'reference-empty', 'prediction-empty', 'failed', 'failed-on-empty-reference'],
)
def test_missing_values(prediction, reference, case, ratio, distance, imputed):
  score = frame_metrics(prediction, reference, (0.85, 0.85))
  assert (score['case'], score['imputed']) == (case, imputed)
  assert {m: score[m] for m in RATIOS} == pytest.approx(dict.fromkeys(RATIOS, ratio), nan_ok=True)
  assert [score['hd95'], score['assd']] == pytest.approx([distance] * 2, nan_ok=True)


def test_the_diagonal_of_the_protocol():
  score = frame_metrics(None, np.zeros((512, 512), bool), (0.85, 0.85))
  assert score['hd95'] == pytest.approx(615.5, abs=0.05)


def test_closed_ring():
  ring = block((2, 9), (2, 9)) & ~block((4, 7), (4, 7))
  assert is_closed_ring(ring)
  assert not is_closed_ring(ring & ~block((2, 4), (5, 6)))  # a gap
  assert not is_closed_ring(ring | block((20, 22), (20, 22)))  # a second component
  assert not is_closed_ring(block((2, 9), (2, 9)))  # no hole
  assert not is_closed_ring(EMPTY)
  two_holes = ring.copy()
  two_holes[3, 3] = False
  assert not is_closed_ring(two_holes)
  diamond = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], bool)  # closed over corners, up to the border of the picture
  assert is_closed_ring(diamond)
  cut = np.ones((5, 5), bool)
  cut[0:2, 2] = False  # a bay that opens to outside the picture is not a hole
  assert not is_closed_ring(cut)


def test_unknown_spacing_counts_in_pixels():
  prediction, reference = block((3, 4), (5, 6)), block((3, 4), (7, 8))
  score = frame_metrics(prediction, reference, UNKNOWN)
  # Two pixels apart, which is the tolerance.
  assert (score['distance_unit'], score['hd95'], score['nsd']) == ('px', 2.0, 1.0)
  assert frame_metrics(None, reference, UNKNOWN)['assd'] == 50.0
  assert segmentation.NSD_TOLERANCE == {'mm': 1.7, 'px': 2.0}


@settings(max_examples=80, deadline=None)
@given(MASKS, MASKS)
def test_overlap_properties(prediction, reference):
  score, swapped = (frame_metrics(*pair, (1.0, 1.0)) for pair in [(prediction, reference), (reference, prediction)])
  if score['case'] == 'both_empty':
    assert all(math.isnan(score[m]) for m in (*RATIOS, 'hd95', 'assd', 'closed_ring'))
    return
  assert all(0 <= score[m] <= 1 for m in RATIOS)
  assert score['iou'] == pytest.approx(score['dice'] / (2 - score['dice']))
  assert (score['sensitivity'], score['ppv']) == (swapped['ppv'], swapped['sensitivity'])
  for metric in ('dice', 'iou', 'hd95', 'assd', 'nsd'):
    assert score[metric] == pytest.approx(swapped[metric])
  assert score['assd'] <= max(score['hd95'], math.hypot(8, 8))


@settings(max_examples=40, deadline=None)
@given(MASKS.filter(np.any))
def test_a_mask_agrees_with_itself(mask):
  score = frame_metrics(mask, mask, (0.7, 1.1))
  assert [score[m] for m in (*RATIOS, 'hd95', 'assd')] == [1, 1, 1, 1, 1, 0, 0]


@settings(max_examples=60, deadline=None)
@given(MASKS, MASKS, st.integers(0, 5), st.integers(0, 5))
def test_translation_and_flips_change_nothing(prediction, reference, down, right):
  def score(change):
    return frame_metrics(change(np.pad(prediction, 5)), change(np.pad(reference, 5)), (0.8, 1.2))

  still = score(lambda m: m)
  same(score(lambda m: np.roll(m, (down, right), (0, 1))), still)
  same(score(np.flipud), still)
  same(score(np.fliplr), still)


@settings(max_examples=30, deadline=None)
@given(MASKS, MASKS)
def test_the_cheap_score_is_part_of_the_full_one(prediction, reference):
  full, cheap = (frame_metrics(prediction, reference, (1.0, 1.0), surface=s) for s in (True, False))
  assert set(full) - set(cheap) == {*segmentation.SURFACE, *COLUMNS}
  same({key: full[key] for key in cheap}, cheap)


def test_cine_has_one_row_per_annotated_frame():
  reference = np.stack([SOME, EMPTY, SOME, SOME]).astype(np.uint8)
  prediction = np.stack([SOME, SOME, EMPTY, EMPTY])
  rows = cine_metrics(
    prediction, reference, np.array([1, 0, 1, 0]), (1.0, 1.0), subject='s', dataset='d', slice_id='m', level='mid'
  )
  assert rows[['subject', 'dataset', 'slice_id', 'level', 'frame', 'case', 'dice']].to_numpy().tolist() == [
    ['s', 'd', 'm', 'mid', 0, 'scored', 1.0],
    ['s', 'd', 'm', 'mid', 2, 'prediction_empty', 0.0],
  ]
  failed = cine_metrics(None, reference, np.ones(4), (1.0, 1.0))
  assert failed['case'].tolist() == ['failed'] * 4
  assert failed['prediction_pixels'].sum() == 0


def test_a_cine_without_annotated_frames_joins_the_others():
  masks = np.stack([SOME] * 2)
  rows = cine_metrics(masks, masks, np.ones(2), (1.0, 1.0))
  none = cine_metrics(masks, masks, np.zeros(2), (1.0, 1.0))
  assert len(none) == 0
  pd.testing.assert_frame_equal(pd.concat([none, rows], ignore_index=True), rows)


@pytest.mark.parametrize(
  ('changes', 'message'),
  [
    ({'prediction': np.full((1, 4, 4), 0.7)}, r'd/m, frame 0: prediction is float64.*threshold it'),
    ({'reference': np.full((1, 4, 4), 255, np.uint8)}, 'reference holds values from 255 to 255'),
    ({'prediction': np.zeros((1, 4, 5), bool)}, 'd/m: masks of shape'),
    ({'annotated': np.ones(3)}, r'annotated \(3,\)'),
    ({'spacing': (1.0, math.nan)}, 'NaN twice when unknown'),
    ({'spacing': (0.0, 1.0)}, 'two positive numbers'),
  ],
)
def test_faults_are_named(changes, message):
  sound = {'prediction': np.ones((1, 4, 4), bool), 'reference': np.ones((1, 4, 4), bool)}
  sound |= {'annotated': np.ones(1), 'spacing': (1.0, 1.0)}
  with pytest.raises(ValueError, match=message):
    cine_metrics(**(sound | changes), dataset='d', slice_id='m')


def test_frame_shapes_must_agree():
  with pytest.raises(ValueError, match=r'expected \[H, W\] twice'):
    frame_metrics(np.ones((4, 4), bool), np.ones((4, 5), bool), (1.0, 1.0))


def test_score_has_a_row_for_each_annotated_frame(make_cine):
  annotated = np.array([True, False, True])
  mask = make_cine().mask * annotated.reshape(3, 1, 1).astype(np.uint8)  # 3 x 6 pixels
  cine = make_cine(mask=mask, annotated=annotated)
  prediction = mask.copy()
  prediction[2, 4] = 0  # one of the three rows is missed: Dice 2 * 12 / (12 + 18)
  rows = segmentation.score(cine, prediction, surface=False)
  assert rows['dice'].tolist() == pytest.approx([1.0, 0.8])
  assert set(rows['subject']) == {'anna'}
  assert set(rows['slice_id']) == {'MID'}
