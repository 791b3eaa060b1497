"""Our network as a contestant: the product's own model, training step and placement. A process: see `worker`."""

import importlib.metadata
import time

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from ear_jax.benchmarking import worker
from ear_jax.benchmarking.cases import CHANNELS, Case
from ear_jax.devices.placement import AXIS, Placement
from ear_jax.models import build_model
from ear_jax.system import cli
from ear_jax.training.optim import make_optimizer, make_schedule
from ear_jax.training.state import count_parameters, create_state
from ear_jax.training.steps import make_train_step

LEARNING_RATE = 1e-3
_OPTIMIZER = ConfigDict(
  {
    'learning_rate': LEARNING_RATE,
    'schedule': 'constant',
    'warmup_steps': 0,
    'weight_decay': 0.0,
    'clip_norm': 0.0,
    'accumulate': 1,
  }
)
_LOSS = ConfigDict(
  {'name': 'dice_iou+cross_entropy', 'smooth': 1.0, 'reduction': 'cine', 'loss_classes': 'both'},
)


def network(case: Case) -> nn.Module:
  """Returns the network of a case; what the case does not say is as in `UNet3D`'s defaults."""
  fields = {'filters': case.filters, 'attention': 'channel', 'temporal': 'convlstm', 'dtype': 'float32'}
  return build_model(ConfigDict({'name': case.network, **fields}), AXIS)


class Ours:
  """Our implementation; see `worker.Implementation`. `devices` share the batch."""

  def __init__(self, devices: int):
    cli.request_cpu_devices(devices, devices)
    jax.config.update('jax_enable_compilation_cache', False)  # compile time is one of the figures
    self._placement = Placement(jax.local_devices()[:devices])
    packages = ('jax', 'jaxlib', 'flax', 'optax', 'numpy')
    self.versions = {name: importlib.metadata.version(name) for name in packages}

  def load(self, case: Case, weights: str | None) -> int:
    """See `worker.Implementation`."""
    model, optimizer = network(case), make_optimizer(_OPTIMIZER, make_schedule(_OPTIMIZER, 10**6))
    state = create_state(model, optimizer, CHANNELS, 0, size=2 ** len(case.filters), ema=False)
    params = _perturbed(state.params) if weights is None else _read(weights, state.params)
    devices = len(self._placement.devices)
    video, mask = (x.reshape(devices, case.batch // devices, *x.shape[1:]) for x in case.inputs())
    batch = {'video': video, 'mask': mask, 'annotated': np.ones(mask.shape[:3], bool)}
    self._batch = self._placement.shard(batch)
    self._state = self._placement.replicate(state.replace(params=params))
    step = make_train_step(model, optimizer, _LOSS, ema_decay=0.0, axis_name=AXIS)
    self._step = self._placement.pmap_step(step)
    self._apply = self._placement.pmap_apply(model.apply)
    return count_parameters(params)

  def forward(self) -> None:
    """See `worker.Implementation`."""
    jax.block_until_ready(self._apply(self._state.variables, self._batch['video']))

  def logits(self) -> np.ndarray:
    """See `worker.Implementation`."""
    logits = jax.device_get(self._apply(self._state.variables, self._batch['video']))
    return logits.reshape(-1, *logits.shape[2:])  # [B, T, H, W, K]

  def step(self) -> float:
    """See `worker.Implementation`."""
    self._state, metrics = self._step(self._state, self._batch)
    jax.block_until_ready(self._state)
    return float(metrics['loss'])

  def save_weights(self, path: str) -> None:
    """Writes the parameters as an npz file, the names of modules joined by slashes."""
    leaves = jax.tree_util.tree_leaves_with_path(jax.device_get(self._state.params))
    np.savez(path, **{_name(keys): leaf for keys, leaf in leaves})

  def ceiling(self, size: int = 3072, calls: int = 8) -> float:
    """Returns the GFLOP/s of the fastest of some products of two square matrices, float32, on the first device."""
    x = jax.device_put(np.ones((size, size), np.float32), self._placement.devices[0])
    product = jax.jit(lambda x: jnp.matmul(x, x, precision='highest'))
    product(x).block_until_ready()
    seconds = []
    for _ in range(calls):
      start = time.perf_counter()
      product(x).block_until_ready()
      seconds.append(time.perf_counter() - start)
    return 2 * size**3 / min(seconds) / 1e9


def _perturbed(params):
  """Moves biases from 0 and gains from 1: else a peer without one of them would still compute the same."""
  rng = np.random.default_rng(1)
  return jax.tree.map(
    lambda x: x + 0.1 * rng.standard_normal(x.shape, np.float32) if x.ndim == 1 else x, jax.device_get(params)
  )


def _read(path, like):
  with np.load(path) as arrays:
    return jax.tree_util.tree_map_with_path(lambda keys, _: arrays[_name(keys)], like)


def _name(keys) -> str:
  return '/'.join(key.key for key in keys)


if __name__ == '__main__':
  worker.serve(lambda options: Ours(options['devices']))
