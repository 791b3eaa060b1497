"""What `config.init_from` does: a run begins with the weights of a trained network."""

import json
from typing import Any

import jax
from absl import logging
from ml_collections import ConfigDict

from ear_jax.networks.load import load_network
from ear_jax.networks.segment import Network
from ear_jax.networks.weights import locate, names
from ear_jax.system.errors import UserError
from ear_jax.training.state import TrainState
from ear_jax.training.transfer import take_over


def check_init_from(config: ConfigDict) -> None:
  """Raises UserError where `config.init_from` names no network that is there; nothing is read."""
  if config.init_from:
    try:
      locate(config.init_from)
    except UserError as fault:
      raise UserError(f'config.init_from={config.init_from!r}: {fault}') from fault


def network_to_start_from(config: ConfigDict, shapes: TrainState) -> Network | None:
  """Returns the network of `config.init_from`, or None where a run begins with fresh weights.

  `shapes` of the run's own state tell whether the weights fit, before anything is compiled.

  Raises: UserError when there is no such network, or its weights do not fit.
  """
  if not config.init_from:
    return None
  try:
    trained = load_network(config.init_from, devices=jax.local_devices()[:1])
  except UserError as fault:
    raise UserError(f'config.init_from={config.init_from!r}: {fault}') from fault
  try:
    jax.eval_shape(
      lambda fresh, weights: take_over(fresh, weights, **_models(config, trained))[0], shapes, trained.variables
    )
  except ValueError as misfit:
    raise UserError(f'config.init_from={config.init_from!r} {misfit}') from misfit
  return trained


def first_state(config: ConfigDict, fresh: TrainState, trained: Network | None) -> tuple[TrainState, dict | None]:
  """Returns the state that training begins with, and for the manifest where its weights come from.

  Without a trained network that is the fresh state itself, and None. What differs between the networks is logged.
  """
  if trained is None:
    return fresh, None
  state, notes = take_over(fresh, trained.variables, **_models(config, trained))
  for name, usual in (('normalise', ''), ('tone', 0.0)):
    there, here = trained.config.data.get(name, usual), config.data[name]
    if there != here:
      notes.append(f'data.{name} is {there!r} there and {here!r} here')
  logging.info('starting from %s%s', trained.name, ''.join(f'; {note}' for note in notes))
  # No path, which may be somebody's: a shipped network by its name, another by what it is.
  source = config.init_from if config.init_from in names() else trained.name
  hashes = {key: trained.manifest[key] for key in ('config_hash', 'data_hash', 'split_hash')}
  return state, {'network': source, 'differences': notes} | hashes


def _models(config: ConfigDict, trained: Network) -> dict[str, Any]:
  return {'there': json.loads(trained.config.model.to_json()), 'here': json.loads(config.model.to_json())}
