"""Dice of what the two contours of a wall enclose: the epicardial and the endocardial area of one frame.

Publications on cine MR give these two; both are far higher than the Dice of the thin ring between the contours. This
module imports nothing of ours; `segmentation` decides what an empty mask scores.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

AREAS = ('epi_dice', 'endo_dice')


def area_metrics(prediction: np.ndarray, reference: np.ndarray) -> dict[str, float]:
  """Returns the Dice of the masks with their holes filled, 'epi_dice', and of the holes, 'endo_dice'.

  A hole is what is not joined to the outside over 4 neighbours. A prediction that is open encloses nothing: against a
  reference with a cavity its 'endo_dice' is 0. Where neither mask has a hole they agree, and it is 1.

  Args:
    prediction: `[H, W]` bool, not empty.
    reference: `[H, W]` bool, not empty.
  """
  filled = [ndimage.binary_fill_holes(mask) for mask in (prediction, reference)]
  holes = [whole & ~mask for whole, mask in zip(filled, (prediction, reference), strict=True)]
  return {'epi_dice': _dice(*filled), 'endo_dice': _dice(*holes)}


def _dice(one: np.ndarray, other: np.ndarray) -> float:
  pixels = int(one.sum()) + int(other.sum())
  return 2 * int((one & other).sum()) / pixels if pixels else 1.0
