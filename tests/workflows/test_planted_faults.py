"""Faults that are planted: each changes references as it says, and the measurement counts what it should."""

import numpy as np
import pytest
from scipy import ndimage

from ear_jax.scoring.reference_faults import Pair
from ear_jax.system.errors import UserError
from ear_jax.workflows import planted_faults

ROWS, COLUMNS = np.mgrid[:64, :64]


def ring(centre, endo, epi):
  radius = np.hypot(ROWS - centre[0], COLUMNS - centre[1])
  return ((radius > endo) & (radius <= epi))[None]


def visits(people=20, slices=3):
  """Rings that a network delineates exactly; the largest slice comes first."""
  rng = np.random.default_rng(0)
  found = []
  for k in range(people):
    centre = rng.uniform(26, 38, 2)
    masks = [ring(centre, 13 - 3 * s, 19 - 3 * s) for s in range(slices)]
    found.append([Pair(f'p{k:02d}', f'p{k:02d}', f's{s}', '', np.array([0]), m, m) for s, m in enumerate(masks)])
  return found


@pytest.mark.parametrize('kind', planted_faults.FAULTS)
def test_a_planted_fault_is_what_its_name_says(kind):
  all_visits = visits()
  theirs = [pair.reference for k, visit in enumerate(all_visits) if k != 4 for pair in visit]
  sound = all_visits[4]
  drawn = planted_faults.plant(all_visits, kind, 4, np.random.default_rng(5))
  assert [pair.prediction is old.prediction for pair, old in zip(drawn, sound, strict=True)] == [True] * 3
  for new, old in zip(drawn, sound, strict=True):
    after, before = new.reference, old.reference
    assert after.shape == before.shape
    moved = np.hypot(*(np.argwhere(after)[:, 1:].mean(0) - np.argwhere(before)[:, 1:].mean(0))) if after.any() else 0.0
    pixels = after.sum() / before.sum()
    filled = ndimage.binary_fill_holes(before[0])[None]
    assert {
      'shifted': 4.5 < moved < 16.5 and pixels == 1,
      'mirrored or turned': pixels == 1,
      'scaled': moved < 1 and (0.45 < pixels < 0.7 or 1.5 < pixels < 1.9),
      "another patient's": any(np.array_equal(after, other) for other in theirs),
      "another slice's": any(np.array_equal(after, other.reference) for other in sound),
      'cavity in place of the wall': np.array_equal(after, filled & ~before),
      'cavity filled': np.array_equal(after, filled),
      'part of the ring missing': not (after & ~before).any() and 0.4 < pixels < 0.6,
      'empty': not after.any(),
    }[kind], (moved, pixels)


def test_what_a_network_knows_exactly_is_found_always():
  found = planted_faults.measure(visits(), draws=1)
  assert set(found) == set(planted_faults.FAULTS)
  for kind, entry in found.items():
    assert entry['cines'] == 6
    if kind != "another slice's":  # of three slices the middle one stays where it is
      assert entry['in_top_tenth'] == 1, kind
    assert entry['changed_in_top_tenth'] == 1, kind
  table = planted_faults.to_table(found)
  assert [row[0] for row in table.rows] == list(planted_faults.FAULTS)
  assert {len(row) for row in table.rows} == {len(table.header)}


def test_a_tenth_must_hold_what_is_planted():
  with pytest.raises(UserError, match='19 subjects: 2 with planted faults'):
    planted_faults.measure(visits(19), draws=1)
