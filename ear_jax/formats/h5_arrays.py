"""Arrays of HDF5 files from unknown sources: only data in the file itself, of a plausible size, and numeric.

An HDF5 file may declare petabytes in a kilobyte, and name other files, whose bytes would then pass for its own: links,
external storage and virtual data sets are refused rather than followed.
"""

import math
from typing import Any

import h5py

from ear_jax.formats import checks

DEFAULTS: dict[str, Any] = {  # of the attributes by which a file states its settings
  'venc': checks.DEFAULT_VENC,
  'spacing': (0.85, 0.85),
  'frame_interval': math.nan,
  'signs': (1.0, 1.0, 1.0),
}


def settings(group: h5py.Group, defaults: dict = DEFAULTS) -> dict:
  """Returns the settings of a group: by its own attributes, else by those of the file, else the defaults."""
  parent = group.file.attrs
  return {key: group.attrs.get(key, parent.get(key, default)) for key, default in defaults.items()}


def taken(group: h5py.Group) -> str:
  """Returns, as a note, which of venc and spacing the file does not state; '' where it states both."""
  stated = {*group.attrs, *group.file.attrs}
  return checks.taken(**{name: DEFAULTS[name] for name in ('venc', 'spacing') if name not in stated})


def member(group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset:
  """Returns a member of a group. Raises ValueError, with what is wrong, when it is missing or no part of this file."""
  if name not in group.keys():  # noqa: SIM118  (`in group` would follow links)
    raise ValueError(f'`{_plain(name)}` is missing')
  if not isinstance(group.get(name, getlink=True), h5py.HardLink):
    raise ValueError(f'`{_plain(name)}` is a link: store the data themselves')
  one = group[name]
  if isinstance(one, h5py.Dataset) and (one.external or one.is_virtual):
    raise ValueError(f'`{_plain(name)}` is stored in other files: store the data in this one')
  return one


def declared(group: h5py.Group, name: str) -> h5py.Dataset:
  """Returns a data set of numbers, not read yet. Raises ValueError as `member`; also for what is too large."""
  dataset = member(group, name)
  if not isinstance(dataset, h5py.Dataset) or dataset.shape is None or dataset.dtype.kind not in 'biuf':
    raise ValueError(f'`{_plain(name)}` is no array of numbers')
  if rule := checks.size_rule(dataset.shape):
    raise ValueError(f'`{_plain(name)}` {rule}')
  return dataset


def texts(group: h5py.Group, name: str, most: int = 10_000) -> list[str]:
  """Returns the words of a one-dimensional data set of text. Raises ValueError when it is none, or too long."""
  dataset = member(group, name)
  if (
    not isinstance(dataset, h5py.Dataset) or dataset.ndim != 1 or dataset.size > most or dataset.dtype.kind not in 'OSU'
  ):
    raise ValueError(f'`{_plain(name)}` is no list of words')
  return list(map(checks.text, dataset[()]))


def reason(error: Exception) -> str:
  """Returns what is wrong with a file that h5py could not read: our own sentence, or what kind of error it was."""
  if type(error) is ValueError or isinstance(error, OSError):
    return ' '.join(str(error).split())
  return type(error).__name__


def _plain(name: str) -> str:
  return name if name.isprintable() and len(name) < 80 else 'a name that cannot be printed'
