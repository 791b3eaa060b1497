"""A data set of 32 x 32 pixel phantoms, and a configuration that trains on it in seconds."""

import functools
import pathlib

import command_line
import pytest
import tensorflow_datasets as tfds
from ml_collections import ConfigDict

from configs import base
from ear_jax.cine import Cine
from ear_jax.data import records
from ear_jax.data.pipeline import DataSet, open_data_set
from ear_jax.phantom import study

TOY = study.Size('phantom_toy', 5, 0, (5,), 3, 32, 3.6, 3.6, offset=2.0, sharing=0.0)

CONFIG = """
from configs import base

def get_config():
  config = base.get_config()
  config.update({changes!r})
  return config
"""


@functools.cache
def phantoms() -> tuple[Cine, ...]:
  """Returns two slices of each of five subjects, 3 frames."""
  return tuple(study.render(plan) for plan in study.plan(TOY) if plan.slice_id != 'sax3')


def others() -> tuple[Cine, ...]:
  """Returns the first slice of two people of another cohort."""
  return tuple(study.render(plan) for plan in study.plan(TOY, seed=1) if plan.slice_id == 'sax1')[:2]


def two_lengths() -> tuple[Cine, ...]:
  """Returns the phantoms with one frame less in the second slice of every subject."""
  return tuple(
    cine.replace(video=cine.video[:-1], mask=cine.mask[:-1], annotated=cine.annotated[:-1])
    if cine.slice_id == 'sax2'
    else cine
    for cine in phantoms()
  )


def magnitudes() -> tuple[Cine, ...]:
  """Returns the phantoms without velocities."""
  return tuple(cine.replace(video=cine.video[..., :1], venc=None) for cine in phantoms())


MAKERS = {'velocity': phantoms, 'two_lengths': two_lengths, 'magnitude': magnitudes, 'others': others}


class Toy(tfds.core.GeneratorBasedBuilder):
  """The smallest data set that can be split, trained on and scored."""

  VERSION = tfds.core.Version('1.0.0')
  BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=name) for name in MAKERS]  # noqa: RUF012

  def _info(self):
    channels = 1 if self.builder_config.name == 'magnitude' else 4
    return tfds.core.DatasetInfo(builder=self, description='Toy.', features=records.features(channels))

  def _split_generators(self, dl_manager):
    return {'train': self._generate_examples()}

  def _generate_examples(self):
    for cine in MAKERS[self.builder_config.name]():
      yield cine.name, records.encode_cine(cine)


@pytest.fixture(scope='session')
def data_dir(tmp_path_factory) -> pathlib.Path:
  """Folder with the toy data set in its configs."""
  folder = tmp_path_factory.mktemp('data')
  for name in MAKERS:
    Toy(config=name, data_dir=folder, file_format='array_record').download_and_prepare()
  return folder


@pytest.fixture(scope='session')
def changes(data_dir) -> dict:
  """What a whole run changes in `configs.base`: little of everything, and everything random or stateful switched on."""
  return {
    'steps': 20,
    'batch_size': 2,
    'cpu_devices': 1,
    'log_every': 1,
    'data': {'name': 'toy/velocity', 'dir': str(data_dir), 'crop': 32, 'shift': 2},
    'augment': {'flip': True, 'rotate': 10.0, 'scale': 0.1, 'elastic': 0.3, 'intensity': 0.5},
    'split': {'folds': 2},
    'model': {'filters': (4, 8)},
    'optimizer': {'ema_decay': 0.9, 'accumulate': 2},  # learning rate and warm-up as in base.py
    'eval': {'every': 7},  # in the middle of an epoch and of an accumulated update
  }


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
  path = data_dir / 'tiny.py'
  path.write_text(CONFIG.format(changes=changes))
  return path


@pytest.fixture(scope='session', autouse=True)
def _compile_once(tmp_path_factory):
  """Lets the processes that tests start share what XLA compiled: the same programs, seconds each."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setenv('JAX_COMPILATION_CACHE_DIR', str(tmp_path_factory.mktemp('compiled')))
    patch.setenv('JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS', '0')
    patch.setenv('JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES', '-1')
    yield


@pytest.fixture(scope='session')
def forks(tmp_path_factory, _compile_once) -> command_line.Forks:
  """Runs command lines quickly."""
  return command_line.Forks(tmp_path_factory.mktemp('forks'))


@pytest.fixture(scope='session')
def trained(tmp_path_factory, config_file) -> pathlib.Path:
  """Working directory of an unbroken run of 20 steps on one device."""
  workdir = tmp_path_factory.mktemp('runs') / 'unbroken'
  outcome = command_line.run('ear_jax.train', '--config', config_file, '--workdir', workdir)
  assert outcome.status == 0, outcome.stderr
  return workdir
