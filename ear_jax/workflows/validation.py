"""How good a network is while it trains: its score on the validation fold, by the evaluation's own code."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from ear_jax.cine import Cine
from ear_jax.data.data_set import DataSet
from ear_jax.data.splits import Split
from ear_jax.devices.together import from_first
from ear_jax.networks.inference import make_predictor, myocardium, to_mask
from ear_jax.report.overlay import grey, heart_window, overlay_image
from ear_jax.scoring.aggregate import subject_mean_dice
from ear_jax.scoring.segmentation import score
from ear_jax.training.monitor import Validated
from ear_jax.training.program import Program
from ear_jax.training.state import TrainState


def make_validation(program: Program, data: DataSet, split: Split) -> Callable[[TrainState], Validated | None]:
  """Returns a function of a state to its whole-slice, subject-averaged Dice, with a picture of the middle cine.

  Without a validation fold it gives None.
  """
  predictor = make_predictor(myocardium(program.model), program.config, program.placement)

  def validate(state: TrainState) -> Validated | None:
    if not split.validation:
      return None
    records, scores = data.records_of(split.validation), []
    cines = (data.cine(record) for record in records)
    for k, (cine, probability) in enumerate(predictor(state.variables, cines)):
      mask = to_mask(probability)
      scores.append(score(cine, mask, surface=False))
      if k == len(records) // 2:
        picture = _picture(cine, mask)
    return Validated(from_first(subject_mean_dice(pd.concat(scores))), picture)

  return validate


def _picture(cine: Cine, mask: np.ndarray) -> np.ndarray:
  """Returns the heart in the first annotated frame with both masks, `[H, W, 3]` uint8."""
  frame = int(np.argmax(cine.annotated))
  window = heart_window(np.stack([cine.mask[frame], mask[frame]]))
  parts = (part[frame][window] for part in (grey(cine.video[..., 0]), mask, cine.mask))
  return (255 * overlay_image(*parts)).astype(np.uint8)
