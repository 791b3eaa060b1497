"""Damaged networks given to `predict` and odd settings given to `train`, each case a kind and a number."""

import pathlib
import random
import shutil

import command_line
import hostile
import sound_studies
import toy
from bad_input import Result
from ml_collections import ConfigDict
from sandbox import Sandbox

from configs import base

KINDS = ('run', 'export', 'settings')
_LONG = ('steps', 'data.dir', 'cpu_devices', 'num_devices')  # a large number of steps is no mistake
_DATA_SEGMENT = 6 * 2**30  # bytes; XLA's compiler reserves more than it uses


class Attempts:
  """Makes cases and tries them, in `folder`; a sound run and its export are made once."""

  def __init__(self, folder: pathlib.Path):
    self._folder = folder
    self._sandbox = Sandbox(folder / 'said', seconds=240, memory=_DATA_SEGMENT)
    self._sound = folder / 'sound'
    sound_studies.write('dicom', self._sound / 'study')
    toy.build(self._sound / 'data', ['velocity'])
    self._config = toy.write_config(self._sound / 'tiny.py', toy.changes(self._sound / 'data') | {'steps': 2})
    run, exported = self._sound / 'run', self._sound / 'network.zip'
    for words in (
      ('ear_jax.train', '--config', self._config, '--workdir', run, '--config.eval.every=1'),
      ('ear_jax.export', '--checkpoint', run, '--output', exported),
    ):
      outcome = command_line.run(*words)
      assert outcome.status == 0, outcome.stderr

  def attempt(self, kind: str, seed: int) -> Result:
    """Tries the case `seed` of one of `KINDS`."""
    rng, place = random.Random(f'{kind} {seed}'), self._folder / 'case'
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    out = place / 'out'
    if kind == 'settings':
      words = _settings(rng)
      outcome = self._sandbox.run('ear_jax.train', '--config', self._config, '--workdir', out, *words, writes=out)
      return Result(kind, seed, ' '.join(words)[:300], outcome)
    network = place / 'network.zip' if kind == 'export' else place / 'run'
    if kind == 'export':
      shutil.copy(self._sound / 'network.zip', network)
      damage = _damage(network, rng)
    else:
      shutil.copytree(self._sound / 'run', network)
      damage = _damage(rng.choice(sorted(path for path in network.rglob('*') if path.is_file())), rng)
    words = (self._sound / 'study', '--checkpoint', network, '--output', out)
    # A run whose last checkpoint is damaged may set it aside, within its own folder.
    return Result(kind, seed, damage, self._sandbox.run('ear_jax.predict', *words, writes=place))


def _damage(path: pathlib.Path, rng: random.Random) -> str:
  if rng.random() < 0.1:
    path.unlink()
    return f'{path.name} removed'
  path.write_bytes(hostile.damage_bytes(path.read_bytes(), rng))
  return f'{path.name} damaged'


def _settings(rng: random.Random) -> list[str]:
  """One to three fields of the configuration with values that they should not have."""
  keys = [key for key in _keys(base.get_config()) if key not in _LONG]
  values = [str(hostile.scalar(rng)).replace('\0', '') for _ in range(3)]
  return [f'--config.{key}={value}' for key, value in zip(rng.sample(keys, rng.randint(1, 3)), values, strict=False)]


def _keys(config: ConfigDict, before: str = '') -> list[str]:
  keys = []
  for key, value in config.items():
    keys += _keys(value, f'{before}{key}.') if isinstance(value, ConfigDict) else [f'{before}{key}']
  return keys
