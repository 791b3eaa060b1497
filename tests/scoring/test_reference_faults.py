"""Hypotheses about references: Dice of shifts against a loop, windows, and pictures that are not square."""

import numpy as np
import pytest
from rings import SIZE, cohort, wall

from ear_jax.scoring.reference_faults import Pair, overlap, suspect


def pair(reference, prediction, slice_id='s'):
  return Pair('a', 'a', slice_id, 'mid', np.arange(len(reference)), reference, prediction)


def fit(suspicion, kind):
  return next(one for one in suspicion.own if one.kind == kind)


def test_the_best_shift_has_the_dice_of_a_mask_that_is_rolled():
  rng = np.random.default_rng(3)
  for _ in range(5):
    far = rng.integers(-7, 8, 2)
    first, second = wall((45, 50), 14, 6), wall((44, 51), 15, 6)
    (found,) = suspect([pair(np.roll(first, far, (0, 1))[None], second[None])])
    best = max(
      overlap(np.roll(first, (row, column), (0, 1)), second) for row in range(-3, 4) for column in range(-3, 4)
    )
    assert fit(found, 'shifted').dice == pytest.approx(best, abs=1e-5)


def test_frames_are_pooled_and_each_has_its_own_dice():
  still, moved = wall((48, 48), 14, 6), wall((48, 52), 14, 6)
  (found,) = suspect([pair(np.stack([still, moved]), np.stack([still, still]))])
  assert found.frame_dice[0] == 1
  assert found.frame_dice[1] == pytest.approx(overlap(still, moved))
  assert found.dice == pytest.approx(overlap(np.stack([still, moved]), np.stack([still, still])))


def test_nothing_and_pictures_that_are_not_square():
  empty = np.zeros((2, 40, 60), bool)
  (found,) = suspect([pair(empty, empty)])
  assert (found.no_reference, found.no_prediction, found.dice) == (True, True, 1)
  ring = wall((30, 30), 9, 5)[:50]
  (found,) = suspect([pair(ring[None], ring[None])])
  assert found.dice == 1
  assert all(one.dice <= 1 + 1e-6 for one in found.own)


def test_the_numbers_of_a_visit_are_those_of_all_its_cines():
  mixed = [p._replace(reference=np.roll(p.reference, 5 if k else -5, 1)) for k, p in enumerate(cohort(1)[0])]
  found = suspect(mixed)
  assert 'up' in fit(found[0], 'shifted').detail
  assert {one.shared[0].detail.split(' px')[0] for one in found} == {'5'}
  assert all('down' in one.shared[0].detail for one in found)  # four of five
  assert found[0].shared[0].dice < found[0].dice


def test_slices_of_other_shapes_do_not_stop_the_audit():
  small = wall((48, 48), 14, 6)[None]
  large = np.zeros((2, SIZE + 20, SIZE), bool)
  large[:, :SIZE] = small
  found = suspect([pair(small, small, 'one'), pair(large, large, 'two')])
  assert [one.dice for one in found] == [1, 1]


def test_of_many_frames_sixteen_stand_for_all():
  drawn, said = wall((48, 48), 14, 6), wall((48, 51), 14, 6)
  long, short = (pair(np.repeat(drawn[None], count, 0), np.repeat(said[None], count, 0)) for count in (40, 3))
  (found,), (other,) = suspect([long]), suspect([short])
  assert len(found.frame_dice) == 40
  assert found.dice == pytest.approx(other.dice)
  assert [one.dice for one in found.own] == pytest.approx([one.dice for one in other.own], abs=1e-6)
  assert fit(found, 'shifted').detail == '3 px left'
