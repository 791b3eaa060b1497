"""A trained network from the working directory of its run, or from a file that it was exported to."""

from __future__ import annotations

import json
import pathlib

from ml_collections import ConfigDict

from ear_jax.data.splits import Split
from ear_jax.delineate import Member
from ear_jax.errors import UserError
from ear_jax.exported import read_network
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


def load_member(path: pathlib.Path, placement: Placement, *, tta: bool) -> Member:
  """Returns the best network of a run, or an exported one, with what prediction must know of it.

  Args:
    path: working directory of the training run, or a file of `ear_jax.export`, which ends in .zip.
    placement: devices to put it on.
    tta: average over the eight symmetries of the square.

  Raises: UserError when there is no run, no checkpoint, or a run too old to say what pictures it was trained on.
  """
  if path.suffix == '.zip':
    return _exported_member(path, placement, tta)
  config, _ = load_run(path)
  config.eval.tta = tta
  manifest = load_manifest(path)
  state = restore_state(config, path, 'best', placement)
  predictor, variables = Predictor(build_model(config.model), config, placement), placement.replicate(state.variables)
  name = f'{config.model.name}, step {int(state.step)}, configuration {manifest["config_hash"]}'
  return _member(predictor, variables, manifest['training_picture'], name)


def load_manifest(workdir: pathlib.Path) -> dict:
  """Returns the manifest of a run; raises UserError when it is too old to say what pictures it was trained on."""
  manifest = json.loads((workdir / 'manifest.json').read_text())
  if manifest.get('training_picture') is None:
    raise UserError(f'{workdir} does not say what pictures it was trained on: run its training command again')
  return manifest


def _exported_member(path, placement, tta):
  network = read_network(path)
  about = network.description
  data = {'crop': about['input']['shape'][2], 'channels': about['input']['shape'][4]}
  data['normalise'] = about['normalisation']['method']
  config = ConfigDict({'data': data, 'eval': {'batch_size': 0, 'tta': tta}})
  predictor = Predictor(lambda _, video: network.probability(video), config, placement)
  trained = about['network']
  name = f'{trained["name"]}, step {trained["step"]}, configuration {trained["config_hash"]}'
  return _member(predictor, placement.replicate({}), about['training_picture'], name)


def _member(predictor, variables, picture, name):
  spacing = picture['spacing'] and tuple(picture['spacing'])
  return Member(predictor, variables, picture['frames'], spacing, tuple(picture['size']), name)
