"""The toy data set, built once, and a run trained on it."""

import pathlib

import command_line
import pytest
import toy
from ml_collections import ConfigDict

from configs import base
from ear_jax.data.data_set import DataSet, open_data_set


@pytest.fixture(scope='session')
def data_dir(tmp_path_factory) -> pathlib.Path:
  """Folder with the toy data set in its configs."""
  folder = tmp_path_factory.mktemp('data')
  toy.build(folder)
  return folder


@pytest.fixture(scope='session')
def changes(data_dir) -> dict:
  """What a whole run changes in `configs.base`: little of everything, and everything random or stateful switched on."""
  return toy.changes(data_dir)


@pytest.fixture
def config(changes) -> ConfigDict:
  """The configuration as an object, free to be changed."""
  config = base.get_config()
  config.update(changes)
  return config


@pytest.fixture
def data(config) -> DataSet:
  """The toy data set, opened."""
  return open_data_set(config)


@pytest.fixture(scope='session')
def config_file(data_dir, changes) -> pathlib.Path:
  """The configuration as a file for `--config`."""
  return toy.write_config(data_dir / 'tiny.py', changes)


@pytest.fixture(scope='session')
def forks(tmp_path_factory) -> command_line.Forks:
  """Runs command lines quickly."""
  return command_line.Forks(tmp_path_factory.mktemp('forks'))


@pytest.fixture(scope='session')
def trained(tmp_path_factory, config_file) -> pathlib.Path:
  """Working directory of an unbroken run of 20 steps on one device."""
  workdir = tmp_path_factory.mktemp('runs') / 'unbroken'
  outcome = command_line.run('ear_jax.train', '--config', config_file, '--workdir', workdir)
  assert outcome.status == 0, outcome.stderr
  return workdir
