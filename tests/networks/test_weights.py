"""Networks that ship with the package: found by name, small, described by a card, and able to predict."""

import pathlib
import re

import numpy as np
import pytest
from ml_collections import ConfigDict

from ear_jax.networks import weights
from ear_jax.networks.exported import read_network
from ear_jax.networks.load import load_network
from ear_jax.system.errors import UserError

ROOT = pathlib.Path(__file__).parents[2]


def test_names_are_files_of_the_package(monkeypatch, tmp_path):
  assert 'ear3d-phantom' in weights.names()
  (tmp_path / 'ear3d-phantom').mkdir()
  monkeypatch.chdir(tmp_path)
  assert weights.locate('ear3d-phantom').read_bytes()[:2] == b'PK', 'a folder must not hide a shipped network'
  assert weights.locate('./ear3d-phantom') == pathlib.Path('ear3d-phantom')


def test_an_unknown_name_is_answered_with_the_known_ones():
  with pytest.raises(UserError, match=r"no training run or network 'ear3d-fantom': .*; nearest: ear3d-phantom$"):
    weights.locate('ear3d-fantom')


@pytest.mark.parametrize('name', weights.names())
def test_each_is_small_and_has_a_card_that_says_what_it_is(name):
  path = weights.locate(name)
  assert path.stat().st_size < 10e6
  card = path.with_suffix('.md').read_text()
  for heading in ('Data', 'Licence', 'Training', 'Scores', 'Use', 'Limits'):
    assert f'## {heading}' in card
  assert 'not a medical device' in card.lower()
  head, _, text = card.removeprefix('---\n').partition('\n---\n\n')  # as hubs of models read it
  assert card.startswith('---\n')
  assert text.startswith(f'# {name}\n')
  assert {'license: apache-2.0', 'library_name: ear_jax', f'  - name: {name}'} <= set(head.splitlines())
  scores = re.findall(r'type: dice, value: ([\d.]+)', head)
  assert scores
  assert [score for score in scores if score not in text] == []
  network = load_network(name)
  for fact in (
    network.config.data.name,
    network.manifest['config_hash'],
    f'{network.manifest["parameters"] / 1e6:.2f} M',
  ):
    assert fact in card, f'the card of {name} is of another network: {fact}'


@pytest.mark.parametrize('name', weights.names())
def test_each_computes_a_probability_of_the_shape_that_it_promises(name):
  probability, arrays, about = read_network(weights.locate(name))
  data = ConfigDict(about['config']['data'])
  video = np.random.default_rng(0).normal(size=(1, 2, data.crop, data.crop, data.channels)).astype(np.float32)
  found = np.asarray(probability(arrays, video))
  assert found.shape == video.shape[:-1]
  assert 0 <= found.min() < found.max() <= 1


def test_the_wheel_takes_them_along():
  import tomllib

  patterns = tomllib.loads((ROOT / 'pyproject.toml').read_text())['tool']['setuptools']['package-data']
  assert patterns['ear_jax.networks.weights'] == ['*.zip', '*.md']
  assert patterns['ear_jax'] == ['py.typed', '*.pyi']
