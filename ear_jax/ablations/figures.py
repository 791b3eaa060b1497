"""Figures of a grid: a metric of every subject by cell, and how firm the order of the cells is."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ear_jax.report.figures import INK, SMALL, TEXT, plain_axes

_BOX, _POINT = '#3d7fd9', '#1b4f9c'


def box_plots(values: pd.DataFrame, metric: str, title: str) -> Figure:
  """Returns a box for each cell with a point for each subject, and thin lines that join a subject's points.

  Boxes reach from quartile to quartile with the median in them, whiskers to the extremes.

  Args:
    values: `[subjects, cells]`, columns as they are to be labelled.
    metric: label of the axis.
    title: above the figure.
  """
  count = values.shape[1]
  figure = Figure(figsize=(max(4.5, 0.75 * count + 1.5), 3.8), facecolor='white', layout='constrained')
  axis, places = figure.subplots(), np.arange(1, count + 1)
  axis.plot(places, values.to_numpy().T, color='#bdbdbd', lw=0.5, zorder=1)
  axis.boxplot(
    [values[cell].dropna() for cell in values],
    positions=places,
    whis=(0, 100),
    widths=0.5,
    showfliers=False,
    patch_artist=True,
    boxprops={'facecolor': _BOX, 'alpha': 0.3, 'edgecolor': _BOX},
    medianprops={'color': INK, 'lw': 1.4},
    whiskerprops={'color': _BOX},
    capprops={'color': _BOX},
  )
  for place, cell in zip(places, values, strict=True):
    axis.scatter(np.full(len(values), place), values[cell], s=12, color=_POINT, zorder=3, lw=0)
  axis.set_xticks(places, [label.replace(', ', '\n') for label in values.columns], fontsize=SMALL, rotation=30)
  axis.set_xlim(0.4, count + 0.6)
  axis.set_ylabel(metric, fontsize=TEXT, color=INK)
  axis.set_title(f'{title}, {len(values)} subjects', fontsize=TEXT, color=INK)
  axis.yaxis.set_major_locator(MaxNLocator(6))
  plain_axes(axis, grid=True)
  return figure


def ranking_figure(shares: pd.DataFrame, title: str) -> Figure:
  """Returns the shares of `statistics.ranking` as a map: cells down, ranks across.

  Args:
    shares: `[cells, ranks]`, labelled, in the order in which they are to be drawn.
    title: above the figure.
  """
  numbers, (rows, columns) = shares.to_numpy(), shares.shape
  figure = Figure(figsize=(0.5 * columns + 3.2, 0.34 * rows + 1.2), facecolor='white', layout='constrained')
  axis = figure.subplots()
  axis.imshow(shares, cmap='Blues', vmin=0, vmax=1, aspect='auto')
  for row, column in np.ndindex(rows, columns):
    share = numbers[row, column]
    if share >= 0.005:
      colour = 'white' if share > 0.6 else INK
      axis.text(column, row, f'{100 * share:.0f}', ha='center', va='center', fontsize=SMALL, color=colour)
  axis.set_xticks(range(columns), shares.columns)
  axis.set_yticks(range(rows), shares.index)
  axis.set_xlabel('rank', fontsize=TEXT, color=INK)
  figure.suptitle(title.replace(', ', '\n'), fontsize=TEXT, color=INK)  # two ranks make a narrow figure
  axis.tick_params(labelsize=SMALL, colors=INK, length=0)
  axis.spines[:].set_visible(False)
  return figure
