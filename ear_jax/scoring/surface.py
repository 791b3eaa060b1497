"""Distances between the boundaries of two binary masks: HD95, ASSD and NSD of one frame.

Boundary pixels are counted, not weighted by the length of contour they stand for. Other tools weight them or measure
between contour lines, so values of two tools differ by a fraction of a pixel and more for ragged masks. This module
imports nothing of ours; `segmentation` decides what an empty mask scores.
"""

import numpy as np
from scipy import ndimage

# A distance that equals the tolerance on paper (two pixels of 0.85 mm against 1.7 mm) must count as within it.
_ROUNDING = 1e-6


def boundary(mask: np.ndarray) -> np.ndarray:
  """Returns the pixels of `mask` with at least one 4-neighbour outside it; outside the picture counts as outside.

  Both rings of a myocardium belong to it, endocardial and epicardial.

  Args:
    mask: `[H, W]` bool.

  Returns:
    `[H, W]` bool.
  """
  return mask & ~ndimage.binary_erosion(mask, border_value=0)  # the default structure is the 4-neighbourhood


def crop_to_union(prediction: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Returns both masks in the smallest window that holds every pixel of either.

  Beyond the window both masks are empty, so boundaries and the distances between them are the same as without the
  crop; a heart fills about a fiftieth of a 512 x 512 frame, and the distance transform costs as much less.

  Args:
    prediction: `[H, W]` bool.
    reference: `[H, W]` bool.

  Returns:
    Two `[h, w]` bool views; `[0, 0]` when both masks are empty.
  """
  window = ndimage.find_objects((prediction | reference).astype(np.uint8), 1)[0] or np.s_[:0, :0]
  return prediction[window], reference[window]


def boundary_distances(
  prediction: np.ndarray, reference: np.ndarray, spacing: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
  """Returns the distance of every boundary pixel of one mask to the nearest boundary pixel of the other.

  Distances are Euclidean between pixel centres, from an exact distance transform.

  Args:
    prediction: `[H, W]` bool, not empty.
    reference: `[H, W]` bool, not empty.
    spacing: length of a pixel along row and column index; distances come back in its unit.

  Returns:
    From prediction to reference, `[|dP|]`, and from reference to prediction, `[|dG|]`, both float64.

  Raises:
    ValueError: a mask is empty.
  """
  if not (prediction.any() and reference.any()):
    raise ValueError('the distance to an empty mask is undefined: decide on a value before calling')
  prediction, reference = crop_to_union(prediction, reference)
  predicted, true = boundary(prediction), boundary(reference)
  to_reference = ndimage.distance_transform_edt(~true, sampling=spacing)[predicted]
  to_prediction = ndimage.distance_transform_edt(~predicted, sampling=spacing)[true]
  return to_reference, to_prediction


def surface_metrics(
  prediction: np.ndarray, reference: np.ndarray, spacing: tuple[float, float], tolerance: float
) -> dict[str, float]:
  """Returns HD95, ASSD and NSD of two masks that are not empty.

  HD95 is the larger of the two directed 95th percentiles, each by linear interpolation. ASSD is the sum of all
  distances over the number of boundary pixels of both masks. NSD is the share of those pixels at most `tolerance`
  from the other boundary.

  Args:
    prediction: `[H, W]` bool, not empty.
    reference: `[H, W]` bool, not empty.
    spacing: length of a pixel along row and column index.
    tolerance: of NSD, in the unit of `spacing`.

  Returns:
    'hd95' and 'assd' in the unit of `spacing`, 'nsd' in [0, 1].

  Raises:
    ValueError: a mask is empty.
  """
  directed = boundary_distances(prediction, reference, spacing)
  distances = np.concatenate(directed)
  return {
    'hd95': float(max(np.percentile(d, 95) for d in directed)),
    'assd': float(distances.mean()),
    'nsd': float((distances <= tolerance + _ROUNDING).mean()),
  }
