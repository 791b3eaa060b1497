"""A contest's figures as a picture: seconds a cine by case and contestant, lines from fastest to slowest round."""

from __future__ import annotations

import pathlib

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import LogLocator, NullLocator

from benchmarks.tables import title
from ear_jax.benchmarking import table
from ear_jax.benchmarking.worker import PASSES
from ear_jax.system.files import replacing

_COLOURS = ('#c1272d', '#4d6a8f', '#9db4ab', '#c9b27c', '#7d7d7d')
_TITLES = {'forward': 'forward pass', 'step': 'training step'}


def write(path: pathlib.Path, result: dict) -> None:
  """Writes the picture: a panel for each pass, a group of points for each case, time on a logarithmic axis."""
  cases = result['cases']
  names = list(dict.fromkeys(name for case in cases for name in case['entries']))
  figure, panels = plt.subplots(
    1, len(PASSES), figsize=(11, 0.6 + 0.62 * len(cases)), sharey=True, layout='constrained'
  )
  for panel, which in zip(panels, PASSES, strict=True):
    _points(panel, cases, names, which)
    panel.set(xscale='log', xlabel=f'{_TITLES[which]}, seconds a cine')
    panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.xaxis.set_major_formatter('{x:g}')
    panel.xaxis.set_minor_locator(NullLocator())
    panel.grid(axis='x', alpha=0.3)
    panel.spines[['top', 'right']].set_visible(False)
  panels[0].set_yticks(range(len(cases)), [f'{table.shape(case)}\nbatch {case["batch"]}' for case in cases])
  panels[0].invert_yaxis()
  figure.legend(*panels[0].get_legend_handles_labels(), loc='outside upper center', ncols=len(names), frameon=False)
  with replacing(path) as temporary:
    figure.savefig(temporary, format='png', dpi=130)
  plt.close(figure)


def _points(panel, cases, names, which):
  height = 0.7 / len(names)
  for place, name in enumerate(names):
    here = [(row, case) for row, case in enumerate(cases) if name in case['entries']]
    middle = np.array([table.seconds(case, name, which) for _, case in here])
    times = [np.array(case['entries'][name]['seconds'][which]) / case['batch'] for _, case in here]
    error = [middle - [t.min() for t in times], [t.max() for t in times] - middle]
    rows = np.array([row for row, _ in here]) + (place - (len(names) - 1) / 2) * height
    colour = _COLOURS[place % len(_COLOURS)]
    panel.errorbar(middle, rows, xerr=error, fmt='o', markersize=5, color=colour, elinewidth=1, label=title(name))
