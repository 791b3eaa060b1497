"""Would a ring elsewhere be a better wall? Rings of all places and sizes near a delineation, judged in one picture.

Edges beside a contour say that it is wrong, not by how much: in a single picture a ring that is moved by half its size
and one that lies in the liver look alike. So the picture is searched for what a ventricle in short axis looks like, a
disc of one brightness within a ring of another (`_LOOKS`). Circles stand for rings, and the delineation itself for its
own shape. As in `rivals`, the number is the mean Dice with all of them, each counted by how likely it is the wall.

Averages over discs and rings of all places are products of Fourier transforms, so that 10,000 circles cost 20 ms.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import fft, ndimage

from ear_jax.analysis.polar import fill_polygons

_RADIUS = 10.0  # pixels of the picture that is searched, of the delineation's epicardium
_HALF = 34  # of its extent: 3.4 times the radius to either side
_PADDED = 100
_PLACES = np.arange(-16, 17, 2)  # of centres, along either axis
_INNER = 7.5 * np.exp(0.17 * np.arange(-7, 5))  # endocardial radii
_RATIO = (1.2, 1.4, 1.65, 2.0)  # epicardial over endocardial radius
_WITHIN = (3.0, 22.0)  # that a circle's borders lie between
_MARGIN = 0.15  # of cavity and wall, next to the endocardium, that is not averaged
_BESIDE = 0.6  # of the wall's thickness outside of it, that is
# Logits: `blood` and `outside`, shares of the variance on both sides of a border that lie neither in cavity nor wall;
# `same`, how alike the endocardial edge is all the way round; `thick`, of the log of the ratio; and what a ring costs
# that is e times as large, or a radius away. Chosen with 256 delineations of phantoms (`corrupted.for_calibration`).
_LOOKS = {'blood': 7.0, 'same': 9.0, 'outside': 18.0, 'thick': 5.0}
_FAR = {'size': -11.5, 'place': -1.7}
_OWN = 6.3  # the delineation itself, one ring against thousands


class _Ring(NamedTuple):
  """Weights, of pixels or (as transforms) of a circle about the corner; `edge` with the squares of its normals."""

  core: np.ndarray
  wall: np.ndarray
  outside: np.ndarray
  edge: tuple[np.ndarray, ...]


def place(picture: np.ndarray, endo: np.ndarray, epi: np.ndarray) -> float:
  """Returns the Dice with rings of all places and sizes, each counted by how likely it is the wall; 1: no rival.

  Args:
    picture: `[H, W]` magnitude.
    endo, epi: `[A, 2]` (row, column) pixels.
  """
  centre = epi.mean(0)
  step = max(float(np.hypot(*(epi - centre).T).mean()) / _RADIUS, 1e-3)
  bright = _resampled(picture, centre, step)
  filled = fill_polygons(np.stack([(side - centre) / step + _HALF for side in (endo, epi)]), bright.shape) > 0
  own = (filled[0] ^ filled[1]).astype(float)
  if not own.any():
    return 0.0
  slopes = [ndimage.gaussian_filter(bright, 0.7, order=order, mode='nearest') for order in ((1, 0), (0, 1))]
  pictures = [bright, bright**2, *slopes, slopes[0] ** 2, slopes[0] * slopes[1], slopes[1] ** 2]
  likely, dice = [np.array([_own(pictures, *filled)])], [np.ones(1)]
  transforms = [fft.rfft2(one, (_PADDED, _PADDED)) for one in pictures]
  mask = fft.rfft2(own, (_PADDED, _PADDED))
  away = (_PLACES[:, None] ** 2 + _PLACES**2) / _RADIUS**2
  for inner, ratio in _circles():
    ring, wall, area = _kernel(inner, ratio)
    looks = _looks(lambda k, weight: _everywhere(transforms[k] * weight), ring, math.log(ratio))
    size = math.log(inner * math.sqrt(ratio) / _RADIUS) ** 2
    likely.append((looks + _FAR['size'] * size + _FAR['place'] * away).ravel())
    dice.append((2 * _everywhere(mask * wall) / (area + own.sum())).ravel())
  logits = np.concatenate(likely)
  weight = np.exp(logits - logits.max())
  return float(np.clip((weight * np.concatenate(dice)).sum() / weight.sum(), 0, 1))


def _looks(mean: Callable[[int, np.ndarray], Any], ring: _Ring, thick: float) -> Any:
  """How much rings look like a wall; `mean` gives averages of the k-th picture with some weights."""
  cavity, wall, outside = (mean(0, weight) for weight in (ring.core, ring.wall, ring.outside))
  of_cavity, of_wall, of_outside = (
    np.maximum(mean(1, weight) - middle**2, 0)
    for weight, middle in ((ring.core, cavity), (ring.wall, wall), (ring.outside, outside))
  )
  along_row, along_column, *squares = ring.edge
  out = mean(2, along_row) + mean(3, along_column)
  square = sum(mean(4 + k, weight) for k, weight in enumerate(squares))
  unlike, beyond = (cavity - wall) ** 2, of_outside + (outside - wall) ** 2
  measures = {
    'blood': unlike / (unlike + 2 * (of_cavity + of_wall) + 1e-6),
    'same': out**2 / np.maximum(square, 1e-6),
    'outside': beyond / (beyond + 2 * of_wall + 1e-6),
    'thick': thick,
  }
  return sum(_LOOKS[name] * measures[name] for name in _LOOKS)


def _own(pictures: list[np.ndarray], cavity: np.ndarray, heart: np.ndarray) -> float:
  """The logit of the delineation itself, of its own shape."""
  inner = max(math.sqrt(cavity.sum() / np.pi), 1.0)
  ratio = max(math.sqrt(heart.sum() / np.pi) / inner, 1.0)
  ring = _ring(_signed(cavity), _signed(heart), inner, ratio)
  return float(_looks(lambda k, weight: (pictures[k] * weight).sum(), ring, math.log(ratio)) + _OWN)


def _ring(endo: np.ndarray, epi: np.ndarray, inner: float, ratio: float) -> _Ring:
  """The weights of a ring, from distances to both its borders, negative inside."""
  thick = (ratio - 1) * inner
  core = _unit(_step(endo + _MARGIN * inner))
  wall = _unit(_step(_MARGIN * thick - endo) * _step(epi + _MARGIN * thick))
  outside = _unit(_step(-epi) * _step(epi - max(_BESIDE * thick, 1.2)))
  edge = _unit(np.clip(1 - np.abs(endo), 0, 1))
  normal = np.array(np.gradient(endo))
  row, column = normal / np.maximum(np.hypot(*normal), 1e-6)
  weights = row, column, row**2, 2 * row * column, column**2
  return _Ring(core, wall, outside, tuple(edge * weight for weight in weights))


@functools.cache
def _circles() -> tuple[tuple[float, float], ...]:
  return tuple((r, q) for r in _INNER.tolist() for q in _RATIO if r > _WITHIN[0] and r * q < _WITHIN[1])


@functools.cache
def _kernel(inner: float, ratio: float) -> tuple[_Ring, np.ndarray, float]:
  """Transforms of the weights of a circle, and of its wall; the wall's area."""
  steps = fft.fftfreq(_PADDED, 1 / _PADDED)
  radius = fft.fftshift(np.hypot(*np.meshgrid(steps, steps, indexing='ij')))  # so that gradients have no seam
  ring = _ring(radius - inner, radius - inner * ratio, inner, ratio)

  def transform(weight: np.ndarray) -> np.ndarray:
    return np.conj(fft.rfft2(fft.ifftshift(weight)))

  wall = _step(radius - inner * ratio) - _step(radius - inner)
  edge = tuple(transform(weight) for weight in ring.edge)
  core, middle, outside = (transform(weight) for weight in (ring.core, ring.wall, ring.outside))
  return _Ring(core, middle, outside, edge), transform(wall), float(wall.sum())


def _everywhere(product: np.ndarray) -> np.ndarray:
  """What a product of transforms is at the centres that are tried."""
  at = _HALF + _PLACES
  return fft.irfft2(product, (_PADDED, _PADDED))[np.ix_(at, at)]


def _resampled(picture: np.ndarray, centre: np.ndarray, step: float) -> np.ndarray:
  """The surroundings of a delineation, their mean 0 and their standard deviation 1."""
  reach = np.arange(-_HALF, _HALF) * step
  low = np.maximum(np.floor(centre - _HALF * step).astype(int) - 3, 0)
  low = np.minimum(low, np.array(picture.shape) - 1)
  high = np.maximum(np.ceil(centre + _HALF * step).astype(int) + 4, low + 1)
  window = picture[low[0] : high[0], low[1] : high[1]].astype(float)
  smooth = ndimage.gaussian_filter(window, 0.5 * step, mode='nearest')
  where = np.meshgrid(*(centre[k] - low[k] + reach for k in range(2)), indexing='ij')
  sampled = ndimage.map_coordinates(smooth, where, order=1, mode='nearest')
  return (sampled - sampled.mean()) / max(float(sampled.std()), 1e-9)


def _signed(inside: np.ndarray) -> np.ndarray:
  """Distances of pixels from a border, negative inside."""
  out, within = (ndimage.distance_transform_edt(side) for side in (~inside, inside))
  return np.where(inside, 0.5 - within, out - 0.5)


def _step(distance: np.ndarray) -> np.ndarray:
  return np.clip(0.5 - distance, 0, 1)


def _unit(weight: np.ndarray) -> np.ndarray:
  return weight / max(float(weight.sum()), 1e-9)
