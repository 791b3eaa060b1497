"""The figure of velocity curves for a paper: one row a slice, one column a component, as in Figure 4 of 3D-EAR."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ear_jax.analysis.motion import COMPONENTS, SliceMotion
from ear_jax.report.figures import INK, SMALL, TEXT, plain_axes

# Blue and orange as in the paper, in Okabe and Ito's shades.
COLOURS = {'prediction': '#0072B2', 'reference': '#D55E00'}
_DASHES = {'prediction': '-', 'reference': (0, (4, 2))}  # told apart in a print without colour, and where they coincide
_SYMBOLS = {'prediction': 'o', 'reference': 'D'}
_SIDES = {'PS': 1, 'PC2': 1, 'PC1': -1, 'PD': -1, 'PAS': -1}  # names stand above maxima and below minima
_WIDTH, _HEIGHT, _FAR = 2.5, 1.65, 9  # inches of a panel; points between a marker and its name
FILES = ('curves.png', 'curves.svg', 'curves.pdf')
_ROOM = 0.22  # of a curve's extent, above and below it: for the names


def figure(slices: Sequence[tuple[SliceMotion | None, SliceMotion | None]], *, title: str = '') -> Figure:
  """Returns the global curves of all slices, with markers named on the first of the two that there is.

  A component has the same axis of velocity in all slices, so that they compare; time is in ms, in frames where a
  slice's frame interval is unknown.

  Args:
    slices: from base to apex, each the motion from the predicted and from the reference contours; one may be None.
    title: text above the panels.

  Raises:
    ValueError: there is no slice, or one has neither prediction nor reference.
  """
  if not slices:
    raise ValueError('no slice to draw')
  rows = [{name: m for name, m in zip(COLOURS, pair, strict=True) if m is not None} for pair in slices]
  empty = [str(index) for index, row in enumerate(rows) if not row]
  if empty:
    raise ValueError(f'slices without prediction and reference: {", ".join(empty)} (counted from 0)')
  drawn = Figure(figsize=(3 * _WIDTH + 0.6, len(rows) * _HEIGHT + 0.8), layout='constrained', facecolor='white')
  panels = drawn.subplots(len(rows), len(COMPONENTS), squeeze=False, sharey='col')
  for axes, row in zip(panels, rows, strict=True):
    for component, axis in enumerate(axes):
      _draw(axis, row, component)
    axes[0].set_ylabel(f'{_label(next(iter(row.values())))}\ncm/s', fontsize=TEXT, color=INK)
  for component, axis in enumerate(panels[0]):
    axis.set_title(COMPONENTS[component], fontsize=TEXT, color=INK)
    axis.set_ylim(_limits([m.curves['global'][0, :, component] for row in rows for m in row.values()]))
  _finish(drawn, rows, title)
  return drawn


def _draw(axis, row, component):
  for name, motion in row.items():
    curve = motion.curves['global'][0, :, component]
    called = f'{motion.name.rpartition("/")[2]}-{COMPONENTS[component]}-{name}'  # in the SVG
    axis.plot(
      _times(motion, np.arange(len(curve))),
      curve,
      color=COLOURS[name],
      ls=_DASHES[name],
      lw=1.4,
      label=name,
      gid=called,
    )
  for order, (name, motion) in enumerate(row.items()):
    _mark(axis, motion, component, name, named=order == 0)
  axis.axhline(0, color='#9a9a9a', lw=0.6, zorder=0)
  axis.set_xlim(0, _times(motion, len(curve) - 1))
  plain_axes(axis)


def _mark(axis, motion, component, name, *, named):
  table = motion.markers
  kept = (table['group'] == 'global') & (table['component'] == COMPONENTS[component]) & table['velocity'].notna()
  for row in table[kept].itertuples():
    time = float(_times(motion, row.frame))
    filled = COLOURS[name] if named else 'white'
    axis.plot([time], [row.velocity], _SYMBOLS[name], ms=4, mfc=filled, mec=COLOURS[name], mew=1.1, zorder=3)
    if not named:
      continue
    end_systole = row.marker == 'ES'  # its name goes away from the wave beside it
    side = _SIDES.get(row.marker, 1 if (row.velocity < 0) == end_systole else -1)
    text = row.marker if end_systole else f'{row.marker} {row.velocity:.1f}'
    edge = row.frame < len(motion.mask) / 8  # near the axis: the name begins at the marker
    place = {'xytext': (-3 * edge, side * _FAR), 'textcoords': 'offset points', 'ha': ('center', 'left')[edge]}
    axis.annotate(text, (time, row.velocity), fontsize=6.5, color=INK, va='center', **place)


def _times(motion: SliceMotion, frame):
  """ms, or the frame itself when the frame interval is unknown."""
  return np.asarray(frame) * (1.0 if math.isnan(motion.frame_interval) else motion.frame_interval)


def _label(motion: SliceMotion) -> str:
  label = motion.name.rpartition('/')[2]
  return f'{label} ({motion.level})' if motion.level else label


def _limits(curves) -> tuple[float, float]:
  values = np.concatenate([*curves, [0.0]])
  low, high = np.nanmin(values), np.nanmax(values)
  room = _ROOM * ((high - low) or 1.0)
  return low - room, high + room


def _finish(drawn: Figure, rows, title: str) -> None:
  """Adds the title, the name of the time axis and the key."""
  unknown = any(math.isnan(m.frame_interval) for row in rows for m in row.values())
  drawn.supxlabel('frame' if unknown else 'time (ms)', fontsize=TEXT, color=INK)
  if title:
    drawn.suptitle(title, fontsize=TEXT + 1, color=INK)
  names = [name for name in COLOURS if any(name in row for row in rows)]
  handles = [Line2D([], [], color=COLOURS[n], ls=_DASHES[n], marker=_SYMBOLS[n], ms=4, label=n) for n in names]
  drawn.legend(handles=handles, loc='outside upper right', ncols=2, frameon=False, fontsize=SMALL)
