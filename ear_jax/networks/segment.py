"""From any cine to the probability of myocardium on its own grid, with networks trained on one kind of picture.

A network knows pictures of one pixel spacing, one extent and one number of frames a cycle. Here a cine of any matrix,
spacing and frame count is brought to them and the answer brought back: the heart is found first, a window about it is
resampled, and the frames are dealt into interleaved cycles of the network's length, so that no frame is interpolated.
Several networks (the folds of a cross-validation) are averaged. Pure of files and flags.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from skimage.transform import resize

from ear_jax.cine import Cine, crop, crop_or_pad, resample
from ear_jax.networks.heart import heart_centres
from ear_jax.networks.inference import Predictor, to_mask
from ear_jax.system.errors import UserError

_MOVES = 3  # times the window follows what was delineated
_STILL = 0.04  # of the window's extent: a move that is too small to matter


@dataclasses.dataclass(frozen=True)
class Member:
  """One trained network.

  Attributes:
    predictor, variables: the network on its devices.
    frames, spacing, size: what it was trained on: frames a cycle, mm along row and column (None: unknown, no
      resampling), rows and columns of the whole picture before the window was cut.
    name: what reports call it.
  """

  predictor: Predictor
  variables: dict
  frames: int
  spacing: tuple[float, float] | None
  size: tuple[int, int]
  name: str = ''


@dataclasses.dataclass(frozen=True, eq=False)
class Delineation:
  """What the networks say about one cine.

  Attributes:
    probability: `[T, H, W]` float32 of myocardium, 0 outside the window.
    uncertainty: `[T]`, the expected 1 - Dice of each frame if the probabilities are right; 1 where nothing was found.
    centre: (row, column) of the window in pixels.
  """

  probability: np.ndarray
  uncertainty: np.ndarray
  centre: tuple[float, float]

  @property
  def mask(self) -> np.ndarray:
    """`[T, H, W]` uint8."""
    return to_mask(self.probability)


def delineate(cine: Cine, members: Sequence[Member]) -> Delineation:
  """Returns the delineation of a cine by the mean of some networks.

  Raises: UserError when the cine's pixel spacing is unknown and a network needs it.
  """
  centre = _find(cine, members[0])
  probability = sum(_segment(cine, member, centre) for member in members) / np.float32(len(members))
  return Delineation(probability, expected_error(probability), centre)


def expected_error(probability: np.ndarray) -> np.ndarray:
  r"""Returns the expected loss of Dice `[T]` of the mask of each frame, were the probabilities right.

  .. math:: 1 - \frac{2 \sum p m}{\sum p + \sum m}, \quad m = [p > 1/2]

  It counts what networks, mirrored views or neighbouring cycles disagree about, and what each is unsure of.
  """
  mask = to_mask(probability)
  both, sum_p, sum_m = (x.sum(axis=(1, 2), dtype=np.float64) for x in (probability * mask, probability, mask))
  return np.where(sum_m > 0, 1 - 2 * both / np.maximum(sum_p + sum_m, 1e-9), 1.0)


def interleaved_cycles(frames: int, length: int) -> list[np.ndarray]:
  """Returns index arrays `[length]` into a cycle of `frames` that together hold every frame at least once.

  Each is an evenly spaced cycle: 50 frames for a network of 16 become four cycles of every third or fourth frame. A
  shorter cine repeats frames.
  """
  count = max(1, math.ceil(frames / length))
  places = np.arange(length)[None] * count + np.arange(count)[:, None]  # [count, length], in order of time by columns
  return list(places * frames // (length * count))


def _find(cine, member):
  """The centre (row, column) of the window: where something beats, then moved to what the network finds there."""
  best, found = None, -1.0
  for centre in heart_centres(cine):
    centre, mass = _follow(cine, member, centre)
    if mass > found:
      best, found = centre, mass
    if mass > 0.5 * _typical_mass(member):
      break
  return best


def _follow(cine, member, centre):
  for _ in range(_MOVES):
    probability = _segment(cine, member, centre, cycles=1)
    sure = np.where(probability > 0.5, probability, 0).sum(axis=0, dtype=np.float64)  # [H, W]
    mass = float(sure.sum()) / len(probability)
    if not mass:
      return centre, 0.0
    middle = tuple(float((line * sure.sum(1 - axis)).sum() / sure.sum()) for axis, line in _lines(sure))
    moved = math.dist(middle, centre)
    centre = middle
    if moved < _STILL * min(_extent(cine, member)):
      break
  return centre, mass * math.prod(_scale(cine, member))


def _lines(picture):
  return [(axis, np.arange(n)) for axis, n in enumerate(picture.shape)]


def _typical_mass(member):
  """Pixels of myocardium that make a search of other places needless: a hundredth of the training picture."""
  return 0.01 * math.prod(member.size)


def _scale(cine, member):
  """Pixels of the network per pixel of the cine, along row and column."""
  if member.spacing is None:
    return 1.0, 1.0
  if any(math.isnan(s) for s in cine.spacing):
    raise UserError(
      f'{cine.name}: the pixel spacing is unknown, and the network was trained at {member.spacing[0]:g} mm: state the '
      'spacing in the file (docs/data.md)'
    )
  return cine.spacing[0] / member.spacing[0], cine.spacing[1] / member.spacing[1]


def _extent(cine, member):
  """Rows and columns of the cine that show as much of the body as a training picture does."""
  return tuple(max(1, round(n / s)) for n, s in zip(member.size, _scale(cine, member), strict=True))


def _segment(cine, member, centre, cycles=None):
  """The probability `[T, H, W]` by one network, its window about `centre`; the first `cycles` cycles only, or all.

  With fewer cycles the result has the frames of those.
  """
  height, width = _extent(cine, member)
  top, left = round(centre[0] - (height - 1) / 2), round(centre[1] - (width - 1) / 2)
  parts = interleaved_cycles(len(cine.video), member.frames)[:cycles]
  used = np.unique(np.concatenate(parts))
  region = crop(_frames(cine, used), top, left, height, width)
  if member.spacing is not None:
    region = resample(region, member.spacing)
  total, count = np.zeros(region.mask.shape, np.float32), np.zeros(len(used), np.float32)
  places = [np.searchsorted(used, part) for part in parts]
  results = member.predictor(member.variables, (_frames(region, place) for place in places))
  for place, (_, probability) in zip(places, results, strict=True):
    np.add.at(total, place, probability)
    np.add.at(count, place, 1)
  mean = total / count[:, None, None]
  if mean.shape[1:] != (height, width):
    mean = resize(mean, (len(used), height, width), order=1, mode='edge').astype(np.float32)
  return crop_or_pad(mean, -top, -left, *cine.mask.shape[1:])


def _frames(cine, frames):
  """The cine with only some of its frames, without reference."""
  video = cine.video[frames]
  return cine.replace(video=video, mask=np.zeros(video.shape[:3], np.uint8), annotated=np.zeros(len(video), bool))
