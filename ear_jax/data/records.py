"""How a `Cine` lies in a TFDS data set: one compact example per cine, the same for every builder.

`data_builders/*` write examples with `encode_cine` under the `features` declared here; training, evaluation and
prediction read them back with `decode_cine`. Pixels are int16 with one scale per channel: 12-bit scanner data come
back exactly, and a 50 x 512 x 512 x 4 cine takes 105 MB before compression instead of 210 MB.
"""

import math

import numpy as np
import tensorflow_datasets as tfds

from ear_jax.cine import Cine, Venc, as_spacing, as_venc

_FULL_SCALE = 32767
IDS = ('subject', 'dataset', 'slice_id', 'level')


def features(channels: int, *, labels: bool = False) -> tfds.features.FeaturesDict:
  """Returns the TFDS features of one cine with 1 (magnitude) or 4 (magnitude and velocity) channels.

  With `labels` an example has one feature more, which nothing but its builder writes and training does not read:
  `[T, H, W]` uint8, 1 cavity, 2 myocardium, 3 right ventricle.
  """
  tensor, zlib, plain = tfds.features.Tensor, tfds.features.Encoding.ZLIB, tfds.features.Encoding.BYTES
  more = {'labels': tensor(shape=(None, None, None), dtype=np.uint8, encoding=zlib)} if labels else {}
  return tfds.features.FeaturesDict(
    {
      # array_record compresses it to the same size: zlib took 13 s to write such a cine, and half of its reading.
      'video': tensor(shape=(None, None, None, channels), dtype=np.int16, encoding=plain),
      'mask': tensor(shape=(None, None, None), dtype=np.uint8, encoding=zlib),
      'annotated': tensor(shape=(None,), dtype=np.bool_),
      'scale': tensor(shape=(channels,), dtype=np.float32),  # value of one count: a.u. or cm/s
      'venc': tensor(shape=(3,), dtype=np.float32),  # cm/s; NaN for magnitude only
      'spacing': tensor(shape=(2,), dtype=np.float32),  # mm; NaN when unknown
      'frame_interval': np.float32,  # ms; NaN when unknown
      **{key: tfds.features.Text() for key in IDS},
      **more,
    }
  )


def encode_cine(cine: Cine) -> dict:
  """Returns the example of a cine.

  Magnitudes that are whole numbers up to 32767 keep a scale of 1, others are scaled to full range. A velocity count
  is venc / 32768, so that 12-bit phases are exact; velocities beyond venc (unwrapped input) get a coarser count.
  """
  scale = np.array([_count(cine.video[..., c], c, cine.venc) for c in range(cine.video.shape[-1])], np.float32)
  counts = np.rint(cine.video / scale)
  return {
    'video': np.clip(counts, -_FULL_SCALE - 1, _FULL_SCALE).astype(np.int16),
    'mask': cine.mask.astype(np.uint8),
    'annotated': cine.annotated.astype(bool),
    'scale': scale,
    'venc': np.asarray(cine.venc or (math.nan,) * 3, np.float32),
    'spacing': np.asarray(cine.spacing, np.float32),
    'frame_interval': np.float32(cine.frame_interval),
    **{key: getattr(cine, key) for key in IDS},
  }


def decode_cine(example: dict) -> Cine:
  """Returns the cine of an example; video in float32 and physical units."""
  venc = as_venc(example['venc'])
  return Cine(
    video=example['video'].astype(np.float32) * np.asarray(example['scale'], np.float32),
    mask=np.asarray(example['mask'], np.uint8),
    annotated=np.asarray(example['annotated'], bool),
    venc=None if math.isnan(venc[0]) else venc,
    spacing=as_spacing(example['spacing']),
    frame_interval=float(example['frame_interval']),
    subject=decode_text(example['subject']),
    dataset=decode_text(example['dataset']),
    slice_id=decode_text(example['slice_id']),
    level=decode_text(example['level']),
  )


def decode_text(value: bytes | str) -> str:
  """Returns a text feature as str; TFDS hands text back as bytes."""
  return value.decode() if isinstance(value, bytes) else value


def _count(channel: np.ndarray, index: int, venc: Venc | None) -> float:
  peak = float(np.abs(channel).max(initial=0.0))
  if index == 0 or venc is None:
    whole = peak <= _FULL_SCALE and np.array_equal(channel, np.rint(channel))
    return 1.0 if whole or peak == 0 else peak / _FULL_SCALE
  limit = venc[index - 1]
  return (limit if peak <= limit else peak) / (_FULL_SCALE + 1)
