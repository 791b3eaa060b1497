"""A cine comes back from its record: exactly for 12-bit data, within half a count otherwise."""

import math

import numpy as np
import pytest
import tensorflow_datasets as tfds
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ear_jax.cine import UNKNOWN, Cine
from ear_jax.data import records


def _cine(video, venc=None, **changes):
  fields = {
    'mask': np.zeros(video.shape[:3], np.uint8),
    'annotated': np.zeros(video.shape[0], bool),
    'venc': venc,
    'spacing': (0.85, 1.2),
    'frame_interval': 20.0,
    'subject': 'anna',
    'dataset': 'anna-1',
    'slice_id': 'MID',
    'level': 'mid',
  }
  return Cine(video.astype(np.float32), **fields | changes)


def _round_trip(cine):
  return records.decode_cine(records.encode_cine(cine))


@settings(deadline=None)
@given(
  counts=hnp.arrays(np.uint16, (2, 3, 4, 4), elements=st.integers(0, 4095)),
  venc=st.tuples(*[st.integers(1, 200).map(float)] * 3),
)
def test_12_bit_data_come_back_exactly(counts, venc):
  video = counts.astype(np.float32)
  video[..., 1:] = (video[..., 1:] - 2048) / 2048 * np.float32(venc)
  back = _round_trip(_cine(video, venc))
  np.testing.assert_array_equal(back.video[..., 0], counts[..., 0])
  # The stored count is exact; the velocity differs from ours in the last bit of float32 at most.
  phases = np.rint(back.video[..., 1:] / np.float32(venc) * 2048 + 2048)
  np.testing.assert_array_equal(phases, counts[..., 1:])
  np.testing.assert_allclose(back.video, video, rtol=3e-7, atol=0)


@given(hnp.arrays(np.float32, (1, 3, 4, 1), elements=st.sampled_from([0.0]) | st.floats(2**-100, 2**20, width=32)))
@settings(deadline=None)
def test_float_magnitudes_come_back_within_half_a_count(video):
  back = _round_trip(_cine(video))
  count = records.encode_cine(_cine(video))['scale'][0]
  rounding = 2 * np.finfo(np.float32).eps * video.max()
  assert np.abs(back.video - video).max() <= 0.5 * count + rounding
  assert count == 1 or count == np.float32(video.max() / 32767)


def test_unwrapped_velocities_are_not_clipped():
  video = np.zeros((1, 2, 2, 4))
  video[0, 0, 0] = [10, 35, -41, 12]  # beyond venc 20, 20, 30 in two channels
  back = _round_trip(_cine(video, (20.0, 20.0, 30.0)))
  counts = np.array([0.5, 35 / 32768, 41 / 32768, 0.5 * 30 / 32768])  # the largest value itself may lose one count
  assert (np.abs(back.video[0, 0, 0] - [10, 35, -41, 12]) <= counts * 1.0001).all()
  assert back.venc == (20, 20, 30)


def test_everything_else_comes_back():
  mask = np.zeros((2, 3, 4), np.uint8)
  mask[1, 1:, 2] = 1
  cine = _cine(np.ones((2, 3, 4, 1)), mask=mask, annotated=np.array([False, True]))
  back = _round_trip(cine)
  np.testing.assert_array_equal(back.mask, mask)
  np.testing.assert_array_equal(back.annotated, [False, True])
  np.testing.assert_allclose(back.spacing, cine.spacing, rtol=1e-7)
  keys = ('venc', 'frame_interval', 'subject', 'dataset', 'slice_id', 'level')
  assert [getattr(back, key) for key in keys] == [getattr(cine, key) for key in keys]


def test_the_unknown_stays_unknown():
  back = _round_trip(_cine(np.ones((1, 3, 4, 1)), spacing=(UNKNOWN, UNKNOWN), frame_interval=UNKNOWN))
  assert all(math.isnan(v) for v in (*back.spacing, back.frame_interval))
  assert back.venc is None


@pytest.mark.parametrize(('value', 'dtype'), [('video', np.int16), ('mask', np.uint8), ('annotated', bool)])
def test_records_are_compact(value, dtype):
  example = records.encode_cine(_cine(np.ones((1, 3, 4, 4)), (20.0, 20.0, 30.0)))
  assert example[value].dtype == dtype


def test_text_is_read_as_bytes_or_str():
  assert records.decode_text(b'anna') == records.decode_text('anna') == 'anna'


def test_pixels_lie_there_as_they_are_and_sets_of_before_that_are_deflated_are_read(make_cine):
  example = records.encode_cine(make_cine())
  features = records.features(4)
  stored = features.encode_example(example)['video']
  assert stored['value'] == example['video'].tobytes()
  deflated = tfds.features.Tensor(shape=(None, None, None, 4), dtype=np.int16, encoding=tfds.features.Encoding.ZLIB)
  for written in (features, tfds.features.FeaturesDict({**features, 'video': deflated})):
    read = written.deserialize_example_np(written.serialize_example(example))
    np.testing.assert_array_equal(read['video'], example['video'])
