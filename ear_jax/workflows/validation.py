"""How good a network is while it trains: its score on the validation fold, by the evaluation's own code."""

from collections.abc import Callable

import pandas as pd

from ear_jax.data.pipeline import DataSet
from ear_jax.data.splits import Split
from ear_jax.devices.together import from_first
from ear_jax.networks.inference import make_predictor, myocardium, to_mask
from ear_jax.scoring.aggregate import subject_mean_dice
from ear_jax.scoring.segmentation import score
from ear_jax.training.program import Program
from ear_jax.training.state import TrainState


def make_validation(program: Program, data: DataSet, split: Split) -> Callable[[TrainState], float | None]:
  """Returns a function of a state to its whole-slice, subject-averaged Dice; to None without a validation fold."""
  predictor = make_predictor(myocardium(program.model), program.config, program.placement)

  def validate(state: TrainState) -> float | None:
    if not split.validation:
      return None
    cines = (data.cine(record) for record in data.records_of(split.validation))
    scores = [score(cine, to_mask(p), surface=False) for cine, p in predictor(state.variables, cines)]
    return from_first(subject_mean_dice(pd.concat(scores)))  # every process needs the same figure

  return validate
