"""A trained network: by its name, from the working directory of its run, or from a file that it was exported to."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
from collections.abc import Callable, Iterator

import flax.linen as nn
from ml_collections import ConfigDict

from ear_jax.data.pipeline import DataSet
from ear_jax.data.splits import Split, make_split
from ear_jax.devices.placement import Placement
from ear_jax.models import build_model
from ear_jax.networks.exported import members_of, read_network
from ear_jax.networks.inference import Predictor
from ear_jax.networks.segment import Member
from ear_jax.networks.weights import locate
from ear_jax.system.errors import UserError
from ear_jax.training.checkpoint import Checkpoints
from ear_jax.training.program import make_program
from ear_jax.training.state import TrainState


@dataclasses.dataclass(frozen=True)
class Trained:
  """A trained network.

  Attributes:
    network: as `Predictor` takes it.
    weights: what `network` takes, on the devices.
    variables: the same as the modules of `build_model` name them; of several exported together, the first one's.
    config: of the run; of an exported network without the places of files.
    step: training steps that it has had.
    manifest: of the run (`training.manifest`); of an exported network what was kept of it.
    split: the subjects of the run; None for an exported network, which names nobody.
  """

  network: nn.Module | Callable
  weights: dict
  variables: dict
  config: ConfigDict
  step: int
  manifest: dict
  split: Split | None

  @property
  def name(self) -> str:
    """What reports call it."""
    return f'{self.config.model.name}, step {self.step}, configuration {self.manifest["config_hash"]}'

  def split_of(self, data: DataSet) -> Split | None:
    """Returns which subjects of a data set it was trained on; None where an exported network met another data set.

    Raises: UserError when the split of the run cannot be made again from this data set and configuration.
    """
    if self.split is not None or data.hash != self.manifest['data_hash']:
      return self.split
    split = make_split(data.subjects, self.config.split)
    if split.hash != self.manifest['split_hash']:
      raise UserError(f'{self.name}: its split of {self.config.data.name} cannot be made again: evaluate its run')
    return split


def load_trained(network: str | os.PathLike, placement: Placement, which: str = 'best') -> Trained:
  """Returns a trained network.

  Args:
    network: working directory of a training run, a file of `ear_jax.export`, which ends in .zip, or the name of a
      network that ships with the package.
    placement: devices to put it on.
    which: checkpoint of a run: 'best', 'latest' or a step.

  Raises: UserError when there is no such network or checkpoint.
  """
  path = locate(os.fspath(network))
  with _understood(path):
    if path.suffix == '.zip':
      return _exported(path, placement)
    config, split = load_run(path)
    manifest = json.loads((path / 'manifest.json').read_text())
    state = restore_state(config, path, which, placement)
    variables = placement.replicate(state.variables)
    return Trained(build_model(config.model), variables, variables, config, int(state.step), manifest, split)


@contextlib.contextmanager
def _understood(path: pathlib.Path) -> Iterator[None]:
  """Turns what a damaged description or configuration raises into a sentence."""
  try:
    yield
  except UserError:
    raise
  except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as fault:
    what = f'{type(fault).__name__}: {" ".join(str(fault).split())[:200]}'
    raise UserError(f'{path}: its settings cannot be understood ({what}): bring back what was written') from fault


def _exported(path, placement):
  read = read_network(path)
  about = read.description
  weights = placement.replicate(read.weights)
  manifest = about['network'] | {'training_picture': about['training_picture'], 'packages': about['versions']}
  config = ConfigDict(about['config'])
  return Trained(read.probability, weights, members_of(weights)[0], config, about['network']['step'], manifest, None)


def load_run(workdir: pathlib.Path) -> tuple[ConfigDict, Split]:
  """Returns the configuration and split that a training run saved."""
  try:
    with _understood(workdir):
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
  with Checkpoints(workdir / 'checkpoints', read_only=True) as checkpoints:
    step = {'best': checkpoints.best, 'latest': checkpoints.latest}.get(which, which)
    if step is None or not str(step).isdigit() or int(step) not in checkpoints.steps:
      raise UserError(
        f"checkpoint {which!r} is not in {workdir}: choose 'best', 'latest' or one of {checkpoints.steps}"
      )
    return checkpoints.restore(int(step), placement.abstract(make_program(config, placement).shapes))


def load_member(network: str | os.PathLike, placement: Placement, *, tta: bool) -> Member:
  """Returns a trained network, see `load_trained`, with what prediction must know of it.

  `tta` averages over the eight symmetries of the square.

  Raises: UserError when there is no such network, or its run is too old to say what pictures it was trained on.
  """
  trained = load_trained(network, placement)
  with _understood(pathlib.Path(network)):
    trained.config.eval.tta = tta
    picture = training_picture(trained.manifest, network)
    spacing = picture['spacing'] and tuple(picture['spacing'])
    predictor = Predictor(trained.network, trained.config, placement)
    return Member(predictor, trained.weights, picture['frames'], spacing, tuple(picture['size']), trained.name)


def training_picture(manifest: dict, network: str | os.PathLike) -> dict:
  """Returns what pictures a network was trained on; raises UserError when its run is too old to say."""
  if manifest.get('training_picture') is None:
    raise UserError(f'{network} does not say what pictures it was trained on: run its training command again')
  return manifest['training_picture']
