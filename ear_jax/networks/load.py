"""A trained network: by its name, from the working directory of its run, or from a file that it was exported to."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
from collections.abc import Iterator, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

import jax
from ml_collections import ConfigDict, FrozenConfigDict

from ear_jax.data.splits import Split
from ear_jax.devices.placement import Placement
from ear_jax.networks.exported import members_of, read_network
from ear_jax.networks.inference import make_predictor, myocardium
from ear_jax.networks.segment import Network
from ear_jax.networks.weights import locate
from ear_jax.system.errors import UserError

if TYPE_CHECKING:
  from ear_jax.training.state import TrainState


def load_network(
  network: str | os.PathLike, checkpoint: str | int = 'best', *, devices: Sequence[jax.Device] | None = None
) -> Network:
  """Returns a trained network.

  Args:
    network: working directory of a training run, a file of `ear_jax.export`, which ends in .zip, or the name of a
      network that ships with the package.
    checkpoint: of a run: 'best', 'latest' or a step.
    devices: to put it on; None: all of this process.

  Raises: UserError when there is no such network or checkpoint, or it cannot be read here.

  >>> network = ear_jax.load_network('ear3d-phantom')
  >>> network.config.data.channels
  4
  """
  path, placement = locate(os.fspath(network)), Placement(list(devices or jax.local_devices()))
  with _understood(path):
    loaded = (_exported if path.suffix == '.zip' else _trained)(path, os.fspath(network), checkpoint, placement)
    if loaded.manifest.get('training_picture') is not None:
      loaded.picture()
    return loaded


@contextlib.contextmanager
def _understood(path: pathlib.Path) -> Iterator[None]:
  """Turns what a damaged description or configuration raises into a sentence."""
  try:
    yield
  except UserError:
    raise
  except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as fault:
    what = f'{type(fault).__name__}: {" ".join(str(fault).split())[:200]}'
    raise UserError(
      f'{path}: its settings cannot be understood ({what}): restore the file as it was written, or train again'
    ) from fault


def _trained(path, source, checkpoint, placement):
  from ear_jax.models import build_model

  config, split = load_run(path)
  manifest = MappingProxyType(json.loads(_read(path, 'manifest.json')))
  state = restore_state(config, path, checkpoint, placement)
  variables = placement.replicate(state.variables)
  predict = partial(make_predictor(myocardium(build_model(config.model)), config, placement), variables)
  return Network(source, FrozenConfigDict(config), int(state.step), manifest, split, variables, predict)


def _exported(path, source, _, placement):
  function, weights, about = read_network(path)
  weights = placement.replicate(weights)
  manifest = about['network'] | {'training_picture': about['training_picture'], 'packages': about['versions']}
  config = FrozenConfigDict(about['config'])
  predict = partial(make_predictor(function, config, placement), weights)
  step, kept = about['network']['step'], MappingProxyType(manifest)
  return Network(source, config, step, kept, None, members_of(weights)[0], predict)


def load_run(workdir: pathlib.Path) -> tuple[ConfigDict, Split]:
  """Returns the configuration and split that a training run saved."""
  with _understood(workdir):
    return ConfigDict(json.loads(_read(workdir, 'config.json'))), Split.from_json(_read(workdir, 'split.json'))


def _read(workdir: pathlib.Path, name: str) -> str:
  try:
    return (workdir / name).read_text()
  except (FileNotFoundError, NotADirectoryError) as fault:
    raise UserError(
      f'{workdir} holds no training run ({fault.filename} is missing): give the --workdir of one'
    ) from None


def restore_state(config: ConfigDict, workdir: pathlib.Path, which: str | int, placement: Placement) -> TrainState:
  """Returns the saved state of the 'best' or 'latest' checkpoint, or of a step."""
  # Only what reads a run needs what wrote it: an exported network is loaded in half the time and memory.
  from ear_jax.training.checkpoint import Checkpoints
  from ear_jax.training.program import make_program

  if not (workdir / 'checkpoints').is_dir():
    raise UserError(f'{workdir} holds no checkpoint yet: train until the first validation')
  with Checkpoints(workdir / 'checkpoints', read_only=True) as checkpoints:
    step = {'best': checkpoints.best, 'latest': checkpoints.latest}.get(str(which), which)
    if step is None or not str(step).isdigit() or int(step) not in checkpoints.steps:
      raise UserError(
        f"checkpoint {which!r} is not in {workdir}: choose 'best', 'latest' or one of {checkpoints.steps}"
      )
    return checkpoints.restore(int(step), placement.abstract(make_program(config, placement).shapes))
