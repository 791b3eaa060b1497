"""A shift that all references share is seen in the pictures; noise, odd visits and sound references are not."""

import numpy as np
import pytest
from rings import wall
from scipy import ndimage

from ear_jax.phantom import study
from ear_jax.scoring.contrast_shift import common_shift, contrast_shift


def scan(rng, bright=1.0):
  """A noisy, blurred picture of a ring with bright (or dark) blood, and the ring."""
  mask = wall(rng.uniform(43, 49, 2), rng.uniform(12, 18), 7)
  cavity = ndimage.binary_fill_holes(mask) & ~mask
  image = ndimage.gaussian_filter(100 * cavity * bright + 30.0 * mask + 50 * (~mask & ~cavity), 0.8)
  return image + rng.normal(0, 4, mask.shape), mask


@pytest.mark.parametrize('bright', [1.0, 0.0])
@pytest.mark.parametrize('shift', [(0, 0), (1, 2), (-2, 1)])
def test_a_mask_that_is_moved_is_found_to_be_so(shift, bright):
  rng = np.random.default_rng(1)
  found = [contrast_shift(image, np.roll(mask, shift, (0, 1))) for image, mask in (scan(rng, bright) for _ in range(6))]
  assert np.median(found, axis=0) == pytest.approx(shift, abs=0.25)


def test_half_a_pixel_is_found_between_the_pixels():
  rng = np.random.default_rng(2)
  found = []
  for _ in range(20):
    image, mask = scan(rng)
    found.append(contrast_shift(ndimage.shift(image, (-0.5, 0), order=1, mode='nearest'), mask))
  assert np.median(found, axis=0) == pytest.approx((0.5, 0), abs=0.15)


def test_phantoms_with_exact_masks_are_not_shifted():
  plans = study.plan(study.MINI)[:6]
  cines = [study.render(plan) for plan in plans]
  found = np.array([contrast_shift(cine.video[0, ..., 0], cine.mask[0] > 0) for cine in cines])
  assert np.abs(np.nanmedian(found, axis=0)).max() < 0.3


def test_what_cannot_be_said():
  rng = np.random.default_rng(3)
  image, mask = scan(rng)
  for found in (
    contrast_shift(image, np.zeros_like(mask)),
    contrast_shift(np.ones_like(image), mask),
    contrast_shift(image, np.roll(mask, 9, 0)),
  ):
    assert np.isnan(found).all()


def test_visits_must_agree():
  rng = np.random.default_rng(4)
  right = [np.array([[0.1, 0.8], [0.0, 0.7], [np.nan, np.nan]]) for _ in range(9)]
  assert common_shift(right) == '0.8 px right'
  assert common_shift([*right[:6], *(-one for one in right[:4])]) == ''
  assert common_shift(right[:7]) == ''  # too few
  assert common_shift([found * (-1, -1) + (0.75, 0) for found in right]) == '0.7 px down and 0.8 px left'
  assert common_shift([rng.normal(0, 0.3, (4, 2)) for _ in range(20)]) == ''
