"""Networks as pure Flax modules. `build_model` is the only way from a configuration to a network; `NETWORKS` lists all.

A network maps `[B, T, H, W, C]` to logits `[B, T, H, W, K]` in float32, called as `module(video, train=False)`. Its
attribute `axis_name` is the device axis of batch statistics, None outside pmap; H and W must be divisible by its
`unit`. For deep supervision it may sow logits of half the size into the collection 'supervision' as 'level2', of a
quarter as 'level3' and so on.
"""

import dataclasses
import functools
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from ml_collections import ConfigDict

from ear_jax.models.unet3d import UNet3D

# The ablation ladder: each rung is the one before plus one switch.
RUNGS = {
  'unet3d': {'attention': 'none', 'temporal': 'none'},
  'unet3d_attention': {'temporal': 'none'},
  'ear3d': {},
}


def _rung(switches: dict[str, str], config: ConfigDict, axis_name: str | None) -> UNet3D:
  """The paper's network; fields of other networks are not its affair."""
  known = {f.name for f in dataclasses.fields(UNet3D)}
  stated = {key: tuple(value) if isinstance(value, list) else value for key, value in config.items() if key in known}
  fields: dict[str, Any] = stated | switches | {'dtype': jnp.dtype(config.dtype), 'axis_name': axis_name}
  return UNet3D(**fields)


# By `config.model.name`, a function of the section `config.model` and the device axis that returns the module. Another
# network is another line here, and its fields a section of its own, `config.model.NAME`.
NETWORKS = {name: functools.partial(_rung, switches) for name, switches in RUNGS.items()}


def build_model(config: ConfigDict, axis_name: str | None = None) -> nn.Module:
  """Returns the network of `config.model`.

  Args:
    config: the `model` section.
    axis_name: device axis for batch statistics, where the network runs under pmap.

  Raises: ValueError for an unknown name.
  """
  check_name(config)
  return NETWORKS[config.name](config, axis_name)


def check_name(config: ConfigDict) -> None:
  """Raises ValueError where `config.model` names a network that there is not."""
  if config.name not in NETWORKS:
    raise ValueError(f'config.model.name {config.name!r} is not one of {", ".join(NETWORKS)}')
