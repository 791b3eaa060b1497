"""What an evaluation says of volumes: the files, a table in words and the Bland-Altman picture."""

import os
import pathlib
from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from ear_jax.report import figures
from ear_jax.report.bland_altman import draw, legend
from ear_jax.report.figures import INK, SMALL, TEXT
from ear_jax.report.tables import few_subjects
from ear_jax.scoring.volume_agreement import OF_REFERENCE, pairs, summarise
from ear_jax.system.csv_files import write_csv
from ear_jax.system.files import write_text
from ear_jax.system.table import Table, document, number, span

FILES = ('volume_agreement.csv', 'volume_agreement.md', 'bland_altman_volumes.png')


def write_volume_agreement(output: str | os.PathLike, table: pd.DataFrame, *, seed: int = 0) -> dict:
  """Writes `FILES` into a folder and returns `summarise` with 'notes'; without a dataset nothing is written.

  Args:
    output: the folder; files of an earlier evaluation are removed.
    table: of `scoring.volume_agreement.agree`.
    seed: of the bootstrap.
  """
  output = pathlib.Path(output)
  summary = summarise(table, seed=seed)
  summary['notes'] = notes(summary)
  for name in FILES:
    (output / name).unlink(missing_ok=True)
  if summary['quantities']:
    write_csv(output / FILES[0], table)
    write_text(output / FILES[1], document('Agreement of volumes', [text_table(summary)], summary['notes']))
    figures.save(figure(table, summary), output / FILES[2])
  return summary


def notes(summary: Mapping) -> list[str]:
  """Returns what a reader must know before using the numbers of `summarise`."""
  if not summary['quantities']:
    return []
  said = [
    'Both sides are summed over the same slices, those with a reference: the choice of slices at the base, which '
    'counts most in practice, is in none of the differences.'
  ]
  if summary['left_out']:
    said.append(f'{summary["left_out"]} of {summary["slices"]} slices, without a ring on one side, count on neither.')
  if any(entry['unit'] == OF_REFERENCE for entry in summary['quantities'].values()):
    said.append('The distance of the slices is not known and is taken to be equal: volumes are in % of the reference.')
  n = max(entry['n'] for entry in summary['quantities'].values())
  return said + few_subjects(n)


def text_table(summary: Mapping) -> Table:
  """Returns one line a quantity: n, reference, bias, SD, interval of the bias, limits of agreement."""
  body = []
  for name, entry in summary['quantities'].items():
    cells = [number(entry[key], 1) for key in ('mean_reference', 'bias', 'sd')]
    intervals = [span(entry['bias_t_interval'], 1), span(entry['limits'], 1)]
    body.append([f'{name} ({entry["unit"]})', str(entry['n']), *cells, *intervals])
  header = ['quantity', 'n', 'reference', 'bias', 'SD', '95 % t interval', 'limits of agreement']
  return Table('Volumes: prediction minus reference', header, body)


def figure(table: pd.DataFrame, summary: Mapping) -> Figure:
  """Returns a Bland-Altman panel a quantity; a point is a subject."""
  quantities = summary['quantities']
  drawing = Figure(figsize=(4.0 * len(quantities), 3.9), facecolor='white', layout='constrained')
  axes = drawing.subplots(1, len(quantities), squeeze=False)[0]
  for axis, (name, entry) in zip(axes, quantities.items(), strict=True):
    values, means, across = pairs(table, name), None, f'mean of both, {entry["unit"]}'
    if entry['unit'] == OF_REFERENCE:  # of sizes in an unknown unit
      means, across = 100 * values.mean(axis=1) / values.to_numpy().mean(), 'mean of both, % of that of all subjects'
      values = 100 * values.div(values['reference'], axis=0)
    draw(axis, values, entry, entry['unit'].partition(' ')[0], means)
    axis.set_title(name[0].upper() + name[1:], fontsize=TEXT, color=INK)
    axis.set_xlabel(across, fontsize=TEXT, color=INK)
    axis.set_ylabel(f'prediction minus reference, {entry["unit"]}', fontsize=TEXT, color=INK)
  drawing.legend(handles=legend(), loc='outside lower center', ncols=5, frameon=False, fontsize=SMALL)
  return drawing
