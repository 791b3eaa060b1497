"""Means over an unbalanced hierarchy worked out on paper, counts of what is left out, and refusals."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from ear_jax.scoring import aggregate
from ear_jax.scoring.segmentation import cine_metrics

SIZE = 10


def cine(dices, subject, dataset='', slice_id='mid', level='mid', spacing=(1.0, 1.0), surface=True):
  """Rows of a cine whose frames have these Dice values; None is a frame with both masks empty.

  Reference and prediction have SIZE pixels each, so that k common pixels give Dice k / SIZE.
  """
  reference, prediction = np.zeros((2, len(dices), 4, 2 * SIZE), bool)
  for frame, dice in enumerate(dices):
    if dice is not None:
      shift = SIZE - round(dice * SIZE)
      reference[frame, 1, :SIZE] = prediction[frame, 1, shift : shift + SIZE] = True
  names = {'subject': subject, 'dataset': dataset or subject + '-1', 'slice_id': slice_id, 'level': level}
  return cine_metrics(prediction, reference, np.ones(len(dices)), spacing, **names, surface=surface)


def join(*cines):
  return pd.concat(cines, ignore_index=True)


def unbalanced():
  """Subject a: visits with 1 and 2 slices of 1 to 4 frames; subject b: one frame.

  a-1: slice mid 0.4. a-2: base (0.8 + 1.0) / 2 = 0.9, mid (0.5 + 0.5 + 0.6 + 0.8) / 4 = 0.6, together 0.75.
  Subject a: (0.4 + 0.75) / 2 = 0.575; subject b: 1.0. Mean 0.7875. All 8 frames pooled would give 0.7.
  """
  return join(
    cine([0.4], 'a', 'a-1'),
    cine([0.8, 1.0], 'a', 'a-2', 'base', 'base'),
    cine([0.5, 0.5, 0.6, 0.8], 'a', 'a-2', 'mid'),
    cine([1.0], 'b'),
  )


def test_mean_of_means_is_not_the_pooled_mean():
  rows = unbalanced()
  tables = aggregate.hierarchy(rows)
  assert dict(zip(tables.slices['dataset'] + '/' + tables.slices['slice_id'], tables.slices['dice'], strict=True)) == (
    pytest.approx({'a-1/mid': 0.4, 'a-2/base': 0.9, 'a-2/mid': 0.6, 'b-1/mid': 1.0})
  )
  assert tables.datasets['dice'].tolist() == pytest.approx([0.4, 0.75, 1.0])
  assert tables.subjects['dice'].tolist() == pytest.approx([0.575, 1.0])
  assert aggregate.subject_mean_dice(rows) == pytest.approx(0.7875)
  assert rows['dice'].mean() == pytest.approx(0.7)


def test_order_and_index_of_rows_do_not_matter():
  rows = unbalanced()
  shuffled = rows.sample(frac=1, random_state=3)
  shuffled.index = [0] * len(rows)
  assert aggregate.subject_mean_dice(shuffled) == pytest.approx(0.7875)


def test_the_score_of_training_is_the_score_of_the_summary():
  full = aggregate.summarise(unbalanced())['metrics']['dice']['mean']
  cheap = aggregate.subject_mean_dice(join(cine([0.4, 1.0], 'a', surface=False), cine([0.9], 'b', surface=False)))
  assert full == aggregate.subject_mean_dice(unbalanced())
  assert cheap == pytest.approx((0.7 + 0.9) / 2)


def test_cine_dice_pools_the_frames_of_a_slice():
  reference, prediction = np.zeros((2, 2, 4, 20), bool)
  reference[0, 0, :2] = prediction[0, 0, :2] = True  # Dice 1 over 4 pixels
  reference[1, 0, :18] = prediction[1, 1, :18] = True  # Dice 0 over 36
  rows = cine_metrics(prediction, reference, np.ones(2), (1.0, 1.0), subject='a', dataset='a', slice_id='m')
  tables = aggregate.hierarchy(rows)
  assert tables.subjects['dice'].tolist() == [0.5]
  assert tables.subjects['cine_dice'].tolist() == pytest.approx([4 / 40])


def test_volume_dice_pools_the_slices_of_a_visit_and_is_averaged_over_visits():
  large, small = np.ones((1, 4, 9), bool), np.zeros((1, 4, 9), bool)
  small[0, 0, :4] = True
  shifted = np.roll(small, 2, axis=1)  # Dice 0 over 8 pixels
  names = {'subject': 'a', 'dataset': 'first'}
  rows = join(
    cine_metrics(large, large, np.ones(1), (1.0, 1.0), **names, slice_id='m'),  # Dice 1 over 72
    cine_metrics(shifted, small, np.ones(1), (1.0, 1.0), **names, slice_id='n'),
    cine_metrics(small, small, np.ones(1), (1.0, 1.0), subject='a', dataset='second', slice_id='m'),
  )
  tables = aggregate.hierarchy(rows)
  assert tables.datasets['volume_dice'].tolist() == pytest.approx([72 / 80, 1.0])
  assert tables.subjects['volume_dice'].tolist() == pytest.approx([0.95])
  assert tables.subjects['dice'].tolist() == pytest.approx([0.75])


def test_cine_dice_of_a_slice_that_failed_on_empty_references():
  rows = cine_metrics(None, np.zeros((2, 4, 4), bool), np.ones(2), (1.0, 1.0), subject='a', dataset='a', slice_id='m')
  assert aggregate.hierarchy(rows).subjects['cine_dice'].tolist() == [0.0]


def test_frames_are_counted_by_case():
  reference, prediction = np.zeros((2, 4, 3, 4), bool)
  reference[0, 0, 0] = prediction[0, 0, 0] = True  # scored
  reference[1, 0, 0] = True  # prediction empty
  prediction[2, 0, 0] = True  # reference empty; frame 3 has neither
  names = {'subject': 'a', 'dataset': 'a'}
  rows = join(
    cine_metrics(prediction, reference, np.ones(4), (1.0, 1.0), **names, slice_id='m'),
    cine_metrics(None, reference[:1], np.ones(1), (1.0, 1.0), **names, slice_id='n'),
    cine([None, None], 'b'),
  )
  summary = aggregate.summarise(rows)
  assert summary['frames'] == {
    'expected': 7,
    'scored': 1,
    'both_empty': 3,
    'reference_empty': 1,
    'prediction_empty': 1,
    'failed': 1,
    'in_means': 4,
  }
  assert summary['counts']['subjects'] == {'in_means': 1, 'expected': 2}
  assert summary['counts']['slices'] == {'in_means': 2, 'expected': 3}
  # Slice m: (1 + 0 + 0) / 3, slice n: 0; only the first frame was measured.
  assert summary['metrics']['dice']['mean'] == pytest.approx(1 / 6)
  assert summary['metrics']['dice']['not_imputed'] == {'mean': 1.0, 'frames': 1, 'n_subjects': 1}
  # The diagonal of 3 x 4 pixels is 5 mm: slice m (0 + 5 + 5) / 3, slice n 5.
  assert summary['metrics']['hd95']['mean'] == pytest.approx((10 / 3 + 5) / 2)
  assert summary['metrics']['hd95']['not_imputed']['mean'] == 0.0


def test_nothing_measured_is_none_and_not_nan():
  rows = cine_metrics(None, np.ones((1, 3, 4), bool), np.ones(1), (1.0, 1.0), subject='a', dataset='a', slice_id='m')
  entry = aggregate.summarise(rows)['metrics']['dice']
  assert entry['not_imputed'] == {'mean': None, 'frames': 0, 'n_subjects': 0}


def test_levels_from_base_to_apex_each_with_its_subjects():
  rows = join(
    cine([0.2], 'a', slice_id='1', level='apex'),
    cine([0.8], 'a', slice_id='2', level='base'),
    cine([0.6], 'b', slice_id='1', level='base'),
    cine([0.5], 'b', slice_id='2', level=''),
  )
  levels = aggregate.summarise(rows)['by_level']
  assert list(levels) == ['base', 'apex', 'unknown']
  assert [levels[name]['n_subjects'] for name in levels] == [2, 1, 1]
  assert levels['base']['metrics']['dice']['mean'] == pytest.approx(0.7)
  assert levels['apex']['frames']['expected'] == 1
  assert aggregate.summarise(cine([1.0], 'a', level=''))['by_level'] == {}


@pytest.mark.parametrize('surface', [True, False])
def test_the_summary_is_strict_json(surface):
  rows = join(cine([0.4, None], 'a', surface=surface), cine([None], 'b', surface=surface))
  text = json.dumps(aggregate.summarise(rows), allow_nan=False)
  assert json.loads(text)['metrics']['dice']['sd'] is None
  assert ('hd95' in text) == surface


def test_pixels_are_stated():
  summary = aggregate.summarise(cine([0.4], 'a', spacing=(math.nan, math.nan)))
  assert (summary['distance_unit'], summary['nsd_tolerance']) == ('px', 2.0)
  assert aggregate.summarise(cine([0.4], 'a'))['nsd_tolerance'] == 1.7


def test_overlap_has_no_unit_to_mix():
  rows = join(cine([0.4], 'a', surface=False), cine([0.6], 'b', spacing=(math.nan, math.nan), surface=False))
  assert aggregate.subject_mean_dice(rows) == pytest.approx(0.5)


def broken(**values):
  rows = cine([0.5, 1.0], 'a')
  for column, value in values.items():
    rows.loc[0, column] = value
  return rows


@pytest.mark.parametrize(
  ('rows', 'message'),
  [
    (join(cine([1], 'a'), cine([1], 'b', spacing=(math.nan,) * 2)), 'known for a-1 and unknown for b-1'),
    (join(cine([1], 'a', 'd'), cine([1], 'b', 'd', 'base')), 'dataset d belongs to 2 subjects'),
    (join(cine([1], 'a'), cine([1], 'a')), 'a-1/mid: frame 0 is scored twice'),
    (broken(subject=''), 'without subject'),
    (broken(level=None), 'without subject'),
    (broken(dice=math.nan), 'a-1/mid, frame 0: dice is not finite'),
    (broken(hd95=math.inf), 'hd95 is not finite'),
    (cine([None, None], 'a'), 'none of 2 frames has a mask to score'),
  ],
)
def test_refusals(rows, message):
  with pytest.raises(ValueError, match=message):
    aggregate.subject_mean_dice(rows)
  with pytest.raises(ValueError, match=message):
    aggregate.summarise(rows)
