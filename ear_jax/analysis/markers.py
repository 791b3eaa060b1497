"""Peaks of the velocity curves and end systole, with velocity, time and normalised time.

Frame windows are those of a cycle of 50 frames, both ends included, counted from 0, and scale with the number of
frames. A window is searched as it is: it does not go over the end of the cycle.
"""

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from ear_jax.analysis.motion import COMPONENTS, region_names

# name: (first frame, last frame, +1 for a maximum and -1 for a minimum)
PEAKS = {'PS': (1, 15, 1), 'PD': (15, 35, -1), 'PAS': (35, 47, -1)}  # longitudinal and radial
CIRCUMFERENTIAL_PEAKS = {'PC1': (1, 5, -1), 'PC2': (6, 12, 1)}
_FRAMES = 50  # of the windows
_ES = (14, 21)
_ES_FALLING = -2.5  # cm/s: a flat point below it is in the early diastolic wave already
_PC3_LENGTH, _PC3_LEAST = 11, 0.5  # frames after ES; cm/s
_SYSTOLE, _CYCLE = 350.0, 1000.0  # ms, normalised


def find_markers(curves: dict[str, np.ndarray], frame_interval: float, orientation: str) -> pd.DataFrame:
  """Returns one row a marker of the curves of every region.

  PS, PD, PAS and ES are of the longitudinal and radial, PC1 to PC3 and ES of the circumferential curves.

  Args:
    curves: for each group `[regions, T, 3]` cm/s, components as in `motion.COMPONENTS`; NaN where unknown.
    frame_interval: ms; NaN when unknown.
    orientation: 'CCW' or 'CW', for the names of sectors.

  Returns:
    Columns group, region, region_name, component, marker, frame, velocity (cm/s), time (ms), normalised_time (ms of a
    cycle of 1000). A marker that a curve does not have is NaN, so `frame` is a float; a PC3 below 0.5 cm/s has no
    velocity but keeps its frame.
  """
  frames = curves['global'].shape[1]
  end_systole = find_end_systole(curves['global'][0, :, COMPONENTS.index('radial')])
  rows = []
  for group, regions in curves.items():
    for region, name in enumerate(region_names(group, orientation)):
      for component, curve in zip(COMPONENTS, regions[region].T, strict=True):
        for marker, frame, velocity in _of_curve(curve, component, end_systole):
          rows.append((group, region, name, component, marker, frame, velocity))
  columns = ['group', 'region', 'region_name', 'component', 'marker', 'frame', 'velocity']
  table = pd.DataFrame(rows, columns=columns).astype({'frame': float, 'velocity': float})
  table['time'] = table['frame'] * frame_interval
  table['normalised_time'] = normalise_time(table['frame'].to_numpy(), end_systole, frames)
  return table


def find_end_systole(radial: np.ndarray) -> float:
  """Returns the frame of end systole from the global radial curve `[T]` cm/s; NaN when the curve is unknown.

  Between frames 14 and 21, and not after PD: the frame where the curve is flattest; if that is PD itself or lies below
  -2.5 cm/s, the frame where its size is smallest. Without a known frame there, the whole cycle is searched.
  """
  frames = len(radial)
  earliest, latest, sign = PEAKS['PD']
  peak = find_peak(radial, _scaled(earliest, frames), _scaled(latest, frames), sign)[0]
  if math.isnan(peak):
    return math.nan
  first, last = (min(_scaled(edge, frames), int(peak)) for edge in _ES)
  window = np.arange(first, last + 1)
  window = window[np.isfinite(radial[window])]
  if not window.size:
    window = np.flatnonzero(np.isfinite(radial))
  slope = (np.roll(radial, -1) - np.roll(radial, 1)) / 2  # the cycle closes
  slope = np.where(np.isfinite(slope), abs(slope), np.inf)
  flattest = window[np.argmin(slope[window])]
  if flattest == peak or radial[flattest] < _ES_FALLING:
    return float(window[np.argmin(abs(radial[window]))])
  return float(flattest)


def find_peak(curve: np.ndarray, first: int, last: int, sign: int) -> tuple[float, float]:
  """Returns frame and velocity of the maximum (`sign` 1) or minimum (-1) of `curve` `[T]` in frames first to last.

  NaN twice when no frame of the window is known.
  """
  window = curve[first : last + 1]
  if not np.isfinite(window).any():
    return math.nan, math.nan
  frame = first + int(np.argmax(np.where(np.isfinite(window), sign * window, -np.inf)))
  return float(frame), float(curve[frame])


def normalise_time(frame: np.ndarray | float, end_systole: float, frames: int) -> np.ndarray:
  """Returns ms of a cycle of 1000 ms in which end systole is at 350 ms, of frames (any shape, fractions allowed)."""
  frame = np.asarray(frame, float)
  diastole = _SYSTOLE + (_CYCLE - _SYSTOLE) * (frame - end_systole) / (frames - end_systole)
  return np.where(frame > end_systole, diastole, _SYSTOLE * frame / max(end_systole, 1.0))


def _of_curve(curve: np.ndarray, component: str, end_systole: float) -> Iterator[tuple[str, float, float]]:
  """Yields name, frame and velocity of the markers of one curve `[T]`."""
  circumferential = component == 'circumferential'
  for name, (first, last, sign) in (CIRCUMFERENTIAL_PEAKS if circumferential else PEAKS).items():
    yield name, *find_peak(curve, _scaled(first, len(curve)), _scaled(last, len(curve)), sign)
  known = not math.isnan(end_systole) and np.isfinite(curve[int(end_systole)])
  yield 'ES', *((end_systole, curve[int(end_systole)]) if known else (math.nan, math.nan))
  if circumferential:
    yield 'PC3', *_third_peak(curve, end_systole)


def _third_peak(curve: np.ndarray, end_systole: float) -> tuple[float, float]:
  if math.isnan(end_systole):
    return math.nan, math.nan
  window = int(end_systole), int(end_systole) + _scaled(_PC3_LENGTH, len(curve))
  highest, lowest = find_peak(curve, *window, 1), find_peak(curve, *window, -1)
  frame, velocity = highest if highest[1] > abs(lowest[1]) else lowest
  return frame, velocity if abs(velocity) >= _PC3_LEAST else math.nan


def _scaled(edge: int, frames: int) -> int:
  """A frame of a 50-frame cycle in a cycle of `frames`."""
  return min(math.floor(edge * frames / _FRAMES + 0.5), frames - 1)
