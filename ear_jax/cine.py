"""The domain types `Cine` and `Study`, and the transforms of the image plane.

A cine is one short-axis slice over one cardiac cycle; everything in the project meets in this type. Reading,
writing, drawing and normalising live elsewhere; this module imports nothing of ours.

Axes are `[T, H, W, C]`: frame, row, column, channel. Channels are magnitude, then velocity along increasing column,
along increasing row, and through the plane (positive towards the apex), in cm/s. Every transform of the plane turns
the in-plane velocity vector with the picture, so that the velocity curves of a rotated cine are the same curves.
"""

import dataclasses
import math
from collections.abc import Iterable, Iterator
from typing import Any, Self

import numpy as np
from skimage.transform import resize

MAGNITUDE, ALONG_COLUMN, ALONG_ROW, THROUGH_PLANE = range(4)
UNKNOWN = math.nan  # spacing or frame interval that the source did not record
Venc = tuple[float, float, float]  # cm/s along column, along row, through the plane
Vector = tuple[float, float, float]  # in the patient's axes
# What is beyond these is in another unit: m/s, m, inches or seconds.
SLOWEST_VENC = 1.0  # cm/s
FINEST, COARSEST = 0.05, 20.0  # mm a pixel, from mice to scouts
SHORTEST_STEP, LONGEST_STEP = 0.5, 1e4  # ms between frames
_ROW_AXIS, _COLUMN_AXIS = 1, 2  # of `[T, H, W, C]` and of `[T, H, W]`


@dataclasses.dataclass(frozen=True)
class Place:
  """Where a picture lies in the patient, in DICOM's axes: +x to the patient's left, +y to the back, +z to the head.

  Attributes:
    corner: centre of the first pixel, mm.
    across: unit vector of increasing column index.
    down: unit vector of increasing row index, at a right angle to `across`.
    thickness: of the slice, mm; NaN when unknown.
  """

  corner: Vector
  across: Vector
  down: Vector
  thickness: float = math.nan

  def point(self, row: float, column: float, spacing: tuple[float, float]) -> Vector:
    """Returns where a pixel lies in the patient, mm; `spacing` in mm along row and column index."""
    x, y, z = (
      c + column * spacing[1] * a + row * spacing[0] * d
      for c, a, d in zip(self.corner, self.across, self.down, strict=True)
    )
    return x, y, z


@dataclasses.dataclass(frozen=True, eq=False)
class Cine:
  """One short-axis slice over one cardiac cycle.

  Attributes:
    video: `[T, H, W, C]` float32. C = 4: magnitude (arbitrary units, >= 0) and three velocities in cm/s; C = 1:
      magnitude only.
    mask: `[T, H, W]` uint8, 1 where the pixel is left-ventricular myocardium, 0 elsewhere and on frames without
      reference.
    annotated: `[T]` bool, frames that carry a reference.
    venc: velocity encoding limits in cm/s along column, row and through the plane; None when C = 1.
    spacing: pixel spacing in mm along row and column index; NaN when the source lost it.
    frame_interval: time between frames in ms; NaN when unknown or when T = 1.
    subject: pseudonymous id of the person; splits group by it.
    dataset: id of the visit (a subject scanned twice has two).
    slice_id: id of the slice within the dataset.
    level: 'base', 'mid', 'apex', or '' when unknown.
    place: of the slice in the patient; None when the source does not say.
  """

  video: np.ndarray
  mask: np.ndarray
  annotated: np.ndarray
  venc: Venc | None
  spacing: tuple[float, float]
  frame_interval: float
  subject: str
  dataset: str
  slice_id: str
  level: str = ''
  place: Place | None = None

  def __post_init__(self) -> None:
    faults = problems(self)
    if faults:
      raise ValueError(f'{self.name}: ' + '; '.join(faults))

  def __repr__(self) -> str:
    return f'Cine({self.name}: {self.video.shape}, {int(self.annotated.sum())} frames annotated)'

  @property
  def name(self) -> str:
    """Unique name of the cine, `dataset/slice`."""
    return f'{self.dataset}/{self.slice_id}'

  def replace(self, **changes: Any) -> Self:
    """Returns a copy with some attributes changed, checked again."""
    return dataclasses.replace(self, **changes)


@dataclasses.dataclass(frozen=True, eq=False)
class Study:
  """The cines of one dataset (one visit of one subject), from base to apex."""

  subject: str
  dataset: str
  cines: tuple[Cine, ...]

  def __post_init__(self) -> None:
    foreign = [c.name for c in self.cines if (c.subject, c.dataset) != (self.subject, self.dataset)]
    if foreign:
      raise ValueError(f'study {self.dataset}: cines of another dataset: {", ".join(foreign)}')

  def __len__(self) -> int:
    return len(self.cines)

  def __getitem__(self, index: int) -> Cine:
    return self.cines[index]

  def __iter__(self) -> Iterator[Cine]:
    return iter(self.cines)


def as_venc(values: Iterable[float]) -> Venc:
  """Returns three numbers, of whatever type they came out of a file, as a venc."""
  along_column, along_row, through_plane = map(float, values)
  return along_column, along_row, through_plane


def as_vector(values: Iterable[float]) -> Vector:
  """Returns three numbers, of whatever type they came out of a file, as a point or a direction in the patient."""
  x, y, z = map(float, values)
  return x, y, z


def as_spacing(values: Iterable[float]) -> tuple[float, float]:
  """Returns two numbers, of whatever type they came out of a file, as a pixel spacing."""
  along_row, along_column = map(float, values)
  return along_row, along_column


def problems(cine: Cine) -> list[str]:
  """Returns one sentence per rule of the type that `cine` breaks; an empty list for a sound cine."""
  video, mask, annotated = cine.video, cine.mask, cine.annotated
  if video.ndim != 4:
    return [f'video has shape {video.shape}, expected [T, H, W, C]']
  sentences = []
  if video.shape[-1] not in (1, 4):
    sentences.append(
      f'video has {video.shape[-1]} channels, expected 1 (magnitude) or 4 (magnitude and three velocities)'
    )
  if mask.shape != video.shape[:3]:
    sentences.append(f'mask has shape {mask.shape}, the video {video.shape[:3]}')
  if annotated.shape != video.shape[:1]:
    sentences.append(f'annotated has shape {annotated.shape}, the video has {video.shape[0]} frames')
  if (cine.venc is None) != (video.shape[-1] == 1):
    sentences.append('venc goes with the three velocity channels: give both or neither')
  if cine.venc is not None and not all(v >= SLOWEST_VENC for v in cine.venc):
    sentences.append(
      f'venc is {cine.venc}, expected cm/s, {SLOWEST_VENC:g} or more (of m/s a hundred times the number)'
    )
  if not all(FINEST <= s <= COARSEST or math.isnan(s) for s in cine.spacing):
    sentences.append(f'pixel spacing is {cine.spacing}, expected mm, from {FINEST:g} to {COARSEST:g}')
  if not (SHORTEST_STEP <= cine.frame_interval <= LONGEST_STEP or math.isnan(cine.frame_interval)):
    sentences.append(
      f'frame interval is {cine.frame_interval}, expected ms, from {SHORTEST_STEP:g} to {LONGEST_STEP:g}'
    )
  if cine.place and not _perpendicular(cine.place):
    sentences.append(f'place {cine.place} does not hold two perpendicular unit vectors')
  if cine.place and any(math.isnan(s) for s in cine.spacing):
    sentences.append('a place in the patient goes with a known pixel spacing')
  if not np.issubdtype(video.dtype, np.floating):
    sentences.append(f'video is {video.dtype}, expected float32')
  elif not np.isfinite(video).all():
    frames = np.flatnonzero(~np.isfinite(video).all(axis=(1, 2, 3)))
    sentences.append(f'video holds NaN or infinity in frame {", ".join(map(str, frames))}')
  if mask.size and not np.isin(mask, (0, 1)).all():
    sentences.append(f'mask holds values other than 0 and 1 (maximum {mask.max()})')
  elif mask.ndim == 3 and mask.shape[:1] == annotated.shape and mask[~annotated.astype(bool)].any():
    sentences.append('mask is not empty on a frame that is not annotated')
  return sentences


def _perpendicular(place: Place) -> bool:
  axes = np.array([place.across, place.down], float)
  return bool(np.isfinite(place.corner).all() and np.abs(axes @ axes.T - np.eye(2)).max() < 0.01)


def rot90_video(video: np.ndarray, k: int) -> np.ndarray:
  """Returns `[..., T, H, W, C]` turned k times 90 degrees counter-clockwise on screen, velocity vectors included."""
  turned = np.rot90(video, k, axes=(-3, -2))
  if video.shape[-1] == 1 or k % 4 == 0:
    return turned
  return turn_vectors(turned.copy(), *((1, 0), (0, 1), (-1, 0), (0, -1))[k % 4])


def turn_vectors(video: np.ndarray, cos: float, sin: float) -> np.ndarray:
  """Returns a video whose picture was turned counter-clockwise by an angle, with its velocity vectors turned in place.

  Column points right and row down on screen: a quarter turn takes +row to +column and +column to -row.
  """
  if video.shape[-1] > 1:
    along_column, along_row = video[..., ALONG_COLUMN].copy(), video[..., ALONG_ROW].copy()
    video[..., ALONG_COLUMN] = cos * along_column + sin * along_row
    video[..., ALONG_ROW] = -sin * along_column + cos * along_row
  return video


def flip_video(video: np.ndarray, axis: str) -> np.ndarray:
  """Returns `[..., T, H, W, C]` mirrored along 'row' (up-down) or 'column' (left-right), velocity vectors included."""
  array_axis, channel = {'row': (-3, ALONG_ROW), 'column': (-2, ALONG_COLUMN)}[axis]
  flipped = np.flip(video, array_axis)
  if video.shape[-1] > 1:
    flipped = flipped.copy()
    flipped[..., channel] *= -1
  return flipped


def rot90(cine: Cine, k: int = 1) -> Cine:
  """Returns the cine turned k times 90 degrees counter-clockwise on screen."""
  spacing, venc = cine.spacing, cine.venc
  if k % 2:
    spacing = spacing[::-1]
    venc = venc and (venc[1], venc[0], venc[2])
  mask = np.ascontiguousarray(np.rot90(cine.mask, k, axes=(_ROW_AXIS, _COLUMN_AXIS)))
  video = np.ascontiguousarray(rot90_video(cine.video, k))
  rows, columns = (n - 1 for n in cine.mask.shape[1:])
  first, axes = (
    ((0, 0), (1, 0, 0, 1)),
    ((0, columns), (0, 1, -1, 0)),
    ((rows, columns), (-1, 0, 0, -1)),
    ((rows, 0), (0, -1, 1, 0)),
  )[k % 4]
  place = _moved(cine, first, axes)
  return cine.replace(video=video, mask=mask, spacing=spacing, venc=venc, place=place)


def flip(cine: Cine, axis: str) -> Cine:
  """Returns the cine mirrored along 'row' (up-down) or 'column' (left-right)."""
  mask = np.flip(cine.mask, {'row': _ROW_AXIS, 'column': _COLUMN_AXIS}[axis])
  rows, columns = (n - 1 for n in cine.mask.shape[1:])
  place = _moved(cine, (rows, 0), (1, 0, 0, -1)) if axis == 'row' else _moved(cine, (0, columns), (-1, 0, 0, 1))
  return cine.replace(video=flip_video(cine.video, axis), mask=np.ascontiguousarray(mask), place=place)


def _moved(cine: Cine, first: tuple[float, float], axes: tuple[int, int, int, int] = (1, 0, 0, 1)) -> Place | None:
  """Returns the place of a picture whose first pixel is the pixel `first` (row, column) of the cine's.

  `axes` says how many across and down of the old picture the new across is, then the new down.
  """
  place = cine.place
  if place is None:
    return None
  old = np.array([place.across, place.down])
  across, down = (as_vector(vector) for vector in np.reshape(axes, (2, 2)) @ old)
  return dataclasses.replace(place, corner=place.point(*first, cine.spacing), across=across, down=down)


def crop_or_pad(array: np.ndarray, top: int, left: int, height: int, width: int) -> np.ndarray:
  """Returns the window of `[T, H, W, ...]` that starts at (top, left); what lies outside the array is 0."""
  rows, columns = array.shape[1:3]
  window = np.zeros((array.shape[0], height, width, *array.shape[3:]), array.dtype)
  r0, r1 = max(top, 0), min(top + height, rows)
  c0, c1 = max(left, 0), min(left + width, columns)
  if r0 < r1 and c0 < c1:
    window[:, r0 - top : r1 - top, c0 - left : c1 - left] = array[:, r0:r1, c0:c1]
  return window


def crop(cine: Cine, top: int, left: int, height: int, width: int) -> Cine:
  """Returns a window of the cine; the part outside the picture has zero magnitude, velocity and mask."""
  window = (top, left, height, width)
  video, mask = crop_or_pad(cine.video, *window), crop_or_pad(cine.mask, *window)
  return cine.replace(video=video, mask=mask, place=_moved(cine, (top, left)))


def resample(cine: Cine, spacing: tuple[float, float]) -> Cine:
  """Returns the cine on a grid of about `spacing` mm over the same field of view (the pixel count is rounded).

  Velocities are interpolated as the complex phase `exp(i pi v / venc)`, so that a phase wrap between two pixels does
  not average to zero; the mask by area, cut at one half. Raises ValueError when the cine's own spacing is unknown.
  """
  if any(math.isnan(s) for s in cine.spacing):
    raise ValueError(f'{cine.name}: the pixel spacing is unknown, so it cannot be resampled to {spacing} mm')
  frames, rows, columns = cine.mask.shape
  size = (max(1, round(rows * cine.spacing[0] / spacing[0])), max(1, round(columns * cine.spacing[1] / spacing[1])))
  exact = (cine.spacing[0] * rows / size[0], cine.spacing[1] * columns / size[1])
  if size == (rows, columns):
    return cine.replace(spacing=exact)

  def zoom(image: np.ndarray) -> np.ndarray:  # [T, H, W, ...] -> [T, h, w, ...]
    shape = (frames, *size, *image.shape[3:])
    return resize(image, shape, order=1, mode='edge', anti_aliasing=True).astype(np.float32)

  video = zoom(cine.video[..., :1])
  if cine.venc is not None:
    venc = np.asarray(cine.venc, np.float32)
    phase = cine.video[..., 1:] * (np.pi / venc)
    velocity = np.arctan2(zoom(np.sin(phase)), zoom(np.cos(phase))) * (venc / np.pi)
    video = np.concatenate([video, velocity], axis=-1).astype(np.float32)
  mask = (zoom(cine.mask.astype(np.float32)) >= 0.5).astype(np.uint8)
  row, column = ((new / old - 1) / 2 for new, old in zip(exact, cine.spacing, strict=True))  # of the first new centre
  return cine.replace(video=video, mask=mask, spacing=exact, place=_moved(cine, (row, column)))
