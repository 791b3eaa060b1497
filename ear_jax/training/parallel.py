"""Where arrays live: the device axis, the mesh, and the only calls of `pmap` in the project.

The state has no device axis: it is replicated, and donated to each step. A batch is `[D, B, T, H, W, C]`, one slice a
device. Moving from pmap to `jit` with shardings would touch this file alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from ear_jax.errors import UserError

AXIS = 'batch'  # must be the mesh's axis name too, or pmap compiles a second time


def devices_for(batch_size: int, requested: int = 0) -> list[jax.Device]:
  """Returns the local devices to train on: `requested` of them, or all when it is 0.

  Raises: UserError when there are not that many, or when `batch_size` does not divide over them.
  """
  available = jax.local_devices()
  if requested > len(available):
    raise UserError(f'config.num_devices is {requested}, but {len(available)} devices are here: {available}')
  devices = available[: requested or None]
  if batch_size % len(devices):
    below = batch_size - batch_size % len(devices)
    fitting = [str(size) for size in (below, below + len(devices)) if size]
    raise UserError(
      f'batch_size {batch_size} does not divide over {len(devices)} devices: '
      f'use {" or ".join(fitting)}, or set --config.num_devices=1'
    )
  return devices


class Placement:
  """The mesh over some local devices, with the two placements that training uses."""

  def __init__(self, devices: list[jax.Device]):
    self.devices = list(devices)
    mesh = Mesh(np.array(self.devices), (AXIS,))
    self.replicated = NamedSharding(mesh, PartitionSpec())
    self._sharded = NamedSharding(mesh, PartitionSpec(AXIS))

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
    """Returns shapes and dtypes of a tree that will be replicated here, for restoring a checkpoint."""
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=self.replicated), tree)

  def abstract_batch(self, batch: Any) -> Any:
    """Returns shapes and dtypes of a batch, leaves `[D, B, ...]`, that `shard` will place."""
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=self._sharded), batch)

  def pmap_step(self, step: Callable) -> Callable:
    """Returns `step(state, batch) -> (state, metrics)` over the devices; the old state is given away."""
    return jax.pmap(step, axis_name=AXIS, in_axes=(None, 0), out_axes=None, donate_argnums=0, devices=self.devices)

  def pmap_apply(self, apply: Callable) -> Callable:
    """Returns `apply(variables, batch) -> outputs` over the devices, outputs `[D, B, ...]`."""
    return jax.pmap(apply, axis_name=AXIS, in_axes=(None, 0), devices=self.devices)
