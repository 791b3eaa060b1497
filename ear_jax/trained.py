"""A trained network from the working directory of its run."""

from __future__ import annotations

import json
import pathlib

from ml_collections import ConfigDict

from ear_jax.data.splits import Split
from ear_jax.delineate import Member
from ear_jax.errors import UserError
from ear_jax.inference import Predictor
from ear_jax.models import build_model
from ear_jax.training.checkpoint import Checkpoints
from ear_jax.training.optim import make_optimizer
from ear_jax.training.parallel import Placement
from ear_jax.training.state import TrainState, initial_state


def load_run(workdir: pathlib.Path) -> tuple[ConfigDict, Split]:
  """Returns the configuration and split that a training run saved."""
  try:
    config = ConfigDict(json.loads((workdir / 'config.json').read_text()))
    return config, Split.from_json((workdir / 'split.json').read_text())
  except FileNotFoundError as fault:
    raise UserError(
      f'{workdir} holds no training run ({fault.filename} is missing): give the --workdir of one'
    ) from None


def restore_state(config: ConfigDict, workdir: pathlib.Path, which: str, placement: Placement) -> TrainState:
  """Returns the saved state of the 'best' or 'latest' checkpoint, or of a step."""
  if not (workdir / 'checkpoints').is_dir():
    raise UserError(f'{workdir} holds no checkpoint yet: train until the first validation')
  with Checkpoints(workdir / 'checkpoints') as checkpoints:
    step = {'best': checkpoints.best, 'latest': checkpoints.latest}.get(which, which)
    if step is None or not str(step).isdigit() or int(step) not in checkpoints.steps:
      raise UserError(
        f"checkpoint {which!r} is not in {workdir}: choose 'best', 'latest' or one of {checkpoints.steps}"
      )
    start = initial_state(config, make_optimizer(config.optimizer, config.steps))
    return checkpoints.restore(int(step), placement.abstract(start))


def load_member(workdir: pathlib.Path, placement: Placement, *, tta: bool) -> Member:
  """Returns the best network of a run with what prediction must know of it.

  Args:
    workdir: of the training run.
    placement: devices to put it on.
    tta: average over the eight symmetries of the square.

  Raises: UserError when there is no run, no checkpoint, or a run too old to say what pictures it was trained on.
  """
  config, _ = load_run(workdir)
  config.eval.tta = tta
  manifest = json.loads((workdir / 'manifest.json').read_text())
  picture = manifest.get('training_picture')
  if picture is None:
    raise UserError(f'{workdir} does not say what pictures it was trained on: run its training command again')
  state = restore_state(config, workdir, 'best', placement)
  return Member(
    predictor=Predictor(build_model(config.model), config, placement),
    variables=placement.replicate(state.variables),
    frames=picture['frames'],
    spacing=picture['spacing'] and tuple(picture['spacing']),
    size=tuple(picture['size']),
    name=f'{config.model.name}, step {int(state.step)}, configuration {manifest["config_hash"]}',
  )
