"""What may be wrong with the references of one visit: which simple fault, undone, brings them to what a network says.

Each kind of fault has few numbers: a shift, one of the eight views of a picture, a scale, which slice. They are sought
for every cine alone and, the same numbers for all, for the visit: a network errs in each slice in another way, but a
person's slip moves all slices alike.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy import fft, ndimage

from ear_jax.analysis.ring import find_ring

SCALES = (0.7, 0.8, 0.9, 1.1, 1.25, 1.4)
VIEWS = [(mirrored, quarters) for mirrored, quarters in itertools.product((False, True), range(4))][1:]
_ORDERS = {'slices in reverse order': None, 'of the slice before': -1, 'of the slice after': 1}
_ORDERS |= {'of the slice two before': -2, 'of the slice two after': 2}
THIRDS = ('first third', 'middle third', 'last third')
_FRAMES = 16  # of a cine, that a fault is tried on
_BINS = 36  # directions from the centre, in each of which a ring is there or missing
_WHOLE = 0.85  # share of them above which a ring is not called a part of one
_BESIDE = 8  # pixels that a scaled contour may lie off


class Pair(NamedTuple):
  """A cine's reference and a delineation that knows nothing of it, on the frames that carry a reference.

  Attributes:
    subject, dataset, slice_id, level: as of the cine.
    frames: `[F]`, their indices in the cine.
    reference, prediction: `[F, H, W]` bool.
  """

  subject: str
  dataset: str
  slice_id: str
  level: str
  frames: np.ndarray
  reference: np.ndarray
  prediction: np.ndarray


class Fit(NamedTuple):
  """A kind of fault with its numbers in words, and the Dice of a cine, frames pooled, once it is undone."""

  kind: str
  detail: str
  dice: float


class Suspicion(NamedTuple):
  """What was found of one cine.

  Attributes:
    subject, dataset, slice_id: as of the cine.
    level: the cine's; where that is unknown the third of its visit, '' in a visit of one or two slices.
    frames: `[F]`, their indices in the cine.
    frame_dice: `[F]`, of reference and delineation as they are; 1 where both are empty.
    dice: the same with frames pooled, those that faults are tried on.
    no_reference, no_prediction: whether they have no pixel at all.
    own: each kind of fault with the numbers that suit this cine best.
    shared: each kind with the numbers that suit the visit best.
  """

  subject: str
  dataset: str
  slice_id: str
  level: str
  frames: np.ndarray
  frame_dice: np.ndarray
  dice: float
  no_reference: bool
  no_prediction: bool
  own: tuple[Fit, ...]
  shared: tuple[Fit, ...]


class _Family(NamedTuple):
  """A kind of fault: Dice of all cines of a visit for every choice of its numbers, `[n, choices]`, 0 for impossible."""

  kind: str
  dice: np.ndarray
  words: Callable[[int], str]


def suspect(pairs: Sequence[Pair]) -> list[Suspicion]:
  """Returns what may be wrong with each cine of one visit, in their order, which is from base to apex.

  Of a cine with more than sixteen frames, sixteen spread over all of them stand for it in all but `frame_dice`.
  """
  own: list[list[Fit]] = [[] for _ in pairs]
  shared: list[list[Fit]] = [[] for _ in pairs]
  few = [_thinned(pair) for pair in pairs]
  for family in _families(few):
    common = int(family.dice.mean(0).argmax())
    for index, dice in enumerate(family.dice):
      best = int(dice.argmax())
      own[index].append(Fit(family.kind, family.words(best), float(dice[best])))
      shared[index].append(Fit(family.kind, family.words(common), float(dice[common])))
  return [
    Suspicion(
      *pair[:3],
      pair.level or _third(index, len(pairs)),
      pair.frames,
      overlap(pair.reference, pair.prediction, axes=(1, 2)),
      float(overlap(few[index].reference, few[index].prediction)),
      not pair.reference.any(),
      not pair.prediction.any(),
      tuple(own[index]),
      tuple(shared[index]),
    )
    for index, pair in enumerate(pairs)
  ]


def overlap(first: np.ndarray, second: np.ndarray, axes: tuple[int, ...] | None = None) -> np.ndarray:
  """Returns Dice of two masks over some axes, all by default; 1 where both are empty, 0 for other shapes."""
  if first.shape != second.shape:
    return np.zeros(())
  both, pixels = (first & second).sum(axes), first.sum(axes) + second.sum(axes)
  return np.where(pixels > 0, 2 * both / np.maximum(pixels, 1), 1.0)


def turned(mask: np.ndarray, view: tuple[bool, int]) -> np.ndarray:
  """Returns `[..., H, W]` mirrored along columns, if so, then turned by quarters counter-clockwise."""
  mirrored, quarters = view
  return np.rot90(np.flip(mask, -1) if mirrored else mask, quarters, axes=(-2, -1))


def scaled(mask: np.ndarray, scale: float) -> np.ndarray:
  """Returns `[F, H, W]` bool with each frame larger or smaller about the middle of its pixels."""
  resized = np.zeros_like(mask)
  for index in np.flatnonzero(mask.any((1, 2))):
    centre = np.argwhere(mask[index]).mean(0)
    frame = mask[index].astype(np.float32)
    resized[index] = ndimage.affine_transform(frame, np.full(2, 1 / scale), centre * (1 - 1 / scale), order=1) > 0.5
  return resized


def cavity_and_filled(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Returns what a wall `[F, H, W]` encloses, and that with the wall; nothing and the mask where there is no ring."""
  rings = [find_ring(frame) for frame in mask]
  pairs = [(r.cavity, frame if r.failure else r.filled) for r, frame in zip(rings, mask, strict=True)]
  return np.stack([cavity for cavity, _ in pairs]), np.stack([filled for _, filled in pairs])


def _thinned(pair: Pair) -> Pair:
  chosen = np.unique(np.linspace(0, len(pair.frames) - 1, _FRAMES).round().astype(int))
  return pair._replace(reference=pair.reference[chosen], prediction=pair.prediction[chosen])


def _third(index: int, count: int) -> str:
  return THIRDS[3 * index // count] if count > 2 else ''


def _families(pairs: Sequence[Pair]) -> Iterator[_Family]:
  sight = _window(pairs)
  masks = [(pair.reference[sight], pair.prediction[sight]) for pair in pairs]
  reach = tuple(max(reference.shape[axis] for reference, _ in masks) // 2 for axis in (1, 2))
  shifts = np.stack([_shifts(*both, reach) for both in masks])
  yield _Family('shifted', _flat(shifts), lambda k: _moved(k, reach))
  views = [[overlap(turned(p.reference, view), p.prediction) for view in VIEWS] for p in pairs]
  yield _Family('mirrored or turned', np.array(views), lambda k: _view(VIEWS[k]))
  near = (_BESIDE, _BESIDE)
  sizes = [[_shifts(scaled(reference, s), drawn, near).max() for s in SCALES] for reference, drawn in masks]
  yield _Family('scaled', np.array(sizes), lambda k: f'x {1 / SCALES[k]:.2f}')
  inner = [cavity_and_filled(drawn) for _, drawn in masks]
  for kind, index in (('cavity in place of the wall', 0), ('cavity filled', 1)):
    dice = [overlap(reference, both[index]) for (reference, _), both in zip(masks, inner, strict=True)]
    yield _Family(kind, np.array(dice)[:, None], lambda _: '')
  parts = np.array([_as_far_as(*both) for both in masks])
  yield _Family('part of the ring missing', parts[:, None], lambda _: '')
  yield _Family("another slice's", _orders(masks), lambda k: list(_ORDERS)[k])


def _window(pairs: Sequence[Pair]) -> tuple[slice, slice, slice]:
  """The smallest window that holds all pixels of all masks of a visit."""
  low, high = np.full(2, 10**9), np.zeros(2, int)
  for mask in (mask.any(0) for pair in pairs for mask in (pair.reference, pair.prediction) if mask.any()):
    (rows, columns) = ndimage.find_objects(mask.astype(np.uint8), 1)[0]
    low, high = np.minimum(low, (rows.start, columns.start)), np.maximum(high, (rows.stop, columns.stop))
  low = np.minimum(low, high)
  return slice(None), slice(low[0], max(high[0], low[0] + 1)), slice(low[1], max(high[1], low[1] + 1))


def _shifts(reference: np.ndarray, prediction: np.ndarray, reach: tuple[int, int]) -> np.ndarray:
  """Dice `[2 reach + 1, 2 reach + 1]` of the reference moved by -reach to reach rows and columns, frames pooled."""
  size = [fft.next_fast_len(length + far, real=True) for length, far in zip(reference.shape[1:], reach, strict=True)]
  pixels = max(int(reference.sum()) + int(prediction.sum()), 1)
  moved = fft.rfft2(prediction.astype(np.float32), size) * np.conj(fft.rfft2(reference.astype(np.float32), size))
  common = fft.irfft2(moved.sum(0), size)
  rows, columns = (np.arange(-far, far + 1) for far in reach)
  return 2 * common[np.ix_(rows, columns)] / pixels


def _as_far_as(reference: np.ndarray, prediction: np.ndarray) -> float:
  """Dice in those directions from the delineation's middle in which the reference has wall; 0 where it goes round."""
  cut, share = np.zeros_like(prediction), []
  for index in np.flatnonzero(prediction.any((1, 2))):
    wall = np.argwhere(prediction[index])
    drawn, directions = (_directions(points - wall.mean(0)) for points in (np.argwhere(reference[index]), wall))
    there = np.isin(np.arange(_BINS), drawn)
    share.append(there[np.unique(directions)].mean())
    cut[index][tuple(wall[there[directions]].T)] = True
  return float(overlap(reference, cut)) if share and np.mean(share) < _WHOLE else 0.0


def _directions(offsets: np.ndarray) -> np.ndarray:
  angle = np.arctan2(offsets[:, 1], offsets[:, 0]) / (2 * np.pi) % 1
  return np.minimum((angle * _BINS).astype(int), _BINS - 1)


def _orders(masks: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
  """Dice `[n, orders]` of each reference with the delineation of another slice."""
  count, overlaps = len(masks), np.zeros((len(masks), len(_ORDERS)))
  for (index, (reference, _)), (k, step) in itertools.product(enumerate(masks), enumerate(_ORDERS.values())):
    other = count - 1 - index if step is None else index + step
    if 0 <= other < count and count > 1:
      overlaps[index, k] = overlap(reference, masks[other][1])
  return overlaps


def _flat(grid: np.ndarray) -> np.ndarray:
  return grid.reshape(len(grid), -1)


def _moved(choice: int, reach: tuple[int, int]) -> str:
  """How far the reference lies off, which is the way back turned round."""
  steps = np.unravel_index(choice, [2 * far + 1 for far in reach])
  row, column = (int(step) - far for step, far in zip(steps, reach, strict=True))
  down, right = f'{abs(row)} px {"up" if row > 0 else "down"}', f'{abs(column)} px {"left" if column > 0 else "right"}'
  return ', '.join(text for text, size in ((down, row), (right, column)) if size) or '0 px'


def _view(view: tuple[bool, int]) -> str:
  """How the reference lies, which is the way back undone."""
  mirrored, quarters = view
  degrees = 90 * (quarters if mirrored else -quarters % 4)
  words = ['mirrored left to right'] * mirrored + [f'turned by {degrees} degrees'] * bool(degrees)
  return ' and '.join(words)
