"""The bull's-eye: end-systolic strains of the 17 segments as a picture, base outside, anterior wall above, septum left.

Colours grow evenly from dark to light (cividis), so that any colour vision and a grey print tell them apart, and every
segment has its number written in it. What is not known or is noise is hatched.
"""

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Wedge

from ear_jax.report.figures import INK, SMALL, TEXT

# Ends of the colour scales, %: fixed, so that pictures of two studies compare.
RANGES = {'circumferential': (-30.0, 0.0), 'longitudinal': (-30.0, 0.0), 'radial': (0.0, 70.0)}
_RINGS = ((6, 3.0), (6, 2.0), (4, 1.0))  # segments and inner radius of base, mid and apex; a ring is 1 wide
_DARK = 0.55  # of the scale, below which text is white


def figure(segments: pd.DataFrame, *, title: str = '') -> Figure:
  """Returns three bull's-eyes, a kind of strain each.

  Args:
    segments: of `analysis.function.segment_table`.
    title: above them.
  """
  drawn = Figure(figsize=(8.4, 3.4), facecolor='white', layout='constrained')
  for axis, (kind, (low, high)) in zip(drawn.subplots(1, 3), RANGES.items(), strict=True):
    scale = Normalize(low, high)
    _draw(axis, segments[f'{kind}_percent'].to_numpy(), scale)
    bar = drawn.colorbar(ScalarMappable(scale, 'cividis'), ax=axis, orientation='horizontal', shrink=0.7, extend='both')
    bar.set_label(f'{kind} strain at end systole, %', fontsize=SMALL, color=INK)
    bar.ax.tick_params(labelsize=SMALL, colors=INK)
  if title:
    drawn.suptitle(title, fontsize=TEXT + 1, color=INK)
  return drawn


def angles(segment: int) -> tuple[float, float]:
  """Returns where a segment (1 to 16) begins and ends, degrees counter-clockwise from the right."""
  if segment <= 12:
    begin = 60 + 60 * ((segment - 1) % 6)
    return begin, begin + 60
  return 90 * (segment - 13) + 45, 90 * (segment - 13) + 135


def _draw(axis: Axes, values: np.ndarray, scale: Normalize) -> None:
  segment = 0
  for count, inner in _RINGS:
    for _ in range(count):
      segment += 1
      begin, end = angles(segment)
      _wedge(axis, values[segment - 1], (inner + 1, begin, end), scale)
  _wedge(axis, values[16], (1.0, 0, 360), scale)
  for name, x, y in (('anterior', 0.0, 4.3), ('inferior', 0.0, -4.3)):
    axis.text(x, y, name, ha='center', va='center', fontsize=SMALL, color=INK)
  for name, x in (('septal', -4.35), ('lateral', 4.35)):
    axis.text(x, 0, name, ha='center', va='center', fontsize=SMALL, color=INK, rotation=90)
  axis.set_xlim(-4.7, 4.7)
  axis.set_ylim(-4.7, 4.7)
  axis.set_aspect('equal')
  axis.set_axis_off()


def _wedge(axis: Axes, value: float, shape: tuple[float, float, float], scale: Normalize) -> None:
  (radius, begin, end), width, colours = shape, 1.0, matplotlib.colormaps['cividis']
  known = np.isfinite(value)
  face = colours(scale(value)) if known else 'white'
  hatch = None if known else '////'
  axis.add_patch(
    Wedge((0, 0), radius, begin, end, width=width, fc=face, ec='#9a9a9a' if hatch else 'white', lw=1.2, hatch=hatch)
  )
  if known:
    middle, out = np.deg2rad((begin + end) / 2), radius - width / 2
    ink = 'white' if scale(value) < _DARK else '#000000'
    axis.text(
      out * np.cos(middle), out * np.sin(middle), f'{value:.0f}', ha='center', va='center', fontsize=SMALL, color=ink
    )
