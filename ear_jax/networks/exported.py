"""A trained network, or several that are averaged, as one file that runs without our code: made, written and read.

The file is a zip of three parts: `network.jaxexport`, the function of weights and video that `jax.export` serialised;
`weights.npz`, its weights, which training can start from too; and `network.json`, what it expects and where it came
from. `docs/export.md` shows a reader that needs jax and numpy.
"""

import contextlib
import io
import json
import os
import zipfile
from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from ear_jax.system.errors import UserError
from ear_jax.system.files import replacing

FORMAT = 'ear_jax network 2'
FUNCTION, WEIGHTS, DESCRIPTION = 'network.jaxexport', 'weights.npz', 'network.json'
PLATFORMS = ('cpu', 'cuda')
_LARGEST = {DESCRIPTION: 2**20, FUNCTION: 2**28, WEIGHTS: 2**30}  # bytes; a zip may declare anything
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date of a zip: equal networks make equal files


def serialise(apply: Callable, members: Sequence[Mapping], size: int, channels: int) -> bytes:
  """Returns the mean of `apply(variables, [B, T, size, size, channels])` over some networks, for any B and T, as bytes.

  For CPU and CUDA, as a function of the flat weights, see `flat_weights`, and the video. Of the members' variables only
  shapes and dtypes matter. Names of our source files are left out: they would be paths.
  """
  weights = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), flat_weights(members))
  frames = jax.export.symbolic_shape('b, t')
  video = jax.ShapeDtypeStruct((*frames, size, size, channels), jnp.float32)

  def network(weights, video):
    answers = [apply(variables, video) for variables in members_of(weights)]
    return sum(answers[1:], answers[0]) / len(answers) if len(answers) > 1 else answers[0]

  with _without_source_lines(), _flatbuffers():
    return bytes(jax.export.export(jax.jit(network), platforms=PLATFORMS)(weights, video).serialize())


def flat_weights(members: Sequence[Mapping]) -> dict[str, jax.Array]:
  """Returns the arrays of some networks' variables by their path: 'params/head/kernel', or with 'network1/' before it.

  The prefix is there where there are several.
  """
  tree = members[0] if len(members) == 1 else {f'network{i}': v for i, v in enumerate(members, start=1)}
  return flatten_dict(tree, sep='/')


def members_of(weights: dict[str, jax.Array]) -> list[dict]:
  """Returns the variables of each network as its modules name them: the inverse of `flat_weights`."""
  tree = unflatten_dict(weights, sep='/')
  several = [tree[f'network{i}'] for i in range(1, len(tree) + 1)] if 'network1' in tree else [tree]
  return [{'batch_stats': {}} | variables for variables in several]


def write_network(path: str | os.PathLike, function: bytes, members: Sequence[Mapping], description: dict) -> None:
  """Writes a serialised function, its networks' variables and its description; equal input gives equal bytes."""
  arrays = io.BytesIO()
  np.savez(arrays, allow_pickle=False, **{name: np.asarray(x) for name, x in flat_weights(members).items()})
  text = json.dumps(description, indent=2, sort_keys=True).encode()
  parts = ((FUNCTION, function), (WEIGHTS, arrays.getvalue()), (DESCRIPTION, text))
  with replacing(path) as temporary, zipfile.ZipFile(temporary, 'w') as archive:
    for name, content in parts:
      info = zipfile.ZipInfo(name, _EPOCH)
      info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
      archive.writestr(info, content)


def read_network(path: str | os.PathLike) -> tuple[Callable, dict[str, np.ndarray], dict]:
  """Returns the network in a file that `write_network` wrote: its function, its weights and its description.

  The function takes the weights, float32 arrays by their path in the variables (see `flat_weights`), and a normalised
  video `[B, T, S, S, C]`, and gives the probability of myocardium `[B, T, S, S]`. It raises ValueError for a video of
  another shape or dtype than it was made for, naming both. The description is what `network.json` holds.

  Raises: UserError when there is no such file, it is not one of ours, or of another version, or this jax cannot read
  it.
  """
  try:
    with zipfile.ZipFile(path) as archive:
      description = json.loads(_part(archive, DESCRIPTION))
      if description.get('format') != FORMAT:
        raise UserError(f'{path} holds {description.get("format")!r}, this version reads {FORMAT!r}: export it again')
      function, arrays = _part(archive, FUNCTION), io.BytesIO(_part(archive, WEIGHTS))
      with zipfile.ZipFile(arrays) as inside:
        if sum(info.file_size for info in inside.infolist()) > _LARGEST[WEIGHTS]:
          raise ValueError(f'{WEIGHTS} declares too much')
      weights = dict(np.load(arrays, allow_pickle=False))
  except FileNotFoundError:
    raise UserError(f'no network file {path}: write one with `python -m ear_jax.export`') from None
  except UserError:
    raise
  except Exception as fault:  # zip, JSON and numpy raise errors of many kinds for a broken file
    raise UserError(f'{path} is not a whole network file ({fault}): write it again with ear_jax.export') from fault
  return _function(path, function, description), weights, description


def _function(path, function, description):
  """Returns what `jax.export` makes of the bytes, or raises UserError saying why it cannot."""
  versions = description.get('versions')
  writer = versions.get('jax', jax.__version__) if isinstance(versions, dict) else jax.__version__
  try:
    with _flatbuffers():
      exported = jax.export.deserialize(bytearray(function))
    if writer != jax.__version__:
      exported.mlir_module()  # what a newer jax wrote is otherwise not refused before it compiles
  except UserError:
    raise
  except Exception as fault:  # jax too raises errors of many kinds
    name = type(fault).__name__
    if writer == jax.__version__:
      raise UserError(f'{path} is not a whole network file ({name}): write it again with ear_jax.export') from fault
    raise UserError(
      f'{path} was exported under jax {writer}, and jax {jax.__version__} here cannot read it ({name}): install jax '
      f'{writer} or newer, or export its run again under {jax.__version__}'
    ) from fault
  return exported.call


@contextlib.contextmanager
def _flatbuffers():
  """Names the package that `jax.export` needs and does not install."""
  try:
    yield
  except ImportError as fault:
    raise UserError('the package flatbuffers is missing, which network files need: pip install flatbuffers') from fault


def _part(archive: zipfile.ZipFile, name: str) -> bytes:
  """Returns a part of the file; raises ValueError for one that would unpack to more than a network has."""
  if archive.getinfo(name).file_size > _LARGEST[name]:
    raise ValueError(f'{name} declares {archive.getinfo(name).file_size} bytes')
  return archive.read(name)


@contextlib.contextmanager
def _without_source_lines():
  before = jax.config.values['jax_traceback_in_locations_limit']
  jax.config.update('jax_traceback_in_locations_limit', 0)
  try:
    yield
  finally:
    jax.config.update('jax_traceback_in_locations_limit', before)
