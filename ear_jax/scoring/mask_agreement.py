"""One cine with a predicted mask to the rows of its agreement: which cines are compared, and how."""

import numpy as np
import pandas as pd

from ear_jax.analysis.motion import Settings
from ear_jax.analysis.slices import analyse
from ear_jax.cine import Cine
from ear_jax.scoring.agreement import compare_curves, compare_markers, frame_counts
from ear_jax.scoring.agreement_summary import IDS, Rows
from ear_jax.scoring.segmentation import distance_unit
from ear_jax.scoring.temporal import compare_temporal, temporal_metrics

LEAST_ANNOTATED = 0.9  # share of frames; a curve with more gaps has no peaks to speak of
FEWEST_FRAMES = 3
_DIRECTION = 0.0  # rad; where sectors begin when the septum is not marked: straight down


def reason_to_skip(cine: Cine) -> str:
  """Returns why velocity curves of a cine cannot be compared, or ''."""
  if cine.venc is None:
    return 'magnitude only, no velocities'
  if len(cine.video) < FEWEST_FRAMES:
    return f'fewer than {FEWEST_FRAMES} frames'
  if cine.annotated.mean() < LEAST_ANNOTATED:
    return f'fewer than {100 * LEAST_ANNOTATED:.0f} % of the frames have a reference'
  return ''


def compare_masks(cine: Cine, mask: np.ndarray, *, settings: Settings | None = None) -> Rows:
  """Returns the agreement of a predicted mask with the cine's reference: curves, markers and temporal consistency.

  Both masks go through `slices.analyse` with the same velocities, settings and septal point, which is a fixed
  direction from the reference's centre. Frames without reference are taken from both. A cine that cannot be compared
  gives one line of `skipped` and no other.

  Args:
    cine: with its reference mask.
    mask: `[T, H, W]` in {0, 1}, predicted.
    settings: conventions of the analysis; the default ones when None.

  Raises:
    ValueError: the mask has another shape than the cine.
  """
  ids = pd.DataFrame([{key: getattr(cine, key) for key in IDS}])
  if reason := reason_to_skip(cine):
    nothing = pd.DataFrame()
    return Rows(nothing, nothing, nothing, ids.assign(reason=reason))
  mask = np.where(cine.annotated[:, None, None], mask, 0)
  reference = analyse(cine, cine.mask, septum=_DIRECTION, settings=settings)
  known = np.isfinite(reference.septum).all()
  predicted = analyse(cine, mask, septum=reference.septum if known else _DIRECTION, settings=settings)
  counts = frame_counts(predicted, reference, cine.annotated) | {'frame_interval': cine.frame_interval}
  # The masks are measured as they are, only the wall's thickness needs the contours that were made of them.
  ours, theirs = (
    temporal_metrics(m, cine.spacing, use=cine.annotated, contours=motion.contours)
    for m, motion in ((mask, predicted), (cine.mask, reference))
  )
  temporal = compare_temporal(ours, theirs, distance_unit(cine.spacing))
  return Rows(
    curves=ids.assign(**counts).merge(compare_curves(predicted, reference), how='cross'),
    markers=ids.assign(status=counts['status']).merge(compare_markers(predicted, reference), how='cross'),
    temporal=ids.merge(temporal, how='cross'),
    skipped=pd.DataFrame(columns=[*IDS, 'reason']),
  )
