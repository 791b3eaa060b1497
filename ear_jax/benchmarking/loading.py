"""What training batches cost the host: in the first epoch, which reads, and in every later one."""

import contextlib
import time
from collections.abc import Iterator

import jax
from absl import logging
from ml_collections import ConfigDict

from ear_jax.config.fields import check_config, default_config
from ear_jax.data.data_set import DataSet, open_data_set
from ear_jax.data.on_device import make_batches, windows_of
from ear_jax.data.pipeline import training_batches, training_examples

_ASKED = 500  # cines that nothing but numbers is asked of


def measure_loading(config: ConfigDict, *, devices: int = 1) -> list[dict]:
  """Returns what batches of a configuration cost, by the paper's augmentation and by its own, on host and device.

  Each entry has `augmentation`, `on_device`, and for a cine: `first_seconds` by the clock and `first_processor` of all
  threads, in the first epoch; `later_ms` of the host's processor in those after it; and `device_ms`, what making it
  takes the device by the clock, 0 where the host makes it. Processor time is nearly free of what else the machine does.

  Args:
    config: a whole training configuration; of its data set all subjects are drawn.
    devices: D of the batches.

  Raises: UserError when the data set is not built, or for a field that cannot be.
  """
  check_config(config)
  data, rows = open_data_set(config), []
  for on_device in (True, False):
    for name, augmentation in (("the paper's", default_config().augment), ('its own', config.augment)):
      chosen = config.copy_and_resolve_references()
      chosen.augment, chosen.data.on_device = augmentation, on_device
      logging.info('batches with %s augmentation, made on the %s', name, 'device' if on_device else 'host')
      figures = (_on_device if on_device else _on_host)(data, chosen, devices)
      logging.info('%s', ', '.join(f'{what} {value:.3g}' for what, value in figures.items()))
      rows.append({'augmentation': name, 'on_device': on_device} | figures)
  return rows


def _on_device(data: DataSet, config: ConfigDict, devices: int) -> dict[str, float]:
  first: list[float] = []
  with _taking(first):
    windows = windows_of(training_examples(data, data.subjects), config)
  batches = training_batches(data, data.subjects, config, devices=devices)
  asked = jax.tree.map(lambda leaf: leaf[0], next(batches))
  later: list[float] = []
  with _taking(later):
    for _ in range(_ASKED // config.batch_size):
      next(batches)
  there, make = jax.device_put(windows), jax.jit(make_batches(config))
  jax.block_until_ready(make(there, asked))
  made: list[float] = []
  with _taking(made):
    jax.block_until_ready(make(there, asked))
  per_device = config.batch_size // devices
  return _figures(first, len(data.ids), later, _ASKED, made[0] / per_device)


def _on_host(data: DataSet, config: ConfigDict, devices: int) -> dict[str, float]:
  config.data.prefetch = 1  # what is made beyond the last batch is counted too
  batches, epoch = training_batches(data, data.subjects, config, devices=devices), len(data.ids) // config.batch_size
  first: list[float] = []
  later: list[float] = []
  for times in (first, later):
    with _taking(times):
      for _ in range(epoch):
        next(batches)
  return _figures(first, epoch * config.batch_size, later, epoch * config.batch_size, 0.0)


def _figures(first: list[float], cines: int, later: list[float], more: int, device: float) -> dict[str, float]:
  return {
    'first_seconds': first[0] / cines,
    'first_processor': first[1] / cines,
    'later_ms': 1000 * later[1] / more,
    'device_ms': 1000 * device,
  }


@contextlib.contextmanager
def _taking(seconds: list[float]) -> Iterator[None]:
  """Adds the seconds of the block by the clock and by the processor."""
  begun, worked = time.perf_counter(), time.process_time()
  yield
  seconds += [time.perf_counter() - begun, time.process_time() - worked]
