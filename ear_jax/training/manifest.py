"""What a run was made of, saved beside it: versions, devices, and hashes of configuration, data and split."""

import hashlib
import importlib.metadata
import json
import os
import pathlib
import platform
import re
from collections.abc import Sequence
from typing import Any

import jax
from absl import logging
from ml_collections import ConfigDict

import ear_jax
from ear_jax.data.data_set import DataSet
from ear_jax.data.splits import Split
from ear_jax.system.files import write_text
from ear_jax.training.state import count_parameters

_NUMBERS = (
  'JAX_DEFAULT_MATMUL_PRECISION',
  'JAX_DEFAULT_PRNG_IMPL',
  'JAX_DISABLE_MOST_OPTIMIZATIONS',
  'JAX_ENABLE_X64',
  'JAX_NUMPY_DTYPE_PROMOTION',
  'JAX_OPTIMIZATION_LEVEL',
  'JAX_THREEFRY_PARTITIONABLE',
  'NVIDIA_TF32_OVERRIDE',
)
_ELSEWHERE = re.compile(f'{re.escape(os.sep)}|_timeout_|_device_count=')
_PACKAGES = ('jax', 'jaxlib', 'flax', 'optax', 'orbax-checkpoint', 'grain', 'tensorflow-datasets', 'numpy')


def write_run(
  config: ConfigDict,
  workdir: pathlib.Path,
  data: DataSet,
  split: Split,
  params: Any,
  origin: dict[str, Any] | None,
  also: Sequence[DataSet] = (),
) -> None:
  """Writes configuration, split and manifest of a run to its folder.

  `origin` says what its weights began from, `also` are the sets of `config.data.also`.
  """
  parameters = count_parameters(params)
  manifest = make_manifest(config, data, split, parameters) | ({'init_from': origin} if origin else {})
  if also:
    manifest['also'] = [{'data_hash': further.hash, 'data_content': further.content} for further in also]
  write_text(workdir / 'config.json', config.to_json(sort_keys=True, indent=2))
  write_text(workdir / 'split.json', split.to_json())
  write_text(workdir / 'manifest.json', json.dumps(manifest, indent=2))
  logging.info(
    '%s: %s parameters; %d training, %d validation, %d test subjects; configuration %s',
    config.model.name,
    f'{parameters:,}',
    len(split.train),
    len(split.validation),
    len(split.test),
    manifest['config_hash'],
  )


def read_origin(workdir: pathlib.Path) -> dict[str, Any] | None:
  """Returns what the manifest says of the network that a run began from; None where it began from scratch."""
  path = workdir / 'manifest.json'
  return json.loads(path.read_text()).get('init_from') if path.exists() else None


def environment() -> dict[str, str]:
  """Returns the environment variables that may change numbers: precision, random numbers, flags of the compiler.

  Of flags none that names a file, or that says where or how long, but not how to compute.
  """
  variables = {name: os.environ.get(name, '') for name in _NUMBERS}
  variables['XLA_FLAGS'] = ' '.join(
    flag for flag in os.environ.get('XLA_FLAGS', '').split() if not _ELSEWHERE.search(flag)
  )
  return {name: value for name, value in variables.items() if value}


def make_manifest(config: ConfigDict, data: DataSet, split: Split, parameters: int) -> dict[str, Any]:
  """Returns the manifest as plain types; it names no host, user or path.

  `training_picture` is there for prediction, which brings other cines to these frames and spacing.
  """
  return {
    'ear_jax': ear_jax.__version__,
    'python': platform.python_version(),
    'packages': {name: importlib.metadata.version(name) for name in _PACKAGES},
    'platform': f'{platform.system()} {platform.machine()}',
    'devices': [device.device_kind for device in jax.local_devices()],
    'environment': environment(),
    'config_hash': hashlib.sha256(config.to_json(sort_keys=True).encode()).hexdigest()[:12],
    'data_hash': data.hash,
    'data_content': data.content,
    'split_hash': split.hash,
    'parameters': parameters,
    'training_picture': data.picture(split.train, config.data.spacing, config.data.frames, config.data.channels),
  }
