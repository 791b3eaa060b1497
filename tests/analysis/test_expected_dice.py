"""The expected Dice of delineations of strangers, on which nothing was chosen: right ones pass and wrong ones fail."""

import dataclasses
import functools
import pathlib
import sys

import numpy as np
import pytest
from corrupted import ARRANGED

from ear_jax.analysis.checks_of_study import EXPECTED
from ear_jax.analysis.contours import from_mask
from ear_jax.analysis.expected_dice import SAID, SCALES, counts, expected_dice
from ear_jax.analysis.motion import Contours

sys.path.append(str(pathlib.Path(__file__).parents[1] / 'phantom'))
from strangers import strangers

FRAMES = 16


@functools.cache
def slices():
  return [one.cine for one in strangers(2, frames=FRAMES, seed=5)]


def moved(contours, by):
  return dataclasses.replace(contours, endo=contours.endo + by, epi=contours.epi + by)


def larger(contours, factor):
  centre = contours.epi.mean((0, 1))
  endo, epi = (centre + factor * (side - centre) for side in (contours.endo, contours.epi))
  return dataclasses.replace(contours, endo=endo, epi=epi)


@pytest.mark.parametrize('kind', ['velocity', 'magnitude', 'frame'])
def test_right_delineations_pass_and_wrong_ones_fail(kind):
  for cine in slices():
    seen = cine if kind == 'velocity' else cine.replace(video=cine.video[..., :1], venc=None)
    right, wrong = from_mask(cine.mask), []
    if kind == 'frame':
      seen = seen.replace(video=seen.video[:1], mask=seen.mask[:1], annotated=seen.annotated[:1])
      right = from_mask(seen.mask)
    assert expected_dice(seen, right).dice >= EXPECTED[kind][0]
    wrong = [moved(right, (7.0, -7.0)), moved(right, (-20.0, 5.0))]
    wrong += [larger(right, 0.55), larger(right, 1.5)] if kind == 'velocity' else []
    for contours in wrong:
      found = expected_dice(seen, contours)
      assert found.kind == kind
      assert found.dice < EXPECTED[kind][1]
      assert found.said


def test_the_order_and_signs_of_velocities_are_another_checks_question():
  cine = slices()[1]
  right = from_mask(cine.mask)
  as_it_is = expected_dice(cine, right).dice
  for arranged in ARRANGED.values():
    other = cine.replace(video=np.ascontiguousarray(arranged(cine.video)))
    assert expected_dice(other, right).dice == pytest.approx(as_it_is, abs=0.1)


def test_a_frame_that_is_wrong_is_expected_to_be():
  cine = slices()[1]
  right = from_mask(cine.mask)
  by = np.zeros((FRAMES, 1, 2))
  by[5] = 9.0
  found = expected_dice(cine, moved(right, by)).by_frame
  assert found.argmin() == 5
  assert found[5] < np.median(found) - 0.1


def test_frames_without_contours_count_as_0():
  cine = slices()[1]
  right = from_mask(cine.mask)
  half = np.arange(FRAMES) % 2 == 0
  some = Contours(*(np.where(half[:, None, None], np.nan, s) for s in (right.endo, right.epi)), ('',) * FRAMES, half)
  found = expected_dice(cine, some)
  assert not found.by_frame[half].any()
  assert found.dice == pytest.approx(found.by_frame.mean())
  none = dataclasses.replace(some, failed=np.ones(FRAMES, bool))
  assert expected_dice(cine, none).dice == 0


def test_no_evidence_counts_against_its_meaning():
  for scale in SCALES.values():
    for name, one in scale.weights.items():
      assert one.weight >= 0
      assert counts(one.best, one) == 1
      assert counts(one.worst, one) == 0
      assert SAID[name]
