"""Contours as a person drew them: polygons of any number of points, kept point by point.

A drawn frame is a pair of polygons `[N, 2]` (row, column), endo- and epicardium, open or closed. What is not drawn
stays undrawn: nothing is repaired, interpolated or smoothed.
"""

import functools
from collections.abc import Sequence

import numpy as np
from skimage.draw import polygon2mask

from ear_jax.analysis.motion import Contours
from ear_jax.analysis.polar import RAYS

Pair = tuple[np.ndarray, np.ndarray]
_TOGETHER = np.deg2rad(30)  # angle in the mean between points that belong together
NOT_DRAWN, NO_RAYS = 'not drawn', 'drawn, but not a ring about its centre'


def open_curve(points: np.ndarray) -> np.ndarray:
  """Returns the known points of a curve `[P, 2]`, without the last where it repeats the first."""
  known = points[np.isfinite(points).all(-1)]
  return known[:-1] if len(known) > 1 and np.allclose(known[0], known[-1], rtol=0, atol=1e-9) else known


def wall_mask(frames: Sequence[Pair | None], shape: tuple[int, int]) -> np.ndarray:
  """Returns `[T, H, W]` uint8, 1 where a pixel's centre lies within exactly one of the two polygons of its frame.

  By scikit-image's `polygon2mask`, as StrainMap does it: polygons with corners on pixel centres leave a choice.
  """
  mask = np.zeros((len(frames), *shape), np.uint8)
  for t, pair in enumerate(frames):
    if pair is not None:
      mask[t] = np.logical_xor(*(polygon2mask(shape, side[np.isfinite(side).all(-1)]) for side in pair))
  return mask


def as_drawn(frames: Sequence[Pair | None]) -> Contours:
  """Returns drawn curves with every point where it is, numbered so that point i of both sides belongs together.

  A frame of fewer points than others repeats its last one, which moves no line. Where the sides of a frame have
  different numbers of points, nothing belongs together: `on_rays` answers.
  """
  pairs = [pair and (open_curve(pair[0]), open_curve(pair[1])) for pair in frames]
  counts = {len(side) for pair in pairs if pair for side in pair}
  if any(pair and len(pair[0]) != len(pair[1]) for pair in pairs):
    return on_rays(frames)
  sides = np.full((2, len(pairs), max(counts, default=1), 2), np.nan)
  for t, pair in enumerate(pairs):
    for side, points in zip(sides, (_paired(*pair), pair[1]) if pair else (), strict=False):
      side[t] = points[np.minimum(np.arange(sides.shape[2]), len(points) - 1)]
  return _contours(sides, [pair is not None for pair in pairs])


def _paired(endo: np.ndarray, epi: np.ndarray) -> np.ndarray:
  """Returns the points `[N, 2]` of the endocardium in the order of those of the epicardium, if they are in another.

  Whoever draws begins where they like, and goes round either way; points at about one angle belong together.
  """
  if _area(endo) * _area(epi) < 0:
    endo = endo[::-1]
  centre = _centroid(epi)
  one, other = (np.exp(1j * np.arctan2(*(side - centre).T)) for side in (endo, epi))
  if abs(np.angle((other * one.conj()).sum())) < _TOGETHER:
    return endo
  alike = np.fft.ifft(np.fft.fft(other) * np.fft.fft(one).conj()).real  # by how far the first is rolled
  return np.roll(endo, int(alike.argmax()), 0)


def on_rays(frames: Sequence[Pair | None]) -> Contours:
  """Returns drawn polygons as points on them at 360 equal angles about the centre of each frame's endocardium."""
  sides = np.full((2, len(frames), len(RAYS), 2), np.nan)
  for t, pair in enumerate(frames):
    if pair is not None:
      sides[:, t] = _on_rays(*(np.asarray(points, float).tobytes() for points in pair))
  return _contours(sides, [pair is not None for pair in frames])


@functools.lru_cache(256)  # who corrects contours asks for all of them again after each frame
def _on_rays(endo: bytes, epi: bytes) -> np.ndarray:
  """`[2, 360, 2]`, two polygons of float64 `[N, 2]` on the rays from the centre of the first."""
  curves = [open_curve(np.frombuffer(points).reshape(-1, 2)) for points in (endo, epi)]
  centre = _centroid(curves[0])
  return np.stack([centre + _reach(points - centre)[:, None] * RAYS for points in curves])


def _contours(sides: np.ndarray, drawn: Sequence[bool]) -> Contours:
  failed = ~np.isfinite(sides).all((0, 2, 3))
  sides[:, failed] = np.nan
  flags = tuple((NO_RAYS if one else NOT_DRAWN) * bad for one, bad in zip(drawn, failed.tolist(), strict=True))
  return Contours(sides[0], sides[1], flags, failed, drawn=True, origins=('given',) * len(failed))


def _area(polygon: np.ndarray) -> float:
  """The area within a polygon `[N, 2]`, negative where it goes round the other way."""
  after = np.roll(polygon, -1, 0)
  return float((polygon[:, 0] * after[:, 1] - after[:, 0] * polygon[:, 1]).sum() / 2)


def _centroid(polygon: np.ndarray) -> np.ndarray:
  """`[2]`, the centre of the area within a polygon `[N, 2]`."""
  after = np.roll(polygon, -1, 0)
  cross = polygon[:, 0] * after[:, 1] - after[:, 0] * polygon[:, 1]
  area = cross.sum()
  return ((polygon + after) * cross[:, None]).sum(0) / (3 * area) if area else polygon.mean(0)


def _reach(polygon: np.ndarray) -> np.ndarray:
  """`[360]`, how far from the origin each ray last crosses a polygon `[N, 2]`; NaN where it does not."""
  edge = np.roll(polygon, -1, 0) - polygon
  slope = RAYS[:, :1] * edge[:, 1] - RAYS[:, 1:] * edge[:, 0]  # [360, N], of r * ray = point + s * edge
  with np.errstate(divide='ignore', invalid='ignore'):
    r = (polygon[:, 0] * edge[:, 1] - polygon[:, 1] * edge[:, 0]) / slope
    s = (polygon[:, 0] * RAYS[:, 1:] - polygon[:, 1] * RAYS[:, :1]) / slope
  crossed = np.where((s >= -1e-9) & (s <= 1 + 1e-9) & (r > 0), r, -np.inf)
  reach = crossed.max(1)
  return np.where(np.isfinite(reach), reach, np.nan)
