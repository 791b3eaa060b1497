"""The whole suite runs on two virtual devices, with silent broadcasting an error, and on small cines made anew."""

import os
import tempfile

# Before jax is imported: with fewer threads, collectives over virtual devices can wait for each other for ever.
os.environ.setdefault('NPROC', '8')
# Compiling takes nearly all the time of these tiny shapes: it is done quickly, here and in the commands that tests
# start, which share what was compiled, with each other and with another worker of xdist (its parent was here first).
os.environ.setdefault('JAX_DISABLE_MOST_OPTIMIZATIONS', '1')
if 'JAX_COMPILATION_CACHE_DIR' not in os.environ:
  _compiled = tempfile.TemporaryDirectory(prefix='compiled')
  os.environ['JAX_COMPILATION_CACHE_DIR'] = _compiled.name
  os.environ['JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS'] = '0'
  os.environ['JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES'] = '-1'
# The same devices on every machine, with or without an accelerator.
os.environ.setdefault('JAX_PLATFORMS', 'cpu')

import hypothesis
import jax
import numpy as np
import pytest
from absl import flags

from ear_jax.cine import Cine

jax.config.update('jax_num_cpu_devices', 2)
jax.config.update('jax_numpy_rank_promotion', 'raise')
jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.5)  # hundreds of single operations are not worth it
# The same examples in every run: a change is judged by what it broke, not by what chance found.
hypothesis.settings.register_profile('steady', derandomize=True, deadline=None)
hypothesis.settings.load_profile('steady')
flags.FLAGS.mark_as_parsed()  # grain reads absl flags, which nothing parses here


def pytest_collection_modifyitems(items):
  """Puts the files of long tests first: begun last, one would keep a worker busy while the other has nothing to do."""
  long = {item.path for item in items if item.get_closest_marker('slow')}
  items.sort(key=lambda item: item.path not in long)


def _make_cine(channels=4, frames=3, **changes):
  rng = np.random.default_rng(7)
  venc = (20.0, 20.0, 30.0)
  video = rng.integers(0, 4096, (frames, 12, 10, channels)).astype(np.float32)  # not square: axes cannot be swapped
  if channels == 4:
    video[..., 1:] = (video[..., 1:] - 2048) / 2048 * np.float32(venc)
  mask = np.zeros((frames, 12, 10), np.uint8)
  mask[:, 4:7, 2:8] = 1
  fields = {
    'video': video,
    'mask': mask,
    'annotated': np.ones(frames, bool),
    'venc': venc if channels == 4 else None,
    'spacing': (0.85, 0.9),
    'frame_interval': 20.0,
    'subject': 'anna',
    'dataset': 'anna-1',
    'slice_id': 'MID',
    'level': 'mid',
  }
  return Cine(**fields | changes)


@pytest.fixture(scope='session')
def make_cine():
  """Returns `make(channels=4, frames=3, **fields)`, a sound cine of 12 x 10 pixels with some fields changed."""
  return _make_cine
