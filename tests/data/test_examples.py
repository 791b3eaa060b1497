"""Examples read without copying their pixels are those that TFDS reads, of every encoding, file and thread."""

import hashlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow_datasets as tfds

from ear_jax.data import records
from ear_jax.data.examples import Examples, _cut, _varint

DEFLATED = tfds.features.Tensor(shape=(None, None, None, 4), dtype=np.int16, encoding=tfds.features.Encoding.ZLIB)


class Cines(tfds.core.GeneratorBasedBuilder):
  """Seven cines of other numbers each in three files, as they are stored today and as sets of before are."""

  VERSION = tfds.core.Version('1.0.0')
  BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=name) for name in ('today', 'before')]  # noqa: RUF012
  made: tuple = ()

  def _info(self):
    features = records.features(4, labels=True)
    if self.builder_config.name == 'before':
      features = tfds.features.FeaturesDict({**features, 'video': DEFLATED})
    return tfds.core.DatasetInfo(builder=self, description='Cines.', features=features)

  def _split_generators(self, dl_manager):
    return {'train': ((cine.name, records.encode_cine(cine) | {'labels': 2 * cine.mask}) for cine in self.made)}

  def _generate_examples(self):
    raise NotImplementedError


@pytest.fixture(scope='module', params=['today', 'before'])
def builder(request, make_cine, tmp_path_factory):
  rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp('cines')
  few = make_cine()
  videos = (rng.integers(0, 4096, few.video.shape).astype(np.float32) for _ in range(7))
  Cines.made = tuple(few.replace(video=video, subject=f's{k}', slice_id=f'{k}') for k, video in enumerate(videos))
  settings = tfds.download.DownloadConfig(num_shards=3)
  Cines(config=request.param, data_dir=folder, file_format='array_record').download_and_prepare(
    download_config=settings
  )
  (place,) = folder.glob('*/*/1.0.0')
  return tfds.builder_from_directory(place)


def _assert_same(found, expected):
  assert set(found) == set(expected)
  for name, value in expected.items():
    assert type(found[name]) is type(value), name
    assert getattr(found[name], 'dtype', None) == getattr(value, 'dtype', None), name
    np.testing.assert_array_equal(found[name], value)


def test_examples_are_those_of_tfds_in_any_order_and_by_several_threads(builder):
  expected, found = list(builder.as_data_source(split='train')), Examples(builder)
  assert len(builder.info.splits['train'].filepaths) == 3
  assert len(found) == len(expected) == 7
  order = [6, 0, 3, 3, 1, 5, 2, 4, 0]
  with ThreadPoolExecutor(3) as pool:
    for position, example in zip(order * 3, pool.map(found.__getitem__, order * 3), strict=True):
      _assert_same(example, expected[position])
  assert [example['slice_id'] for example in found[5:]] == [example['slice_id'] for example in expected[5:]]


def test_what_is_stored_is_what_tfds_says_is_stored(builder):
  """The content of a data set, by which runs know it again, is a digest of these bytes."""
  undecoded = dict.fromkeys(('video', 'mask', 'labels'), tfds.decode.SkipDecoding())
  stored = builder.as_data_source(split='train', decoders=undecoded)[2]
  found = Examples(builder).stored(2)
  for name in undecoded:
    assert repr(list(found[name]['shape'])) == repr(list(stored[name]['shape']))
    assert hashlib.sha256(found[name]['value']).digest() == hashlib.sha256(stored[name]['value']).digest()


def test_a_position_beyond_the_last_is_none(builder):
  with pytest.raises(IndexError):
    Examples(builder)[7]
  with pytest.raises(IndexError):
    Examples(builder)[-8]


def test_reading_imports_no_tensorflow(builder):
  code = (
    'import sys, tensorflow_datasets as tfds\nfrom ear_jax.data.examples import Examples\n'
    f'print(Examples(tfds.builder_from_directory({str(builder.data_path)!r}))[1]["video"].shape)\n'
    'assert "tensorflow" not in sys.modules'
  )
  subprocess.run([sys.executable, '-c', code], check=True, capture_output=True)


@pytest.mark.parametrize(('encoded', 'number'), [([0], 0), ([127], 127), ([0x80, 1], 128), ([0xAC, 2], 300)])
def test_lengths_are_numbers_of_seven_bits_a_byte(encoded, number):
  assert _varint(memoryview(bytes([9, *encoded, 9])), 1) == (number, 1 + len(encoded))


@pytest.mark.parametrize('record', [b'\x0a\x05abc', b'\x08\x01'])
def test_what_is_no_example_is_refused(record):
  with pytest.raises(ValueError, match='the record is no'):
    _cut(record, {})
