"""Training batches from a TFDS data set through grain, without TensorFlow.

Shuffling and augmentation are functions of (seed, epoch, position), so the iterator's whole state is one number: a
resumed run draws the very batches that an unbroken one would.
"""

import functools
import threading
from collections.abc import Callable, Sequence

import grain
import jax
import numpy as np
from ml_collections import ConfigDict

from ear_jax.data.augment import augment
from ear_jax.data.data_set import DataSet
from ear_jax.data.normalise import check_channels, network_input
from ear_jax.data.records import decode_cine
from ear_jax.system.errors import UserError

_EPOCHS = 10**6  # more than any run; grain's own endless repeat overflows when batched by 1


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
