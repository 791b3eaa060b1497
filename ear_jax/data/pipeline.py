"""Training batches from a TFDS data set through grain, without TensorFlow.

Shuffling and augmentation are functions of (seed, epoch, position), so the iterator's whole state is one number: a
resumed run draws the very batches that an unbroken one would.
"""

import contextlib
import dataclasses
import datetime
import functools
import hashlib
import math
import pathlib
import threading
from collections.abc import Callable, Iterator, Sequence

import grain
import jax
import numpy as np
import tensorflow_datasets as tfds
from absl import logging
from ml_collections import ConfigDict

from ear_jax.cine import Cine
from ear_jax.data.augment import augment
from ear_jax.data.examples import Examples
from ear_jax.data.normalise import check_channels, network_input
from ear_jax.data.records import IDS, decode_cine, decode_text
from ear_jax.data.upright import Axes, as_axes, portrait
from ear_jax.system.errors import UserError, nearest, some

_PORTRAYED = 512  # cines at most that a portrait is the mean of
_EPOCHS = 10**6  # more than any run; grain's own endless repeat overflows when batched by 1


@dataclasses.dataclass(frozen=True)
class DataSet:
  """A built TFDS data set with the ids of its records.

  Attributes:
    source: random access to the examples.
    ids: for each record, (subject, dataset, slice_id, level).
    annotated: for each record, which of its frames are annotated, `[T]` bool; or their weights, of `with_carried`.
    spacing: for each record, mm along row and column index; NaN when unknown.
    hash: first 12 hexadecimal digits of a SHA-256 over name, version and ids.
    content: the same over the stored pixels and masks besides.
    folder: where it is.
    axes: patient directions of increasing column and row that its builder turned the pictures to; None: unknown.
  """

  source: Sequence
  ids: tuple[tuple[str, str, str, str], ...]
  annotated: tuple[np.ndarray, ...]
  spacing: tuple[tuple[float, float], ...]
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
  ids, annotated, spacing, contents = zip(*index, strict=True)
  named, stored = sorted(ids), sorted(zip(ids, contents, strict=True))
  made = datetime.datetime.fromtimestamp((version / 'dataset_info.json').stat().st_mtime)
  hashed = [repr((builder.info.full_name, each)).encode() for each in (named, stored)]
  of_ids, of_contents = (hashlib.sha256(each).hexdigest()[:12] for each in hashed)
  people, when = len({subject for subject, *_ in ids}), f'{made:%Y-%m-%d %H:%M}'
  said = 'data set %s in %s: %d cines of %d subjects, content %s, built on %s'
  logging.info(said, name, above, len(ids), people, of_contents, when)
  return DataSet(source, ids, annotated, spacing, of_ids, of_contents, version, as_axes(axes) if axes else None)


def check_data_sets(config: ConfigDict) -> None:
  """Raises UserError where a data set of `config.data.name` and `data.also` is not there; nothing is read."""
  for name in (config.data.name, *_further(config)):
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


def _further(config: ConfigDict) -> list[str]:
  return [name for name in config.data.also.split(',') if name]


def _entry(example: dict) -> tuple:
  """Returns ids, annotated frames, spacing and a digest of pixels and mask as they are stored."""
  ids = tuple(decode_text(example[key]) for key in IDS)
  content = hashlib.sha256()
  for stored in (example['video'], example['mask']):
    content.update(repr(list(stored['shape'])).encode())
    content.update(stored['value'])
  return ids, np.asarray(example['annotated'], bool), tuple(map(float, example['spacing'])), content.hexdigest()


class _Records:
  """The chosen records as a grain source, kept in memory when they fit into `budget` bytes."""

  def __init__(self, data: DataSet, records: list[int], budget: float, channels: int):
    self._data, self._records = data, records
    first = data.example(records[0])
    check_channels(decode_cine(first), channels)  # before two minutes of compiling
    size = sum(x.nbytes for x in first.values() if isinstance(x, np.ndarray))
    self._kept: dict[int, dict] | None = {} if size * len(records) <= budget else None
    self._reading = threading.Lock()  # two threads may ask for one record, an epoch apart

  def __len__(self) -> int:
    return len(self._records)

  def __repr__(self) -> str:
    # grain puts this into its checkpoint and compares on restore: the same records, not the same object.
    return f'{type(self).__name__}({self._data.hash}, {self._records})'

  def __getitem__(self, position: int) -> dict:
    record = self._records[position]
    if self._kept is None:
      return self._data.example(record)
    with self._reading:
      if record not in self._kept:
        self._kept[record] = self._data.example(record)
    return self._kept[record]


def open_further_sets(config: ConfigDict) -> list[DataSet]:
  """Returns the data sets of `config.data.also`; raises UserError as `open_data_set`."""
  return [open_data_set(config, name=name) for name in _further(config)]


def training_batches(
  data: DataSet,
  subjects: Sequence[str],
  config: ConfigDict,
  *,
  devices: int,
  process: int = 0,
  processes: int = 1,
  also: Sequence[DataSet] = (),
) -> grain.DatasetIterator:
  """Returns an endless, checkpointable iterator over augmented batches.

  A batch holds `video` float32 `[D, B, T, size, size, C]`, `mask` uint8 `[D, B, T, size, size]` and `annotated` bool
  `[D, B, T]`, of `with_carried` float32; D * B * processes = `config.batch_size`. With `config.data.on_device` it says
  what `on_device` is to make of the windows there: `frames` int32 `[D, B, T]`, positions among the frames of
  `training_examples`, and `seed` uint32 `[D, B]`.

  The processes deal the batches of one process out among them: next to each other, theirs are the same cines, augmented
  alike. So the iterator's state, the number of steps, is the same in all, and fits another number of processes.

  Args:
    data: the open data set.   subjects: whose cines to draw.   config: the whole configuration.
    devices: D, of this process.   process, processes: which part of every batch is drawn here.
    also: further sets, of which every second cine is drawn, from the one after the other.

  Raises: UserError when cines differ in their number of frames, and so cannot share a batch, or lack velocities.
  """
  parts = _parts(data, subjects, also)
  _check_frames(parts, config)
  per_device = config.batch_size // (devices * processes)
  sources = _asked(parts, config) if config.data.on_device else _read(parts, config)
  drawn = [source.seed(config.seed + k).shuffle().repeat(_EPOCHS) for k, source in enumerate(sources)]
  make = functools.partial(_ask if config.data.on_device else _prepare, config=config)
  dataset = (
    (drawn[0] if len(drawn) == 1 else grain.MapDataset.mix(drawn, _shares(len(also))).seed(config.seed))
    .random_map(lambda example, rng: make(example, rng=rng))
    .batch(per_device)
    .batch(devices)[process::processes]  # examples of the others are never made: what is not asked for is not read
  )
  options = grain.ReadOptions(num_threads=config.data.threads, prefetch_buffer_size=config.data.prefetch)
  return iter(dataset.to_iter_dataset(options))


def training_examples(data: DataSet, subjects: Sequence[str], also: Sequence[DataSet] = ()) -> list[Callable[[], dict]]:
  """Returns readers of the examples that `training_batches` draws from, in the order of the frames that it asks for."""
  return [functools.partial(part.example, k) for part, records in _parts(data, subjects, also) for k in records]


def _parts(data, subjects, also):
  """Returns each data set with the records of it that are learnt from."""
  return [(data, data.records_of(subjects)), *((other, list(range(len(other.ids)))) for other in also)]


def _shares(also: int) -> list[float]:
  """Half of the cines are of the first set."""
  return [0.5] + [0.5 / also] * also


def _check_frames(parts, config):
  frames = sorted({part.frames[record] for part, records in parts for record in records})
  if len(frames) > 1 and config.batch_size > 1 and not config.data.frames:
    raise UserError(
      f'cines of {" and ".join(map(str, frames))} frames cannot share a batch: train with --config.batch_size=1, on '
      f'parts of cycles (--config.data.frames={frames[0]}), or build a data set of one frame count'
    )


def _read(parts, config) -> list[grain.MapDataset]:
  budget, channels = config.data.cache_gb * 1e9 / len(parts), config.data.channels
  return [grain.MapDataset.source(_Records(part, records, budget, channels)) for part, records in parts]


def _asked(parts, config) -> list[grain.MapDataset]:
  """Returns, for each set, where the frames of a cine begin among those of all sets, and which are annotated."""
  sources, begin = [], 0
  for part, records in parts:
    check_channels(part.cine(records[0]), config.data.channels)
    flags = [learnt_from(part.annotated[record], config) for record in records]
    begins = begin + np.cumsum([0, *map(len, flags)])
    begin = int(begins[-1])
    sources.append(grain.MapDataset.source(list(zip(begins[:-1].tolist(), flags, strict=True))))
  return sources


def batch_shapes(config: ConfigDict, frames: int, devices: int) -> dict[str, jax.ShapeDtypeStruct]:
  """Returns what a batch of `training_batches` is like for cines of `frames` frames."""
  lead, size = (devices, config.batch_size // devices, config.data.frames or frames), config.data.crop
  return {
    'video': jax.ShapeDtypeStruct((*lead, size, size, config.data.channels), np.float32),
    'mask': jax.ShapeDtypeStruct((*lead, size, size), np.uint8),
    'annotated': jax.ShapeDtypeStruct(lead, np.float32 if config.data.carry else np.bool_),
  }


def learnt_from(annotated: np.ndarray, config: ConfigDict) -> np.ndarray:
  """Returns which frames `[T]` of a cine are learnt from, as `config.data.annotated_every` thins them out.

  Float weights, which `with_carried` has put for what was left then, are returned as they are.
  """
  if annotated.dtype != bool:
    return annotated
  kept = np.zeros(len(annotated), bool)
  kept[np.flatnonzero(annotated)[:: config.data.annotated_every]] = True
  return kept


def _part_of_cycle(annotated: np.ndarray, frames: int, rng: np.random.Generator) -> np.ndarray:
  """Returns which frames of a cine are learnt from: a run of `frames` with an annotated one among them, or all (0)."""
  if not frames:
    return np.arange(len(annotated))
  parts = (np.arange(len(annotated))[:, None] + np.arange(frames)) % len(annotated)
  parts = parts[annotated[parts].any(1)]
  return parts[rng.integers(len(parts))]


def _ask(cine: tuple[int, np.ndarray], rng: np.random.Generator, config: ConfigDict) -> dict:
  """Returns which frames of a cine, and which random seed, `on_device` makes an example of."""
  begin, annotated = cine
  frames = begin + _part_of_cycle(annotated, config.data.frames, rng)
  return {'frames': frames.astype(np.int32), 'seed': np.uint32(rng.integers(2**32))}


def _prepare(example: dict, rng: np.random.Generator, config: ConfigDict) -> dict:
  """Returns one training example: decoded, normalised, augmented, cut to the window."""
  annotated = learnt_from(example['annotated'], config)
  if config.data.frames:
    part = _part_of_cycle(annotated, config.data.frames, rng)
    example = {**example, **{name: example[name][part] for name in ('video', 'mask', 'annotated')}}
    annotated = annotated[part]
  cine = decode_cine(example)
  video = network_input(cine, config)
  video, mask = augment(video, cine.mask, config.augment, rng, size=config.data.crop, shift=config.data.shift)
  return {'video': video, 'mask': mask, 'annotated': annotated}
