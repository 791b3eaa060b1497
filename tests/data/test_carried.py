"""What a training step sees of frames that nobody annotated: carried contours, held against the exact ones."""

import dataclasses
import logging

import numpy as np
import pytest

from ear_jax.cine import Cine
from ear_jax.config.fields import default_config
from ear_jax.data.carried import with_carried
from ear_jax.data.data_set import DataSet
from ear_jax.data.on_device import windows_of
from ear_jax.data.pipeline import training_batches, training_examples
from ear_jax.data.records import IDS, encode_cine
from ear_jax.phantom.study import phantom_study


@pytest.fixture(scope='module')
def cine() -> Cine:
  """A slice of 16 frames of 96 x 96 pixels, with the exact mask of every frame."""
  return phantom_study('mini')[1]


def _data(folder, *cines) -> DataSet:
  """A data set in memory; no other frame than 0 of its first subject is to be learnt from."""
  examples = [encode_cine(cine) for cine in cines]
  ids = tuple(tuple(example[key] for key in IDS) for example in examples)
  flags, spacing = (tuple(example[key] for example in examples) for key in ('annotated', 'spacing'))
  sizes = tuple(cine.mask.shape[1:] for cine in cines)
  return DataSet(examples, ids, flags, spacing, sizes, 'ids', 'pixels', folder)


@pytest.fixture
def config():
  """One frame in 16, no augmentation, the whole picture."""
  config = default_config()
  config.batch_size, config.data.crop, config.data.shift, config.augment.rot90 = 1, 96, 0, False
  config.data.annotated_every, config.data.carry = 16, True
  return config


def _dice(mask, true):
  return 2 * (mask & true).sum((1, 2)) / (mask.sum((1, 2)) + true.sum((1, 2)))


@pytest.fixture(scope='module')
def people(cine, tmp_path_factory):
  """One who is learnt from, and another with the very same slice."""
  return _data(tmp_path_factory.mktemp('none'), cine, cine.replace(subject='other'))


def test_a_step_sees_the_true_wall_in_frames_that_nobody_annotated(cine, people, config):
  learnt = with_carried(people, [cine.subject], config)
  batch = next(training_batches(learnt, [cine.subject], config, devices=1))
  mask, weight = batch['mask'][0, 0], batch['annotated'][0, 0]
  np.testing.assert_array_equal(mask[0], cine.mask[0])
  dice = _dice(mask, cine.mask)[1:]
  assert dice.min() > 0.9
  assert dice.max() < 1, 'carried, not read from frames that are not to be learnt from'
  assert _dice(np.broadcast_to(cine.mask[:1], mask.shape), cine.mask).min() < 0.7, 'the wall moves'
  assert weight.dtype == np.float32
  assert weight[0] == 1
  assert ((weight[1:] > 0.5) & (weight[1:] < 1)).all()
  assert weight[1:][dice.argmin()] < weight[1:].mean(), 'the worst contour counts less than most'
  config.data.on_device = True
  there = windows_of(training_examples(learnt, [cine.subject]), config)
  np.testing.assert_array_equal(there.annotated, weight)
  np.testing.assert_array_equal(there.mask, mask)


def test_nothing_but_the_training_subjects_is_carried_and_the_data_set_stays(cine, people, config):
  learnt = with_carried(people, [cine.subject], config)
  for record, data in ((1, learnt), (0, people)):
    example = data.example(record)
    assert data.annotated[record].dtype == example['annotated'].dtype == bool
    np.testing.assert_array_equal(example['mask'], cine.mask)
  config.data.carry = False
  assert with_carried(people, [cine.subject], config) is people


def test_what_cannot_be_carried_stays_as_it_was_annotated_and_one_line_says_so(cine, tmp_path, config, caplog):
  lost = cine.replace(spacing=(np.nan, np.nan), subject='lost', place=None)
  still = lost.replace(video=cine.video[..., :1], venc=None, subject='still')
  empty = cine.replace(mask=np.zeros_like(cine.mask), subject='empty')
  data = _data(tmp_path, lost, empty, still)
  with caplog.at_level(logging.WARNING):
    learnt = with_carried(data, data.subjects, config)
  (line,) = (record.getMessage() for record in caplog.records)
  assert 'could be carried in 3 of 3 cines' in line
  for record, weight in enumerate(learnt.annotated):
    assert weight.tolist() == [1] + 15 * [0]
    np.testing.assert_array_equal(
      learnt.example(record)['mask'], data.example(record)['mask'] * (weight > 0)[:, None, None]
    )
  config.data.spacing = 1.2  # is that of pictures that do not say theirs: enough where pictures are all there is
  weight = with_carried(dataclasses.replace(data), ['still'], config).annotated[2]
  assert (weight > 0).all()
