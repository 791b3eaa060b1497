"""From a cine to its mask: the one network call that validation, evaluation and prediction share.

Pure of files and flags. The window at the centre of the picture is normalised as in training, segmented, and pasted
back into the whole slice, so that scores are of whole slices.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator

import flax.linen as nn
import jax
import numpy as np
import pandas as pd
from ml_collections import ConfigDict

from ear_jax.cine import Cine, flip_video, rot90_video
from ear_jax.data.pipeline import network_input
from ear_jax.data.window import central_window, paste_window
from ear_jax.devices.placement import Placement
from ear_jax.scoring.segmentation import cine_metrics

_THRESHOLD = 0.5  # of the myocardium's probability; for two classes the same as argmax


def myocardium(model: nn.Module) -> Callable[[dict, jax.Array], jax.Array]:
  """Returns `apply(variables, video)`: normalised `[B, T, S, S, C]` to the probability of myocardium `[B, T, S, S]`."""

  def apply(variables, video):
    return nn.softmax(model.apply(variables, video))[..., 1]

  return apply


class Predictor:
  """Segments cines with given variables; compiles once for each number of frames.

  Args:
    network: a module, `[B, T, S, S, C]` to logits `[B, T, S, S, K]`, or a function as `myocardium` returns it.
    config: whole configuration (`data` and `eval` are read).
    placement: devices to run on.
  """

  def __init__(self, network: nn.Module | Callable, config: ConfigDict, placement: Placement):
    self._config, self._placement = config, placement
    apply = myocardium(network) if isinstance(network, nn.Module) else network
    self._apply = placement.pmap_apply(apply)

  def __call__(self, variables: dict, cines: Iterable[Cine]) -> Iterator[tuple[Cine, np.ndarray]]:
    """Yields each cine with its myocardial probability, float32 `[T, H, W]`, in order.

    Args:
      variables: placed on the devices, from `TrainState.variables`.
      cines: any number, of any picture sizes; neighbours with the same number of frames share a batch.
    """
    devices = len(self._placement.devices)
    per_device = self._config.eval.batch_size or 1
    for _, same in itertools.groupby(cines, key=lambda cine: cine.video.shape[0]):
      for group in _groups(same, devices * per_device):
        windows = [self._window(cine) for cine in group]
        windows += [windows[-1]] * (devices * per_device - len(group))  # a short last batch repeats its last cine
        batch = np.stack(windows).reshape(devices, per_device, *windows[0].shape)
        probabilities = self._average(variables, batch).reshape(-1, *windows[0].shape[:3])
        for cine, probability in zip(group, probabilities, strict=False):
          yield cine, paste_window(probability, *cine.mask.shape[1:])

  def _window(self, cine: Cine) -> np.ndarray:
    return central_window(network_input(cine, self._config), self._config.data.crop, edge=True)

  def _average(self, variables, batch):
    """`[D, B, T, S, S]`, averaged over the eight symmetries of the square when `eval.tta` is on."""
    symmetries = itertools.product(range(4), (False, True)) if self._config.eval.tta else [(0, False)]
    total, count = 0.0, 0
    for k, flipped in symmetries:
      turned = rot90_video(flip_video(batch, 'column') if flipped else batch, k)
      result = np.rot90(self._run(variables, turned), -k, axes=(-2, -1))
      total, count = total + (np.flip(result, -1) if flipped else result), count + 1
    return total / count

  def _run(self, variables, batch):
    return jax.device_get(self._apply(variables, self._placement.shard(np.ascontiguousarray(batch))))


def to_mask(probability: np.ndarray) -> np.ndarray:
  """Returns the uint8 mask of a probability map."""
  return (probability > _THRESHOLD).astype(np.uint8)


def score(cine: Cine, mask: np.ndarray, *, surface: bool) -> pd.DataFrame:
  """Returns one row of metrics for each annotated frame of a cine against a predicted mask `[T, H, W]`."""
  ids = {key: getattr(cine, key) for key in ('subject', 'dataset', 'slice_id', 'level')}
  return cine_metrics(mask, cine.mask, cine.annotated, cine.spacing, surface=surface, **ids)


def _groups(items: Iterable, size: int) -> Iterator[list]:
  iterator = iter(items)
  while group := list(itertools.islice(iterator, size)):
    yield group
