"""What a page shows of volumes, ready to be drawn by `volumes.html.jinja`: figures, curves as paths, thicknesses."""

import math
from collections.abc import Mapping

import numpy as np

from ear_jax.analysis.volumes import Volumes
from ear_jax.report.page_numbers import round_up
from ear_jax.report.volumes import FIGURES, summary

WIDTH, HEIGHT, LEFT, RIGHT, TOP, FOOT = 560, 210, 46, 12, 24, 34
_LINES = (('#0072b2', ''), ('#d55e00', '7 4'))  # colour and dash; told apart with any colour vision
_TICKS = (1.0, 2.0, 2.5, 5.0, 10.0)  # times a power of ten
_TIMES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)  # ms or frames


def of_study(volumes: Volumes | None) -> dict | None:
  """Returns the figures and the curve of a study; None without."""
  if volumes is None:
    return None
  said = summary(volumes)
  curves = {'cavity': volumes.cavity, 'wall': volumes.wall}
  return said | {
    'figures': [(name, said[key], unit, digits) for key, (name, unit, digits) in FIGURES.items()],
    'time': [None if f is None else f * volumes.frame_interval for f in (volumes.ed, volumes.es)],
    'chart': None if volumes.missing else chart(curves, 'mL', volumes),
    'holding': volumes.holding,
  }


def of_slice(volumes: Volumes | None, index: int) -> dict | None:
  """Returns the areas and thicknesses of one slice; None where nothing of it is known."""
  if volumes is None or not np.isfinite(volumes.thickness[index]).any():
    return None
  curves = {'within endocardium': volumes.endo[index], 'within epicardium': volumes.epi[index]}
  scale, unit = (100, 'cm²') if volumes.unit == 'mm2' else (1, 'px²')
  thick = {'ED, mm': volumes.thickness_at(volumes.ed)[index], 'ES, mm': volumes.thickness_at(volumes.es)[index]}
  thick['thickening, %'] = volumes.thickening[index]
  known = {name: values.tolist() for name, values in thick.items() if np.isfinite(values).any()}
  return {
    'chart': chart({name: curve / scale for name, curve in curves.items()}, unit, volumes),
    'sectors': volumes.sectors,
    'thickness': known,
  }


def chart(curves: Mapping[str, np.ndarray], unit: str, volumes: Volumes) -> dict:
  """Returns lines, ticks and marks of `[T]` curves over the cycle in the drawing's coordinates; NaN leaves gaps."""
  frames = len(next(iter(curves.values())))
  top = max(float(np.nanmax(curve)) for curve in curves.values() if np.isfinite(curve).any())
  step = round_up(top / 4, _TICKS)
  top = 1.06 * top

  def x(frame: float) -> float:
    return LEFT + frame / max(frames - 1, 1) * (WIDTH - LEFT - RIGHT)

  def y(value: float) -> float:
    return HEIGHT - FOOT - value / top * (HEIGHT - FOOT - TOP)

  interval = volumes.frame_interval if math.isfinite(volumes.frame_interval) else 1.0
  span = (frames - 1) * interval
  apart = next((time for time in _TIMES if span / time <= 10), 2000)
  marks = [(x(frame), name) for name, frame in (('ED', volumes.ed), ('ES', volumes.es)) if frame is not None]
  return {
    'size': (WIDTH, HEIGHT),
    'box': (LEFT, TOP, WIDTH - RIGHT, HEIGHT - FOOT),
    'lines': [
      (name, colour, dash, _path(curve, x, y))
      for (name, curve), (colour, dash) in zip(curves.items(), _LINES, strict=False)
    ],
    'across': [(x(k * apart / interval), k * apart) for k in range(int(span / apart + 1e-9) + 1)],
    'up': [(y(k * step), f'{k * step:g}') for k in range(int(top / step) + 1)],
    'marks': marks,
    'unit': unit,
    'time': 'time after the first frame (ms)' if math.isfinite(volumes.frame_interval) else 'frame',
  }


def _path(curve: np.ndarray, x, y) -> str:
  """A line through known frames; one between two unknown ones is a dot."""
  parts, pen = [], 'M'
  for frame, value in enumerate(curve):
    if not math.isfinite(value):
      pen = 'M'
      continue
    parts.append(f'{pen}{x(frame):.1f} {y(value):.1f}' + ('h0' if pen == 'M' else ''))
    pen = 'L'
  return ''.join(parts)
