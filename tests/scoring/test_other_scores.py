"""Scores of random masks against other libraries'; `make torture` does the same with a hundred times as many."""

import math
from collections import Counter

import pytest
from other_scores import other_scores, random_masks

from ear_jax.scoring.segmentation import NSD_TOLERANCE, frame_metrics

MASKS = 600


def difference(seed: int) -> tuple[str, str]:
  """Returns the case of two masks, and what is wrong with their scores, '' for nothing."""
  prediction, reference, spacing = random_masks(seed)
  found = frame_metrics(prediction, reference, spacing)
  empty = not prediction.any(), not reference.any()
  diagonal = math.hypot(*(length * step for length, step in zip(prediction.shape, spacing, strict=True)))
  if all(empty):
    expected = dict.fromkeys(('dice', 'iou', 'sensitivity', 'ppv', 'hd95', 'assd', 'nsd'), math.nan)
  elif any(empty):
    expected = dict.fromkeys(('dice', 'iou', 'sensitivity', 'ppv', 'nsd'), 0.0) | {'hd95': diagonal, 'assd': diagonal}
  else:
    expected = other_scores(prediction, reference, spacing, NSD_TOLERANCE['mm'])
  wrong = [
    key for key, value in expected.items() if found[key] != pytest.approx(value, rel=1e-9, abs=1e-9, nan_ok=True)
  ]
  return found['case'], f'seed {seed}: {", ".join(f"{k} {found[k]} and {expected[k]}" for k in wrong)}' if wrong else ''


def test_random_masks():
  found = [difference(seed) for seed in range(MASKS)]
  assert [wrong for _, wrong in found if wrong] == []
  cases = Counter(case for case, _ in found)
  assert min(cases[c] for c in ('scored', 'both_empty', 'reference_empty', 'prediction_empty')) >= 5, cases
