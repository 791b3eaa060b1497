"""The tone of a picture: how bright its middle greys are. Scanners and their filters show the same tissue otherwise.

`data.normalise` shifts and scales grey values, which undoes no curve of them. A power of them brings every picture to
one tone, in training and in prediction alike.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from ear_jax.data.window import central_window

PERCENTILES = (1.0, 99.0)  # dark and bright: what a few pixels have does not count
_STEEPEST = 3.0  # a power beyond it, or below its inverse, would be of a picture without middle greys


class Curve(NamedTuple):
  """`max(grey * factor + addend, 0) ** power`, from grey values to 0 for dark and 1 for bright."""

  factor: Any
  addend: Any
  power: Any


def levels(magnitude: np.ndarray, window: int) -> np.ndarray:
  """Returns dark, middle and bright of a picture `[T, H, W, 1]`: percentiles over every second row and column.

  `window` counts the central window of so many pixels alone; 0: the whole picture.
  """
  counted = central_window(magnitude, window, edge=True) if window else magnitude
  return np.percentile(counted[:, ::2, ::2], (PERCENTILES[0], 50.0, PERCENTILES[1]))


def curve_to(wanted: float, magnitude: np.ndarray, window: int) -> Curve:
  """Returns the curve that gives a picture `[T, H, W, 1]` the tone `wanted`: its middle grey between 0 and 1.

  A picture whose middle is as dark or as bright as anything in it keeps its greys, only shifted and scaled.
  """
  low, middle, high = levels(magnitude, window)
  span = max(float(high - low), 1e-6)
  now = (middle - low) / span
  power = math.log(wanted) / math.log(now) if 0 < now < 1 else 1.0
  return Curve(1 / span, -low / span, min(max(power, 1 / _STEEPEST), _STEEPEST))


def toned(video: np.ndarray, curve: Curve) -> np.ndarray:
  """Returns the video `[T, H, W, C]` float32 with the grey values of its magnitude on a curve."""
  changed = np.array(video, np.float32)
  changed[..., 0] = np.maximum(changed[..., 0] * np.float32(curve.factor) + np.float32(curve.addend), 0) ** curve.power
  return changed
