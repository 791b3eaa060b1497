"""Where arrays are placed, and the sentences for what does not fit the devices."""

import jax
import numpy as np
import pytest

from ear_jax.devices.placement import AXIS, Placement, devices_for
from ear_jax.system.errors import UserError


@pytest.fixture(scope='module')
def placement():
  return Placement(jax.local_devices())


def test_the_suite_has_two_devices_and_all_are_used_by_default():
  assert len(jax.local_devices()) == 2
  assert devices_for(4) == jax.local_devices()
  assert devices_for(3, 1) == jax.local_devices()[:1]


def test_more_devices_than_there_are_is_refused():
  with pytest.raises(UserError, match=r'config\.num_devices is 3, but 2 devices are here'):
    devices_for(6, 3)


@pytest.mark.parametrize(('batch_size', 'advice'), [(5, 'use 4 or 6'), (1, 'use 2')])
def test_a_batch_that_does_not_divide_is_refused_with_sizes_that_do(batch_size, advice):
  with pytest.raises(UserError) as fault:
    devices_for(batch_size)
  assert str(fault.value) == (
    f'batch_size {batch_size} does not divide over 2 devices: {advice}, or set --config.num_devices=1'
  )


@pytest.mark.parametrize('leading', [1, 3, 4])  # D - 1, of which pmap says nothing, D + 1, 2 D
def test_a_wrong_leading_axis_is_refused(placement, leading):
  batch = {'video': np.zeros((2, 1, 3)), 'mask': np.zeros((leading, 1, 3))}
  with pytest.raises(ValueError, match=rf'batch has leading axis \({leading},\) but 2 devices are in use') as fault:
    placement.shard(batch)
  assert f'expected shape [2, B, ...], got ({leading}, 1, 3)' in str(fault.value)


def test_shard_gives_each_device_its_slice_and_replicate_gives_each_the_whole(placement):
  values = np.arange(6.0, dtype=np.float32).reshape(2, 3)
  sharded = placement.shard({'x': values})['x']
  replicated = placement.replicate({'x': values})['x']
  for i, device in enumerate(jax.local_devices()):
    mine, whole = ({s.device: np.asarray(s.data) for s in x.addressable_shards}[device] for x in (sharded, replicated))
    np.testing.assert_array_equal(mine, values[i : i + 1])
    np.testing.assert_array_equal(whole, values)
  abstract = placement.abstract({'x': values})['x']
  assert (abstract.shape, abstract.dtype, abstract.sharding) == ((2, 3), np.float32, replicated.sharding)


def test_apply_runs_each_slice_on_its_device_and_keeps_them_apart(placement):
  def apply(variables, x):
    return variables['w'] * x + jax.lax.axis_index(AXIS)

  variables = placement.replicate({'w': np.float32(10)})
  found = placement.pmap_apply(apply)(variables, placement.shard(np.float32([[1, 2], [3, 4]])))
  np.testing.assert_array_equal(found, [[10, 20], [31, 41]])
