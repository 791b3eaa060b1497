"""What a run was made of, saved beside it: versions, devices, and hashes of configuration, data and split."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform

import jax
from ml_collections import ConfigDict

import ear_jax
from ear_jax.data.pipeline import DataSet
from ear_jax.data.splits import Split

_PACKAGES = ('jax', 'jaxlib', 'flax', 'optax', 'orbax-checkpoint', 'grain', 'tensorflow-datasets', 'numpy')


def make_manifest(config: ConfigDict, data: DataSet, split: Split, parameters: int) -> dict:
  """Returns the manifest as plain types; it names no host, user or path.

  `training_picture` is there for prediction, which brings other cines to these frames and spacing.
  """
  return {
    'ear_jax': ear_jax.__version__,
    'python': platform.python_version(),
    'packages': {name: importlib.metadata.version(name) for name in _PACKAGES},
    'platform': f'{platform.system()} {platform.machine()}',
    'devices': [device.device_kind for device in jax.local_devices()],
    'config_hash': hash_config(config),
    'data_hash': data.hash,
    'data_content': data.content,
    'split_hash': split.hash,
    'parameters': parameters,
    'training_picture': data.picture(split.train, config.data.spacing),
  }


def hash_config(config: ConfigDict) -> str:
  """Returns the first 12 hexadecimal digits of the SHA-256 of the configuration."""
  return hashlib.sha256(config.to_json(sort_keys=True).encode()).hexdigest()[:12]
