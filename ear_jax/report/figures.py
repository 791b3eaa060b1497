"""Figures of an evaluation: overlays, an overview of a cine, best to worst, and Dice over the cardiac cycle.

Each function returns a matplotlib `Figure` that belongs to the caller: no pyplot, no global style, nothing to close.
`save` writes it as its name ends: `.png`, or for papers `.svg` and `.pdf`; the same bytes for the same figure.
"""

import math
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from ear_jax.cine import MAGNITUDE, Cine
from ear_jax.report.overlay import LEGEND, grey, heart_window, overlay_image
from ear_jax.scoring.aggregate import LEVELS
from ear_jax.scoring.segmentation import distance_unit, frame_metrics
from ear_jax.system.files import replacing

TEXT, SMALL, INK, _FAINT = 9, 7.5, '#222222', '#9a9a9a'
_TITLE, _GAP, _FOOT, _HEAD, _LEGEND_WIDTH = 0.22, 0.06, 0.38, 0.25, 6.0  # inches around the panels of a figure
_WIDTH = 1.7  # inches of a panel
_SCALE_BAR = 20  # mm
_NO_TRACE = {
  'png': {'Software': None},
  'svg': {'Date': None, 'Creator': None},
  'pdf': {'CreationDate': None, 'Creator': None, 'Producer': None},
}


class Case(NamedTuple):
  """A cine and its predicted mask, `[T, H, W]` in {0, 1}; None when the prediction failed."""

  cine: Cine
  prediction: np.ndarray | None


def cine_overview(case: Case, *, frames: int = 10, title: str = '') -> Figure:
  """Returns annotated frames of a cine, spread evenly over the cycle, each with its Dice.

  Args:
    case: the cine and its prediction.
    frames: how many.
    title: above them; '' for the name of the cine.

  Raises:
    ValueError: no frame is annotated.
  """
  chosen = _spread(case, frames)
  columns = min(5, len(chosen))
  window = _window(case)
  figure, axes = _panels(math.ceil(len(chosen) / columns), columns, _ratio(window, case.cine.spacing), top=_HEAD)
  _show_frames(axes.ravel(), case, chosen, window)
  head = 1 - 0.06 / figure.get_figheight()
  figure.text(0.5, head, title or case.cine.name, ha='center', va='top', fontsize=TEXT + 1, color=INK)
  _add_legend(figure)
  return figure


def result_figure(cases: Mapping[str, Case], *, frames: int = 5) -> Figure:
  """Returns one row of overlays per cine, as Figure 4 of the paper.

  Args:
    cases: label of the row ('best', 'median', 'worst', with a score if wanted) to cine, top to bottom.
    frames: pictures per row, spread evenly over the annotated frames.

  Raises:
    ValueError: there is no case, or one has no annotated frame.
  """
  if not cases:
    raise ValueError('no cine to draw')
  chosen = {label: _spread(case, frames) for label, case in cases.items()}
  windows = {label: _window(case) for label, case in cases.items()}
  ratio = max(_ratio(windows[label], case.cine.spacing) for label, case in cases.items())
  figure, axes = _panels(len(cases), max(map(len, chosen.values())), ratio, left=0.6)
  for row, (label, case) in zip(axes, cases.items(), strict=True):
    _show_frames(row, case, chosen[label], windows[label])
    row[0].set_ylabel(label, fontsize=SMALL, color=INK)
  _add_legend(figure)
  return figure


def dice_against_frame(rows: pd.DataFrame) -> Figure:
  """Returns Dice over the frames of the cycle, one panel per slice level.

  Thin lines are slices; the thick line is the mean over subjects (over the slices and visits of each first) and the
  band one SD over subjects to either side. Frames with both masks empty are left out.

  Args:
    rows: one row per frame, from `cine_metrics`.

  Raises:
    ValueError: every frame has both masks empty.
  """
  kept = rows[rows['case'] != 'both_empty']
  if kept.empty:
    raise ValueError(f'none of {len(rows)} frames has a mask to draw a curve of')
  levels = [level for level in (*LEVELS, *sorted(set(kept['level']) - set(LEVELS))) if (kept['level'] == level).any()]
  figure = Figure(figsize=(max(2.6 * len(levels), 4.5), 2.8), layout='constrained')
  axes = figure.subplots(1, len(levels), sharex=True, sharey=True, squeeze=False)[0]
  for axis, level in zip(axes, levels, strict=True):
    _draw_dice(axis, kept[kept['level'] == level])
    axis.set_title(level or ('unknown level' if len(levels) > 1 else 'all slices'), fontsize=TEXT, color=INK)
  axes[0].xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6, min_n_ticks=1))
  axes[0].set_xlim(kept['frame'].min() - 0.5, kept['frame'].max() + 0.5)
  low = kept['dice'].min()
  axes[0].set_ylim(max(0.0, math.floor(low * 10 - 0.5) / 10), 1.0)
  axes[0].set_ylabel('Dice', fontsize=TEXT, color=INK)
  figure.supxlabel('frame', fontsize=TEXT, color=INK)
  handles, labels = axes[0].get_legend_handles_labels()
  figure.legend(handles, labels, loc='outside upper center', ncols=3, frameon=False, fontsize=SMALL)
  return figure


def save(figure: Figure, path: str | os.PathLike, *, dpi: int = 150) -> None:
  """Writes the figure, whole or not at all; no date or version goes into the file.

  Args:
    figure: any.
    path: '.png', '.svg' or '.pdf'; text in the last two is text, to be searched and changed.
    dpi: pixels an inch of a PNG.
  """
  kind = os.fspath(path).rpartition('.')[2]
  FigureCanvasAgg(figure)
  # Text as text, and names of parts that are the same in every run.
  settings = matplotlib.rc_context({'svg.fonttype': 'none', 'pdf.fonttype': 42, 'svg.hashsalt': 'ear_jax'})
  with replacing(path) as temporary, settings:
    figure.savefig(temporary, format=kind, dpi=dpi, metadata=_NO_TRACE[kind])


def save_each(figure: Figure, folder: pathlib.Path, names: Sequence[str]) -> None:
  """Writes the figure once for each name, in the format that the name ends with."""
  for name in names:
    save(figure, folder / name)


def plain_axes(axis: Axes, *, grid: bool = False) -> None:
  """Leaves a panel the axes of its numbers alone, in small type; `grid` adds faint horizontal lines."""
  axis.tick_params(labelsize=SMALL, colors=INK)
  axis.spines[['top', 'right']].set_visible(False)
  if grid:
    axis.grid(axis='y', color='#e4e4e4', lw=0.6)
    axis.set_axisbelow(True)


def _draw_dice(axis, rows: pd.DataFrame) -> None:
  for index, (_, cine) in enumerate(rows.sort_values('frame').groupby(['dataset', 'slice_id'])):
    axis.plot(cine['frame'], cine['dice'], color=_FAINT, lw=0.6, marker='.', ms=2, label='' if index else 'slice')
  per_dataset = rows.groupby(['frame', 'subject', 'dataset'])['dice'].mean()
  per_subject = per_dataset.groupby(['frame', 'subject']).mean().unstack('subject')
  mean, spread = per_subject.mean(axis=1), per_subject.std(axis=1, ddof=1).fillna(0)
  axis.fill_between(mean.index, mean - spread, mean + spread, color='#3d7fd9', alpha=0.25, lw=0, label='±1 SD')
  axis.plot(mean.index, mean, color='#1b4f9c', lw=1.8, marker='.', ms=4, label='mean over subjects')
  axis.text(0.97, 0.04, f'n = {per_subject.shape[1]}', transform=axis.transAxes, ha='right', fontsize=SMALL, color=INK)
  plain_axes(axis, grid=True)


def _spread(case: Case, count: int) -> Sequence[int]:
  annotated = np.flatnonzero(case.cine.annotated)
  if not annotated.size:
    raise ValueError(f'{case.cine.name}: no frame is annotated, there is nothing to compare in a picture')
  return annotated[np.unique(np.linspace(0, annotated.size - 1, count).round().astype(int))]


def _window(case: Case) -> tuple[slice, slice]:
  masks = case.cine.mask if case.prediction is None else np.concatenate([case.prediction, case.cine.mask])
  return heart_window(masks)


def _ratio(window: tuple[slice, slice], spacing: tuple[float, float]) -> float:
  """Height over width of a window on paper."""
  rows, columns = (s.stop - s.start for s in window)
  return rows * _aspect(spacing) / columns


def _aspect(spacing: tuple[float, float]) -> float:
  return spacing[0] / spacing[1] if distance_unit(spacing) == 'mm' else 1.0


def _panels(rows: int, columns: int, ratio: float, *, left: float = 0.0, top: float = 0.0):
  """Returns a figure and its axes `[rows, columns]`; all lengths in inches, `ratio` is height over width of a panel.

  Placed by arithmetic: matplotlib's automatic layouts draw every picture several times to arrive here.
  """
  width, height = _WIDTH, _WIDTH * ratio
  content = left + columns * (width + _GAP) - _GAP
  full_width = max(content, _LEGEND_WIDTH)
  full_height = top + rows * (_TITLE + height) + _FOOT
  figure = Figure(figsize=(full_width, full_height), facecolor='white')
  axes = np.empty((rows, columns), object)
  for row, column in np.ndindex(rows, columns):
    x = (full_width - content) / 2 + left + column * (width + _GAP)
    y = full_height - top - (row + 1) * (_TITLE + height)
    box = (x / full_width, y / full_height, width / full_width, height / full_height)
    axes[row, column] = figure.add_axes(box)
  return figure, axes


def _show_frames(axes, case: Case, frames: Sequence[int], window: tuple[slice, slice]) -> None:
  for axis in axes[len(frames) :]:
    axis.set_visible(False)
  images = grey(case.cine.video[(np.asarray(frames), *window, MAGNITUDE)])  # [n, h, w]
  for index, (axis, frame) in enumerate(zip(axes, frames, strict=False)):
    reference = case.cine.mask[frame]
    prediction = None if case.prediction is None else case.prediction[frame]
    shown = np.zeros_like(reference) if prediction is None else prediction
    picture = overlay_image(images[index], shown[window], reference[window])
    _show(axis, picture, case.cine.spacing, bar=index == 0)
    score = frame_metrics(prediction, reference, (1.0, 1.0), surface=False)
    said = {'failed': 'failed', 'both_empty': 'both empty'}.get(score['case'], f'Dice {score["dice"]:.2f}')
    axis.set_title(f'frame {frame}, {said}', fontsize=SMALL, color=INK, pad=2)


def _show(axis, image: np.ndarray, spacing: tuple[float, float], *, bar: bool) -> None:
  axis.imshow(image, interpolation='nearest', aspect=_aspect(spacing), vmin=0, vmax=1)
  axis.set_xticks([])
  axis.set_yticks([])
  axis.spines[:].set_visible(False)
  if bar and distance_unit(spacing) == 'mm':
    height, width = image.shape[:2]
    length = _SCALE_BAR / spacing[1]
    axis.plot([0.05 * width, 0.05 * width + length], [0.93 * height] * 2, color='white', lw=2, solid_capstyle='butt')
    axis.text(0.05 * width, 0.90 * height, f'{_SCALE_BAR} mm', color='white', fontsize=6, va='bottom')


def _add_legend(figure: Figure) -> None:
  handles = [Patch(facecolor=colour, edgecolor=INK, lw=0.4, label=name) for name, colour in LEGEND.items()]
  figure.legend(handles=handles, loc='lower center', ncols=3, frameon=False, fontsize=SMALL, borderaxespad=0.3)
