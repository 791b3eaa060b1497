"""How fast training batches come, with no network behind them to wait for."""

import time

from ml_collections import ConfigDict

from ear_jax.data.pipeline import open_data_set, training_batches


def cines_per_second(config: ConfigDict, *, devices: int, seconds: float = 10.0) -> dict:
  """Returns how fast the training iterator delivers, as `cines_per_second`, `first_batch_seconds` and `megabytes`.

  `megabytes` is a batch's size. The first batch is timed apart: it opens files and fills caches. A second epoch reads
  from memory what fits `data.cache_gb`; the figure is of whatever the seconds reached.

  Args:
    config: a whole training configuration.   devices: D of the batches.   seconds: how long to draw batches.

  Raises: UserError when the data set is not built.
  """
  data = open_data_set(config)
  start = time.perf_counter()
  batches = training_batches(data, data.subjects, config, devices=devices)
  first = next(batches)
  begun = time.perf_counter()
  count = 0
  while time.perf_counter() - begun < seconds:
    next(batches)
    count += 1
  rate = count * config.batch_size / (time.perf_counter() - begun)
  size = sum(x.nbytes for x in first.values())
  return {'cines_per_second': rate, 'first_batch_seconds': begun - start, 'megabytes': size / 1e6}
