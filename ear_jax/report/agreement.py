"""What an evaluation says of velocity curves: files, tables in words and figures, from compared cines in one call."""

import os
import pathlib
from collections.abc import Mapping

import pandas as pd

from ear_jax.report import figures, tables
from ear_jax.report.agreement_tables import UNITS, entries, notes, text_tables
from ear_jax.report.bland_altman import bland_altman_figure
from ear_jax.scoring.agreement_summary import Rows, summarise
from ear_jax.system.csv_files import write_csv
from ear_jax.system.files import write_text
from ear_jax.system.table import document

FILES = (
  'agreement.json', 'agreement.csv', 'agreement_markers.csv', 'agreement.md', 'temporal.csv', 'repeatability.csv',
  'bland_altman.png', 'bland_altman_time.png',
)  # fmt: skip


def write_agreement(output_dir: str | os.PathLike, rows: Rows, *, seed: int = 0) -> dict:
  """Writes the agreement of velocity curves into `output_dir` and returns the summary, as agreement.json holds it.

  The files: agreement.csv (one line a cine and component), agreement_markers.csv (one line a cine, component and
  marker), temporal.csv (one line a cine and metric), repeatability.csv (where subjects have two visits),
  bland_altman.png and bland_altman_time.png, agreement.md, agreement.json. Those of an earlier evaluation are removed
  first. Without a cine that was compared only the summary comes back, with a sentence why.

  Args:
    output_dir: is made if needed.
    rows: of all cines of the evaluation.
    seed: of the bootstrap.

  Returns:
    `agreement_summary.summarise`, and 'notes': what a reader must know, a sentence each.
  """
  output = pathlib.Path(output_dir)
  summary = summarise(rows, seed=seed)
  summary['notes'] = notes(summary)
  content = tables.strict_json(summary)
  for name in FILES:
    (output / name).unlink(missing_ok=True)
  if not summary['cines']['expected']:
    return summary
  write_csv(output / 'agreement.csv', rows.curves)
  write_csv(output / 'agreement_markers.csv', rows.markers)
  write_csv(output / 'temporal.csv', rows.temporal)
  if summary['repeatability']:
    write_csv(output / 'repeatability.csv', _repeatability_lines(summary))
  if summary['n_subjects']:
    used = rows.markers[rows.markers['status'] != 'failed']
    figures.save(bland_altman_figure(used, summary, 'velocity'), output / 'bland_altman.png')
    known = 'time' if summary['frame_interval'] else 'normalised_time'
    figures.save(bland_altman_figure(used, summary, known), output / 'bland_altman_time.png')
  write_text(output / 'agreement.md', document('Agreement of velocity curves', text_tables(summary), summary['notes']))
  write_text(output / 'agreement.json', content)
  return summary


def brief(summary: Mapping) -> dict:
  """Returns the part of a summary that metrics.json holds and the terminal shows: global curves, peak velocities."""
  kept = ('n_subjects', 'cines', 'skipped', 'failed', 'notes')
  curves = {
    component: {name: entry[name] for name in ('rmse', 'r', 'max_difference')}
    for component, entry in summary['curves'].items()
  }
  markers = {
    component: {marker: {'velocity': entry['velocity']} for marker, entry in peaks.items() if 'velocity' in entry}
    for component, peaks in summary['markers'].items()
  }
  return {key: summary[key] for key in kept} | {'curves': curves, 'markers': markers}


def _repeatability_lines(summary: Mapping) -> pd.DataFrame:
  lines = []
  for quantity, unit in UNITS.items():
    for _, (component, marker), entry in entries(summary['repeatability'], quantity):
      line: dict[str, object] = {'component': component, 'marker': marker, 'quantity': quantity, 'unit': unit}
      for side in ('manual', 'automatic'):
        values = entry[side]
        line['n'] = values['n']
        for key in ('mean', 's_w', 'repeatability_coefficient', 'cov', 'icc'):
          line[f'{key}_{side}'] = values[key]
        for key in ('s_w', 'icc'):
          line[f'{key}_low_{side}'], line[f'{key}_high_{side}'] = values[f'{key}_interval'] or (None, None)
        line[f'bias_{side}'] = values['bland_altman']['bias']
        limits = values['bland_altman']['limits'] or (None, None)
        line[f'lower_limit_{side}'], line[f'upper_limit_{side}'] = limits
      line['s_w_ratio'] = entry['ratio']
      line['s_w_ratio_low'], line['s_w_ratio_high'] = entry['ratio_interval'] or (None, None)
      lines.append(line)
  return pd.DataFrame(lines)
