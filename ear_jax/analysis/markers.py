"""Peaks of the velocity curves and end systole, with velocity, time and normalised time.

Frame windows are those of a cycle of 50 frames, both ends included, counted from 0, and scale with the number of
frames. A window is searched as it is: it does not go over the end of the cycle.
"""

import math

import numpy as np
import numpy.typing as npt
import pandas as pd

from ear_jax.analysis.motion import COMPONENTS, INTERVALS, region_names

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
    cycle of 1000) and `INTERVALS`, NaN until `analysis.uncertainty` fills them. A marker that a curve does not have is
    NaN, so `frame` is a float; a PC3 below 0.5 cm/s has no velocity but keeps its frame.
  """
  frames = curves['global'].shape[1]
  end_systole = find_end_systole(curves['global'][0, :, COMPONENTS.index('radial')])
  rows = []
  for group, regions in curves.items():
    by_component = {name: markers_of(regions[..., k], name, end_systole) for k, name in enumerate(COMPONENTS)}
    for region, name in enumerate(region_names(group, orientation)):
      for component, markers in by_component.items():
        for marker, (frame, velocity) in markers.items():
          rows.append((group, region, name, component, marker, frame[region], velocity[region]))
  columns = ['group', 'region', 'region_name', 'component', 'marker', 'frame', 'velocity']
  table = pd.DataFrame(rows, columns=columns).astype({'frame': float, 'velocity': float})
  table['time'] = table['frame'] * frame_interval
  table['normalised_time'] = normalise_time(table['frame'].to_numpy(), end_systole, frames)
  table[list(INTERVALS)] = np.nan
  return table


def find_end_systole(radial: np.ndarray) -> float:
  """Returns the frame of end systole from the global radial curve `[T]` cm/s; NaN when the curve is unknown.

  Between frames 14 and 21, and not after PD: the frame where the curve is flattest. If that is PD itself, lies below
  -2.5 cm/s, or is the window's first or last (where the window is cut, the curve need not pause), it is the frame where
  its size is smallest. Without a known frame there, the whole cycle is searched.
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
  if flattest in (peak, window[0], window[-1]) or radial[flattest] < _ES_FALLING:
    return float(window[np.argmin(abs(radial[window]))])
  return float(flattest)


def cut_off(curves: np.ndarray) -> list[str]:
  """Returns the markers of curves `[T, 3]` that are no peaks: the window ends there, and the curve goes on beyond."""
  found = []
  for component, curve in zip(COMPONENTS, curves.T, strict=True):
    for name, (first, last, sign) in (CIRCUMFERENTIAL_PEAKS if component == 'circumferential' else PEAKS).items():
      edges = (_scaled(first, len(curve)), -1), (_scaled(last, len(curve)), 1)
      at, _ = find_peak(curve, edges[0][0], edges[1][0], sign)
      beyond = [sign * (curve[(edge + step) % len(curve)] - curve[edge]) > 0 for edge, step in edges if at == edge]
      found += [f'{component} {name}'] * any(beyond)
  return found


def find_peak(curve: np.ndarray, first: npt.ArrayLike, last: npt.ArrayLike, sign: int) -> tuple[np.ndarray, np.ndarray]:
  """Returns frames and velocities `[...]` of the maximum (`sign` 1) or minimum (-1) of curves `[..., T]`.

  Looked for in the frames first to last (`[...]` each, or one for all); NaN where no frame of them is known.
  """
  frames, first, last = np.arange(curve.shape[-1]), np.asarray(first)[..., None], np.asarray(last)[..., None]
  window = (frames >= first) & (frames <= last) & np.isfinite(curve)
  frame, known = np.argmax(np.where(window, sign * curve, -np.inf), -1), window.any(-1)
  return np.where(known, frame, np.nan), np.where(known, _at(curve, frame), np.nan)


def normalise_time(frame: np.ndarray | float, end_systole: float, frames: int) -> np.ndarray:
  """Returns ms of a cycle of 1000 ms in which end systole is at 350 ms, of frames (any shape, fractions allowed)."""
  frame = np.asarray(frame, float)
  diastole = _SYSTOLE + (_CYCLE - _SYSTOLE) * (frame - end_systole) / (frames - end_systole)
  return np.where(frame > end_systole, diastole, _SYSTOLE * frame / max(end_systole, 1.0))


def markers_of(
  curve: np.ndarray, component: str, end_systole: npt.ArrayLike
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
  """Returns frame and velocity `[...]` of each marker of curves `[..., T]` of a component, of any number at once.

  Args:
    curve: cm/s.
    component: of `COMPONENTS`.
    end_systole: frame, `[...]` or one for all; NaN when unknown.
  """
  circumferential, frames = component == 'circumferential', curve.shape[-1]
  peaks = {
    name: find_peak(curve, _scaled(first, frames), _scaled(last, frames), sign)
    for name, (first, last, sign) in (CIRCUMFERENTIAL_PEAKS if circumferential else PEAKS).items()
  }
  peaks['ES'] = find_peak(curve, end_systole, end_systole, 1)  # the one frame
  if circumferential:
    peaks['PC3'] = _third_peak(curve, np.asarray(end_systole))
  return peaks


def _third_peak(curve: np.ndarray, end_systole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  window = end_systole, end_systole + _scaled(_PC3_LENGTH, curve.shape[-1])
  (highest, high), (lowest, low) = (find_peak(curve, *window, sign) for sign in (1, -1))
  frame, velocity = np.where(high > abs(low), (highest, high), (lowest, low))
  return frame, np.where(abs(velocity) >= _PC3_LEAST, velocity, np.nan)


def _at(curve: np.ndarray, frame: np.ndarray) -> np.ndarray:
  return np.take_along_axis(curve, frame[..., None], -1)[..., 0]


def _scaled(edge: int, frames: int) -> int:
  """A frame of a 50-frame cycle in a cycle of `frames`."""
  return min(math.floor(edge * frames / _FRAMES + 0.5), frames - 1)
