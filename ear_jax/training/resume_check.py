"""Whether a working directory holds the run that a command is about to go on with.

A checkpoint of one configuration trained on by another, or on other data, is a result of neither.
"""

import json
import pathlib
from collections.abc import Sequence
from typing import Any

from absl import logging
from flax.traverse_util import flatten_dict, unflatten_dict
from ml_collections import ConfigDict

from ear_jax.config.fields import MAY_CHANGE, default_config
from ear_jax.data.data_set import DataSet
from ear_jax.data.splits import Split
from ear_jax.system.errors import UserError
from ear_jax.training.manifest import environment


def check_same_run(
  workdir: pathlib.Path, config: ConfigDict, data: DataSet, split: Split, also: Sequence[DataSet] = ()
) -> None:
  """Raises UserError when `workdir` holds a run of another configuration, data set or split, naming what differs.

  `steps` may change, but a schedule follows the new number from then on, as in no unbroken run: that is said.
  """
  _check_config(workdir, config)
  manifest = _read(workdir / 'manifest.json') or {}
  _check_data(workdir, config.data.name, config.data.dir, manifest, data)
  for name, before, further in zip(config.data.also.split(','), manifest.get('also', ()), also, strict=False):
    _check_data(workdir, name, config.data.dir, before, further)
  variables = manifest.get('environment', environment())
  if variables != environment():
    logging.warning(
      'environment variables that may change numbers were %s and are %s: not the bits of an unbroken run from here on',
      _told(variables),
      _told(environment()),
    )
  saved = _read(workdir / 'split.json')
  if saved is not None and saved != json.loads(split.to_json()):
    raise UserError(
      f'{workdir / "split.json"} holds another split than this configuration and data give: use a new --workdir'
    )


def _told(variables: dict[str, str]) -> str:
  return ', '.join(f'{name}={value}' for name, value in variables.items()) or 'none'


def differing(before: dict[str, Any], now: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
  """Returns the values, before and now, of all keys of two nested dicts that differ, by dotted key.

  A key that only one of them has is of another version of the code, and no difference of its user's.
  """
  before, now = (flatten_dict(tree, sep='.') for tree in (before, now))
  return {key: (before[key], now[key]) for key in sorted(before.keys() & now.keys()) if before[key] != now[key]}


def _check_config(workdir: pathlib.Path, config: ConfigDict) -> None:
  path = workdir / 'config.json'
  saved = _read(path)
  if saved is None:
    return
  usual = json.loads(default_config().to_json())  # a field that the saved run lacks did then what is its default now
  changed = differing(unflatten_dict(flatten_dict(usual) | flatten_dict(saved)), json.loads(config.to_json()))
  if refused := {key: values for key, values in changed.items() if key not in MAY_CHANGE}:
    words = ', '.join(f'config.{key} was {before!r} and is {now!r}' for key, (before, now) in refused.items())
    raise UserError(
      f'{workdir} holds a run of another configuration: {words}; use a new --workdir (to begin with its '
      f'weights, with --config.init_from={workdir}), or the old values (only these may change: {", ".join(MAY_CHANGE)})'
    )
  for key, (before, now) in changed.items():
    logging.info('config.%s was %r and is %r', key, before, now)
  if 'steps' in changed and config.optimizer.schedule != 'constant':
    logging.warning('the learning rate follows the new config.steps from here on, as in no unbroken run')


def _check_data(workdir: pathlib.Path, called: str, folder: str, manifest: dict[str, Any], data: DataSet) -> None:
  for name, now in (('data_hash', data.hash), ('data_content', data.content)):
    before = manifest.get(name, now)
    if before != now:
      what = 'cines' if name == 'data_hash' else 'pixels or contours in the same cines'
      raise UserError(
        f'{called} in {folder} holds other {what} than the run in {workdir} began with '
        f'({name} was {before} and is {now}): use a new --workdir, or bring the old data set back'
      )


def _read(path: pathlib.Path) -> Any:
  """Returns the JSON of a file; None where there is none."""
  try:
    return json.loads(path.read_text())
  except FileNotFoundError:
    return None
  except ValueError as fault:
    raise UserError(f'{path} is damaged ({fault}): bring it back from a copy, or use a new --workdir') from None
