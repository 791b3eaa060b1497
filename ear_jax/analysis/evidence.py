"""Evidence that a delineation is the wall of this cine, from the pictures alone: no reference, no network.

Every function takes a straightened wall (`analysis.straightened`) or parts of it and gives one number whose meaning its
docstring states. `evidence` collects them. What they are worth together is in `analysis.expected_dice`.
"""

import math

import numpy as np
from scipy import ndimage

from ear_jax.analysis.places import place
from ear_jax.analysis.regions import lengths
from ear_jax.analysis.rivals import rivals
from ear_jax.analysis.straightened import DEPTHS, SECTORS, Straightened, between, by_sector
from ear_jax.cine import ALONG_COLUMN, ALONG_ROW, MAGNITUDE, Cine

_CYCLE = 8  # frames with contours that are a cycle, and their share of all
_MOST = 0.8
_WALL, _CORE = between(0.15, 0.85), between(0.2, 0.8)
_ENDO = np.flatnonzero(between(-0.8, 0.7))  # depths where an endocardium is looked for
_EPI = np.flatnonzero(between(0.3, 1.9))
_THINNEST = 5  # steps of depth between both
_FAR = 0.25  # share of an edge's strength that a thickness of distance costs: of two alike the nearer one is meant
_ENDO_SIDES = (between(-0.45, -0.12), between(0.12, 0.45))
_EPI_SIDES = (between(0.55, 0.88), between(1.12, 1.45))
_BLUR = (0.25, 0.5, 0.25)  # over neighbouring sectors
_SEARCHED = 4  # frames at most that other rings are looked for in


def evidence(wall: Straightened, cine: Cine) -> dict[str, float]:
  """Returns the evidence of a straightened wall by name; without velocities, or of few frames, what there is of it."""
  magnitude = wall.values[..., MAGNITUDE]
  measured, cycle = of_pictures(wall), len(magnitude) >= max(_CYCLE, _MOST * len(cine.video))
  if cycle:
    measured['steady'] = steadiness(magnitude)
  if not cycle or cine.venc is None:
    measured['place'] = places(wall, cine)
    return measured
  velocity = wall.values[..., 1:] - wall.values[..., 1:].mean(0)  # without background phase
  measured['velocity depth'] = together(by_sector(velocity, 1))
  measured['motion'] = motion(wall, cine)
  measured['size'] = rivals(wall.rays)
  return measured


def places(wall: Straightened, cine: Cine) -> float:
  """Returns the Dice with rings of all places and sizes (`analysis.places`), the mean of four frames at most."""
  frames = np.unique(np.linspace(0, len(wall.frames), _SEARCHED, endpoint=False).astype(int))
  pictures = cine.video[wall.frames, ..., MAGNITUDE]
  return float(np.mean([place(pictures[k], wall.endo[k], wall.epi[k]) for k in frames]))


def of_pictures(wall: Straightened) -> dict[str, float]:
  """Returns the evidence of the magnitudes of a straightened wall, of one frame or more."""
  magnitude = wall.values[..., MAGNITUDE]
  mean = by_sector(magnitude.mean(0), 0)
  return {
    'edges': edges(by_sector(np.gradient(magnitude.mean(0), DEPTHS, axis=1), 0)),
    'even': evenness(mean),
    'blood': contrast(magnitude, _ENDO_SIDES),
    'outside': contrast(magnitude, _EPI_SIDES),
    'ring': sameness(mean),
  }


def edges(slope: np.ndarray) -> float:
  """Returns the Dice of the wall with the ring between the strongest edges near its borders, by the slopes `[S, U]`.

  The endocardium is an edge of one sign all the way round; the epicardium is one of either sign outside of it.
  """
  slope = _blurred(slope)
  near = slope[:, between(-0.25, 0.25)]
  sign = np.sign(near[np.arange(SECTORS), np.abs(near).argmax(1)].sum()) or 1.0
  endo = DEPTHS[_ENDO][(sign * slope[:, _ENDO] * (1 - _FAR * np.abs(DEPTHS[_ENDO]))).argmax(1)]
  strength = np.abs(slope[:, _EPI]) * (1 - _FAR * np.abs(DEPTHS[_EPI] - 1))
  step = DEPTHS[1] - DEPTHS[0]
  strength = np.where(DEPTHS[_EPI] > endo[:, None] + (_THINNEST - 0.5) * step, strength, -1)
  epi = DEPTHS[_EPI][strength.argmax(1)]
  both = np.maximum(np.minimum(1, epi) - np.maximum(0, endo), 0)
  return float((2 * both / (1 + epi - endo)).mean())


def evenness(mean: np.ndarray) -> float:
  """Returns how unlike in brightness the wall's sectors are, against all that lies around, of `[S, U]`: 0 is even."""
  return float(mean[:, _WALL].mean(1).std() / max(float(mean.std()), 1e-9))


def contrast(magnitude: np.ndarray, sides: tuple[np.ndarray, np.ndarray]) -> float:
  """Returns the share of the variance of `[F, A, U]` on two sides of a border that lies between them, by sector."""
  parts = magnitude.reshape(len(magnitude), SECTORS, -1, len(DEPTHS))
  inner, outer = (parts[..., side] for side in sides)
  whole = np.concatenate([inner, outer], -1).var((2, 3)).sum()
  return float(1 - (inner.var((2, 3)) + outer.var((2, 3))).sum() / 2 / max(float(whole), 1e-12))


def sameness(mean: np.ndarray) -> float:
  """Returns how far blood is brighter than the wall, or darker, in every sector of `[S, U]`: 1 where all agree."""
  inner, outer = (mean[:, side].mean(1) for side in _ENDO_SIDES)
  step = outer - inner
  return float(abs(step.mean()) / math.sqrt(float((step**2).mean()) + 1e-12))


def steadiness(magnitude: np.ndarray) -> float:
  """Returns the share of the variance of the wall's brightness `[F, A, U]` that does not change over the cycle."""
  wall = by_sector(magnitude, 1)[..., _WALL]
  return float(1 - wall.var(0).mean() / max(float(wall.var()), 1e-12))


def together(velocity: np.ndarray) -> float:
  """Returns the log of how unlike the wall's depths move, against what lies on either side, of `[F, S, U, 3]`."""
  off = ((velocity - velocity[:, :, _CORE].mean(2, keepdims=True)) ** 2).mean((0, 1, 3))
  around = between(-0.8, -0.2) | between(1.2, 1.8)
  return math.log((float(off[_CORE].mean()) + 0.01) / (float(off[around].mean()) + 0.01))


def motion(wall: Straightened, cine: Cine) -> float:
  """Returns the correlation of how fast the wall's sectors move outward, by its contours and by the velocities.

  Over the cycle and round the ring, by the best of the eight ways in which both in-plane channels can be exchanged and
  signed: whether they are right is another question, that other checks ask.
  """
  size = lengths(cine.spacing)
  middle = (wall.endo + wall.epi) / 2 * size
  middle = middle - middle.mean(1, keepdims=True)
  radius = np.hypot(*np.moveaxis(middle, -1, 0))
  away = middle / np.maximum(radius, 1e-9)[..., None]
  moved = wall.values[:, :, _CORE].mean(2)
  moved = moved - moved.mean(1, keepdims=True)  # bulk motion
  rate = by_sector(np.roll(radius, -1, 0) - np.roll(radius, 1, 0), 1)
  row, column = moved[..., ALONG_ROW], moved[..., ALONG_COLUMN]
  ways = [(s * a, t * b) for a, b in ((row, column), (column, row)) for s in (1, -1) for t in (1, -1)]
  agreements = []
  for along_row, along_column in ways:
    outward = by_sector(away[..., 0] * along_row + away[..., 1] * along_column, 1)
    agreements.append(_correlation(*(ndimage.gaussian_filter1d(x, 1.0, axis=0, mode='wrap') for x in (outward, rate))))
  return max(agreements)


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
  one, other = one - one.mean(), other - other.mean()
  both = math.sqrt(float((one**2).sum() * (other**2).sum()))
  return float((one * other).sum() / both) if both > 0 else 0.0


def _blurred(by_sectors: np.ndarray) -> np.ndarray:
  """Returns `[S, ...]` averaged a little with the neighbouring sectors."""
  return np.sum([np.roll(by_sectors, k, 0) * weight for k, weight in zip((-1, 0, 1), _BLUR, strict=True)], 0)
