"""A cine's heart as small pictures for a page: one sheet of frames a view, 8 bits a pixel, encoded.

Grey views (magnitude, the three measured velocities) are JPEG: noise does not compress without loss. The velocity of
the wall along the heart's own axes is a lossless PNG with one component a colour channel, coded so that the page can
read numbers back and colour them itself. Frames are padded to JPEG's blocks, so that none leaks into its neighbour.
"""

import base64
import dataclasses
import io
import math

import numpy as np
from PIL import Image

from ear_jax.analysis.motion import SliceMotion
from ear_jax.analysis.slices import velocity_maps
from ear_jax.cine import Cine
from ear_jax.report.overlay import grey, heart_window

VIEWS = ('magnitude', 'along_column', 'along_row', 'through_plane')  # the channels of a cine, in their order
WALL = 'wall'  # the sheet of longitudinal, radial and circumferential velocity
CENTRE, STEPS = 128, 127  # code of a wall pixel: CENTRE + STEPS * velocity / range; 0 is outside the wall
_LONGEST = 192  # pixels a side; a longer window is thinned
_BLOCK = 8  # of JPEG
_QUALITY = 85


@dataclasses.dataclass(frozen=True, eq=False)
class Sheets:
  """The pictures of one slice.

  Attributes:
    top, left: the row and column of the cine at which the window begins.
    step: pixels of the cine a pixel of the sheet stands for, along either axis.
    height, width: of one frame, in pixels of the sheet.
    cell: (height, width) of the place a frame has in the sheet; the frame lies in its upper left corner.
    columns: frames in a row of the sheet.
    uris: data URI of each view.
    ranges: cm/s, the velocity that the largest code of each component in the wall stands for.
    venc: cm/s, what white stands for in the three measured velocities; None without velocities.
  """

  top: int
  left: int
  step: int
  height: int
  width: int
  cell: tuple[int, int]
  columns: int
  uris: dict[str, str]
  ranges: tuple[float, float, float]
  venc: tuple[float, float, float] | None


def sheets(cine: Cine, motion: SliceMotion | None, reference: SliceMotion | None = None) -> Sheets:
  """Returns the window around the walls of `motion` and `reference` (or around the cine's mask) as encoded pictures."""
  masks = [drawn.mask for drawn in (motion, reference) if drawn is not None] or [cine.mask]
  rows, columns = heart_window(np.stack([mask.any(axis=0) for mask in masks]))
  step = math.ceil(max(rows.stop - rows.start, columns.stop - columns.start) / _LONGEST)
  rows, columns = (slice(s.start, s.stop - (s.stop - s.start) % step) for s in (rows, columns))
  video = cine.video[:, rows, columns]  # [T, h, w, C]
  uris = {VIEWS[0]: _grey_uri(grey(_mean_of_blocks(video[..., 0], step)))}
  thin = (slice(None), slice(step // 2, None, step), slice(step // 2, None, step))
  for view, venc, channel in zip(VIEWS[1:], cine.venc or (), np.moveaxis(video[..., 1:], -1, 0), strict=False):
    uris[view] = _grey_uri(np.clip(channel[thin] / venc, -1, 1) / 2 + 0.5)
  ranges = (1.0, 1.0, 1.0)
  if cine.venc is not None and motion is not None:
    codes, ranges = _codes(wall_velocity(cine, motion, (rows, columns))[thin])
    uris[WALL] = uri(_sheet(codes), 'png', optimize=True)
  frames, height, width = video[thin].shape[:3]
  cell = (_padded(height), _padded(width))
  return Sheets(rows.start, columns.start, step, height, width, cell, _columns(frames), uris, ranges, cine.venc)


def wall_velocity(cine: Cine, motion: SliceMotion, window: tuple[slice, slice] | None = None) -> np.ndarray:
  """Returns `velocity_maps` whose mean over the wall is the global curve, but for border pixels and view sharing.

  What was taken from the curve over the cycle is taken from every pixel.
  """
  return velocity_maps(cine, motion, window) - motion.offset['global'].reshape(3).astype(np.float32)


def _codes(velocity: np.ndarray):
  """Returns `[T, h, w, 3]` uint8 and the range in cm/s of each component."""
  inside = np.isfinite(velocity).all(-1)
  ranges = np.abs(velocity[inside]).max(axis=0, initial=1.0)
  codes = np.zeros(velocity.shape, np.uint8)
  codes[inside] = np.rint(CENTRE + STEPS * velocity[inside] / ranges)
  return codes, tuple(float(r) for r in ranges)


def _mean_of_blocks(image: np.ndarray, step: int) -> np.ndarray:
  frames, height, width = image.shape
  return image.reshape(frames, height // step, step, width // step, step).mean((2, 4), dtype=float)


def _grey_uri(image: np.ndarray) -> str:
  return uri(_sheet(np.rint(image * 255).astype(np.uint8)), 'jpeg', quality=_QUALITY, optimize=True)


def _sheet(frames: np.ndarray) -> np.ndarray:
  """`[T, h, w, ...]` side by side and row after row; padding repeats a frame's border, which costs few bytes."""
  count, height, width = frames.shape[:3]
  columns = _columns(count)
  rest = ((0, 0),) * (frames.ndim - 3)
  cells = np.pad(frames, ((0, 0), (0, _padded(height) - height), (0, _padded(width) - width), *rest), mode='edge')
  cells = np.pad(cells, ((0, -count % columns), (0, 0), (0, 0), *rest))
  rows = cells.reshape(-1, columns, *cells.shape[1:])  # [rows, columns, H, W, ...]
  return np.concatenate(np.concatenate(rows.swapaxes(0, 1), axis=2), axis=0)


def _columns(frames: int) -> int:
  return math.ceil(math.sqrt(frames))


def _padded(length: int) -> int:
  return -(-length // _BLOCK) * _BLOCK


def uri(image: np.ndarray, kind: str, **options) -> str:
  """Returns a picture `[H, W]` or `[H, W, 3]` uint8 as a data URI of a file of this kind."""
  file = io.BytesIO()
  Image.fromarray(image).save(file, kind, **options)
  return f'data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode("ascii")}'
