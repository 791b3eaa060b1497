"""Masks to endocardial and epicardial contours and back.

Each frame's ring (`ring.find_ring`) becomes two radius functions about the frame's centre, sub-pixel, at the same 360
angles. Then the frames are compared with each other (`over_the_cycle`).
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from ear_jax.analysis.motion import Contours
from ear_jax.analysis.polar import RAYS, fill_polygons, last_crossing, sample_rays
from ear_jax.analysis.ring import Ring, find_ring

MAX_JUMP = {'cavity': 0.25, 'heart': 0.12}  # of the area against the mean of both neighbours in time
INTERPOLATED = 'interpolated from neighbours'
_BLUR = 0.7  # pixels; takes the stairs off a binary mask and moves a border of radius r by 0.25 / r pixels
_MARGIN = 4
MIN_WALL = 0.5  # pixels between endocardium and epicardium
MOST_SHAVED = 0.25  # of the wall, from either side


def from_mask(mask: np.ndarray, *, smooth: float = 0.0) -> Contours:
  """Returns the contours of a left-ventricular wall.

  Args:
    mask: `[T, H, W]`, bool or integer in {0, 1}; or float, the probability of the wall, cut at 0.5 with the border
      placed between pixels by the probability.
    smooth: standard deviation in frames of a Gaussian over the cycle applied to the points; 0 for none.

  Raises:
    ValueError: the mask is not `[T, H, W]`.
  """
  mask = np.asarray(mask)
  if mask.ndim != 3:
    raise ValueError(f'mask has shape {mask.shape}, expected [T, H, W]')
  wall = mask > 0.5
  box = bounding_box(wall, _MARGIN)
  rings = [find_ring(np.pad(frame[box[1:]], _MARGIN)) for frame in wall]
  soft = np.pad(mask[box], ((0, 0), *[(_MARGIN, _MARGIN)] * 2)) if np.issubdtype(mask.dtype, np.floating) else None
  endo, epi = _radii(rings, soft)
  corner = np.array([box[1].start, box[2].start]) - _MARGIN
  failed = np.array([bool(ring.failure) for ring in rings]) | np.isnan(endo).any((1, 2)) | np.isnan(epi).any((1, 2))
  endo[failed], epi[failed] = np.nan, np.nan
  notes = [r.notes if not r.failure else [r.failure] for r in rings]
  return over_the_cycle(endo + corner, epi + corner, notes, failed, smooth=smooth)


def over_the_cycle(
  endo: np.ndarray, epi: np.ndarray, notes: Sequence[Sequence[str]], failed: np.ndarray, *, smooth: float
) -> Contours:
  """Returns contours whose frames have been compared with each other.

  A failed frame between two good ones gets the mean of their points and the note `INTERPOLATED`; two failed frames in
  a row stay failed. An area that differs from the mean of its neighbours by more than `MAX_JUMP` is noted, not changed.

  Args:
    endo, epi: `[T, 360, 2]` (row, column), NaN on failed frames.
    notes: for each frame what is known already.
    failed: `[T]` bool.
    smooth: standard deviation in frames of a Gaussian over the cycle; 0 for none.
  """
  endo, epi, said = endo.copy(), epi.copy(), [list(n) for n in notes]
  before, after = np.roll(np.arange(len(endo)), 1), np.roll(np.arange(len(endo)), -1)
  single = failed & ~failed[before] & ~failed[after] & (len(failed) > 4)
  for t in np.flatnonzero(single):
    for line in (endo, epi):
      line[t] = (line[before[t]] + line[after[t]]) / 2
    said[t].append(INTERPOLATED)
  failed = failed & ~single
  if len(failed) > 7:  # with fewer frames the heart itself jumps
    for name, line in (('cavity', endo), ('heart', epi)):
      area = polygon_area(line)
      expected = (area[before] + area[after]) / 2
      with np.errstate(invalid='ignore'):
        for t in np.flatnonzero(abs(area - expected) > MAX_JUMP[name] * expected):
          said[t].append(f'area of the {name} jumps by {100 * (area[t] / expected[t] - 1):+.0f} %')
  if smooth:
    endo, epi = _smooth_cyclic(endo, smooth), _smooth_cyclic(epi, smooth)
  return Contours(endo, epi, tuple('; '.join(n) for n in said), failed)


def to_mask(contours: Contours, shape: tuple[int, int]) -> np.ndarray:
  """Returns `[T, H, W]` uint8, 1 where a pixel's centre lies within exactly one of the two contours; 0 if failed."""
  return layer_masks(contours, shape, 1)[0]


def layer_masks(contours: Contours, shape: tuple[int, int], layers: int) -> np.ndarray:
  """Returns `[layers, T, H, W]` uint8, the wall cut into equal parts from endo- to epicardium at every angle.

  Layer k lies between endo + (epi - endo) k / n and endo + (epi - endo) (k + 1) / n, taken point by point.

  Args:
    contours: of the wall.
    shape: (H, W).
    layers: n, their number.
  """
  depth = np.arange(layers + 1)[:, None, None, None] / layers
  borders = contours.endo + depth * (contours.epi - contours.endo)  # [layers + 1, T, 360, 2]
  masks = np.zeros((layers, len(contours.failed), *shape), np.uint8)
  if contours.failed.all():
    return masks
  low = np.clip(np.floor(np.nanmin(borders, (0, 1, 2))).astype(int), 0, shape)
  high = np.clip(np.ceil(np.nanmax(borders, (0, 1, 2))).astype(int) + 1, low, shape)
  inside = fill_polygons((borders - low).reshape(-1, borders.shape[2], 2), tuple(high - low))
  inside = inside.reshape(layers + 1, len(contours.failed), *(high - low))
  masks[:, :, low[0] : high[0], low[1] : high[1]] = inside[1:] ^ inside[:-1]
  return masks


def shave(contours: Contours, border: float, spacing: np.ndarray) -> Contours:
  """Returns contours moved into the wall by `border` mm along the rays, at most by a quarter of the wall.

  Args:
    contours: of the wall.
    border: mm.
    spacing: `[2]` mm along row and column index.
  """
  across = contours.epi - contours.endo
  thickness = np.hypot(*np.moveaxis(across * spacing, -1, 0))[..., None]
  step = across * np.minimum(border / np.maximum(thickness, 1e-9), MOST_SHAVED)
  return dataclasses.replace(contours, endo=contours.endo + step, epi=contours.epi - step)


def polygon_area(points: np.ndarray) -> np.ndarray:
  """Returns the area `[...]` in square pixels within closed polygons `[..., P, 2]`."""
  r, c = points[..., 0], points[..., 1]
  return 0.5 * abs((r * np.roll(c, -1, -1) - c * np.roll(r, -1, -1)).sum(-1))


def bounding_box(wall: np.ndarray, margin: int) -> tuple[slice, slice, slice]:
  """Returns the smallest window of `[T, H, W]` that holds all True pixels of all frames, widened by `margin`."""
  box = ndimage.find_objects(wall.any(0).astype(np.uint8), 1)[0] or (slice(0, 1), slice(0, 1))
  rows, columns = (
    slice(max(s.start - margin, 0), min(s.stop + margin, size)) for s, size in zip(box, wall.shape[1:], strict=True)
  )
  return slice(None), rows, columns


def _radii(rings: Sequence[Ring], soft: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
  """Endo- and epicardial points `[T, 360, 2]` in the window; NaN where a ring is missing or not star-shaped."""
  filled, cavity = np.array([r.filled for r in rings]), np.array([r.cavity for r in rings])
  centres = _centres(filled, cavity)
  outside, inside = filled.astype(np.float32), cavity.astype(np.float32)
  if soft is not None:
    whole = np.array([not (r.bridged or r.failure) for r in rings])[:, None, None]
    outside = np.where(whole & _edge(filled), soft, outside)
    inside = np.where(whole & _edge(cavity), 1 - soft, inside)
  reach = int(np.ceil(np.hypot(*filled.shape[1:])))
  blurred = (ndimage.gaussian_filter(picture, (0, _BLUR, _BLUR)) for picture in (inside, outside))
  endo, epi = (last_crossing(sample_rays(picture, centres, reach)) for picture in blurred)
  with np.errstate(invalid='ignore'):
    epi = np.maximum(epi, endo + MIN_WALL)
  return centres[:, None] + endo[..., None] * RAYS, centres[:, None] + epi[..., None] * RAYS


def _edge(region: np.ndarray) -> np.ndarray:
  """Pixels on either side of a region's border."""
  around = np.ones((1, 3, 3), bool)
  return ndimage.binary_dilation(region, around) & ~ndimage.binary_erosion(region, around)


def _centres(filled: np.ndarray, cavity: np.ndarray) -> np.ndarray:
  """`[T, 2]`: centre of mass within the epicardium; of the cavity, where the first is not in the cavity."""
  centres = np.zeros((len(cavity), 2))
  for t in np.flatnonzero(cavity.any((1, 2))):
    centre = np.argwhere(filled[t]).mean(0)
    row, column = np.rint(centre).astype(int)
    centres[t] = centre if cavity[t, row, column] else np.argwhere(cavity[t]).mean(0)
  return centres


def _smooth_cyclic(points: np.ndarray, sigma: float) -> np.ndarray:
  """A Gaussian over the cycle that leaves failed frames out and leaves them failed."""
  good = np.isfinite(points)
  total = ndimage.gaussian_filter1d(np.where(good, points, 0.0), sigma, axis=0, mode='wrap')
  weight = ndimage.gaussian_filter1d(good.astype(float), sigma, axis=0, mode='wrap')
  return np.where(good, total / np.where(weight > 0, weight, 1), np.nan)
