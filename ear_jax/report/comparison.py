"""The files of a comparison: one table over all studies, tables and pictures of what was compared, and a page.

studies.csv studies.xlsx           one line a study: verdict of the quality gate, its reasons, peaks
groups_curves.csv groups_peaks.csv groups_curves.png groups_peaks.png groups_peaks_published.png
normal.csv normal_<study>.png      z scores and prediction intervals
visits.csv repeatability.csv visits.png
comparison.html comparison.json    everything together
"""

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ear_jax.report import excel, tables
from ear_jax.report.compared import Comparison
from ear_jax.report.comparison_page import write_page
from ear_jax.report.comparison_sections import level_name, peak_name, sections
from ear_jax.scoring import cohort
from ear_jax.system.csv_files import write_csv
from ear_jax.system.files import write_text

_FILES = ('groups_*.csv', 'groups_*.png', 'normal.csv', 'normal_*.png', 'visits.csv', 'visits.png', 'repeatability.csv')


def write_comparison(output: pathlib.Path, comparison: Comparison) -> dict:
  """Writes every file of a comparison into a folder and returns what `comparison.json` holds."""
  output.mkdir(parents=True, exist_ok=True)
  (output / 'comparison.json').unlink(missing_ok=True)  # what is half written has none
  for old in (path for pattern in _FILES for path in output.glob(pattern)):
    old.unlink()
  every = study_table(comparison)
  write_csv(output / 'studies.csv', every)
  with excel.workbook(output / 'studies.xlsx') as book:
    every.to_excel(book, sheet_name='studies', index=False)
  content = _content(comparison)
  shown = sections(output, comparison)
  write_page(output / 'comparison.html', comparison, every, shown, sentences(content), content['notes'])
  text = tables.strict_json(content)
  write_text(output / 'comparison.json', text)
  return json.loads(text)


def study_table(comparison: Comparison) -> pd.DataFrame:
  """Returns one line a study: names, verdict and reasons of the gate, what it is made of, and its peaks by level."""
  rows = []
  for one in comparison.studies:
    spoken = [check for check in one.checks if check['status'] in ('fail', 'warn')]
    spoken.sort(key=lambda check: check['status'])  # what failed first
    intervals = [s['frame_interval_ms'] * s['frames'] for s in one.slices if s['frame_interval_ms']]
    dice = [s['expected_dice'] for s in one.slices if s['holds_ventricle'] and s['expected_dice'] is not None]
    row: dict[str, Any] = {
      'study': one.study,
      **comparison.named.get(one.study, {}),
      'verdict': one.verdict,
      'curves': 'withheld' if one.withheld else 'magnitude only' if one.curves is None else 'yes',
      'compared': 'yes' if one.study in comparison.peaks.index else 'no',
      'slices': len(one.slices),
      'cycle_ms': round(float(np.mean(intervals)), 1) if intervals else None,
      'lowest_expected_dice': min(dice, default=None),
      'reasons': '; '.join(dict.fromkeys(f'{c["status"]}: {c["name"]}: {c["reason"]}' for c in spoken)),
    }
    rows.append(row)
  table = pd.DataFrame(rows)
  peaks = comparison.peaks.reindex(table['study']).reset_index(drop=True)
  peaks.columns = [
    f'{level_name(level)} {component} {marker} ({cohort.QUANTITIES[quantity]})'
    for level, component, marker, quantity in cohort.keys(peaks)
  ]
  return pd.concat([table, peaks], axis=1)


def sentences(content: Mapping) -> list[str]:
  """Returns what `comparison.json` found, in sentences for the terminal and the head of the page."""
  said = [f'{content["studies"]} studies, {content["compared"]} of them with curves that can be compared']
  if group := content['groups']:
    (a, b), (n, m) = group['labels'], group['people']
    where = ', '.join(
      f'{run["level"]} {run["component"]} from {run["from_percent"]:g} to {run["to_percent"]:g} %'
      for run in group['curves_claimed']
    )
    differ = f'differ at {where} of the cycle' if where else 'are not shown to differ at any point'
    said.append(f'{a} ({n} people) against {b} ({m}): curves {differ}')
    peaks = ', '.join(group['peaks_claimed'])
    said.append(f'peaks that differ: {peaks}' if peaks else 'no peak is shown to differ')
  for key, what in (
    ('normal', 'peaks lie outside the prediction interval of the normal group'),
    ('visits', 'differences between visits are beyond their limit'),
  ):
    if one := content[key]:
      chance = f'{0.05 * one["values"]:.1f} are expected by chance alone'
      said.append(f'{one["beyond"]} of {one["values"]} {what}; {chance}')
  return said


def _content(comparison: Comparison) -> dict[str, Any]:
  """Plain values of everything."""
  content: dict[str, Any] = {
    'studies': len(comparison.studies),
    'compared': len(comparison.peaks),
    'verdicts': {
      verdict: sum(one.verdict == verdict for one in comparison.studies) for verdict in ('pass', 'warn', 'fail')
    },
    'choice': dataclasses.asdict(comparison.choice),
    'notes': list(comparison.notes),
    'bands': [dataclasses.asdict(band) for band in comparison.bands],
    **dict.fromkeys(('groups', 'normal', 'visits')),
  }
  if group := comparison.groups:
    differ = group.peaks[group.peaks['claimed']].to_dict('records')
    content['groups'] = {
      'labels': list(group.labels),
      'people': list(group.sizes),
      'people_in_curves': list(group.in_curves),
      'permutations': group.test.permutations,
      'exact': group.test.exact,
      'seed': comparison.choice.seed,
      'smallest_p_of_curves': float(group.curves['p'].min()),
      'curves_claimed': _runs(group.curves),
      'peaks_claimed': [f'{peak_name(line)} {line["quantity"]}' for line in differ],
    }
  if comparison.normal:
    scores = comparison.normal.scores
    beyond, values = int(scores['outside'].sum()), int(scores['z'].notna().sum())
    content['normal'] = {'values': values, 'beyond': beyond, 'people': len(comparison.normal.curves)}
  if comparison.visits:
    known = (lines := comparison.visits.changes)['limit'].notna() & lines['difference'].notna()
    content['visits'] = {'values': int(known.sum()), 'beyond': int(lines['beyond'].sum())}
  return content


def _runs(lines: pd.DataFrame) -> list[dict[str, Any]]:
  """Neighbouring points at which a difference is claimed, as spans of the cycle, to the next point."""
  runs = []
  for key, part in lines.groupby(['level', 'component'], sort=False):
    level, component = map(str, key)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], part['claimed'].to_numpy(int), [0]])))
    at = part['cycle_percent'].to_numpy()
    for first, after in zip(edges[::2], edges[1::2], strict=True):
      ends = {'from_percent': float(at[first]), 'to_percent': float(at[after - 1] + 100 / cohort.POINTS)}
      runs.append({'level': level_name(level), 'component': component, **ends})
  return runs
