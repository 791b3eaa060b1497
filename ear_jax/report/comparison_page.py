"""The page of a comparison: what was found, the parts with their pictures, and one table over all studies."""

import os
from collections.abc import Sequence

import numpy as np
import pandas as pd

from ear_jax.report import STATEMENT, page
from ear_jax.report.compared import Comparison
from ear_jax.report.comparison_sections import Section, level_name
from ear_jax.scoring import cohort
from ear_jax.system.files import write_text

_WIDTH, _HEIGHT = 150, 34  # pixels of a small curve


def write_page(
  path: str | os.PathLike,
  comparison: Comparison,
  every: pd.DataFrame,
  parts: Sequence[Section],
  sentences: Sequence[str],
  notes: Sequence[str],
) -> None:
  """Writes `comparison.html`, whole or not at all.

  Args:
    path: the file.
    comparison: the comparison.
    every: of `comparison.study_table`.
    parts: of `comparison_sections.sections`.
    sentences: what was found, the number of studies first.
    notes: what a reader must know.
  """
  levels = set(comparison.peaks.columns.get_level_values('level')) if len(comparison.peaks) else set()
  level = next((level for level in ('mid', *cohort.LEVELS) if level in levels), '')
  peaks = [(c, m) for c in comparison.choice.components if c != 'circumferential' for m in cohort.PEAKS[c]]
  names = [name for name in ('group', 'person', 'visit') if name in every]
  style = page.read('page.css')
  write_text(
    path,
    page.environment()
    .get_template('comparison.html.jinja')
    .render(
      sentences=sentences,
      notes=notes,
      parts=parts,
      bands=[band for part in parts for band in part.bands],
      level=level_name(level),
      header=[*names, 'quality', *comparison.choice.components],
      peaks=[f'{component} {marker}' for component, marker in peaks],
      rows=[_row(comparison, row, names, level, peaks) for row in every.to_dict('records')],
      width=_WIDTH,
      height=_HEIGHT,
      statement=STATEMENT,
      style=style,
      policy=f"default-src 'none'; img-src data:; style-src {page.digest(style)}",
    ),
  )


def _row(comparison: Comparison, row: dict, names: Sequence[str], level: str, peaks: Sequence[tuple[str, str]]) -> dict:
  """One study: its line of the table, names, small curves and peaks of the level that is shown."""
  values = dict(comparison.peaks.loc[row['study']]) if row['compared'] == 'yes' else {}
  return {
    'line': row,
    'names': ['' if pd.isna(row[name]) else row[name] for name in names],
    'curves': [_small_curve(comparison.curves, row['study'], level, c) for c in comparison.choice.components],
    'peaks': [values.get((level, component, marker, 'velocity')) for component, marker in peaks],
  }


def _small_curve(curves: pd.DataFrame, study: str, level: str, component: str) -> str:
  """Points of a line for SVG, on one scale for all studies; '' where the study has no such curve."""
  columns = [key for key in cohort.keys(curves) if key[:2] == (level, component)]
  if study not in curves.index or not columns:
    return ''
  every = curves[columns].to_numpy()
  values = every[curves.index.get_loc(study)]
  if not np.isfinite(values).all():
    return ''
  high, extent = np.nanmax(every), np.nanmax(every) - np.nanmin(every)
  x = 2 + np.linspace(0, _WIDTH - 4, len(values))
  y = 2 + (high - values) / (extent or 1.0) * (_HEIGHT - 4)
  return ' '.join(f'{a:.1f},{b:.1f}' for a, b in zip(x, y, strict=True))
