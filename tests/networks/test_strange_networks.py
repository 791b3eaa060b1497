"""Exported networks and settings of runs that are damaged or mislead: a sentence, and little memory."""

import contextlib
import io
import json
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import jax
import numpy as np
import pytest

from ear_jax.networks import weights
from ear_jax.networks.exported import DESCRIPTION, FORMAT, FUNCTION, WEIGHTS, read_network
from ear_jax.networks.load import load_network, load_run
from ear_jax.system.errors import UserError

sys.path.append(str(Path(__file__).parents[1] / 'torture'))
from hostile import damage_bytes, damage_json

SMALL = io.BytesIO()
np.savez(SMALL, a=np.zeros(3))
PARTS = {DESCRIPTION: json.dumps({'format': FORMAT}).encode(), FUNCTION: b'no function', WEIGHTS: SMALL.getvalue()}


def write(path, **changes):
  parts = PARTS | {
    {'description': DESCRIPTION, 'function': FUNCTION, 'weights': WEIGHTS}[k]: v for k, v in changes.items()
  }
  with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
    for name, content in parts.items():
      if content is not None:
        archive.writestr(name, content)
  return path


def bomb(megabytes):
  inside = io.BytesIO()
  with zipfile.ZipFile(inside, 'w', zipfile.ZIP_DEFLATED) as archive, archive.open('a.npy', 'w') as part:
    for _ in range(megabytes):
      part.write(bytes(2**20))
  return inside.getvalue()


def huge():
  """An array of petabytes in a few bytes."""
  inside, header = io.BytesIO(), io.BytesIO()
  np.lib.format.write_array_header_1_0(header, {'descr': '<f4', 'fortran_order': False, 'shape': (2**50,)})
  with zipfile.ZipFile(inside, 'w') as archive:
    archive.writestr('a.npy', header.getvalue())
  return inside.getvalue()


def objects():
  """An array of Python objects, which only a pickle can hold."""
  inside = io.BytesIO()
  np.savez(inside, a=np.array([Path('a')], object))
  return inside.getvalue()


@pytest.mark.parametrize(
  'changes',
  [
    {'function': None},
    {'description': b'{'},
    {'description': b'[1]'},
    {'description': b'[' * 100_000},
    {'description': b' ' * (2**20 + 1)},
    {'weights': b'no archive'},
    {'weights': bomb(1100)},
    {'weights': huge()},
    {'weights': objects()},
    {},
  ],
  ids=['part', 'cut', 'list', 'deep', 'long', 'weights', 'bomb', 'huge', 'objects', 'function'],
)
def test_a_file_that_is_no_network(tmp_path, changes):
  with pytest.raises(UserError, match='is not a whole network file'):
    read_network(write(tmp_path / 'x.zip', **changes))


def test_damaged_bytes_of_a_file(tmp_path):
  whole = write(tmp_path / 'x.zip').read_bytes()
  for seed in range(60):
    (tmp_path / 'x.zip').write_bytes(damage_bytes(whole, random.Random(seed)))
    with pytest.raises(UserError):
      read_network(tmp_path / 'x.zip')


def test_a_file_of_a_newer_jax_says_which_and_what_to_do(tmp_path):
  """Case S15. As a newer jax writes it, with an operation that is not known here, which is found when it compiles."""
  apply = jax.jit(lambda weights, video: weights['a'] * video)
  sound = bytes(jax.export.export(apply)({'a': jax.numpy.ones(())}, jax.numpy.ones(3)).serialize())
  assert read_network(write(tmp_path / 'sound.zip', function=sound))[2]['format'] == FORMAT
  newer = sound.replace(b'multiply_v1', b'multiply_v9')
  assert newer != sound
  told = {'format': FORMAT, 'versions': {'jax': '99.1.2'}}
  path = write(tmp_path / 'newer.zip', function=newer, description=json.dumps(told).encode())
  words = rf'was exported under jax 99\.1\.2, and jax {jax.__version__} here cannot read it .*: install jax 99\.1\.2'
  with pytest.raises(UserError, match=words):
    read_network(path)


@pytest.mark.multiprocess
def test_without_flatbuffers_the_package_is_named(tmp_path):  # case S15
  program = f"""
import sys
sys.modules['flatbuffers'] = None
from ear_jax.networks import weights
from ear_jax.networks.exported import read_network, serialise
file = {str(weights.locate('ear3d-phantom'))!r}
for call in (lambda: read_network(file), lambda: serialise(lambda v, x: x, [{{}}], 8, 1)):
  try:
    call()
  except Exception as fault:
    print(type(fault).__name__, fault)
"""
  said = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True, check=True).stdout.splitlines()
  expected = 'UserError the package flatbuffers is missing, which network files need: pip install flatbuffers'
  assert said == [expected] * 2


@pytest.mark.parametrize('name', ['README.md', 'manifest.json'])
def test_what_is_no_run_is_named(tmp_path, name):
  (tmp_path / 'README.md').write_text('no network')
  (tmp_path / 'config.json').write_text('{"model": {}}')
  (tmp_path / 'split.json').write_text('{"train": [], "validation": [], "test": []}')
  with pytest.raises(
    UserError, match=f'holds no training run .*{"config.json" if name == "README.md" else name} is missing'
  ):
    load_network(tmp_path / 'README.md' if name == 'README.md' else tmp_path)


def test_damaged_settings_of_a_run(tmp_path):
  """No checkpoint lies there, so that whatever is understood ends in another sentence."""
  sound = {
    'config.json': {'model': {'name': 'ear3d', 'filters': [4, 8]}, 'eval': {'tta': False}, 'data': {'crop': 32}},
    'split.json': {'train': ['a'], 'validation': ['b'], 'test': ['c']},
    'manifest.json': {'config_hash': 'x', 'training_picture': {'frames': 3, 'spacing': None, 'size': [3, 3]}},
  }
  for seed in range(60):
    rng = random.Random(seed)
    for name, value in sound.items():
      (tmp_path / name).write_text(json.dumps(value))
    name = rng.choice(sorted(sound))
    damaged = json.dumps(damage_json(json.loads(json.dumps(sound[name])), rng)).encode()
    (tmp_path / name).write_bytes(damage_bytes(damaged, rng) if seed % 2 else damaged)
    with pytest.raises(UserError):
      load_network(tmp_path)
    with contextlib.suppress(UserError):
      load_run(tmp_path)
