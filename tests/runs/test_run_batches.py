"""Batches for training: every cine once an epoch, the same for the same seed, resumed at any place, shared out."""

import dataclasses

import grain
import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest

from ear_jax.data.on_device import make_batches, windows_of
from ear_jax.data.pipeline import learnt_from, training_batches, training_examples
from ear_jax.workflows import train


@pytest.fixture
def plain(config):
  """The configuration without augmentation, one cine a batch: batches can be told apart."""
  config.augment = {name: type(value)(0) for name, value in config.augment.items()}
  config.data.shift = 0
  config.batch_size = 1
  return config


def _draw(batches, count):
  return [next(batches) for _ in range(count)]


def _names(batches, data, count):
  """Returns which record each of the next `count` single cines is, by its mask."""
  known = {data.cine(i).mask.tobytes(): i for i in range(len(data.ids))}
  assert len(known) == len(data.ids), 'cines must differ'
  return [known[batch['mask'][0, 0].tobytes()] for batch in _draw(batches, count)]


def _assert_same(some, others):
  assert len(some) == len(others)
  for a, b in zip(some, others, strict=True):
    assert jax.tree.map(lambda x: (x.dtype, x.shape, x.tobytes()), a) == jax.tree.map(
      lambda x: (x.dtype, x.shape, x.tobytes()), b
    )


def test_every_cine_occurs_once_an_epoch_in_an_order_of_its_own(data, plain):
  subjects = data.subjects[:4]
  records = data.records_of(subjects)
  drawn = _names(training_batches(data, subjects, plain, devices=1), data, 3 * len(records))
  epochs = [drawn[i : i + len(records)] for i in range(0, len(drawn), len(records))]
  assert [sorted(epoch) for epoch in epochs] == [sorted(records)] * 3
  assert len({tuple(epoch) for epoch in epochs}) == 3


def test_a_batch_is_dealt_over_the_devices_in_order(data, plain):
  single = _draw(training_batches(data, data.subjects, plain, devices=1), 4)
  plain.batch_size = 4
  whole = next(training_batches(data, data.subjects, plain, devices=2))
  assert whole['video'].shape == (2, 2, 3, 32, 32, 4)
  assert (whole['video'].dtype, whole['mask'].dtype, whole['annotated'].dtype) == (np.float32, np.uint8, bool)
  np.testing.assert_array_equal(whole['video'].reshape(4, 3, 32, 32, 4), [b['video'][0, 0] for b in single])


def test_the_seed_decides(data, config):
  first, again = (_draw(training_batches(data, data.subjects, config, devices=1), 7) for _ in range(2))
  _assert_same(first, again)  # over an epoch's end, and augmented
  config.seed = 1
  other = _draw(training_batches(data, data.subjects, config, devices=1), 7)
  assert any(a['video'].tobytes() != b['video'].tobytes() for a, b in zip(first, other, strict=True))


def test_augmentation_differs_between_epochs(data, config):
  config.batch_size = 1
  drawn = _draw(training_batches(data, data.subjects[:1], config, devices=1), 20)  # two cines, ten times each
  assert len({batch['video'].tobytes() for batch in drawn}) == 20


@pytest.mark.parametrize('place', [0, 3, 6])  # an epoch has 5 batches
def test_a_restored_iterator_goes_on_exactly(data, config, tmp_path, place):
  batches = training_batches(data, data.subjects, config, devices=1)
  _draw(batches, place)
  with ocp.CheckpointManager(tmp_path) as manager:
    manager.save(1, args=ocp.args.Composite(data=grain.checkpoint.CheckpointSave(batches)))
    manager.wait_until_finished()
    resumed = training_batches(data, data.subjects, config, devices=1)
    manager.restore(1, args=ocp.args.Composite(data=grain.checkpoint.CheckpointRestore(resumed)))
  _assert_same(_draw(resumed, 6), _draw(batches, 6))


def test_threads_and_cache_change_nothing(data, config):
  expected = _draw(training_batches(data, data.subjects, config, devices=1), 7)
  config.data.cache_gb = 0.0
  _assert_same(_draw(training_batches(data, data.subjects, config, devices=1), 7), expected)
  config.data.threads, config.data.prefetch = 1, 1
  _assert_same(_draw(training_batches(data, data.subjects, config, devices=1), 7), expected)


@pytest.mark.parametrize(('every', 'learned'), [(1, [1, 1, 1]), (2, [1, 0, 1]), (3, [1, 0, 0])])
def test_frames_may_be_learned_from_sparsely_and_nothing_else_changes(data, plain, every, learned):
  whole = _draw(training_batches(data, data.subjects, plain, devices=1), 3)
  plain.data.annotated_every = every
  sparse = _draw(training_batches(data, data.subjects, plain, devices=1), 3)
  for batch, expected in zip(sparse, whole, strict=True):
    assert batch['annotated'].ravel().tolist() == learned
    np.testing.assert_array_equal(batch['mask'], expected['mask'])
    np.testing.assert_array_equal(batch['video'], expected['video'])


def test_pictures_that_do_not_say_their_spacing_may_be_given_one(data):
  unknown = dataclasses.replace(data, spacing=((np.nan, np.nan),) * len(data.ids))
  assert unknown.picture(data.subjects)['spacing'] is None
  assert unknown.picture(data.subjects, 1.3)['spacing'] == [1.3, 1.3]
  assert data.picture(data.subjects, 1.3)['spacing'] == [3.6, 3.6]


class _Counting:
  """A data source that notes which records are read: of this source alone, other tests' threads may still run."""

  def __init__(self, source):
    self.source, self.reads = source, []

  def __getitem__(self, record):
    self.reads.append(record)
    return self.source[record]


@pytest.mark.parametrize('threads', [1, 4])
def test_the_cache_reads_each_record_once(data, plain, threads):
  plain.data.threads = threads
  source = _Counting(data.source)
  _draw(training_batches(dataclasses.replace(data, source=source), data.subjects[:1], plain, devices=1), 12)
  assert len(source.reads) == 1 + 2  # one to learn its size; six epochs of two cines
  plain.data.cache_gb = 0.0
  source = _Counting(data.source)
  _draw(training_batches(dataclasses.replace(data, source=source), data.subjects[:1], plain, devices=1), 12)
  assert len(source.reads) >= 1 + 12


def test_processes_share_out_the_batches_of_one_process_augmented_alike(data, config):
  config.batch_size = 4  # of ten cines: batches do not end where epochs do
  whole = _draw(training_batches(data, data.subjects, config, devices=4), 6)
  for devices, processes in ((2, 2), (1, 4), (1, 2)):
    shares = [
      training_batches(data, data.subjects, config, devices=devices, process=p, processes=processes)
      for p in range(processes)
    ]
    dealt = [jax.tree.map(lambda *parts: np.concatenate(parts), *(next(share) for share in shares)) for _ in whole]
    dealt = [jax.tree.map(lambda x: x.reshape(4, 1, *x.shape[2:]), batch) for batch in dealt]
    _assert_same(dealt, whole)
    assert {share.get_state()['next_index'] for share in shares} == {len(whole)}


def _made(data, config, count, **shares):
  """Batches that the device makes of what the iterator asks for."""
  windows = windows_of(training_examples(data, data.subjects), config)
  make = jax.vmap(make_batches(config), (None, 0))
  asked = _draw(training_batches(data, data.subjects, config, **shares), count)
  return [jax.device_get(make(jax.device_put(windows), batch)) for batch in asked]


def test_the_device_makes_the_batches_that_the_host_would(data, plain):
  plain.batch_size = 4
  expected = _draw(training_batches(data, data.subjects, plain, devices=2), 4)
  plain.data.on_device = True
  for made, batch in zip(_made(data, plain, 4, devices=2), expected, strict=True):
    assert set(made) == set(batch)
    np.testing.assert_allclose(made['video'], batch['video'], atol=1e-5)
    np.testing.assert_array_equal(made['mask'], batch['mask'])
    np.testing.assert_array_equal(made['annotated'], batch['annotated'])


def test_made_on_the_device_the_batches_of_processes_and_epochs_are_as_on_the_host(data, config):
  config.batch_size, config.data.on_device = 4, True
  whole = _draw(training_batches(data, data.subjects, config, devices=4), 6)
  shares = [training_batches(data, data.subjects, config, devices=2, process=p, processes=2) for p in range(2)]
  for batch in whole:
    parts = [next(share) for share in shares]
    _assert_same([{k: np.concatenate([p[k] for p in parts]) for k in batch}], [batch])
  assert len({int(seed) for batch in whole for seed in batch['seed'].ravel()}) == 24  # epochs differ too


@pytest.mark.parametrize('on_device', [False, True])
def test_parts_of_cycles_hold_an_annotated_frame(data, plain, on_device):
  plain.data.frames, plain.data.annotated_every, plain.data.on_device = 1, 2, on_device
  batches = training_batches(data, data.subjects, plain, devices=1)
  if on_device:
    every = [learnt_from(data.annotated[r], plain) for r in data.records_of(data.subjects)]
    frames = {int(batch['frames'].item()) for batch in _draw(batches, 60)}
    assert frames == set(np.flatnonzero(np.concatenate(every)).tolist())
  else:
    drawn = _draw(batches, 60)
    assert all(batch['annotated'].all() and batch['video'].shape[2] == 1 for batch in drawn)
    assert len({batch['mask'].tobytes() for batch in drawn}) == 2 * len(data.ids)  # two of three frames of each


@pytest.mark.parametrize('on_device', [False, True])
def test_every_second_cine_is_of_the_further_set(data, plain, on_device):
  plain.data.on_device = on_device
  half = data.subjects[:2]
  records = data.records_of(half)
  full = data.example(0) | {'mask': np.ones_like(data.example(0)['mask'])}
  other = dataclasses.replace(data, source=[full], ids=data.ids[:1], annotated=data.annotated[:1])
  batches = _draw(training_batches(data, half, plain, devices=1, also=[other]), 4 * len(records))
  first_of_other = sum(len(data.annotated[r]) for r in records)
  of_other = [int(b['frames'].min()) == first_of_other if on_device else bool(b['mask'].all()) for b in batches]
  assert of_other == [False, True] * (len(of_other) // 2)


def test_training_sees_what_was_carried_and_validation_what_was_annotated(data, plain, monkeypatch, tmp_path):
  seen = {}

  class Seen(Exception):
    pass

  def batches(learnt, subjects, *_, also, **__):
    seen['training'], seen['subjects'], seen['further'] = learnt, subjects, also

  def validation(_, scored, split):
    seen['scored'], seen['split'] = scored, split
    raise Seen

  monkeypatch.setattr(train, 'training_batches', batches)
  monkeypatch.setattr(train, 'make_validation', validation)
  plain.data.annotated_every, plain.data.carry, plain.data.also, plain.num_devices = 3, True, 'toy/others', 1
  with pytest.raises(Seen):
    train.train_and_evaluate(plain, tmp_path)
  for record in data.records_of(seen['split'].train):
    assert seen['training'].annotated[record].dtype == np.float32
  for record in range(len(data.ids)):
    np.testing.assert_array_equal(seen['scored'].annotated[record], data.annotated[record])
    np.testing.assert_array_equal(seen['scored'].example(record)['mask'], data.example(record)['mask'])
  assert all(weight.dtype == np.float32 for other in seen['further'] for weight in other.annotated)
