"""Surface metrics against values worked out on paper, a loop over pixel pairs, and scikit-image."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.metrics import hausdorff_distance

from ear_jax.scoring import surface

MASKS = hnp.arrays(bool, (7, 9)).filter(np.any)
SPACING = st.sampled_from([(1.0, 1.0), (0.85, 0.85), (2.0, 0.5)])


def loop_metrics(prediction, reference, spacing, tolerance):
  """HD95, ASSD and NSD without erosion, distance transform or percentile of a library."""

  def ring(mask):
    rows, columns = mask.shape
    found = []
    for r in range(rows):
      for c in range(columns):
        around = [(r - 1, c), (r + 1, c), (r, c - 1), (r, c + 1)]
        inside = [0 <= i < rows and 0 <= j < columns and mask[i, j] for i, j in around]
        if mask[r, c] and not all(inside):
          found.append((r, c))
    return found

  def nearest(sources, targets):
    return sorted(
      min(math.sqrt(((r - i) * spacing[0]) ** 2 + ((c - j) * spacing[1]) ** 2) for i, j in targets) for r, c in sources
    )

  def percentile_95(ordered):
    position = 0.95 * (len(ordered) - 1)
    low = math.floor(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (position - low) * (ordered[high] - ordered[low])

  p, g = ring(prediction), ring(reference)
  directed = nearest(p, g), nearest(g, p)
  both = directed[0] + directed[1]
  within = sum(d <= tolerance + 1e-6 for d in both)
  return {
    'hd95': max(map(percentile_95, directed)),
    'assd': sum(both) / len(both),
    'nsd': within / len(both),
  }


def ring_mask(size, centre, inner, outer):
  y, x = np.mgrid[:size, :size]
  radius = np.hypot(y - centre[0], x - centre[1])
  return (radius >= inner) & (radius <= outer)


def test_boundary_has_both_rings_and_the_edge_of_the_picture():
  mask = np.ones((5, 6), bool)
  mask[2, 2] = False
  # The frame of the picture, and the four neighbours of the hole. (2, 4) is a neighbour of the frame only.
  expected = np.ones((5, 6), bool)
  expected[1, 1] = expected[1, 3] = expected[1, 4] = False
  expected[3, 1] = expected[3, 3] = expected[3, 4] = False
  expected[2, 2] = expected[2, 4] = False
  np.testing.assert_array_equal(surface.boundary(mask), expected)


def test_two_pixels_on_an_anisotropic_grid():
  prediction, reference = np.zeros((2, 6, 6), bool)
  prediction[0, 0] = reference[3, 2] = True
  # 3 rows of 2 mm and 2 columns of 4 mm: sqrt(36 + 64) = 10 mm both ways.
  scores = surface.surface_metrics(prediction, reference, (2.0, 4.0), tolerance=9.0)
  assert scores == {'hd95': 10.0, 'assd': 10.0, 'nsd': 0.0}


def test_percentile_is_taken_in_each_direction():
  prediction, reference = np.zeros((2, 1, 30), bool)
  prediction[0, 0] = True
  reference[0, :21] = True
  # Prediction to reference: 0. Reference to prediction: 0, 1, ..., 20 mm, whose 95th percentile is 19 mm; pooled it
  # would be that of 22 values, 18.95 mm. ASSD: 210 / 22. Within 2 mm: pixels 0, 1, 2 and the predicted one.
  scores = surface.surface_metrics(prediction, reference, (1.0, 1.0), tolerance=2.0)
  assert scores == pytest.approx({'hd95': 19.0, 'assd': 210 / 22, 'nsd': 4 / 22})


def test_a_distance_equal_to_the_tolerance_is_within_it():
  prediction, reference = np.zeros((2, 8, 8), bool)
  prediction[2, 2] = reference[2, 4] = True
  assert surface.surface_metrics(prediction, reference, (0.85, 0.85), tolerance=1.7)['nsd'] == 1.0


@pytest.mark.parametrize('spacing', [(0.85, 0.85), (2.0, 0.7)])
@pytest.mark.parametrize('centre', [(15, 16), (3, 27)], ids=['inside', 'cut-by-the-border'])
def test_rings_against_the_loop(spacing, centre):
  prediction = ring_mask(32, (15, 15), 6.2, 10.3)
  reference = ring_mask(32, centre, 5.1, 9.4)
  expected = loop_metrics(prediction, reference, spacing, 1.7)
  assert surface.surface_metrics(prediction, reference, spacing, 1.7) == pytest.approx(expected, rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(MASKS, MASKS, SPACING)
def test_any_masks_against_the_loop(prediction, reference, spacing):
  expected = loop_metrics(prediction, reference, spacing, 1.7)
  assert surface.surface_metrics(prediction, reference, spacing, 1.7) == pytest.approx(expected, rel=1e-12, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(MASKS, MASKS)
def test_the_largest_distance_is_that_of_scikit_image(prediction, reference):
  largest = max(d.max() for d in surface.boundary_distances(prediction, reference, (1.0, 1.0)))
  other = hausdorff_distance(surface.boundary(prediction), surface.boundary(reference))
  assert largest == pytest.approx(other, rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(MASKS, MASKS, st.integers(0, 4), st.integers(0, 4))
def test_empty_surroundings_change_nothing(prediction, reference, rows, columns):
  scores = surface.surface_metrics(prediction, reference, (0.9, 1.3), 1.7)
  wide = [np.pad(m, [(rows, columns), (columns, rows)]) for m in (prediction, reference)]
  assert surface.surface_metrics(*wide, (0.9, 1.3), 1.7) == scores


def test_crop_holds_every_pixel_of_both():
  prediction, reference = np.zeros((2, 9, 9), bool)
  prediction[2, 3] = reference[5, 7] = True
  cropped = surface.crop_to_union(prediction, reference)
  assert [m.shape for m in cropped] == [(4, 5), (4, 5)]
  assert [m.sum() for m in cropped] == [1, 1]
  assert surface.crop_to_union(np.zeros((4, 4), bool), np.zeros((4, 4), bool))[0].size == 0


@pytest.mark.parametrize('empty', [0, 1])
def test_an_empty_mask_has_no_distance(empty):
  masks = [np.ones((3, 3), bool), np.ones((3, 3), bool)]
  masks[empty] = np.zeros((3, 3), bool)
  with pytest.raises(ValueError, match='empty mask is undefined'):
    surface.boundary_distances(*masks, (1.0, 1.0))
