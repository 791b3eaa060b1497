"""Writes the best checkpoint of a run, or of runs that differ in their seed, as one exported file (`exported`)."""

import os
import pathlib
import statistics
from collections.abc import Sequence

import jax
from ml_collections import FrozenConfigDict

from ear_jax.cine import ALONG_COLUMN, ALONG_ROW, MAGNITUDE, THROUGH_PLANE
from ear_jax.data.normalise import formula
from ear_jax.models import build_model
from ear_jax.networks.exported import FORMAT, PLATFORMS, serialise, write_network
from ear_jax.networks.inference import myocardium
from ear_jax.networks.load import load_network
from ear_jax.networks.segment import Network
from ear_jax.system.errors import UserError
from ear_jax.training.log import read_metrics
from ear_jax.training.resume_check import MAY_CHANGE, differing

_CHANNELS = {
  MAGNITUDE: 'magnitude',
  ALONG_COLUMN: 'velocity along increasing column',
  ALONG_ROW: 'velocity along increasing row',
  THROUGH_PLANE: 'velocity through the plane, positive towards the apex',
}
_WARNING = 'Not a medical device. Trained weights may be bound by the terms of the data that they were trained on.'


def export(runs: Sequence[str | os.PathLike], output: str | os.PathLike) -> dict:
  """Writes the best network of a run, or of some together, to `output`; returns what `network.json` holds.

  Raises: UserError when there is no run, no checkpoint, or a run too old to say what pictures it was trained on, and
  when runs differ in more than their seed.

  >>> about = ear_jax.export(['runs/mine'], 'mine.zip')
  >>> ear_jax.load_network('mine.zip').step == about['network']['step']
  True
  """
  paths = [pathlib.Path(run) for run in runs]
  networks = [load_network(run, devices=jax.local_devices()[:1]) for run in paths]
  for run, network in zip(paths, networks, strict=True):
    if network.split is None:
      raise UserError(f'{run} is an exported network already: give the working directory of a run')
    _check_alike(paths[0], networks[0], run, network)
  first, config = networks[0], networks[0].config
  validation_dice = [_validation_dice(run, network.step) for run, network in zip(paths, networks, strict=True)]
  dice = [one for one in validation_dice if one is not None]
  description = describe(first, statistics.mean(dice) if len(dice) == len(validation_dice) else None)
  description['network']['networks'] = len(networks)
  members = [network.variables for network in networks]
  function = serialise(myocardium(build_model(config.model)), members, config.data.crop, config.data.channels)
  write_network(output, function, members, description)
  return description


def _check_alike(one: pathlib.Path, first: Network, other: pathlib.Path, second: Network) -> None:
  """Raises UserError when two runs cannot answer together: they differ in more than their seed and circumstances.

  Runs of other folds have seen each other's validation subjects, and would be scored on them.
  """
  changed = differing(first.config.to_dict(), second.config.to_dict()).keys() - {'seed', *MAY_CHANGE}
  changed |= {key for key in ('data_hash', 'split_hash') if first.manifest[key] != second.manifest[key]}
  if changed:
    raise UserError(
      f'{one} and {other} cannot become one network: they differ in {", ".join(sorted(changed))}; give runs of one '
      'configuration and split with other seeds'
    )


def describe(trained: Network, validation_dice: float | None) -> dict:
  """Returns what the file says about its network, as plain types."""
  config, manifest = trained.config, trained.manifest
  size, channels = config.data.crop, config.data.channels
  return {
    'format': FORMAT,
    'input': {
      'axes': 'batch, frame, row, column, channel',
      'shape': ['B', 'T', size, size, channels],
      'dtype': 'float32',
      'channels': [_CHANNELS[channel] for channel in range(channels)],
      'window': 'centre of the picture; beyond the picture its border pixels are repeated',
    },
    'output': {
      'axes': 'batch, frame, row, column',
      'shape': ['B', 'T', size, size],
      'dtype': 'float32',
      'meaning': 'probability of left-ventricular myocardium; the mask is where it exceeds 0.5',
    },
    'normalisation': {
      'method': config.data.normalise,
      'tone': (tone := config.data.get('tone', 0.0)),
      'formula': formula(config.data.normalise, tone),
    },
    'training_picture': trained.picture()._asdict() | {'units': 'frames a cycle, mm along row and column, pixels'},
    'network': {
      'name': config.model.name,
      'parameters': manifest['parameters'],
      'step': trained.step,
      'validation_dice': validation_dice,
      'trained_on': ','.join(filter(None, (config.data.name, config.data.get('also')))),
      **{key: manifest[key] for key in ('config_hash', 'data_hash', 'data_content', 'split_hash') if key in manifest},
    },
    'config': _told(config),
    'platforms': list(PLATFORMS),
    'versions': {'ear_jax': manifest['ear_jax'], 'jax': jax.__version__, 'trained_with': manifest['packages']},
    'licence': 'Apache-2.0 for the software that made this file',
    'warning': _WARNING,
  }


def _told(config: FrozenConfigDict) -> dict:
  """Returns the configuration without the places of files, which are somebody's."""
  told = config.to_dict()
  told['data'].pop('dir', None)
  told.pop('init_from', None)
  return told


def _validation_dice(workdir: pathlib.Path, step: int) -> float | None:
  scores = [m['validation_dice'] for m in read_metrics(workdir) if m['step'] == step and 'validation_dice' in m]
  return scores[-1] if scores else None
