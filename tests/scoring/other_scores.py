"""Scores of two masks by SciPy and scikit-image: no line of `ear_jax`, and other algorithms where there are any.

Overlap by SciPy's dissimilarities of boolean vectors, boundaries by scikit-image's, distances by a tree of neighbours
in place of a distance transform, the 95th percentile by SciPy's quantiles.
"""

import numpy as np
from scipy.spatial import KDTree, distance
from scipy.stats.mstats import mquantiles
from skimage.segmentation import find_boundaries


def random_masks(seed: int) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
  """Returns two masks `[H, W]` and a spacing in mm: rings, noise, single pixels, full and empty ones, at the border."""
  rng = np.random.default_rng(seed)
  shape = tuple(rng.integers(1, 40, 2))
  spacing = tuple(rng.choice([0.3, 0.85, 1.0, 1.7, 5.0], 2))
  kinds = rng.choice(['ring', 'ring', 'noise', 'pixel', 'full', 'empty', 'border'], 2)
  return *(_mask(kind, shape, rng) for kind in kinds), spacing


def _mask(kind, shape, rng):
  mask = np.zeros(shape, bool)
  row, column = np.indices(shape)
  if kind == 'ring':
    radius = np.hypot(row - rng.uniform(0, shape[0]), column - rng.uniform(0, shape[1]))
    inner = rng.uniform(0, 8)
    return (radius >= inner) & (radius <= inner + rng.uniform(1, 8))
  if kind == 'noise':
    return rng.random(shape) < rng.uniform(0.02, 0.9)
  if kind == 'pixel':
    mask[rng.integers(shape[0]), rng.integers(shape[1])] = True
  elif kind == 'full':
    mask[:] = True
  elif kind == 'border':
    mask[:, : rng.integers(1, shape[1] + 1)] = True
  return mask


def other_scores(prediction: np.ndarray, reference: np.ndarray, spacing: tuple[float, float], tolerance: float) -> dict:
  """Returns dice, iou, sensitivity, ppv, hd95, assd and nsd of two masks, neither of them empty."""
  p, g = prediction.ravel(), reference.ravel()
  points = [np.argwhere(_boundary(mask)) * spacing for mask in (prediction, reference)]
  directed = [KDTree(b).query(a)[0] for a, b in (points, points[::-1])]
  every = np.concatenate(directed)
  # alphap = betap = 1 is the quantile by linear interpolation.
  hd95 = max(float(mquantiles(d, 0.95, alphap=1, betap=1)[0]) for d in directed)
  return {
    'dice': 1 - distance.dice(p, g),
    'iou': 1 - distance.jaccard(p, g),
    'sensitivity': float(p[g].mean()),
    'ppv': float(g[p].mean()),
    'hd95': hd95,
    'assd': float(every.mean()),
    'nsd': float((every <= tolerance + 1e-6).mean()),
  }


def _boundary(mask):
  # Beyond the picture is no wall, so a pixel at its border is one of the boundary.
  return find_boundaries(np.pad(mask, 1), connectivity=1, mode='inner')[1:-1, 1:-1]
