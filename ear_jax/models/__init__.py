"""Networks as pure Flax modules. `build_model` is the only way from a configuration to a network."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
from ml_collections import ConfigDict

from ear_jax.models.unet3d import UNet3D
from ear_jax.system.errors import UserError

# The ablation ladder: each rung is the one before plus one switch.
RUNGS = {
  'unet3d': {'attention': 'none', 'temporal': 'none'},
  'unet3d_attention': {'temporal': 'none'},
  'ear3d': {},
}
DTYPES = ('float32', 'bfloat16')


def build_model(config: ConfigDict, axis_name: str | None = None) -> UNet3D:
  """Returns the network of `config.model`.

  Args:
    config: the `model` section; `name` is 'unet3d', 'unet3d_attention' or 'ear3d', every other key a field of `UNet3D`.
    axis_name: device axis for batch statistics, where the network runs under pmap.

  Raises: UserError for an unknown name or dtype.
  """
  fields = dict(config)
  name = fields.pop('name')
  if name not in RUNGS:
    raise UserError(f'config.model.name {name!r} is not one of {", ".join(RUNGS)}')
  fields |= RUNGS[name]
  if fields['dtype'] not in DTYPES:
    raise UserError(f'config.model.dtype {fields["dtype"]!r} is not one of {", ".join(DTYPES)}')
  fields['dtype'] = jnp.dtype(fields['dtype'])
  known = {f.name for f in dataclasses.fields(UNet3D)}
  fields = {key: tuple(value) if isinstance(value, list) else value for key, value in fields.items() if key in known}
  return UNet3D(**fields, axis_name=axis_name)
