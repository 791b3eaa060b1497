"""Pictures of a comparison: groups' curves and peaks, a study in the band of a normal group, changes between visits.

Panels are levels down and components across. Colours are Okabe and Ito's; what differs in colour differs in shape or
dash as well.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ear_jax.report.figures import INK, SMALL, TEXT, plain_axes
from ear_jax.report.published import Band
from ear_jax.scoring.cohort import KEYS, POINTS, unit
from ear_jax.scoring.intervals import t_interval
from ear_jax.scoring.normal_group import prediction_band

COLOURS = ('#0072B2', '#D55E00')
_DASHES, _SYMBOLS = ('-', (0, (5, 2))), ('o', 'D')
_CLAIM, _NORMAL, _PUBLISHED, _FAINT = '#222222', '#009E73', ('#CC79A7', '#E69F00', '#56B4E9', '#009E73'), '#9a9a9a'
_CYCLE = np.arange(POINTS + 1) * 100 / POINTS  # the cycle closes
_NOWHERE = 'not stated'


def curves_figure(lines: pd.DataFrame, labels: Sequence[str], counts: Sequence[int], axis_name: str) -> Figure:
  """Returns both groups' mean curves with the 95 % interval of the mean, and a bar below where a difference is claimed.

  Args:
    lines: of `groups.compare_curves`.
    labels: of the groups.
    counts: people of each.
    axis_name: of the time axis.
  """
  figure, axes = _grid(lines)
  for (level, component), axis in axes.items():
    part = lines[(lines['level'] == level) & (lines['component'] == component)]
    for number, colour, dash in zip((1, 2), COLOURS, _DASHES, strict=True):
      low, mean, high = (_closed(part[f'{name}_{number}']) for name in ('low', 'mean', 'high'))
      axis.fill_between(_CYCLE, low, high, color=colour, alpha=0.22, lw=0)
      axis.plot(_CYCLE, mean, color=colour, ls=dash, lw=1.5)
    _zero(axis)
    for point in part.loc[part['claimed'], 'cycle_percent']:
      about = [point - 50 / POINTS, point + 50 / POINTS]
      axis.plot(about, [0.02, 0.02], color=_CLAIM, lw=4, solid_capstyle='butt', transform=axis.get_xaxis_transform())
  handles: list[Artist] = [
    Line2D([], [], color=colour, ls=dash, lw=1.5, label=f'{label}, {n} people')
    for label, n, colour, dash in zip(labels, counts, COLOURS, _DASHES, strict=True)
  ]
  handles.append(Patch(color=_FAINT, alpha=0.4, lw=0, label='95 % interval of the mean, at each point'))
  if lines['claimed'].any():
    handles.append(Line2D([], [], color=_CLAIM, lw=4, label='difference claimed'))
  return _finished(figure, handles, axis_name)


def peaks_figure(
  people: pd.DataFrame, second: np.ndarray, labels: Sequence[str], lines: pd.DataFrame, bands: Sequence[Band]
) -> Figure:
  """Returns peak velocities and strains: people, their mean with its 95 % interval; * where a difference is claimed.

  Args:
    people: one line a person, a column for each of `cohort.KEYS`.
    second: `[n]` bool, who is in the second group.
    labels: of the groups.
    lines: of `groups.compare_peaks`.
    bands: published or own values, drawn behind.
  """
  lines = lines[lines['quantity'] != 'time']
  figure, axes = _grid(lines)
  samples = _samples(lines, bands)
  for (level, component), axis in axes.items():
    part = lines[(lines['level'] == level) & (lines['component'] == component)]
    for place, row in enumerate(part.to_dict('records')):
      values = people[tuple(row[key] for key in KEYS)]
      for k, group in enumerate((values[~second], values[second])):
        _draw_people(axis, place + (-0.2, 0.2)[k], group.dropna().to_numpy(), COLOURS[k], _SYMBOLS[k])
      if row['claimed']:
        axis.text(place, values.max(), '*', ha='center', va='bottom', fontsize=15, color=_CLAIM)
    _draw_bands(axis, part, [band for band in bands if (band.level, band.component) == (level, component)], samples)
    axis.set_xticks(range(len(part)), part['marker'])
    axis.set_xlim(-0.5, len(part) - 0.5)
    axis.margins(y=0.14)
    _zero(axis)
  handles: list[Artist] = [
    Line2D([], [], lw=2, color=colour, marker=symbol, mfc='none', label=f'{label}: people, mean, its 95 % interval')
    for label, colour, symbol in zip(labels, COLOURS, _SYMBOLS, strict=True)
  ]
  if lines['claimed'].any():
    handles.append(Line2D([], [], ls='', marker='*', color=_CLAIM, label='difference claimed'))
  handles += [Patch(color=colour, alpha=0.35, lw=0, label=f'published: {sample}') for sample, colour in samples.items()]
  return _finished(figure, handles)


def person_figure(study: str, curves: pd.Series, normal: pd.DataFrame, axis_name: str) -> Figure:
  """Returns a study's curves in the 95 % prediction band of the normal group, of each point alone.

  Args:
    study: its name.
    curves: of the study, by (level, component, point).
    normal: one line a person, the same columns.
    axis_name: of the time axis.
  """
  low, high = prediction_band(normal)
  mean = normal.mean()
  figure, axes = _grid(curves.index.to_frame(index=False))
  for key, axis in axes.items():
    here = [column[:2] == key for column in curves.index]
    bottom, top, middle, value = (_closed(line[here]) for line in (low, high, mean, curves))
    axis.fill_between(_CYCLE, bottom, top, color=_NORMAL, alpha=0.22, lw=0)
    axis.plot(_CYCLE, middle, color=_NORMAL, lw=1.2, ls='--')
    axis.plot(_CYCLE, value, color=INK, lw=1.5)
    out = (value < bottom) | (value > top)
    axis.plot(_CYCLE[out], value[out], 'o', ms=3.2, color=COLOURS[1])
    _zero(axis)
  n = normal.dropna().shape[0]
  handles = [
    Line2D([], [], color=INK, lw=1.5, label=study),
    Line2D([], [], color=COLOURS[1], ls='', marker='o', ms=4, label='outside the band'),
    Line2D([], [], color=_NORMAL, ls='--', label=f'mean of the normal group, {n} people'),
    Patch(color=_NORMAL, alpha=0.3, lw=0, label='95 % prediction band, at each point'),
  ]
  return _finished(figure, handles, axis_name)


def changes_figure(lines: pd.DataFrame) -> Figure:
  """Returns differences between visits of peak velocities and strains over their limits; those beyond 1 are filled.

  Args:
    lines: of `visit_changes.changes`.
  """
  lines = lines[(lines['quantity'] != 'time') & lines['limit'].notna()]
  names = list(dict.fromkeys(zip(lines['level'], lines['component'], lines['marker'], strict=True)))
  figure = Figure(figsize=(7.5, 0.9 + 0.22 * max(len(names), 2)), facecolor='white', layout='constrained')
  axis = figure.subplots()
  axis.axvspan(-1, 1, color=_FAINT, alpha=0.25, lw=0)
  for row in lines.to_dict('records'):
    y = names.index((row['level'], row['component'], row['marker']))
    colour = COLOURS[int(row['beyond'])]
    fill = colour if row['beyond'] else 'none'
    axis.plot(row['difference'] / row['limit'], y, _SYMBOLS[int(row['beyond'])], ms=4.5, color=colour, mfc=fill)
  axis.set_yticks(
    range(len(names)), [f'{level or _NOWHERE} {component} {marker}' for level, component, marker in names]
  )
  axis.set_ylim(len(names) - 0.5, -0.5)
  reach = max(1.2, 1.05 * float((lines['difference'] / lines['limit']).abs().max() if len(lines) else 1))
  axis.set_xlim(-reach, reach)
  plain_axes(axis)
  axis.set_xlabel(
    'difference of two visits over its limit (grey: what measuring twice makes)', fontsize=TEXT, color=INK
  )
  return figure


def _grid(lines: pd.DataFrame) -> tuple[Figure, dict[tuple[str, str], Axes]]:
  levels, components = (list(dict.fromkeys(lines[name])) for name in ('level', 'component'))
  size = (0.7 + 3.0 * len(components), 1.0 + 2.0 * len(levels))
  figure = Figure(figsize=(max(size[0], 6.5), size[1]), facecolor='white', layout='constrained')
  panels: Any = figure.subplots(len(levels), len(components), squeeze=False, sharey='col')
  axes = {(levels[i], components[j]): panels[i, j] for i, j in np.ndindex(panels.shape)}
  for (level, component), axis in axes.items():
    plain_axes(axis)
    axis.set_title(f'{component}, {unit(component)}' if level == levels[0] else '', fontsize=TEXT, color=INK)
    if component == components[0]:
      axis.set_ylabel(level or _NOWHERE, fontsize=TEXT, color=INK)
  known = set(zip(lines['level'], lines['component'], strict=True))
  for key in set(axes) - known:  # velocities have no mean over all slices
    empty = axes.pop(key)
    empty.tick_params(left=False, bottom=False, labelleft=False, labelbottom=False)
    empty.spines[:].set_visible(False)
  return figure, axes


def _draw_people(axis: Axes, x: float, values: np.ndarray, colour: str, symbol: str) -> None:
  aside = x + 0.11 * np.linspace(-1, 1, len(values)) * (len(values) > 1)
  axis.plot(aside, values, symbol, ms=3, mfc='none', mec=colour, mew=0.8, alpha=0.8)
  axis.plot([x - 0.15, x + 0.15], [values.mean()] * 2, color=colour, lw=2.2)
  axis.plot([x, x], t_interval(values) or [values.mean()] * 2, color=colour, lw=1.2)


def _zero(axis: Axes) -> None:
  axis.axhline(0, color=_FAINT, lw=0.6, zorder=0)


def _closed(values: pd.Series) -> np.ndarray:
  points = values.to_numpy(float)
  return np.append(points, points[:1])


def _samples(lines: pd.DataFrame, bands: Sequence[Band]) -> dict[str, str]:
  """Samples of the bands that are drawn, each with its colour."""
  drawn = set(zip(lines['level'], lines['component'], lines['marker'], strict=True))
  samples = dict.fromkeys(band.sample for band in bands if (band.level, band.component, band.marker) in drawn)
  return {sample: _PUBLISHED[k % len(_PUBLISHED)] for k, sample in enumerate(samples)}


def _draw_bands(axis: Axes, part: pd.DataFrame, bands: Sequence[Band], colours: Mapping[str, str]) -> None:
  order = {marker: place for place, marker in enumerate(part['marker'])}
  for band in (band for band in bands if band.marker in order):
    x, edges = order[band.marker], (band.mean - band.spread, band.mean + band.spread)
    axis.fill_between([x - 0.45, x + 0.45], *edges, color=colours[band.sample], alpha=0.35, lw=0, zorder=0)


def _finished(figure: Figure, handles: Sequence, axis_name: str = '') -> Figure:
  for axis in figure.axes:
    place = axis.get_subplotspec()
    if place is not None and place.is_last_row():
      axis.set_xlabel(axis_name, fontsize=SMALL, color=INK)
  figure.legend(handles=handles, loc='outside lower center', ncols=2, frameon=False, fontsize=SMALL)
  return figure
