"""Keras on TensorFlow as a contestant, see `ear_jax.benchmarking.worker`. Variant 'jit': compiled by XLA."""

from __future__ import annotations

import os

os.environ['KERAS_BACKEND'] = 'tensorflow'
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')

import keras
import numpy as np
import tensorflow as tf

from benchmarks import keras_network, weights
from ear_jax.benchmarking import worker
from ear_jax.benchmarking.cases import CLASSES, Case


class Keras:
  """The network by oneDNN, as a graph; through XLA with the variant 'jit'."""

  def __init__(self, threads: int, variant: str):
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    self._jit = variant == 'jit'
    self.versions = {'keras': keras.__version__, 'tensorflow': tf.__version__}

  def load(self, case: Case, path: str) -> int:
    """See `worker.Implementation`."""
    video, mask = case.inputs()
    self._model = keras_network.build(video.shape, CLASSES, case.filters, ear=case.network == 'ear3d')
    _copy(weights.read(path), self._model)
    optimizer = keras.optimizers.Adam(1e-3, epsilon=1e-8)  # epsilon as optax and PyTorch have it
    self._model.compile(optimizer, keras_network.loss, jit_compile=self._jit)
    self._video, self._mask = tf.constant(video), tf.constant(mask, tf.int32)
    return self._model.count_params()

  def forward(self) -> None:
    """See `worker.Implementation`."""
    self._model.predict_on_batch(self._video)

  def logits(self) -> np.ndarray:
    """See `worker.Implementation`."""
    return self._model.predict_on_batch(self._video)

  def step(self) -> float:
    """See `worker.Implementation`."""
    self._model.reset_metrics()  # the loss that Keras returns is otherwise a mean over steps
    return float(self._model.train_on_batch(self._video, self._mask))


def _copy(ours: dict[str, np.ndarray], model: keras.Model) -> None:
  """Copies our parameters, all of them: a name that is left over, or missing, raises."""
  left = dict(ours)
  for layer in model.layers:
    if layer.weights:
      if isinstance(layer, keras.layers.ConvLSTM2D):
        layer.set_weights(_gates(*(left.pop(f'{layer.name}.{leaf}') for leaf in _RECURRENT)))
      else:
        leaves = ('scale', 'bias') if isinstance(layer, keras.layers.GroupNormalization) else ('kernel', 'bias')
        layer.set_weights([left.pop(f'{layer.name}.{leaf}') for leaf in leaves])
  if left:
    raise ValueError(f'Keras has no place for {sorted(left)}')


_RECURRENT = ('input.kernel', 'hidden.kernel', 'input.bias')


def _gates(kernel, hidden, bias):
  """From our order of gates i, g, f, o to i, f, g, o, with our constant 1 of the forget gate put into its bias."""

  def ordered(x):
    i, g, f, o = np.split(x, 4, axis=-1)
    return i, f, g, o

  i, f, g, o = ordered(bias)
  return [
    *(np.concatenate(ordered(x), axis=-1) for x in (kernel[0], hidden)),  # the input's kernel has one tap in time
    np.concatenate([i, f + 1, g, o]),
  ]


if __name__ == '__main__':
  worker.serve(lambda options: Keras(len(options['cores']), options['variant']))
