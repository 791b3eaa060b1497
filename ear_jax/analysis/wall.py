"""The pixels of the wall, of all frames in one list: where they are, how they move, and which of them count."""

from typing import NamedTuple

import numpy as np

from ear_jax.analysis.contours import bounding_box, layer_masks, shave, to_mask
from ear_jax.analysis.motion import GROUPS, Contours, Settings
from ear_jax.analysis.regions import lengths
from ear_jax.analysis.unwrap import unwrap
from ear_jax.analysis.velocity import means_over, project
from ear_jax.cine import Cine

_MARGIN = 2  # pixels around the wall that unwrapping may look at


class Wall(NamedTuple):
  """N pixels of T frames.

  Attributes:
    frame: `[N]` int.
    row, column: `[N]` int, in the picture.
    layer: `[N]` int, 0 endocardial to 2 epicardial.
    core: `[N]` bool, the pixels that curves are means over: all but those within `Settings.border` of a contour.
    offset: `[N, 2]` (row, column) from the frame's centre, mm; pixels where the spacing is unknown.
    velocity: `[N, 3]` float64 cm/s: longitudinal, radial, circumferential, without bulk motion.
    wraps: how many of the pixels were unwrapped.
  """

  frame: np.ndarray
  row: np.ndarray
  column: np.ndarray
  layer: np.ndarray
  core: np.ndarray
  offset: np.ndarray
  velocity: np.ndarray
  wraps: int


def collect_wall(cine: Cine, contours: Contours, mask: np.ndarray, centre: np.ndarray, settings: Settings) -> Wall:
  """Returns the pixels of the wall.

  Args:
    cine: with velocities.
    contours: of the wall.
    mask: `[T, H, W]`, the pixels between the contours.
    centre: `[T, 2]` (row, column) in pixels.
    settings: signs, unwrapping, border and the sense of circumferential velocity.
  """
  inside, size = mask.astype(bool), lengths(cine.spacing)
  measured, box, wraps = wall_velocity(cine, inside, settings)
  inside = inside[box]
  frame, row, column = np.nonzero(inside)
  row, column = row + box[1].start, column + box[2].start
  offset = (np.stack([row, column], -1) - centre[frame]) * size
  core = np.ones(frame.size, bool)
  if settings.border:
    core = away_from(contours, settings.border, size, mask.shape[1:])[frame, row, column]
  velocity = measured[inside].astype(np.float64)  # [N, 3]
  velocity[:, :2] -= means_over(velocity[core, :2], frame[core], len(mask))[frame]  # bulk motion, of the frame's wall
  velocity = project(velocity, offset, settings.circumferential_sign)
  return Wall(frame, row, column, _layers(contours, mask, box), core, offset, velocity, wraps)


def away_from(contours: Contours, border: float, size: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
  """Returns `[T, H, W]` bool, the wall without `border` mm next to either contour; `size` `[2]` mm, `shape` (H, W)."""
  height, width = shape
  return to_mask(shave(contours, border, size), (height, width)).astype(bool)


def wall_velocity(
  cine: Cine, inside: np.ndarray, settings: Settings, channels: int = 3
) -> tuple[np.ndarray, tuple[slice, slice, slice], int]:
  """Returns the velocities `[T, h, w, C]` around the wall, cm/s with the signs of `settings` and wraps undone.

  Also the window that they are of, and how many pixels of the wall `inside` `[T, H, W]` had wrapped. `channels` are the
  first C: 2 are those in the plane.
  """
  box = bounding_box(inside, _MARGIN)
  # A change of sign keeps every bit of the value.
  measured = cine.video[box][..., 1 : 1 + channels] * np.asarray(settings.signs[:channels], cine.video.dtype)
  measured, wraps = (
    unwrap(measured, inside[box], cine.venc[:channels]) if settings.unwrap and cine.venc else (measured, 0)
  )
  return measured, box, wraps


def _layers(contours: Contours, mask: np.ndarray, box: tuple[slice, slice, slice]) -> np.ndarray:
  """`[N]` int; a pixel between contours that cross counts for the outermost layer that holds it."""
  number = np.zeros(mask[box].shape, int)
  for k, layer in enumerate(layer_masks(contours, mask.shape[1:], GROUPS['layers'])):
    number[layer[box].astype(bool)] = k
  return number[mask[box].astype(bool)]
