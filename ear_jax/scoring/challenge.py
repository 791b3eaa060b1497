"""Scores of the endo- and the epicardial contour as the MICCAI 2009 left-ventricle challenge has them, from ring masks.

Radau et al., "Evaluation framework for algorithms segmenting short axis cardiac MRI", The MIDAS Journal, 2009,
DOI 10.54294/g80ruo: Dice of what a contour encloses, average perpendicular distance (APD) of a contour to the expert's,
and the share of good contours, those with an APD below 5 mm. Definitions and limits: docs/evaluation.md.
"""

import math

import numpy as np
from scipy import ndimage
from skimage.measure import find_contours

from ear_jax.analysis.ring import find_ring

CONTOURS = ('endo', 'epi')
SCORES = ('dice', 'apd', 'good')
COLUMNS = tuple(f'{contour}_{score}' for contour in CONTOURS for score in SCORES)
APD = tuple(f'{contour}_apd' for contour in CONTOURS)
# Where the source lost its spacing, 5 mm are counted in Sunnybrook's pixels of 1.3 mm.
GOOD = {'mm': 5.0, 'px': 3.8}
# Pixels; takes the stairs off a binary mask: from a line with stairs everything is a fifth of a pixel less far.
_BLUR = 0.7
_MARGIN = 3


def regions(mask: np.ndarray) -> dict[str, np.ndarray] | None:
  """Returns what either contour of a wall encloses, 'endo' and 'epi', `[H, W]` bool; None where the ring is open.

  The ring is that of the analysis (`analysis.ring.find_ring`): islands apart from the wall belong to no contour, and a
  gap of up to 60 degrees is bridged. Such a gap is no fault of a mask: below the outflow tract both contours of the
  expert run on one line, and nothing is left between them.

  Args:
    mask: `[H, W]` bool.
  """
  ring = find_ring(mask)
  return None if ring.failure else {'endo': ring.cavity, 'epi': ring.filled}


def contour_scores(
  prediction: np.ndarray, reference: np.ndarray, spacing: tuple[float, float], good: float
) -> dict[str, float]:
  """Returns 'endo_dice', 'endo_apd', 'endo_good' and the same of 'epi' for one frame.

  A prediction whose ring is open has Dice 0, no APD (NaN) and no good contour. Where the reference's is, there is
  nothing to compare with: everything is NaN.

  Args:
    prediction: `[H, W]` bool, the wall.
    reference: `[H, W]` bool, the wall.
    spacing: length of a pixel along row and column index; APD comes back in its unit.
    good: a contour is good where its APD is below this, in the unit of `spacing`.
  """
  true = regions(reference)
  if true is None:
    return dict.fromkeys(COLUMNS, math.nan)
  drawn = regions(prediction)
  scores: dict[str, float] = {}
  for name, region in true.items():
    dice, apd = 0.0, math.nan
    if drawn is not None:
      dice = 2 * float((drawn[name] & region).sum() / (drawn[name].sum() + region.sum()))
      apd = perpendicular_distance(drawn[name], region, spacing)
    scores |= {f'{name}_dice': dice, f'{name}_apd': apd, f'{name}_good': float(apd < good)}
  return scores


def perpendicular_distance(vertices: np.ndarray, reference: np.ndarray, spacing: tuple[float, float]) -> float:
  """Returns the mean distance of the contour of one region to the nearest point of the other's.

  A contour runs half way between the centres of pixels inside and outside.

  Args:
    vertices: `[H, W]` bool, not empty; its contour's points are averaged over.
    reference: `[H, W]` bool, not empty.
    spacing: length of a pixel along row and column index; the distance comes back in its unit.
  """
  points, line = (_outline(region) * spacing for region in (vertices, reference))
  start, along = line[:-1], np.diff(line, axis=0)  # [Q, 2] each: the pieces of the reference's contour
  away = points[:, None] - start  # [P, Q, 2]
  share = np.clip((away * along).sum(-1) / (along**2).sum(-1), 0, 1)
  return float(np.linalg.norm(away - share[..., None] * along, axis=-1).min(1).mean())


def _outline(region: np.ndarray) -> np.ndarray:
  """The longest border `[P, 2]` of a region (row, column), closed; a pixel at the picture's border has one too."""
  picture = ndimage.gaussian_filter(np.pad(region, _MARGIN).astype(float), _BLUR)
  return max(find_contours(picture, picture.max() / 2), key=len)
