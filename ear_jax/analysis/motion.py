"""What the analysis of one slice holds: contours, regions' velocity curves and their markers.

Pure data, no computation: `analysis.slices.analyse` makes it, reports, tables and writers read it.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

COMPONENTS = ('longitudinal', 'radial', 'circumferential')  # the last axis of every velocity array, in this order
GROUPS = {'global': 1, 'angular6': 6, 'angular24': 24, 'layers': 3}  # regions of each kind
POINTS = 360  # of a contour


@dataclasses.dataclass(frozen=True)
class Settings:
  """Conventions and switches of the analysis; each is written into every result.

  Attributes:
    orientation: 'CCW' or 'CW', the order in which sectors are named; 'CCW' for arrays that show the heart from the base
      (right ventricle on the right), as StrainMap's default. It changes names, not numbers.
    circumferential_sign: +1: positive is counter-clockwise on the array as stored; -1: clockwise.
    signs: +1 or -1 for the velocity along column, along row and through the plane, applied before all else.
    remove_mean: take each curve's mean over the cycle away (background phase; assumes that the tissue returns).
    unwrap: undo phase wraps inside the wall.
    smooth_contours: strength of the cyclic smoothing of contours over frames; 0: off.
    border: mm of wall next to either contour left out of the curves, never more than a quarter of the wall; about half
      an acquired pixel holds signal of blood or fat as well. 0: the whole wall, as StrainMap.
    view_sharing: weight of each neighbouring frame in a frame's data, undone in the curves; 0: left as measured.
  """

  orientation: str = 'CCW'
  circumferential_sign: int = 1
  signs: tuple[int, int, int] = (1, 1, 1)
  remove_mean: bool = True
  unwrap: bool = True
  smooth_contours: float = 0.0
  border: float = 0.0
  view_sharing: float = 0.0


@dataclasses.dataclass(frozen=True, eq=False)
class Contours:
  """Endocardium and epicardium of every frame.

  Attributes:
    endo, epi: `[T, 360, 2]` float64 (row, column) in pixels, whole numbers are pixel centres; point i of both lies at
      the same angle about the frame's centre; open (the first point is not repeated); NaN where a frame has no ring.
    flags: for each frame '' or what was mended or failed, in words: 'ring closed', 'second component removed', ...
    failed: `[T]` bool, frames without contours.
  """

  endo: np.ndarray
  epi: np.ndarray
  flags: tuple[str, ...]
  failed: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class SliceMotion:
  """The motion of one slice.

  Attributes:
    name: `dataset/slice`.   level: 'base', 'mid', 'apex' or ''.
    spacing: mm along row and column index.   frame_interval: ms.
    mask: `[T, H, W]` uint8, the pixels whose centres lie between the contours: what the curves are means over, less
      `Settings.border`.
    contours: the borders of that mask.
    centre: `[T, 2]` (row, column), mean of the epicardial points, smoothed over 7 frames around the cycle.
    septum: `[T, 2]` (row, column), the mid-septal point that sector 0 begins at.
    curves: for each group of `GROUPS`, `[regions, T, 3]` in cm/s, components as in `COMPONENTS`: longitudinal towards
      the apex, radial inward, circumferential by `Settings.circumferential_sign`; NaN on failed frames.
    offset: like `curves` without the time axis: the mean over the cycle that was taken away, cm/s.
    markers: one line a marker: group, region (number from 0), region_name, component, marker, frame, velocity (cm/s),
      time (ms), normalised_time (of a cycle of 1000 ms).
    rotation_rate: `[T]` rad/s, mean circumferential velocity over mean radius.
    rotation: `[T]` deg, its integral over time from frame 0.
    displacement: `[T, 3]` mm, the integral of the global curves.
    wraps: number of pixels and frames in the wall whose velocity was unwrapped.
    settings: the conventions used.
  """

  name: str
  level: str
  spacing: tuple[float, float]
  frame_interval: float
  mask: np.ndarray
  contours: Contours
  centre: np.ndarray
  septum: np.ndarray
  curves: dict[str, np.ndarray]
  offset: dict[str, np.ndarray]
  markers: pd.DataFrame
  rotation_rate: np.ndarray
  rotation: np.ndarray
  displacement: np.ndarray
  wraps: int
  settings: Settings
