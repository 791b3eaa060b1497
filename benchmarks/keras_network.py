"""`ear_jax.models.unet3d` in Keras 3, as a user of Keras would write it; axes `[B, T, H, W, C]`."""

from __future__ import annotations

import keras
from keras import layers, ops

from benchmarks.weights import groups


def _block(x, name: str, features: tuple[int, int]):
  for number, channels in enumerate(features, start=1):
    x = layers.Conv3D(channels, 3, padding='same', name=f'{name}.conv{number}')(x)
    x = layers.GroupNormalization(groups(channels), epsilon=1e-5, name=f'{name}.norm{number}')(x)
    x = layers.LeakyReLU(0.3)(x)
  return x


def _attention(x, name: str):
  conv = layers.Conv3D(x.shape[-1], (1, 3, 3), padding='same', name=f'{name}.conv')
  key = conv(x)
  return layers.Multiply()([key, layers.Softmax()(conv(ops.square(key)))])


def _temporal(x, name: str):
  states = layers.ConvLSTM2D(x.shape[-1], 3, padding='same', return_sequences=True, name=name)(x)
  return layers.Add()([x, states])


def build(shape: tuple[int, ...], classes: int, filters: tuple[int, ...], ear: bool) -> keras.Model:
  """Returns the network for videos of one `shape` `[B, T, H, W, C]`; with `ear`, attention and recurrence."""
  x = video = keras.Input(batch_shape=shape)
  skips = []
  for level, f in enumerate(filters, start=1):
    x = _block(x, f'encoder{level}', (f, 2 * f))
    skips.append(_attention(x, f'attention{level}') if ear else x)
    x = layers.MaxPooling3D((1, 2, 2))(x)
  x = layers.Conv3D(x.shape[-1], 1, name='bottleneck')(x)
  if ear:
    x = _temporal(x, 'temporal_bottleneck')
  for level, f in reversed(list(enumerate(filters, start=1))):
    x = layers.Concatenate()([skips.pop(), layers.UpSampling3D((1, 2, 2))(x)])
    x = _block(x, f'decoder{level}', (f, f))
  return keras.Model(video, layers.Conv3D(classes, 1, name='head')(x))


def loss(mask, logits):
  """Returns Dice-IoU loss by cine plus cross-entropy, smoothing 1; `mask` `[B, T, H, W]` holds classes."""
  target = ops.one_hot(mask, logits.shape[-1], dtype='float32')
  probability = ops.softmax(logits)
  i, p, y = (ops.sum(x, (1, 2, 3)) for x in (probability * target, probability, target))  # [B, K]
  dice = 1 - (2 * i + 1) / (p + y + 1)
  iou = 1 - (i + 1) / (p + y - i + 1)
  return ops.mean(dice * iou) + ops.mean(ops.categorical_crossentropy(target, logits, from_logits=True))
