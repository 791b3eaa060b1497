"""Which numbers a configuration may hold: what lies outside is refused before anything uses it."""

from __future__ import annotations

import functools
import math

from ml_collections import ConfigDict

from ear_jax.system.errors import UserError

# The smallest value, and the one that it stays below.
_RANGES = {
  'seed': (0, 2**31),
  'steps': (1, math.inf),
  'batch_size': (1, math.inf),
  'num_devices': (0, math.inf),
  'cpu_devices': (0, math.inf),
  'log_every': (1, math.inf),
  'data.channels': (1, 5),
  'data.crop': (1, math.inf),
  'data.shift': (0, math.inf),
  'data.spacing': (0, 1000),
  'data.annotated_every': (1, math.inf),
  'data.cache_gb': (0, math.inf),
  'data.threads': (0, 1000),
  'data.prefetch': (0, 1000),
  'augment.rotate': (0, 360),
  'augment.scale': (0, 1),
  'augment.elastic': (0, 1000),
  'augment.intensity': (0, 1000),
  'split.seed': (0, 2**31),
  'split.test_fraction': (0, 1),
  'split.folds': (1, math.inf),
  'model.classes': (2, 256),
  'model.attention_max_tokens': (0, math.inf),
  'loss.smooth': (0, math.inf),
  'optimizer.learning_rate': (0, math.inf),
  'optimizer.warmup_steps': (0, math.inf),
  'optimizer.weight_decay': (0, math.inf),
  'optimizer.clip_norm': (0, math.inf),
  'optimizer.accumulate': (1, math.inf),
  'optimizer.ema_decay': (0, 1),
  'eval.every': (1, math.inf),
  'eval.batch_size': (0, math.inf),
}


def check_ranges(config: ConfigDict) -> None:
  """Raises UserError where a number of the whole configuration is outside its range, or is none."""
  for name, (smallest, below) in _RANGES.items():
    value = functools.reduce(ConfigDict.__getitem__, name.split('.'), config)
    if not smallest <= value < below:  # NaN is in no range
      most = '' if below == math.inf else f', and less than {below}'
      raise UserError(f'config.{name} is {value}: it must be {smallest} or more{most}')
