"""The agreement of velocity curves in words: tables of strings, and what a reader must know before using them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rich.console import Group

from ear_jax.report.tables import TextTable, as_terminal

_FEW_SUBJECTS = 50
_SIDES = ('manual', 'automatic')
_DASH = '–'  # noqa: RUF001, a dash stands for what is undefined
UNITS = {'velocity': 'cm/s', 'time': 'ms', 'normalised_time': 'ms of 1000'}
_NAMES = {'velocity': 'Peak velocity', 'time': 'Time to peak', 'normalised_time': 'Normalised time to peak'}


def notes(summary: Mapping) -> list[str]:
  """Returns what a reader must know before using the numbers of `agreement_summary.summarise`."""
  cines, n = summary['cines'], summary['n_subjects']
  found = [f'Cines not compared: {count}, {reason}.' for reason, count in summary['skipped'].items()]
  if not cines['expected']:
    return ['No velocity curve was compared.', *found]
  found.insert(
    0,
    'Errors are prediction less reference; both masks were analysed with the same velocities and settings. Means are '
    f'taken over the cines and datasets of a subject in turn, then over subjects (n = {n}).',
  )
  found.append(
    'No septum is given to the evaluation: sectors begin in a fixed direction, the same for both masks, so their '
    'errors can be compared and their names mean nothing.'
  )
  if cines['failed']:
    found.append(
      f'{cines["failed"]} of {cines["expected"]} cines have a frame without contours and are in no mean of the curves '
      f'and markers: {", ".join(summary["failed"])}.'
    )
  if cines['flagged']:
    found.append(
      f'{cines["flagged"]} of {cines["expected"]} cines have frames whose contours were mended or look implausible; '
      'they are in the means.'
    )
  if summary['frame_interval']:
    low, high = (f'{interval:.0f}' for interval in summary['frame_interval'])
    found.append(
      f'One frame is {low if low == high else f"{low} to {high}"} ms and times differ by whole frames: a spread of 0 '
      'means that all subjects agree to the frame, not that times are exact.'
    )
  else:
    found.append('The time between frames is unknown: times are given in normalised ms only.')
  if n < _FEW_SUBJECTS:
    found.append(f'With fewer than {_FEW_SUBJECTS} subjects 95 % intervals cover less than they promise.')
  return found


def text_tables(summary: Mapping) -> list[TextTable]:
  """Returns all tables of the summary as strings; a table without a line is left out."""
  found = [_curve_table(summary), *(_marker_table(summary, quantity) for quantity in UNITS)]
  found += [_region_table(summary), _temporal_table(summary), _repeatability_table(summary)]
  counts = [[name.replace('_', ' '), str(count)] for name, count in summary['cines'].items()]
  return [table for table in (*found, TextTable('Cines', ['cines', 'number'], counts)) if table.rows]


def terminal(summary: Mapping) -> Group:
  """Returns the errors of the global curves and of their peaks with the notes, to be printed by `rich`."""
  found = [_curve_table(summary), _peak_table(summary)]
  return as_terminal([table for table in found if table.rows], summary['notes'])


def _curve_table(summary: Mapping) -> TextTable:
  header = ['component', 'RMSE', '95 % t interval', 'largest error', 'r']
  body = []
  for component, entry in summary['curves'].items():
    if entry['rmse']:
      interval = _range(entry['rmse']['t_interval'], 2)
      cells = [_spread(entry['rmse'], 2), interval, _spread(entry['max_difference'], 2), _spread(entry['r'], 3)]
      body.append([component, *cells])
  return TextTable(f'Global velocity curves (cm/s), mean ± SD over {summary["n_subjects"]} subjects', header, body)


def _marker_table(summary: Mapping, quantity: str) -> TextTable:
  unit, digits = UNITS[quantity], 2 if quantity == 'velocity' else 1
  header = ['peak', 'n', 'reference', 'bias', 'SD', '95 % t interval', 'lower limit', 'upper limit', 'p of slope']
  body = []
  for name, _, entry in entries(summary['markers'], quantity):
    limits, intervals = entry['limits'] or [None, None], entry['limit_intervals'] or [None, None]
    cells = [_number(entry[key], digits) for key in ('mean_reference', 'bias', 'sd')]
    cells.append(_range(entry['bias_t_interval'], digits))
    cells += [
      _number(limit, digits) + (f' ({_range(interval, digits)})' if interval else '')
      for limit, interval in zip(limits, intervals, strict=True)
    ]
    body.append([name, str(entry['n']), *cells, _number(entry['slope_p'], 3)])
  return TextTable(f'{_NAMES[quantity]} ({unit}): prediction less reference, limits of agreement', header, body)


def _peak_table(summary: Mapping) -> TextTable:
  """What fits a terminal of 80 columns."""
  body = []
  for name, _, entry in entries(summary['markers'], 'velocity'):
    cells = [_number(entry[key], 2) for key in ('mean_reference', 'bias', 'sd')]
    body.append([name, *cells, _range(entry['limits'], 2)])
  header = ['peak', 'reference', 'bias', 'SD', 'limits of agreement']
  return TextTable('Peak velocity (cm/s): prediction less reference', header, body)


def _region_table(summary: Mapping) -> TextTable:
  groups = next(iter(summary['curves'].values()))['regions'] if summary['curves'] else {}
  header = ['component', *(f'{group} {name}' for group in groups for name in ('RMSE (cm/s)', 'r'))]
  body = []
  for component, entry in summary['curves'].items():
    regions = entry['regions'].values()
    cells = [_spread(region[name], digits) for region in regions for name, digits in (('rmse', 2), ('r', 3))]
    if any(cell != _DASH for cell in cells):
      body.append([component, *cells])
  return TextTable('Curves of regions, mean over the regions of a cine', header, body)


def _temporal_table(summary: Mapping) -> TextTable:
  body = []
  for metric, entry in summary['temporal'].items():
    ratio = entry['ratio']
    unit = f' ({entry["unit"]})' if entry['unit'] else ''
    cells = [_number(entry[side], 3) for side in ('prediction', 'reference')]
    cells += [_spread(ratio, 3), _range(ratio and ratio['t_interval'], 3)]
    body.append([metric.replace('_', ' ') + unit, *cells])
  header = ['metric', 'prediction', 'reference', 'ratio', '95 % t interval']
  return TextTable('Temporal consistency', header, body)


def _repeatability_table(summary: Mapping) -> TextTable:
  header = [
    'peak',
    'n',
    's_w manual',
    's_w automatic',
    'ratio',
    'RC manual',
    'RC automatic',
    'ICC manual',
    'ICC automatic',
  ]
  body = []
  for quantity in UNITS:
    digits = 2 if quantity == 'velocity' else 1
    for name, _, entry in entries(summary['repeatability'] or {}, quantity):
      sides = [entry[side] for side in _SIDES]
      ratio = _number(entry['ratio'], 2)
      ratio += f' ({_range(entry["ratio_interval"], 2)})' if entry['ratio_interval'] else ''
      cells = [*(_number(side['s_w'], digits) for side in sides), ratio]
      cells += [_number(side['repeatability_coefficient'], digits) for side in sides]
      cells += [_number(side['icc'], 2) for side in sides]
      body.append([f'{name}, {_NAMES[quantity].lower()} ({UNITS[quantity]})', str(sides[0]['n']), *cells])
  return TextTable('Repeatability over two visits', header, body)


def entries(nested: Mapping, quantity: str) -> Iterator[tuple[str, tuple[str, str], Mapping]]:
  """Yields the label, (component, marker) and entry of every marker that has the quantity."""
  for component, markers in nested.items():
    for marker, quantities in markers.items():
      if quantity in quantities:
        yield f'{component} {marker}', (component, marker), quantities[quantity]


def _spread(entry: Mapping | None, digits: int) -> str:
  if not entry:
    return _DASH
  return _number(entry['mean'], digits) + ('' if entry['sd'] is None else f' ± {_number(entry["sd"], digits)}')


def _range(interval: list[float] | None, digits: int) -> str:
  return _DASH if interval is None else f'{_number(interval[0], digits)} to {_number(interval[1], digits)}'


def _number(value: float | None, digits: int) -> str:
  if value is None:
    return _DASH
  text = f'{value:.{digits}f}'
  return text.lstrip('-') if float(text) == 0 else text  # no '-0.00'
