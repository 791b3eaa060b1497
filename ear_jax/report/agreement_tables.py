"""The agreement of velocity curves in words: tables of strings, and what a reader must know before using them."""

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Group

from ear_jax.report.tables import few_subjects
from ear_jax.system import table as forms
from ear_jax.system.errors import some
from ear_jax.system.table import DASH, Table, number, span, spread

_SIDES = ('manual', 'automatic')
UNITS = {'velocity': 'cm/s', 'time': 'ms', 'normalised_time': 'ms of 1000'}
NAMES = {'velocity': 'Peak velocity', 'time': 'Time to peak', 'normalised_time': 'Normalised time to peak'}


def notes(summary: Mapping) -> list[str]:
  """Returns what a reader must know before using the numbers of `agreement_summary.summarise`."""
  cines, n = summary['cines'], summary['n_subjects']
  sentences = [f'Cines not compared: {count}, {reason}.' for reason, count in summary['skipped'].items()]
  if not cines['expected']:
    return ['No velocity curve was compared.', *sentences]
  sentences.insert(
    0,
    'Errors are prediction minus reference; both masks were analysed with the same velocities and settings. Means are '
    f'taken over the cines and datasets of a subject in turn, then over subjects (n = {n}).',
  )
  sentences.append(
    'No septum is given to the evaluation: sectors begin in a fixed direction, the same for both masks, so their '
    'errors can be compared and their names mean nothing.'
  )
  if cines['failed']:
    left_out = [
      f'{name} (none in {count["failed_predicted"]} of {count["frames"]} frames of the prediction, in '
      f'{count["failed_reference"]} of the reference)'
      for name, count in summary['failed'].items()
    ]
    sentences.append(
      f'Left out of all means of curves and peaks: {cines["failed"]} of {cines["expected"]} cines, since a curve needs '
      f'a closed wall in every frame: {some(left_out)}. Dice counts their frames (per_frame.csv). Where the prediction '
      'has none, train longer or on more such hearts; where the reference has none, repair its contours.'
    )
  if cines['flagged']:
    sentences.append(
      f'{cines["flagged"]} of {cines["expected"]} cines have frames whose contours were repaired or look implausible; '
      'they are in the means.'
    )
  if summary['frame_interval']:
    low, high = (f'{interval:.0f}' for interval in summary['frame_interval'])
    sentences.append(
      f'One frame is {low if low == high else f"{low} to {high}"} ms and times differ by whole frames: a spread of 0 '
      'means that all subjects agree to the frame, not that times are exact.'
    )
  else:
    sentences.append('The time between frames is unknown: times are given in normalised ms only.')
  return sentences + few_subjects(n)


def text_tables(summary: Mapping) -> list[Table]:
  """Returns all tables of the summary as strings; a table without a line is left out."""
  tables = [_curve_table(summary), *(_marker_table(summary, quantity) for quantity in UNITS)]
  tables += [_region_table(summary), _temporal_table(summary), _repeatability_table(summary)]
  counts = [[name.replace('_', ' '), str(count)] for name, count in summary['cines'].items()]
  return [table for table in (*tables, Table('Cines', ['cines', 'number'], counts)) if table.rows]


def terminal(summary: Mapping) -> Group:
  """Returns the errors of the global curves and of their peaks with the notes, to be printed by `rich`."""
  tables = [_curve_table(summary), _peak_table(summary)]
  return forms.terminal([table for table in tables if table.rows], summary['notes'])


def _curve_table(summary: Mapping) -> Table:
  header = ['component', 'RMSE', '95 % t interval', 'largest error', 'r']
  body = []
  for component, entry in summary['curves'].items():
    if entry['rmse']:
      interval = span(entry['rmse']['t_interval'], 2)
      cells = [spread(entry['rmse'], 2), interval, spread(entry['max_difference'], 2), spread(entry['r'], 3)]
      body.append([component, *cells])
  return Table(f'Global velocity curves (cm/s), mean ± SD over {summary["n_subjects"]} subjects', header, body)


def _marker_table(summary: Mapping, quantity: str) -> Table:
  unit, digits = UNITS[quantity], 2 if quantity == 'velocity' else 1
  header = ['peak', 'n', 'reference', 'bias', 'SD', '95 % t interval', 'lower limit', 'upper limit', 'p of slope']
  body = []
  for name, _, entry in entries(summary['markers'], quantity):
    limits, intervals = entry['limits'] or [None, None], entry['limit_intervals'] or [None, None]
    cells = [number(entry[key], digits) for key in ('mean_reference', 'bias', 'sd')]
    cells.append(span(entry['bias_t_interval'], digits))
    cells += [_with_interval(*pair, digits) for pair in zip(limits, intervals, strict=True)]
    body.append([name, str(entry['n']), *cells, number(entry['slope_p'], 3)])
  return Table(f'{NAMES[quantity]} ({unit}): prediction minus reference, limits of agreement', header, body)


def _peak_table(summary: Mapping) -> Table:
  """What fits a terminal of 80 columns."""
  body = []
  for name, _, entry in entries(summary['markers'], 'velocity'):
    cells = [number(entry[key], 2) for key in ('mean_reference', 'bias', 'sd')]
    body.append([name, *cells, span(entry['limits'], 2)])
  header = ['peak', 'reference', 'bias', 'SD', 'limits of agreement']
  return Table('Peak velocity (cm/s): prediction minus reference', header, body)


def _region_table(summary: Mapping) -> Table:
  groups = next(iter(summary['curves'].values()))['regions'] if summary['curves'] else {}
  header = ['component', *(f'{group} {name}' for group in groups for name in ('RMSE (cm/s)', 'r'))]
  body = []
  for component, entry in summary['curves'].items():
    regions = entry['regions'].values()
    cells = [spread(region[name], digits) for region in regions for name, digits in (('rmse', 2), ('r', 3))]
    if any(cell != DASH for cell in cells):
      body.append([component, *cells])
  return Table('Curves of regions, mean over the regions of a cine', header, body)


def _temporal_table(summary: Mapping) -> Table:
  body = []
  for metric, entry in summary['temporal'].items():
    ratio = entry['ratio']
    unit = f' ({entry["unit"]})' if entry['unit'] else ''
    cells = [number(entry[side], 3) for side in ('prediction', 'reference')]
    cells += [spread(ratio, 3), span(ratio and ratio['t_interval'], 3)]
    body.append([metric.replace('_', ' ') + unit, *cells])
  header = ['metric', 'prediction', 'reference', 'ratio', '95 % t interval']
  return Table('Temporal consistency', header, body)


def _repeatability_table(summary: Mapping) -> Table:
  s_w, rc, icc = ([f'{name} {side}' for side in _SIDES] for name in ('s_w', 'RC', 'ICC'))
  body = []
  for quantity in UNITS:
    digits = 2 if quantity == 'velocity' else 1
    for name, _, entry in entries(summary['repeatability'] or {}, quantity):
      sides = [entry[side] for side in _SIDES]
      cells = [*(number(side['s_w'], digits) for side in sides)]
      cells += [_with_interval(entry['ratio'], entry['ratio_interval'], 2)]
      cells += [number(side['repeatability_coefficient'], digits) for side in sides]
      cells += [number(side['icc'], 2) for side in sides]
      body.append([f'{name}, {NAMES[quantity].lower()} ({UNITS[quantity]})', str(sides[0]['n']), *cells])
  return Table('Repeatability over two visits', ['peak', 'n', *s_w, 'ratio', *rc, *icc], body)


def _with_interval(value: float | None, interval: Sequence[float] | None, digits: int) -> str:
  return number(value, digits) + (f' ({span(interval, digits)})' if interval else '')


def entries(nested: Mapping, quantity: str) -> Iterator[tuple[str, tuple[str, str], Mapping]]:
  """Yields the label, (component, marker) and entry of every marker that has the quantity."""
  for component, markers in nested.items():
    for marker, quantities in markers.items():
      if quantity in quantities:
        yield f'{component} {marker}', (component, marker), quantities[quantity]
