"""Where arrays live: the device axis, the mesh, and the two ways in which a step spreads over devices.

The state has no device axis: it is replicated, and donated to each step. A batch is `[D, B, T, H, W, C]`, one slice a
device. With several processes each holds the replicas and slices of its own D devices, and a step sums over all.

`pmap` and `jit` run the same step, written for one slice with sums over the axis `AXIS`, to the same bits. A jitted
step is an ordinary function of arrays with shardings: part of a larger program, if need be, and compiled before a call.
"""

import contextlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from ear_jax.system.errors import UserError

AXIS = 'batch'  # must be the mesh's axis name too, or pmap compiles a second time


def devices_for(batch_size: int, requested: int = 0) -> list[jax.Device]:
  """Returns the devices to train on, of all processes: `requested` of them, or all when it is 0.

  Raises: UserError when there are not that many, or when `batch_size` does not divide over them.
  """
  available, processes = jax.devices(), jax.process_count()
  if processes > 1 and requested:
    raise UserError(f'config.num_devices is {requested}: {processes} processes use all of their devices, leave it at 0')
  if len(available) != processes * len(jax.local_devices()):
    raise UserError(f'{processes} processes have {len(available)} devices: each must have the same number')
  if requested > len(available):
    raise UserError(f'config.num_devices is {requested}, but {len(available)} devices are here: {available}')
  devices = available[: requested or None]
  if batch_size % len(devices):
    below = batch_size - batch_size % len(devices)
    fitting = [str(size) for size in (below, below + len(devices)) if size]
    raise UserError(
      f'batch_size {batch_size} does not divide over {len(devices)} devices: use {" or ".join(fitting)}'
      + (', or set --config.num_devices=1' if processes == 1 else '')
    )
  return devices


class Placement:
  """The mesh over some devices, with the placements that training uses.

  Attributes:
    devices: those of this process, D.   processes: number of processes that hold the others.
  """

  def __init__(self, devices: list[jax.Device]):
    self._everywhere = list(devices)
    self.devices = [device for device in devices if device.process_index == jax.process_index()]
    self.processes = len({device.process_index for device in devices})
    mesh, everywhere = (Mesh(np.array(group), (AXIS,)) for group in (self.devices, self._everywhere))
    self.replicated = NamedSharding(mesh, PartitionSpec())
    self._sharded = NamedSharding(mesh, PartitionSpec(AXIS))
    self._global = NamedSharding(everywhere, PartitionSpec())
    self._global_slices = NamedSharding(everywhere, PartitionSpec(AXIS))

  def connect(self) -> None:
    """Sums over all devices once, when all processes are known to be here.

    The first sum gives up on another process after 30 s; later ones wait for one that still compiles.
    """
    if self.processes > 1:
      add = jax.pmap(lambda x: jax.lax.psum(x, AXIS), axis_name=AXIS, devices=self._everywhere)
      jax.block_until_ready(add(np.ones(len(self.devices), np.float32)))

  def guarded(self) -> contextlib.AbstractContextManager:
    """Makes it an error, within a `with` block, that an array moves between host and devices without being told to.

    Not with several processes: pmap over them takes the random key through the host by itself.
    """
    return jax.transfer_guard('disallow' if self.processes == 1 else 'allow')

  def replicate(self, tree: Any) -> Any:
    """Returns the tree with a whole copy on every device."""
    return jax.device_put(tree, self.replicated)

  def shard(self, batch: Any) -> Any:
    """Returns the batch, leaves `[D, B, ...]`, with one slice on each device.

    Raises: ValueError when a leading axis is not D; pmap would run silently on fewer devices.
    """
    for leaf in jax.tree.leaves(batch):
      if leaf.shape[:1] != (len(self.devices),):
        raise ValueError(
          f'batch has leading axis {leaf.shape[:1]} but {len(self.devices)} devices are in use; expected shape '
          f'[{len(self.devices)}, B, ...], got {leaf.shape}'
        )
    return jax.device_put(batch, self._sharded)

  def abstract(self, tree: Any) -> Any:
    """Returns shapes and dtypes of a replicated tree as `across` gives it, for restoring a checkpoint."""
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=self._global), tree)

  def across(self, tree: Any) -> Any:
    """Returns a replicated tree as arrays of all processes together, which is how they save it."""
    return tree if self.processes == 1 else jax.tree.map(lambda x: _on(x, self._global), tree)

  def within(self, tree: Any) -> Any:
    """Returns a tree of `across` as arrays of this process alone."""
    return tree if self.processes == 1 else jax.tree.map(lambda x: _on(x, self.replicated), tree)

  def abstract_batch(self, batch: Any) -> Any:
    """Returns shapes and dtypes of a batch, leaves `[D, B, ...]`, that `shard` will place."""
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=self._sharded), batch)

  def pmap_step(self, step: Callable) -> Callable:
    """Returns `step(state, batch) -> (state, metrics)` over all devices of all processes; the old state is gone."""
    return jax.pmap(step, axis_name=AXIS, in_axes=(None, 0), out_axes=None, donate_argnums=0, devices=self._everywhere)

  def jit_step(self, step: Callable) -> Callable:
    """Returns the same as `pmap_step` by `jit` and shardings."""

    def on_slice(state: Any, batch: Any) -> Any:
      return step(state, jax.tree.map(lambda x: x[0], batch))

    everywhere, whole = self._global.mesh, (PartitionSpec(), PartitionSpec(AXIS))
    # Unchecked, a sum's transpose is a sum, as under pmap; checked, jax would add up the gradients by itself.
    spread = jax.shard_map(on_slice, mesh=everywhere, in_specs=whole, out_specs=PartitionSpec(), check_vma=False)
    compiled = jax.jit(spread, donate_argnums=0)
    if self.processes == 1:
      return compiled

    def run(state: Any, batch: Any) -> Any:
      batch = jax.tree.map(lambda x: _on(x, self._global_slices, (len(self._everywhere), *x.shape[1:])), batch)
      return self.within(compiled(self.across(state), batch))

    return run

  def pmap_apply(self, apply: Callable) -> Callable:
    """Returns `apply(variables, batch) -> outputs` over this process's devices, outputs `[D, B, ...]`."""
    return jax.pmap(apply, axis_name=AXIS, in_axes=(None, 0), devices=self.devices)


def _on(x: jax.Array, sharding: NamedSharding, shape: tuple[int, ...] | None = None) -> jax.Array:
  """Returns the same replicas, or slices of a `shape`, as an array of another set of processes; nothing is copied."""
  if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
    return jax.random.wrap_key_data(_on(jax.random.key_data(x), sharding), impl=jax.random.key_impl(x))
  parts = [shard.data for shard in x.addressable_shards]
  return jax.make_array_from_single_device_arrays(shape or x.shape, sharding, parts)
