"""The parts of a comparison's page: files, pictures and tables of groups, of a normal group and of visits."""

import base64
import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from ear_jax.report import comparison_figures as pictures
from ear_jax.report import figures
from ear_jax.report.compared import Choice, Comparison, Groups, Normal, Visits
from ear_jax.report.published import Band
from ear_jax.scoring import cohort
from ear_jax.system.csv_files import write_csv
from ear_jax.system.table import Table, number, span

AXES = {'rr': 'time (% of the RR interval)', 'es': 'time (% of a cycle with the marker ES at 35 %)'}
DRAWN = 12  # studies, beside a normal group
_DIGITS = {'velocity': 2, 'time': 0, 'strain': 1}


@dataclasses.dataclass(frozen=True)
class Picture:
  """A picture for the page: `kind` is 'without' or 'beside' published values where there is one of each, else ''."""

  alternative: str
  uri: str
  width: int
  height: int
  kind: str = ''


@dataclasses.dataclass(frozen=True)
class Section:
  """A part of the page: `means` are sentences that say what pictures and tables mean; `bands` those that are drawn."""

  title: str
  means: Sequence[str]
  pictures: Sequence[Picture]
  tables: Sequence[Table]
  bands: Sequence[Band] = ()


def sections(output: pathlib.Path, comparison: Comparison) -> list[Section]:
  """Writes tables and pictures of what was compared into a folder and returns the parts of the page."""
  parts = []
  if comparison.groups:
    parts.append(_groups(output, comparison.groups, comparison.choice, comparison.bands))
  if comparison.normal:
    parts.append(_normal(output, comparison.normal, comparison.curves, comparison.choice))
  if comparison.visits:
    parts.append(_visits(output, comparison.visits))
  return parts


def level_name(level: str) -> str:
  """Returns a level as text."""
  return level or 'level not stated'


def peak_name(line: Mapping) -> str:
  """Returns level, component and marker of a line as text."""
  return f'{level_name(line["level"])} {line["component"]} {line["marker"]}'


def _groups(output: pathlib.Path, groups: Groups, choice: Choice, bands: Sequence[Band]) -> Section:
  write_csv(output / 'groups_curves.csv', groups.curves)
  write_csv(output / 'groups_peaks.csv', groups.peaks)
  lines, test, (one, two) = groups.curves, groups.test, groups.labels
  levels, components = (', '.join(dict.fromkeys(lines[name])) for name in ('level', 'component'))
  over = f'{len(lines)} points ({levels or level_name("")}; {components})'
  how = 'all that there are' if test.exact else f'drawn with seed {choice.seed}'
  means = [
    f'Each person counts once. Curves: {groups.in_curves[0]} and {groups.in_curves[1]} people; '
    f"Welch's t at each point; people change groups with whole curves, {test.permutations} labellings ({how}); "
    f'the largest |t| of each over all {over} is what a point is measured by: they are one family. '
    f'The smallest p is {lines["p"].min():.4f}.',
    "Peaks: Welch's t, Holm over all peak velocities, over all times to peak, and over all peak strains. Differences "
    f'are claimed (*, black bars) of {" and ".join(choice.families)} (--families), where p times '
    f'{len(choice.families)} is at most 0.05: any false claim about the groups has a chance of 5 %. Intervals of '
    'differences are of each peak alone.',
  ]
  drawn = pictures.curves_figure(lines, groups.labels, groups.in_curves, AXES[choice.align])
  shown = [_picture(output / 'groups_curves.png', drawn, 'Mean curves of both groups')]
  known = set(zip(groups.peaks['level'], groups.peaks['component'], groups.peaks['marker'], strict=True))
  used = [band for band in bands if (band.level, band.component, band.marker) in known]
  variants = {'without': ()} | ({'beside': used} if used else {})
  for kind, chosen in variants.items():
    drawn = pictures.peaks_figure(groups.people, groups.second, groups.labels, groups.peaks, chosen)
    path = output / f'groups_peaks{"_published" if chosen else ""}.png'
    shown.append(_picture(path, drawn, f'Peaks of both groups, {kind} published values', kind if used else ''))
  quantities = dict.fromkeys(groups.peaks['quantity'])
  return Section(f'{one} against {two}', means, shown, [group_table(groups, q) for q in quantities], used)


def group_table(groups: Groups, quantity: str) -> Table:
  """Returns the peaks of two groups as a table of strings."""
  unit, digits = cohort.QUANTITIES[quantity], _DIGITS[quantity]
  one, two = groups.labels
  header = ['peak', f'{one}, {unit}', 'n', f'{two}, {unit}', 'n', 'difference', '95 % interval', 'SDs', 'p', 'p, Holm']
  rows = []
  for line in groups.peaks[groups.peaks['quantity'] == quantity].to_dict('records'):
    value: dict[str, Any] = {str(key): None if pd.isna(v) else v for key, v in line.items()}
    row = [peak_name(line)]
    for k in (1, 2):
      spread = '' if value[f'sd_{k}'] is None else f' ± {number(value[f"sd_{k}"], digits)}'
      row += [number(value[f'mean_{k}'], digits) + spread, str(line[f'n_{k}'])]
    between = None if value['low'] is None else (value['low'], value['high'])
    row += [number(value['difference'], digits), span(between, digits), number(value['d'], 2), number(value['p'], 4)]
    rows.append([*row, number(value['p_holm'], 4) + ' *' * line['claimed']])
  name = {'velocity': 'Peak velocities', 'time': 'Times to peak', 'strain': 'Peak strains'}[quantity]
  return Table(f'{name}, mean ± SD over people', header, rows)


def _normal(output: pathlib.Path, normal: Normal, curves: pd.DataFrame, choice: Choice) -> Section:
  write_csv(output / 'normal.csv', normal.scores)
  known = normal.scores[normal.scores['z'].notna()]
  outside = known.groupby('study')['outside'].sum().sort_values(ascending=False, kind='stable')
  shown = []
  for study in map(str, outside.index[:DRAWN]):
    drawn = pictures.person_figure(
      study,
      pd.Series(curves.to_numpy()[curves.index.get_loc(study)], curves.columns),
      normal.curves,
      AXES[choice.align],
    )
    shown.append(_picture(output / f'normal_{study}.png', drawn, f'{study} in the band of the normal group'))
  rows = []
  for line in known[known['outside']].to_dict('records'):
    digits = _DIGITS[line['quantity']]
    row = [line['study'], peak_name(line), _quantity(line)]
    row += [number(line[key], digits) for key in ('value', 'mean', 'sd')]
    row += [str(line['n']), f'{line["z"]:+.1f}', span((line['low'], line['high']), digits)]
    rows.append([*row, number(line['p'], 4), number(line['p_holm'], 4)])
  header = ['study', 'peak', 'quantity', 'value', 'mean', 'SD', 'n', 'z', '95 % prediction interval', 'p', 'p, Holm']
  means = [
    'z = (value - mean) / SD of the normal group. Whether a value lies outside is told by the 95 % prediction interval,'
    ' mean -+ t(n-1) SD sqrt(1 + 1/n), which a small n widens. Of the peaks of a sound person one in twenty lies '
    'outside: p by Holm is over the peaks of a quantity of one study. The band of the curves is of each point alone.'
  ]
  if len(outside) > DRAWN:
    means.append(f'Drawn are the {DRAWN} studies with most peaks outside; normal.csv has all {len(outside)}.')
  return Section('Against the normal group', means, shown, [Table('Peaks outside the interval', header, rows)])


def _visits(output: pathlib.Path, visits: Visits) -> Section:
  write_csv(output / 'visits.csv', visits.changes)
  write_csv(output / 'repeatability.csv', visits.repeatability)
  rows = []
  for line in visits.changes[visits.changes['beyond']].to_dict('records'):
    row = [line['person'], f'{line["from"]} to {line["to"]}', peak_name(line), _quantity(line)]
    columns = ('first', 'later', 'difference', 'limit', 'repeatability_coefficient')
    rows.append([*row, *(number(line[key], _DIGITS[line['quantity']]) for key in columns), str(line['df'])])
  header = ['person', 'visits', 'peak', 'quantity', 'first', 'later', 'difference', 'limit', '2.77 s_w', 'df of s_w']
  means = [
    'Two measurements of an unchanged person differ by more than the limit, t(df) sqrt(2) s_w, in 5 % of cases; with '
    'many degrees of freedom it is the repeatability coefficient 2.77 s_w. The limit is of each peak alone.'
  ]
  drawn = _picture(output / 'visits.png', pictures.changes_figure(visits.changes), 'Differences between visits')
  return Section('Visits of a person', means, [drawn], [Table('Differences beyond their limit', header, rows)])


def _quantity(line: Mapping) -> str:
  return f'{line["quantity"]}, {cohort.QUANTITIES[line["quantity"]]}'


def _picture(path: pathlib.Path, figure: Figure, alternative: str, kind: str = '') -> Picture:
  figures.save(figure, path)
  width, height = (round(96 * inches) for inches in figure.get_size_inches())
  uri = f'data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}'
  return Picture(alternative, uri, width, height, kind)
