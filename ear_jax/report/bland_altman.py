"""Bland-Altman plots of the peaks of velocity curves: difference against mean, a panel a peak, a point a subject."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from ear_jax.analysis.motion import COMPONENTS
from ear_jax.report.agreement_tables import NAMES, UNITS
from ear_jax.report.figures import INK, SMALL, TEXT, plain_axes
from ear_jax.scoring.agreement_summary import marker_pairs

PANELS = {c: ('PC1', 'PC2', 'PC3') if c == 'circumferential' else ('PS', 'PD', 'PAS') for c in COMPONENTS}
# Of Okabe and Ito's palette, told apart with every common kind of colour vision; lines differ in dash as well.
_POINT, _BIAS, _LIMIT = '#0072B2', '#222222', '#D55E00'


def bland_altman_figure(markers: pd.DataFrame, summary: Mapping, quantity: str = 'velocity') -> Figure:
  """Returns nine panels, components down and their peaks across: prediction minus reference against their mean.

  A point is the mean of a subject. Lines are the bias and the limits of agreement, bands their 95 % intervals. Below
  six subjects an interval of a limit reaches past the bias; it is not drawn then, and the panel says so.

  Args:
    markers: one line a cine, component and marker, without failed cines (`agreement_summary.Rows.markers`).
    summary: of `agreement_summary.summarise`, over the same cines.
    quantity: 'velocity', 'time' or 'normalised_time'.
  """
  unit = UNITS[quantity].partition(' ')[0]
  figure = Figure(figsize=(9.0, 8.0), facecolor='white', layout='constrained')
  axes = figure.subplots(3, 3)
  for row, (component, chosen) in zip(axes, PANELS.items(), strict=True):
    for axis, marker in zip(row, chosen, strict=True):
      entry = summary['markers'][component].get(marker, {}).get(quantity)
      axis.set_title(f'{component}, {marker}', fontsize=TEXT, color=INK)
      if entry is None:
        axis.text(0.5, 0.5, 'no value', transform=axis.transAxes, ha='center', color=INK, fontsize=TEXT)
        axis.set_axis_off()
        continue
      draw(axis, marker_pairs(markers, component, marker, quantity), entry, unit)
  for axis in axes[-1]:
    axis.set_xlabel(f'mean of both, {unit}', fontsize=TEXT, color=INK)
  for axis in axes[:, 0]:
    axis.set_ylabel(f'prediction minus reference, {unit}', fontsize=TEXT, color=INK)
  n = summary['n_subjects']
  figure.suptitle(f'{NAMES[quantity]}, {n} subject{"s" * (n != 1)}', fontsize=TEXT + 2, color=INK)
  figure.legend(handles=legend(), loc='outside lower center', ncols=5, frameon=False, fontsize=SMALL)
  return figure


def draw(axis: Axes, pairs: pd.DataFrame, entry: Mapping, unit: str, means: pd.Series | None = None) -> None:
  """Draws one panel: points of `pairs` ('predicted', 'reference'), bias, limits and their intervals of `entry`.

  Points lie at `means` along the panel; None: at the mean of both sides.
  """
  means = pairs.mean(axis=1) if means is None else means
  differences = pairs['predicted'] - pairs['reference']
  limits, bands = entry['limits'] or [], _bands(entry)
  for low, high, colour, alpha in bands:
    axis.axhspan(low, high, color=colour, alpha=alpha, lw=0)
  for limit in limits:
    axis.axhline(limit, color=_LIMIT, lw=1.2, ls='--')
  axis.axhline(entry['bias'], color=_BIAS, lw=1.4)
  axis.axhline(0, color=INK, lw=0.6, ls=':')
  axis.scatter(means, differences, s=26, color=_POINT, edgecolor='white', lw=0.6, zorder=3)
  shown = [0.0, *differences, *limits, *(edge for band in bands for edge in band[:2])]
  margin = 0.15 * np.ptp(shown) or 0.5
  axis.set_ylim(min(shown) - margin, max(shown) + 1.6 * margin)  # room for the caption
  width = float(np.ptp(means)) or abs(float(means.iloc[0])) * 0.1 or 1.0
  axis.set_xlim(means.min() - 0.12 * width, means.max() + 0.12 * width)
  axis.xaxis.set_major_locator(MaxNLocator(5))
  plain_axes(axis)
  axis.text(0.02, 0.98, _caption(entry, unit, len(bands)), transform=axis.transAxes, va='top', fontsize=SMALL,
            color=INK, bbox={'facecolor': 'white', 'alpha': 0.75, 'lw': 0, 'pad': 1})  # fmt: skip


def _bands(entry: Mapping) -> list[tuple[float, float, str, float]]:
  """Low, high, colour and opacity of the intervals, of those that do not reach from a limit past the bias."""
  if not entry['sd']:
    return []
  reach = entry['limits'][1] - entry['bias']
  bands = [(*interval, _LIMIT, 0.16) for interval in entry['limit_intervals']]
  bands.append((*entry['bias_t_interval'], _BIAS, 0.13))
  return [band for band in bands if (band[1] - band[0]) / 2 < reach]


def _caption(entry: Mapping, unit: str, bands: int) -> str:
  digits = {'cm/s': 2, '%': 1}.get(unit, 0)
  text = _signed(entry['bias'], digits)
  if entry['limits']:
    text += f' ({" to ".join(_signed(limit, digits) for limit in entry["limits"])})'
  wide = entry['sd'] and bands < 3
  return f'{text}, n = {entry["n"]}' + ('\nintervals too wide to draw' if wide else '')


def _signed(value: float, digits: int) -> str:
  text = f'{value:+.{digits}f}'
  return (text[1:] if float(text) == 0 else text).replace('-', '\N{MINUS SIGN}')


def legend() -> list:
  """Returns what explains the lines and bands of `draw`."""
  return [
    Line2D([], [], marker='o', ls='', color=_POINT, label='subject'),
    Line2D([], [], color=_BIAS, lw=1.4, label='bias'),
    Patch(color=_BIAS, alpha=0.13, lw=0, label='95 % interval of the bias'),
    Line2D([], [], color=_LIMIT, lw=1.2, ls='--', label='limits of agreement'),
    Patch(color=_LIMIT, alpha=0.16, lw=0, label='95 % interval of a limit'),
  ]
