"""The files of an audit: the ranking as a table, a page with pictures of the most suspicious cines, and a summary."""

import os
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from rich.console import Group
from rich.markup import escape

from ear_jax.cine import MAGNITUDE
from ear_jax.report import STATEMENT, page, tables
from ear_jax.report.figures import Case
from ear_jax.report.overlay import grey, heart_window, overlay_image
from ear_jax.report.sprites import uri
from ear_jax.scoring.audit import LIMIT, first_of_cines
from ear_jax.scoring.segmentation import distance_unit
from ear_jax.system.csv_files import write_csv
from ear_jax.system.files import write_text
from ear_jax.system.table import DASH, Table, drawn

CAUTION = (
  'a high rank is a reason to look at a reference, not a verdict: networks err too, most of all in slices that are '
  'unlike the others'
)
_SIDE = 360  # pixels of the screen, width of a picture
_MARGIN = 0.6  # of the extent of the masks, shown on each side
_TOP = 10  # cines in the terminal


def write_audit(
  output_dir: str | os.PathLike,
  table: pd.DataFrame,
  cases: Mapping[str, Case],
  notes: Sequence[str],
  about: Mapping,
  planted: Mapping | None = None,
) -> dict:
  """Writes audit.csv, audit.html and audit.json into a folder and returns what the last one holds.

  Args:
    output_dir: is made if needed; files of the same names are replaced.
    table: of `scoring.audit.rank`.
    cases: cines to be shown with their delineations, by name; those among the first of the ranking.
    notes: what a reader must know, a sentence each.
    about: what was audited by what; plain values.
    planted: of `workflows.planted_faults.measure`; kept in audit.json.
  """
  output = pathlib.Path(output_dir)
  (output / 'audit.json').unlink(missing_ok=True)  # what is half written has none
  cines = first_of_cines(table)
  kinds = table[table['kind'] != ''].drop_duplicates(['dataset', 'slice_id'])['kind'].value_counts()
  content = dict(about) | {
    'subjects': int(table['subject'].nunique()),
    'cines': len(cines),
    'frames': len(table),
    'limit': LIMIT,
    'suspected_cines': {str(kind): int(count) for kind, count in kinds.items()},
    'first': [_plain(row) for row in cines.head(_TOP).to_dict('records')],
    'notes': [*notes, CAUTION],
    'planted': planted,
  }
  text = tables.strict_json(content)
  write_csv(output / 'audit.csv', table)
  _write_page(output / 'audit.html', cines, cases, content)
  write_text(output / 'audit.json', text)
  return content


def top_table(cines: Sequence[Mapping]) -> Table:
  """Returns the first cines of the ranking as a table of strings, from 'first' of audit.json."""
  header = ['', 'cine', 'frame', 'Dice', 'score', 'suspected', 'gain']
  rows = []
  for line in cines:
    gain = DASH if line['gain'] is None else f'{line["gain"]:+.2f}'
    numbers = [str(line['frame']), f'{1 - line["disagreement"]:.2f}', f'{line["score"]:.1f}']
    rows.append([str(line['rank']), f'{line["dataset"]} {line["slice_id"]}', *numbers, _suspected(line), gain])
  return Table('References that look most wrong, one line a cine', header, rows)


def terminal(content: Mapping) -> Group:
  """Returns table and notes of audit.json, to be printed by `rich`."""
  shown = drawn(top_table(content['first']), left=('cine', 'suspected'))
  return Group(shown, *(f'[dim]• {escape(note)}[/dim]' for note in content['notes']))


def _suspected(line: Mapping) -> str:
  return f'{line["kind"]}: {line["detail"]}' if line['detail'] else line['kind'] or DASH


def _plain(row: Mapping) -> dict:
  return {key: None if isinstance(value, float) and np.isnan(value) else value for key, value in row.items()}


def _write_page(path: pathlib.Path, cines: pd.DataFrame, cases: Mapping[str, Case], content: Mapping) -> None:
  shown = []
  for row in cines.to_dict('records'):
    case = cases.get(f'{row["dataset"]}/{row["slice_id"]}')
    if case is not None:
      words = f'{row["rank"]}. {row["dataset"]} {row["slice_id"]}: {_suspected(_plain(row))}'
      shown.append((words, *_picture(case, row['frame']), row))
  style = page.read('page.css')
  write_text(
    path,
    page.environment()
    .get_template('audit.html.jinja')
    .render(
      content=content,
      table=top_table([_plain(row) for row in cines.head(max(_TOP, len(shown))).to_dict('records')]),
      shown=shown,
      statement=STATEMENT,
      style=style,
      policy=f"default-src 'none'; img-src data:; style-src {page.digest(style)}",
    ),
  )


def _picture(case: Case, frame: int) -> tuple[str, int, int]:
  """Magnitude, and the same with both masks, side by side: data URI, width and height on the page."""
  masks = [case.cine.mask[frame]] + ([] if case.prediction is None else [case.prediction[frame]])
  window = heart_window(np.stack(masks), margin=_MARGIN)
  image = grey(case.cine.video[frame, ..., MAGNITUDE][window])
  reference, prediction = masks[0][window], masks[-1][window] if len(masks) == 2 else np.zeros_like(image)
  both = np.concatenate([np.repeat(image[..., None], 3, -1), overlay_image(image, prediction, reference)], axis=1)
  rows, columns = case.cine.spacing if distance_unit(case.cine.spacing) == 'mm' else (1.0, 1.0)
  height = round(_SIDE * image.shape[0] * rows / (image.shape[1] * columns))
  return uri(np.rint(255 * both).astype(np.uint8), 'png', optimize=True), 2 * _SIDE, height
