"""What a network and a loss of a user's own must keep, looked at by abstract evaluation before training begins.

The contract of a network stands at the head of `ear_jax/models/__init__.py`, that of a loss in `training/losses.py`.
"""

import contextlib
import functools
import pathlib
import sysconfig
import traceback
from collections.abc import Iterator

import flax.linen as nn
import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from ear_jax.models import RUNGS
from ear_jax.system.errors import UserError
from ear_jax.training.losses import segmentation_loss

_LIBRARIES = tuple(sysconfig.get_paths()[name] for name in ('stdlib', 'purelib', 'platlib'))
_SHOWN = 240  # characters of what a library says


def of_network(config: ConfigDict) -> contextlib.AbstractContextManager[None]:
  """Turns what the network raises within the block, when it is made or traced, into a sentence."""
  return _in_words('config.model.name', config.model.name, ours=config.model.name in RUNGS)


@contextlib.contextmanager
def _in_words(field: str, name: str, *, ours: bool = False) -> Iterator[None]:
  """Turns what the network or loss that a field names raises within the block into a sentence with file and line.

  Of `ours` ValueErrors are sentences already, and anything else is a fault of ours, which passes through.
  """
  try:
    yield
  except UserError:
    raise
  except Exception as fault:
    if ours and not isinstance(fault, ValueError):
      raise
    if ours:
      raise UserError(str(fault)) from fault
    own = [frame for frame in traceback.extract_tb(fault.__traceback__) if not frame.filename.startswith(_LIBRARIES)]
    where = f'{pathlib.Path(own[-1].filename).name}, line {own[-1].lineno}'
    said = ' '.join(str(fault).split())[:_SHOWN]
    raise UserError(
      f'{field}={name!r} cannot be computed ({type(fault).__name__} in {where}: {said}): docs/own_network.md says what '
      'a network and a loss are called with, and what they return'
    ) from fault


def check_network(model: nn.Module, config: ConfigDict) -> None:
  """Raises UserError where a network lacks what is read of it before it is called, or does not divide the window."""
  name, unit, crop = config.model.name, getattr(model, 'unit', None), config.data.crop
  if not isinstance(unit, int) or unit < 1:
    raise UserError(
      f'config.model.name={name!r}: {type(model).__name__} has `unit` {unit!r}: give its class a whole number by which '
      'rows and columns must be divisible, such as `unit = 1` (docs/own_network.md)'
    )
  if crop % unit:
    raise UserError(
      f'config.data.crop is {crop}: rows and columns of config.model.name={name!r} must be divisible by {unit}: set '
      f'--config.data.crop={-(-crop // unit) * unit}'
    )


def check_logits(logits: jax.ShapeDtypeStruct, video: tuple[int, ...], config: ConfigDict) -> None:
  """Raises UserError where a network's output for a video `[B, T, H, W, C]` is not float32 `[B, T, H, W, K]`."""
  wanted = (*video[:-1], config.model.classes)
  found = tuple(f'{jnp.shape(x)} {getattr(x, "dtype", "")}' for x in jax.tree.leaves(logits))
  if not isinstance(logits, jax.ShapeDtypeStruct) or logits.shape != wanted or logits.dtype != jnp.float32:
    raise UserError(
      f'config.model.name={config.model.name!r} returns {" and ".join(found) or "nothing"} for a video '
      f'[B, T, H, W, C] of {video}: expected logits [B, T, H, W, K] of {wanted} float32, K being '
      'config.model.classes (docs/own_network.md)'
    )


def check_loss_of(logits: jax.ShapeDtypeStruct, config: ConfigDict) -> None:
  """Raises UserError where the loss of logits cannot be computed, or a term of it is no float for each count."""
  shape = (3, *logits.shape[1:])  # more cines than classes, or a loss that mixes both up would pass
  batch = [
    jax.ShapeDtypeStruct(shape, logits.dtype),
    jax.ShapeDtypeStruct(shape[:-1], jnp.uint8),
    jax.ShapeDtypeStruct(shape[:2], jnp.bool_),
  ]
  options = {k: config.loss[k] for k in ('name', 'smooth', 'reduction', 'loss_classes')}
  with _in_words('config.loss.name', config.loss.name):
    jax.eval_shape(functools.partial(segmentation_loss, **options), *batch)
