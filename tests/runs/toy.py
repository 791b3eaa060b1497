"""A data set of 32 x 32 pixel phantoms, and a configuration that trains on it in seconds."""

import functools
import pathlib
from collections.abc import Iterable

import tensorflow_datasets as tfds

from ear_jax.cine import Cine
from ear_jax.data import records
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


def changes(data_dir: pathlib.Path) -> dict:
  """Returns what a whole run changes in `configs.base`: little of everything, everything random or stateful on."""
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


def write_config(path: pathlib.Path, changes: dict) -> pathlib.Path:
  """Writes a configuration as a file for `--config`."""
  path.write_text(CONFIG.format(changes=changes))
  return path


def build(folder: pathlib.Path, names: Iterable[str] = MAKERS) -> None:
  """Builds the data set under `folder` in some of its configs."""
  for name in names:
    Toy(config=name, data_dir=folder, file_format='array_record').download_and_prepare()
