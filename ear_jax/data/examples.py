"""The examples of a built data set, read without copying their pixels more often than must be.

New memory is most of what reading costs: a cine of the paper's size has 105 MB. TFDS has protocol buffers parse a
record, which writes it twice more. Here the pixels are cut out where they lie, and TFDS parses the rest.
"""

import os
import threading
from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np
import tensorflow_datasets as tfds

_ONE_BY_ONE = 'readahead_buffer_size:0,max_parallelism:0'
_TEXT, _NOTHING = b'\x0a', b'\x12\x04\x0a\x02\x0a\x00'  # of a map's entry: its key, and a list of one empty value


class Examples(Sequence):
  """Random access to the examples of the split `train`; every number in them is as TFDS gives it.

  Attributes:
    pixels: names of the features that are cut out.
  """

  def __init__(self, builder: tfds.core.DatasetBuilder):
    split = builder.info.splits['train']
    self._files = [os.fspath(path) for path in split.filepaths]
    self._ends = np.cumsum(split.shard_lengths)
    self._open = threading.local()
    self._features = builder.info.features
    self.pixels = [name for name in ('video', 'mask', 'labels') if name in self._features]

  def __len__(self) -> int:
    return int(self._ends[-1])

  @overload
  def __getitem__(self, position: int) -> dict[str, Any]: ...
  @overload
  def __getitem__(self, position: slice) -> list[dict[str, Any]]: ...
  def __getitem__(self, position):
    if isinstance(position, slice):
      return [self[k] for k in range(*position.indices(len(self)))]
    example = self.stored(position)
    return example | {name: self._decoded(name, **example[name]) for name in self.pixels}

  def _decoded(self, name: str, shape: np.ndarray, value: memoryview) -> np.ndarray:
    feature = self._features[name]
    if feature.to_json_content().encoding == 'bytes':
      return np.frombuffer(value, feature.np_dtype).reshape(shape)
    return feature.decode_example_np({'shape': shape, 'value': bytes(value)})

  def stored(self, position: int) -> dict[str, Any]:
    """Returns an example whose pixels are `shape` and `value`, the bytes that are stored of them."""
    rest, values = _cut(self._record(position), {f'{name}/value': name for name in self.pixels})
    example = self._features.deserialize_example_np(rest, decoders=dict.fromkeys(values, tfds.decode.SkipDecoding()))
    return example | {name: {'shape': example[name]['shape'], 'value': value} for name, value in values.items()}

  def _record(self, position: int) -> bytes:
    """Returns a record as it is stored, by a reader of this thread's own, which has its memory from the one before."""
    position = range(len(self))[position]
    file = int(np.searchsorted(self._ends, position, side='right'))
    if getattr(self._open, 'file', None) != file:
      from array_record.python.array_record_module import ArrayRecordReader  # Windows has none, and can predict

      self._open.file, self._open.reader = file, ArrayRecordReader(self._files[file], _ONE_BY_ONE)
    self._open.reader.seek(position - (int(self._ends[file - 1]) if file else 0))
    return self._open.reader.read()


def _cut(record: bytes, names: dict[str, str]) -> tuple[bytes, dict[str, memoryview]]:
  """Returns a `tf.train.Example` whose values of some keys are empty, and those by the names that are theirs."""
  entries, values = [], {}
  for _, features in _fields(memoryview(record)):
    for _, entry in _fields(features):
      (_, key), (_, feature) = _fields(entry)
      if (name := names.get(str(key, 'utf-8'))) is None:
        entries.append(bytes(entry))
      else:
        ((_, listed),) = _fields(feature)
        ((_, values[name]),) = _fields(listed)
        entries.append(_delimited(bytes(key)) + _NOTHING)
  return _delimited(b''.join(map(_delimited, entries))), values


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
  """Yields number and content of the fields of a protocol buffer, all of which must be texts, bytes or messages."""
  at = 0
  while at < len(message):
    tag, at = _varint(message, at)
    size, at = _varint(message, at)
    if tag & 7 != 2 or at + size > len(message):
      raise ValueError('the record is no tf.train.Example')
    yield tag >> 3, message[at : at + size]
    at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
  """Returns the number of seven bits a byte, lowest first, that begins there, and where it ends."""
  number = shift = 0
  while message[at] & 128:
    number |= (message[at] & 127) << shift
    at, shift = at + 1, shift + 7
  return number | message[at] << shift, at + 1


def _delimited(content: bytes) -> bytes:
  """Returns a field 1 with its length before it, as all that holds something in an Example are."""
  size, rest = b'', len(content)
  while rest > 127:
    size, rest = size + bytes([rest & 127 | 128]), rest >> 7
  return _TEXT + size + bytes([rest]) + content
