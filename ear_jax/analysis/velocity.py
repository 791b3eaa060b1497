"""Velocities of the wall's pixels in the heart's own directions, and their means over regions.

With dr, dc the offset of a pixel from the centre in mm, r its length and (v_col, v_row) its velocity without the mean
over the wall, radial (inward) = -(dc v_col + dr v_row) / r and circumferential (counter-clockwise on the array as
stored) = (dr v_col - dc v_row) / r; longitudinal is the velocity through the plane, towards the apex.
"""

import numpy as np


def project(velocity: np.ndarray, offset: np.ndarray, circumferential_sign: int = 1) -> np.ndarray:
  """Returns `[N, 3]` cm/s: longitudinal, radial (inward), circumferential.

  Args:
    velocity: `[N, 3]` cm/s along column, along row, through the plane.
    offset: `[N, 2]` (row, column) from the centre, mm or any other unit of length.
    circumferential_sign: +1: positive is counter-clockwise on the array as stored; -1: clockwise.
  """
  radius = np.hypot(*offset.T)
  # The direction of a pixel that lies on the centre is undefined; it moves neither in nor round.
  row, column = (offset / np.where(radius > 0, radius, 1)[:, None]).T
  along_column, along_row, through = velocity.T
  radial = -(column * along_column + row * along_row)
  circumferential = circumferential_sign * (row * along_column - column * along_row)
  return np.stack([through, radial, circumferential], -1)


def means_over(values: np.ndarray, group: np.ndarray, count: int) -> np.ndarray:
  """Returns the mean `[count, K]` of `values` `[N, K]` in each group; NaN for a group without members.

  Args:
    values: `[N, K]`.
    group: `[N]` int, 0 to count - 1.
    count: number of groups.
  """
  size = np.bincount(group, minlength=count)
  total = np.stack([np.bincount(group, column, minlength=count) for column in values.T], -1)
  return np.where(size[:, None] > 0, total / np.maximum(size, 1)[:, None], np.nan)


def known_mean(values: np.ndarray, axis: int) -> np.ndarray:
  """Returns the mean along an axis over what is not NaN; NaN where nothing is known."""
  known = np.isfinite(values)
  count = known.sum(axis)
  return np.where(count > 0, np.where(known, values, 0.0).sum(axis) / np.maximum(count, 1), np.nan)


def remove_cycle_mean(curves: np.ndarray, remove: bool = True) -> tuple[np.ndarray, np.ndarray]:
  """Returns curves `[regions, T, 3]` without their mean over the cycle, and that mean `[regions, 3]`.

  Frames that are NaN do not count; a region without any frame has the mean NaN. With `remove` off, nothing
  is taken away and the mean taken away is 0.
  """
  if not remove:
    return curves, np.zeros((len(curves), curves.shape[-1]))
  mean = known_mean(curves, 1)
  return curves - mean[:, None], mean
