"""Would a ring of another size be a better wall? Rings about the same centre, judged by what lies along whole rays.

A contour that lies in the cavity, or round the heart, has nothing near it that says where the wall is, and can look
like one. Each of its borders is therefore moved along the rays, to 0.4 to 2.7 times its distance from the centre: every
ring that this makes is a rival, and is asked what the delineation itself is asked (`analysis.evidence`), of fewer
depths. The number is a Dice, so that it says not only that the size is wrong but by how much.
"""

import numpy as np

from ear_jax.analysis.straightened import REACH, SECTORS, Rays
from ear_jax.cine import MAGNITUDE

_FACTORS = np.exp(0.14 * np.arange(-7, 8))  # of the distances of a border from the centre
_RATIO = (1.12, 2.4)  # epicardial over endocardial radius, of what can be a wall
_WITHIN = (0.2, 2.7)  # radii of the delineation, that a rival's borders lie between
_THINNEST = 0.04  # of the delineation's radius
_MIDDLE = 0.95  # of the way to the centre, that is looked at most
_DEPTHS = np.array([-0.6, -0.4, -0.2, 0.2, 0.35, 0.5, 0.65, 0.8, 1.2, 1.4, 1.6])
_WALL, _AROUND = [3, 4, 5, 6, 7], [0, 1, 2, 8, 9, 10]
_ENDO_SIDES, _EPI_SIDES = ([1, 2], [3, 4]), ([6, 7], [8, 9])
_LOOKS = {'even': -5.0, 'blood': 6.0, 'outside': 6.0, 'ring': 3.0, 'edge': 3.0, 'together': -2.0}  # logits for each
_FAR = 2.0  # logits that a border costs which is e times as far off, or as near: most delineations are not absurd


def rivals(rays: Rays) -> float:
  """Returns the Dice with the rings of all sizes, each counted by how likely it is the wall; 1: there is no rival.

  The rays are of a cycle, with velocities.
  """
  own = rays.endo.mean(0), rays.epi.mean(0)  # [S]
  factors = np.stack(np.meshgrid(_FACTORS, _FACTORS, indexing='ij'), -1).reshape(-1, 2)
  endo = factors[:, :1] * own[0]  # [N, S]
  epi = np.maximum(factors[:, 1:] * own[1], endo + _THINNEST)
  inner, outer = endo.mean(1), epi.mean(1)
  can_be = (outer / inner > _RATIO[0]) & (outer / inner < _RATIO[1]) & (inner > _WITHIN[0]) & (outer < _WITHIN[1])
  can_be |= (factors == 1).all(1)
  endo, epi, factors = endo[can_be], epi[can_be], factors[can_be]
  looks = _looks(rays, endo, epi)
  likely = sum(_LOOKS[name] * looks[name] for name in looks) - _FAR * (np.log(factors) ** 2).sum(1)
  weight = np.exp(likely - likely.max())
  return float((weight * _dice(inner[can_be], outer[can_be], own[0].mean(), own[1].mean())).sum() / weight.sum())


def _dice(inner: np.ndarray, outer: np.ndarray, own_inner: float, own_outer: float) -> np.ndarray:
  """Dice `[N]` of round rings with one."""
  both = np.maximum(np.minimum(outer, own_outer) ** 2 - np.maximum(inner, own_inner) ** 2, 0)
  return 2 * both / (outer**2 - inner**2 + own_outer**2 - own_inner**2)


def _looks(rays: Rays, endo: np.ndarray, epi: np.ndarray) -> dict[str, np.ndarray]:
  """How much each ring looks like a wall, `[N]` by name."""
  low, share = _places(endo, epi)
  bright = rays.values[..., MAGNITUDE].astype(np.float64)
  mean, square = bright.mean(0), (bright**2).mean(0)
  spread, sector = max(float(mean.std()), 1e-9), np.arange(SECTORS)[:, None]
  at, square = ((1 - share) * one[sector, low] + share * one[sector, low + 1] for one in (mean, square))  # [N, S, D]

  def contrast(inner: list[int], outer: list[int]) -> np.ndarray:
    parts = [square[..., side].mean(-1) - at[..., side].mean(-1) ** 2 for side in (inner, outer, inner + outer)]
    return 1 - (parts[0] + parts[1]).sum(-1) / 2 / np.maximum(parts[2].sum(-1), 1e-12)

  def step(inner: list[int], outer: list[int]) -> np.ndarray:
    return at[..., outer].mean(-1) - at[..., inner].mean(-1)

  return {
    'even': at[..., _WALL].mean(-1).std(-1) / spread,
    'blood': contrast(*_ENDO_SIDES),
    'outside': contrast(*_EPI_SIDES),
    'ring': np.abs(step(*_ENDO_SIDES).mean(-1)) / np.sqrt((step(*_ENDO_SIDES) ** 2).mean(-1) + 1e-12),
    'edge': np.abs(step(*_EPI_SIDES)).mean(-1) / spread,
    'together': _together(rays.values[..., 1:], low, share),
  }


def _places(endo: np.ndarray, epi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Between which two points of the rays each depth of each ring lies, `[N, S, D]`, and how far towards the second."""
  thick = (epi - endo)[..., None]
  mean = thick.mean(1, keepdims=True)
  away = np.minimum(mean, _MIDDLE * endo[..., None]) * np.minimum(_DEPTHS, 0)
  away = away + thick * np.clip(_DEPTHS, 0, 1) + mean * np.maximum(_DEPTHS - 1, 0)
  place = np.clip((endo[..., None] + away - REACH[0]) / (REACH[1] - REACH[0]), 0, len(REACH) - 1.001)
  low = place.astype(int)
  return low, place - low


def _together(velocity: np.ndarray, low: np.ndarray, share: np.ndarray) -> np.ndarray:
  """The log of how unlike the depths of each ring's wall move, against what lies on either side.

  Squares of differences of velocities are sums of products of velocities at two places of a ray: those are summed over
  the cycle once, and not for each ring.
  """
  velocity = (velocity - velocity.mean(0)).astype(np.float64)
  product = np.einsum('fsuc,fsvc->suv', velocity, velocity) / len(velocity) / velocity.shape[-1]
  weight = np.zeros((*low.shape, len(REACH)))
  np.put_along_axis(weight, low[..., None], (1 - share)[..., None], -1)
  np.put_along_axis(weight, low[..., None] + 1, share[..., None], -1)
  off = weight - weight[:, :, _WALL].mean(2, keepdims=True)
  square = np.einsum('nsdv,nsdv->nd', off @ product, off) / SECTORS
  return np.log((square[:, _WALL].mean(1) + 0.01) / (square[:, _AROUND].mean(1) + 0.01))
