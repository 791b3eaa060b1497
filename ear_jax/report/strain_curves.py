"""The figure of strain curves: a row a slice, a column a kind; the whole wall with its 95 % band, sectors behind it."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ear_jax.analysis.deformation import Deformation
from ear_jax.analysis.motion import KINDS
from ear_jax.analysis.strain import readable
from ear_jax.report.figures import INK, SMALL, TEXT, plain_axes

_COLOURS = ('#0072B2', '#D55E00', '#009E73')  # of Okabe and Ito's palette
_DASHES = ('-', (0, (6, 2)), (0, (1.5, 1.5)))
_ROOM = 0.08  # of a column's extent above and below


def figure(deformation: Deformation, slices: list[int] | None = None, *, title: str = '') -> Figure:
  """Returns strains in % over the cycle: radial, circumferential and longitudinal.

  A column has one axis over all slices of the study; where a strain is noise it is left out, and the panel says so.

  Args:
    deformation: the study.
    slices: which to draw, from 0; None: all.
    title: above the panels.
  """
  chosen = list(range(len(deformation.motions))) if slices is None else slices
  drawn = Figure(figsize=(8.4, 1.55 * len(chosen) + 0.7), facecolor='white', layout='constrained')
  panels = drawn.subplots(len(chosen), 3, squeeze=False)
  for row, k in zip(panels, chosen, strict=True):
    for kind, axis in enumerate(row):
      _draw(axis, deformation, k, kind)
      axis.set_ylim(*_limits(deformation, kind))
    name = deformation.motions[k].name.rpartition('/')[2]
    row[0].set_ylabel(f'{name} ({deformation.levels[k]})\n%', fontsize=TEXT, color=INK)
  for kind, axis in enumerate(panels[0]):
    axis.set_title(f'{KINDS[kind]} strain', fontsize=TEXT, color=INK)
  unknown = any(math.isnan(one.frame_interval) for one in deformation.motions)
  drawn.supxlabel('frame' if unknown else 'time (ms)', fontsize=SMALL, color=INK)
  if title:
    drawn.suptitle(title, fontsize=TEXT + 1, color=INK)
  return drawn


def _draw(axis: Axes, deformation: Deformation, k: int, kind: int) -> None:
  motion, strain = deformation.motions[k], deformation.motions[k].strain
  step = 1.0 if math.isnan(motion.frame_interval) else motion.frame_interval
  time = np.arange(len(motion.mask)) * step
  for sector in readable(strain.strain['angular6'], strain.strain_error['angular6'])[..., kind]:
    axis.plot(time, sector, color='#b5b5b5', lw=0.7)
  curve = readable(strain.strain['global'], strain.strain_error['global'])[0, :, kind]
  error = 1.96 * strain.strain_error['global'][0, :, kind]
  axis.fill_between(time, curve - error, curve + error, color=_COLOURS[kind], alpha=0.3, lw=0)
  axis.plot(time, curve, color=_COLOURS[kind], ls=_DASHES[kind], lw=1.5)
  end = deformation.at_end_systole(k)
  if end >= 0 and np.isfinite(curve[end]):
    axis.axvline(time[end], color='#9a9a9a', lw=0.6, ls=(0, (3, 3)), zorder=0)
    clear = 0.88 if curve[end] > 0 else 0.78  # of the panel's height, away from the curve
    place = axis.get_xaxis_transform()
    axis.text(time[end], clear, f' {curve[end]:.1f} %', transform=place, fontsize=SMALL, color=INK)
  if not np.isfinite(curve).any():
    reason = 'noise: not shown' if np.isfinite(strain.strain['global'][..., kind]).any() else 'not known'
    axis.text(0.5, 0.5, reason, transform=axis.transAxes, ha='center', fontsize=SMALL, color=INK)
  axis.axhline(0, color='#9a9a9a', lw=0.6, zorder=0)
  axis.set_xlim(0, time[-1])
  plain_axes(axis)


def _limits(deformation: Deformation, kind: int) -> tuple[float, float]:
  parts = [readable(one.strain.strain[g], one.strain.strain_error[g])[..., kind].ravel()
           for one in deformation.motions for g in ('global', 'angular6')]  # fmt: skip
  values = np.concatenate([*parts, [0.0, 1.0 if kind == 0 else -1.0]])
  low, high = float(np.nanmin(values)), float(np.nanmax(values))
  return low - _ROOM * (high - low), high + _ROOM * (high - low)
