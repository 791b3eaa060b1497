"""A trained network as one file that runs without our code: how it is made, written and read.

The file is a zip of two parts: `network.jaxexport`, the function that `jax.export` serialised with its weights inside,
and `network.json`, what it expects and where it came from. `docs/export.md` shows a reader that needs jax and numpy.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import zipfile
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from ear_jax.errors import UserError
from ear_jax.files import replacing

FORMAT = 'ear_jax network 1'
FUNCTION, DESCRIPTION = 'network.jaxexport', 'network.json'
PLATFORMS = ('cpu', 'cuda')
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date of a zip: equal networks make equal files


@dataclasses.dataclass(frozen=True)
class Network:
  """A network read from a file.

  Attributes:
    probability: `[B, T, S, S, C]` float32, normalised, to the probability of myocardium `[B, T, S, S]`.
    description: what `network.json` holds.
  """

  probability: Callable[[jax.Array], jax.Array]
  description: dict


def serialise(apply: Callable, variables: dict, size: int, channels: int) -> bytes:
  """Returns `apply(variables, [B, T, size, size, channels])` for any B and T as bytes, for CPU and CUDA.

  The weights are constants of the function. Names of our source files are left out: they would be paths.
  """
  variables = jax.tree.map(np.asarray, variables)
  frames = jax.export.symbolic_shape('b, t')
  video = jax.ShapeDtypeStruct((*frames, size, size, channels), jnp.float32)

  def network(video):
    return apply(variables, video)

  with _without_source_lines():
    return bytes(jax.export.export(jax.jit(network), platforms=PLATFORMS)(video).serialize())


def write_network(path: str | os.PathLike, function: bytes, description: dict) -> None:
  """Writes a serialised function and its description; the same input gives the same bytes."""
  text = json.dumps(description, indent=2, sort_keys=True).encode()
  with replacing(path) as temporary, zipfile.ZipFile(temporary, 'w') as archive:
    for name, content in ((FUNCTION, function), (DESCRIPTION, text)):
      info = zipfile.ZipInfo(name, _EPOCH)
      info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
      archive.writestr(info, content)


def read_network(path: str | os.PathLike) -> Network:
  """Returns the network in a file that `write_network` wrote.

  Its function raises ValueError for a video of another shape or dtype than it was made for, naming both.

  Raises: UserError when there is no such file, or it is not one of ours.
  """
  try:
    with zipfile.ZipFile(path) as archive:
      description, function = json.loads(archive.read(DESCRIPTION)), archive.read(FUNCTION)
  except FileNotFoundError:
    raise UserError(f'no network file {path}: write one with `python -m ear_jax.export`') from None
  except (zipfile.BadZipFile, KeyError, OSError, ValueError) as fault:
    raise UserError(f'{path} is not a whole network file ({fault}): write it again with ear_jax.export') from fault
  if description.get('format') != FORMAT:
    raise UserError(f'{path} holds {description.get("format")!r}, this version reads {FORMAT!r}: export it again')
  return Network(jax.export.deserialize(bytearray(function)).call, description)


@contextlib.contextmanager
def _without_source_lines():
  before = jax.config.jax_traceback_in_locations_limit
  jax.config.update('jax_traceback_in_locations_limit', 0)
  try:
    yield
  finally:
    jax.config.update('jax_traceback_in_locations_limit', before)
