"""Networks that ship with the package: `<name>.zip`, which `ear_jax.export` wrote, and its model card `<name>.md`."""

import json
import pathlib
import zipfile

from ear_jax.system.errors import UserError, nearest

_FOLDER = pathlib.Path(__file__).parent


def names() -> list[str]:
  """Returns the names of the shipped networks, sorted."""
  return sorted(path.stem for path in _FOLDER.glob('*.zip'))


def accepted() -> str:
  """Returns what may be given as a network, for the help of a flag."""
  return f'a shipped network ({", ".join(names())}), the folder of a training run, or a file of ear_jax.export (.zip)'


def names_for(channels: int) -> list[str]:
  """Returns the names of the shipped networks that take cines of this number of channels, sorted."""
  return [name for name in names() if _config(name)['data']['channels'] <= channels]


def _config(name: str) -> dict:
  with zipfile.ZipFile(_FOLDER / f'{name}.zip') as archive:
    return json.loads(archive.read('network.json'))['config']


def locate(network: str) -> pathlib.Path:
  """Returns where a network is, given by the name of a shipped one or by a path.

  A shipped name always means the shipped network, whatever lies in the current folder: write `./name` for that.

  Raises: UserError when it is neither a shipped name nor a path that exists.
  """
  if network in names():
    return _FOLDER / f'{network}.zip'
  path = pathlib.Path(network).expanduser()
  if not path.exists():
    raise UserError(
      f'no training run or network {network!r}: give the working directory of a run, a file of ear_jax.export, or '
      f'the name of a network that ships with the package: {", ".join(names())}{nearest(network, names())}'
    )
  return path
