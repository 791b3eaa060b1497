"""A built TFDS data set, opened without TensorFlow: its examples and what is known of every record."""

import contextlib
import dataclasses
import datetime
import hashlib
import math
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow_datasets as tfds
from absl import logging
from ml_collections import ConfigDict

from ear_jax.cine import Cine
from ear_jax.data.examples import Examples
from ear_jax.data.records import IDS, decode_cine, decode_text
from ear_jax.data.upright import Axes, as_axes, portrait
from ear_jax.data.window import beyond_picture
from ear_jax.system.errors import UserError, nearest, some

_PORTRAYED = 512  # cines at most that a portrait is the mean of


@dataclasses.dataclass(frozen=True)
class DataSet:
  """A built TFDS data set with the ids of its records.

  Attributes:
    source: random access to the examples.
    ids: for each record, (subject, dataset, slice_id, level).
    annotated: for each record, which of its frames are annotated, `[T]` bool; or their weights, of `with_carried`.
    spacing: for each record, mm along row and column index; NaN when unknown.
    sizes: for each record, rows and columns of its pictures.
    hash: first 12 hexadecimal digits of a SHA-256 over name, version and ids.
    content: the same over the stored pixels and masks besides.
    folder: where it is.
    axes: patient directions of increasing column and row that its builder turned the pictures to; None: unknown.
  """

  source: Sequence
  ids: tuple[tuple[str, str, str, str], ...]
  annotated: tuple[np.ndarray, ...]
  spacing: tuple[tuple[float, float], ...]
  sizes: tuple[tuple[int, int], ...]
  hash: str
  content: str
  folder: pathlib.Path
  axes: Axes | None = None

  @property
  def subjects(self) -> tuple[str, ...]:
    """Sorted ids of all subjects."""
    return tuple(sorted({subject for subject, *_ in self.ids}))

  @property
  def frames(self) -> tuple[int, ...]:
    """For each record, its number of frames."""
    return tuple(map(len, self.annotated))

  def records_of(self, subjects: Sequence[str]) -> list[int]:
    """Returns the positions of the records of some subjects, ordered by dataset and slice."""
    chosen = [i for i, (subject, *_) in enumerate(self.ids) if subject in set(subjects)]
    return sorted(chosen, key=lambda i: self.ids[i][1:])

  def picture(self, subjects: Sequence[str], assumed: float = 0.0, frames: int = 0, channels: int = 1) -> dict:
    """Returns what a typical cine of some subjects is like, for prediction to show the network the same.

    `frames`, `spacing` (mm along row and column index; None when unknown) and `size` (rows, columns) of the median
    record, as plain numbers. `assumed` is the spacing of pictures that do not say theirs, in mm; 0 leaves it unknown.
    `frames` are those that a part of a cycle has; 0: cycles are whole. `channels` are those that are looked at.
    `axes` are the data set's; `heart` is their `portrait`, where only the magnitude is looked at.
    """
    records = self.records_of(subjects)
    spacing = np.median([self.spacing[record] for record in records], axis=0)
    if np.isnan(spacing).any() and assumed:
      spacing = np.full(2, assumed)
    return {
      'axes': self.axes,
      'heart': self._portrait(records, assumed) if self.axes and channels == 1 else None,
      'frames': frames or int(np.median([self.frames[record] for record in records])),
      'spacing': None if np.isnan(spacing).any() else [float(f'{s:.6g}') for s in spacing],
      'size': list(self.example(records[0])['mask'].shape[1:]),
    }

  def _portrait(self, records: Sequence[int], assumed: float) -> list | None:
    chosen = (self.cine(record) for record in records[:: -(-len(records) // _PORTRAYED)])
    lost = (assumed, assumed) if assumed else (math.nan, math.nan)
    return portrait(c.replace(spacing=lost) if np.isnan(c.spacing).any() else c for c in chosen)

  def example(self, record: int) -> dict:
    """Returns one record as it is stored; raises UserError when it cannot be read."""
    with _damage_in_words(self.folder):
      return self.source[record]

  def cine(self, record: int) -> Cine:
    """Returns one cine; raises UserError when it cannot be read."""
    with _damage_in_words(self.folder):
      return decode_cine(self.source[record])


@contextlib.contextmanager
def _damage_in_words(folder: pathlib.Path) -> Iterator[None]:
  """Names the data set where a file of it is damaged or gone: the readers beneath raise what they like, and no name."""
  try:
    yield
  except Exception as fault:
    said = ' '.join(str(fault).split())[:200]
    raise UserError(
      f'a file of the data set in {folder} cannot be read ({said or type(fault).__name__}): bring it back from a copy, '
      'or build the data set again'
    ) from fault


def open_data_set(
  config: ConfigDict, *, name: str | None = None, folder: str | None = None, flag: str = '--config.data.dir'
) -> DataSet:
  """Returns the data set `config.data.name` under `config.data.dir`, or another `name` or under another `folder`.

  Raises: UserError when it has not been built there, naming the command that builds it and the `flag` for its place.
  """
  name, above = name or config.data.name, folder or config.data.dir
  version = _newest(name, above, flag)
  with _damage_in_words(version):
    builder = tfds.builder_from_directory(version)
    source = Examples(builder)
    index = [_entry(source.stored(record)) for record in range(len(source))]
    axes = (builder.info.metadata or {}).get('axes')
  ids, annotated, spacing, sizes, contents = zip(*index, strict=True)
  named, stored = sorted(ids), sorted(zip(ids, contents, strict=True))
  made = datetime.datetime.fromtimestamp((version / 'dataset_info.json').stat().st_mtime)
  hashed = [repr((builder.info.full_name, each)).encode() for each in (named, stored)]
  of_ids, of_contents = (hashlib.sha256(each).hexdigest()[:12] for each in hashed)
  people, when = len({subject for subject, *_ in ids}), f'{made:%Y-%m-%d %H:%M}'
  said = 'data set %s in %s: %d cines of %d subjects, content %s, built on %s'
  logging.info(said, name, above, len(ids), people, of_contents, when)
  turned = as_axes(axes) if axes else None
  return DataSet(source, ids, annotated, spacing, sizes, of_ids, of_contents, version, turned)


def check_data_sets(config: ConfigDict) -> None:
  """Raises UserError where a data set of `config.data.name` and `data.also` is not there; nothing is read."""
  for name in names_of_sets(config):
    _newest(name, config.data.dir)


def _newest(name: str, above: str, flag: str = '--config.data.dir') -> pathlib.Path:
  """Returns the folder of the newest version of a data set."""
  place = pathlib.Path(above).expanduser() / name
  versions = sorted(p for p in place.glob('*') if (p / 'dataset_info.json').exists())
  if versions:
    return versions[-1]
  root = pathlib.Path(above).expanduser()
  there = sorted({path.parents[1].relative_to(root).as_posix() for path in root.glob('*/*/*/dataset_info.json')})
  script, _, variant = name.partition('/')
  made = variant.startswith('phantom')  # of nothing but the code
  raise UserError(
    f'no data set in {place}{f" (in {above} are {some(there)}{nearest(name, there)})" if there else ""}: '
    f'build it with `tfds build data_builders/{script} --config={variant} '
    f'{"" if made else "--manual_dir=STUDIES "}--data_dir={above}`, or set {flag} to where it is'
  )


def say_window_beyond(data: DataSet, name: str, crop: int, unit: int | None = None) -> None:
  """Logs where pictures of a data set are smaller than the window that the network sees, with what that costs.

  `unit` is what the window must be divisible by; None: it cannot be changed any more.
  """
  count, enough, times = beyond_picture(data.sizes, crop, unit or 1)
  if not count:
    return
  every = count == len(data.sizes)
  rows, columns = (max if every else min)(data.sizes, key=max)
  which = 'all' if every else f'{count} of {len(data.sizes)}'
  said = (
    f'{which} cines of {name} have smaller pictures ({"up to" if every else "from"} {rows} x {columns} pixels) than '
  )
  said += f'the window (config.data.crop={crop}): beyond their border its pixels are repeated'
  if every and unit:
    cost = f'{times:.1f} times the pixels of --config.data.crop={enough}, and about as much more time and memory'
    logging.warning('%s: %s; set that, or less', said, cost)
  else:
    logging.info('%s', said)


def names_of_sets(config: ConfigDict) -> list[str]:
  """Returns `config.data.name` and those of `data.also`."""
  return [config.data.name, *(name for name in config.data.also.split(',') if name)]


def open_further_sets(config: ConfigDict) -> list[DataSet]:
  """Returns the data sets of `config.data.also`; raises UserError as `open_data_set`."""
  return [open_data_set(config, name=name) for name in names_of_sets(config)[1:]]


def _entry(example: dict) -> tuple:
  """Returns ids, annotated frames, spacing, rows and columns, and a digest of pixels and mask as they are stored."""
  ids = tuple(decode_text(example[key]) for key in IDS)
  content = hashlib.sha256()
  for stored in (example['video'], example['mask']):
    content.update(repr(list(stored['shape'])).encode())
    content.update(stored['value'])
  annotated, spacing = np.asarray(example['annotated'], bool), tuple(map(float, example['spacing']))
  return ids, annotated, spacing, tuple(map(int, example['mask']['shape'][1:])), content.hexdigest()
