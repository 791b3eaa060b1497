"""From a cine like those of training to its mask: one network call for validation, evaluation and prediction.

Pure of files and flags. The window at the centre of the picture is normalised as in training, segmented, and pasted
back into the whole slice, so that scores are of whole slices.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from ml_collections import ConfigDict

from ear_jax.cine import Cine, flip_video, rot90_video
from ear_jax.data.normalise import network_input
from ear_jax.data.window import central_window, paste_window
from ear_jax.devices.placement import Placement
from ear_jax.system.errors import UserError

if TYPE_CHECKING:
  import flax.linen as nn

_THRESHOLD = 0.5  # of the myocardium's probability; for two classes the same as argmax
Predictor = Callable[..., Iterator[tuple[Cine, np.ndarray]]]


def myocardium(model: nn.Module) -> Callable[[dict, jax.Array], jax.Array]:
  """Returns `apply(variables, video)`: normalised `[B, T, S, S, C]` to the probability of myocardium `[B, T, S, S]`."""

  def apply(variables, video):
    logits: Any = model.apply(variables, video)
    return jax.nn.softmax(logits)[..., 1]

  return apply


def make_predictor(apply: Callable, config: ConfigDict, placement: Placement) -> Predictor:
  """Returns `predict(variables, cines, tta=None)`, which compiles once for each number of frames and size of batch.

  It yields each cine with its myocardial probability, float32 `[T, H, W]`, in order. The variables are placed on the
  devices, and may be others in each call: in training they change. Cines are any number, of any picture sizes;
  neighbours with the same number of frames share a batch; a short one is filled to a power of two. `tta` averages over
  the quarter turns and mirror images that training showed; None: as `config.eval.tta` says.

  Args:
    apply: a network as `myocardium` returns it.
    config: whole configuration (`data`, `augment` and `eval` are read).
    placement: devices to run on.

  Raises: UserError, here or by `predict`, where `tta` is asked of a network that learnt hearts one way up.
  """
  _views(config, config.eval.tta)
  return functools.partial(_predict, placement.pmap_apply(apply), config, placement)


def _predict(apply, config, placement, variables, cines, tta=None):
  views = _views(config, config.eval.tta if tta is None else tta)
  devices, per_device = len(placement.devices), config.eval.batch_size or 1

  def run(batch):
    return jax.device_get(apply(variables, placement.shard(np.ascontiguousarray(batch))))

  for _, same in itertools.groupby(cines, key=lambda cine: cine.video.shape[0]):
    for group in _groups(same, devices * per_device):
      windows = [central_window(network_input(cine, config), config.data.crop, edge=True) for cine in group]
      each = min(per_device, 1 << (-(-len(group) // devices) - 1).bit_length())  # few shapes to compile for
      windows += [windows[-1]] * (devices * each - len(group))  # a short batch repeats its last cine
      batch = np.stack(windows).reshape(devices, each, *windows[0].shape)
      probabilities = _average(run, batch, views).reshape(-1, *windows[0].shape[:3])
      for cine, probability in zip(group, probabilities, strict=False):
        yield cine, paste_window(probability, *cine.mask.shape[1:])


def _views(config: ConfigDict, tta: bool) -> list[tuple[int, bool]]:
  """Returns the views that are averaged: quarter turns counter-clockwise, and whether columns are mirrored before."""
  if not tta:
    return [(0, False)]
  if not (config.augment.rot90 or config.augment.flip):
    raise UserError(
      'an average over quarter turns and mirror images (tta) was asked of a network that learnt hearts one way up '
      '(augment.rot90 and augment.flip are False), and would be worse: leave it out'
    )
  turns, mirrored = range(4 if config.augment.rot90 else 1), (False, True)[: 1 + config.augment.flip]
  return list(itertools.product(turns, mirrored))


def _average(run, batch, views):
  """Returns `[D, B, T, S, S]`, averaged over some views."""
  total = 0.0
  for k, flipped in views:
    turned = rot90_video(flip_video(batch, 'column') if flipped else batch, k)
    result = np.rot90(run(turned), -k, axes=(-2, -1))
    total = total + (np.flip(result, -1) if flipped else result)
  return total / len(views)


def to_mask(probability: np.ndarray) -> np.ndarray:
  """Returns the uint8 mask of a probability map."""
  return (probability > _THRESHOLD).astype(np.uint8)


def _groups(items: Iterable, size: int) -> Iterator[list]:
  iterator = iter(items)
  while group := list(itertools.islice(iterator, size)):
    yield group
