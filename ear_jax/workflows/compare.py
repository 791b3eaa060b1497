"""Compares studies that `predict` analysed: all in one table, groups, with a normal group, visits of a person."""

import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ear_jax.formats.people_file import read_people, read_table
from ear_jax.formats.result_folder import Results, read_results
from ear_jax.report.compared import Choice, Comparison, Groups, Normal, Visits
from ear_jax.report.comparison import write_comparison
from ear_jax.report.published import PUBLISHED, read_bands
from ear_jax.scoring import cohort, normal_group, visit_changes
from ear_jax.scoring import groups as two_groups
from ear_jax.system.errors import UsageError, UserError, some
from ear_jax.system.files import require_writable
from ear_jax.workflows.comparable import common_levels, one_convention, one_origin, require_strain, usable

Path = str | os.PathLike
_REGIONS = {'sectors': 'angular6', 'layers': 'layers'}  # name to group of regions
Names = dict[str, dict[str, str]]  # study to its group, person and visit


def compare(
  results: Path,
  output: Path,
  *,
  groups: Path | None = None,
  visits: Path | None = None,
  normal: Path | None = None,
  repeatability: Path | None = None,
  bands: Path | None = None,
  choice: Choice | None = None,
) -> dict:
  """Writes tables, pictures and a page into `output` and returns what `comparison.json` holds.

  Args:
    results: folder that holds results of `predict`.
    output: folder to write.
    groups: csv file with the columns study and group (of two values), and person where one has several studies.
    visits: csv file with the columns study, person and visit; a person's visits in the order of time.
    normal: folder of results of an own normal group.
    repeatability: `repeatability.csv` of another comparison; None: from the visits of the other people.
    bands: csv file of the user's own bands (`published.read_bands`).
    choice: what is compared, and how.

  Raises: UserError when files contradict each other or the results, when conventions or levels of studies differ, and
    when there are too few people.

  >>> for subject in (1, 2):  # phantoms have contours: no network is needed
  ...   study = ear_jax.phantom_study(subject=subject)
  ...   _ = ear_jax.predict(study, f'analysed/{subject}', [])
  >>> found = ear_jax.compare('analysed', 'comparison')
  >>> found['studies'], found['compared']
  (2, 2)
  """
  choice, output = choice or Choice(), pathlib.Path(output)
  studies, unfinished = read_results(pathlib.Path(results))
  controls = read_results(pathlib.Path(normal))[0] if normal is not None else []
  if both := {one.study for one in studies} & {one.study for one in controls}:
    raise UserError(f'{some(sorted(both))}: among the studies and in the normal group: leave them out of one')
  names: Names = {one.study: {} for one in (*studies, *controls)}
  grouped, visited = _named(groups, ('group',), names), _named(visits, ('person', 'visit'), names)
  known = None if repeatability is None else _repeatability(pathlib.Path(repeatability))
  if known is not None and not visited:
    raise UsageError('--repeatability is of two visits of a person: give --visits too')
  own = [] if bands is None else read_bands(pathlib.Path(bands))
  require_writable(output, 'the comparison')

  used, notes = usable(studies, choice.failed)
  normals, said = usable(controls, choice.failed, ' of the normal group')
  notes += [*said, *[f'folders of unfinished results, without summary.json: {unfinished}'] * bool(unfinished)]
  comparing = bool(grouped or visited or controls)
  notes += one_convention([*used, *normals], refuse=comparing) + one_origin([*used, *normals])
  asked = used if controls else [one for one in used if one.study in {*grouped, *visited}]
  levels = common_levels([*asked, *normals], choice.levels) if comparing else choice.levels
  if comparing and choice.strain:
    require_strain([*asked, *normals])
  curves, peaks = _tables(used, choice, levels)
  comparison = Comparison(
    studies, names, curves, peaks, notes, choice, [*own, *(PUBLISHED if choice.published else ())]
  )
  if grouped:
    comparison = _with_groups(comparison, grouped)
  if controls:
    comparison = _with_normal(comparison, *_tables(normals, choice, levels))
  if visited:
    comparison = _with_visits(comparison, visited, known)
  return write_comparison(output, comparison)


def _named(path: Path | None, needed: tuple[str, ...], names: Names) -> list[str]:
  """Reads a file of names into `names` and returns its studies; it must not contradict what was read before."""
  if path is None:
    return []
  table = read_people(pathlib.Path(path), needed)
  if unknown := [study for study in table.index if study not in names]:
    raise UserError(f'{path} names studies that have no results: {some(unknown)}')
  for study, row in table.to_dict('index').items():
    for column, value in row.items():
      other = names[str(study)].setdefault(str(column), value)
      if other != value:
        raise UserError(f'{path}: the {column} of {study} is {value}, and {other} in the other file')
  return list(table.index)


def _repeatability(path: pathlib.Path) -> pd.DataFrame:
  table = read_table(path, (*cohort.KEYS, 'df', 's_w'))
  try:
    return table[table['s_w'] != ''].astype({'df': int, 's_w': float})
  except ValueError as fault:
    raise UserError(f'{path}: s_w and df must be numbers, as repeatability.csv of ear_jax.compare has them') from fault


def _tables(studies: Sequence[Results], choice: Choice, levels: tuple[str, ...]) -> tuple[pd.DataFrame, pd.DataFrame]:
  """Returns curves and peaks, one line a study, of the levels and components that are compared."""
  groups = ['global', *(_REGIONS[name] for name in choice.regions)]
  curves, peaks = {}, {}
  for one in studies:
    if one.curves is None or one.markers is None:
      continue
    whole = one.markers[one.markers['group'] == 'global']
    of_curves, of_peaks = (
      cohort.placed(table[table['component'].isin(choice.components) & _of(table, levels)], groups)
      for table in (one.curves, one.markers)
    )
    if not len(of_curves):
      continue
    curves[one.study] = cohort.level_curves(of_curves, whole, choice.align)
    peaks[one.study] = cohort.level_peaks(of_peaks)
    if choice.strain and one.strain is not None:
      strain = cohort.placed(one.strain[_of(one.strain, levels)], groups)
      curves_of_strain = cohort.strain_curves(strain, whole, choice.align)
      curves[one.study] = pd.concat([curves[one.study], curves_of_strain])
      peaks[one.study] = pd.concat([peaks[one.study], cohort.strain_peaks(curves_of_strain)])
  return cohort.table(curves), cohort.table(peaks)


def _of(table: pd.DataFrame, levels: tuple[str, ...]) -> pd.Series:
  return table['level'].isin(levels) if levels else pd.Series(True, table.index)


def _known(curves: pd.DataFrame, what: str) -> tuple[pd.DataFrame, list[str]]:
  """Returns curves without the strains that a study with whole velocity curves lacks, and a note.

  A strain that is noise in one frame of one study would else take its person out of every curve.
  """
  strains = [key for key in cohort.keys(curves) if key[1] in cohort.STRAINS]
  whole = curves.drop(columns=strains).notna().all(axis=1)
  lost = {key[:2]: list(curves.index[whole & curves[key].isna()]) for key in strains}
  lost = {place: studies for place, studies in lost.items() if studies}
  if not lost:
    return curves, []
  (level, component), without = next(iter(lost.items()))
  kept = [key for key in cohort.keys(curves) if key[:2] not in lost]
  return curves[kept], [
    f'{what}: {len(lost)} strain curves left out, which are unknown in a study, wholly or in some frames (noise, no '
    f'place of the slices), such as {level} {component} of {some(without)}'
  ]


def _people(
  names: Mapping[str, Mapping[str, str]], studies: Sequence[str], what: str
) -> tuple[dict[str, str], list[str]]:
  """Returns the person of each study, itself where no file says one, and notes on both."""
  person = {study: names[study].get('person', study) for study in studies}
  notes = []
  if not any('person' in names[study] for study in studies):
    notes.append(f'{what}: each study is taken for another person, since no file has a column person')
  if several := len(person) - len(set(person.values())):
    notes.append(f'{what}: a person counts once, by the mean of their studies (further studies of a person: {several})')
  return person, notes


def _timed(peaks: pd.DataFrame, what: str) -> tuple[pd.DataFrame, list[str]]:
  """Returns peaks without times where a study does not know the time between frames, and a note."""
  times = peaks.columns.get_level_values('quantity') == 'time'
  unknown = list(peaks.index[peaks.loc[:, times].isna().all(axis=1)])
  if not unknown:
    return peaks, []
  told = f'the time between frames is unknown in {len(unknown)} of {len(peaks)} studies ({some(unknown)})'
  return peaks.loc[:, ~times], [f'{what}: times are not compared: {told}']


def _with_groups(comparison: Comparison, grouped: Sequence[str]) -> Comparison:
  choice = comparison.choice
  person, _ = _people(comparison.named, grouped, 'groups')
  of: dict[str, str] = {}
  for study in grouped:
    group = comparison.named[study]['group']
    if of.setdefault(person[study], group) != group:
      raise UserError(f'person {person[study]} is in group {of[person[study]]} and in group {group}')
  labels = list(dict.fromkeys(of.values()))
  if len(labels) != 2:
    raise UserError(f'two groups are compared, and the file names {len(labels)}: {some(labels)}')
  chosen = [study for study in grouped if study in comparison.peaks.index]
  person, notes = _people(comparison.named, chosen, 'groups')
  peaks, said = _timed(comparison.peaks.loc[chosen], 'groups')
  people = cohort.people(peaks, person)
  known, strained = _known(comparison.curves.loc[chosen], 'groups')
  curves, said = cohort.people(known, person), said + strained
  whole = curves.dropna()
  lost = sorted(set(curves.index) - set(whole.index))
  said += [f'groups: people left out of the curves, for frames without contours: {some(lost)}'] * bool(lost)
  out = len(comparison.peaks) - len(chosen)
  said += [f'groups: studies that could be compared and are in no group: {out}'] * bool(out)
  second, in_curves = (np.array([of[p] == labels[1] for p in table.index], bool) for table in (people, whole))
  for who in (second, in_curves):
    sizes = len(who) - int(who.sum()), int(who.sum())
    if min(sizes) < two_groups.FEWEST:
      told = ' and '.join(f'{size} people of {label}' for size, label in zip(sizes, labels, strict=True))
      reasons = '; '.join([*comparison.notes, *said])
      raise UserError(f'{told} can be compared, {two_groups.FEWEST} or more of each are needed. {reasons}')
  lines, test = two_groups.compare_curves(
    whole, in_curves, families=choice.families, permutations=choice.permutations, seed=choice.seed
  )
  sizes = len(whole) - int(in_curves.sum()), int(in_curves.sum())
  tested = two_groups.compare_peaks(people, second, families=choice.families)
  made = Groups((labels[0], labels[1]), lines, test, sizes, tested, people, second)
  return dataclasses.replace(comparison, notes=[*comparison.notes, *notes, *said], groups=made)


def _with_normal(comparison: Comparison, curves: pd.DataFrame, peaks: pd.DataFrame) -> Comparison:
  person, notes = _people(comparison.named, list(peaks.index), 'normal group')
  curves, peaks = cohort.people(curves, person), cohort.people(peaks, person)
  if len(peaks) < normal_group.FEWEST:
    reasons = '; '.join(comparison.notes)
    raise UserError(f'{len(peaks)} people are in the normal group, {normal_group.FEWEST} or more are needed. {reasons}')
  together, said = _timed(pd.concat([peaks, comparison.peaks]), 'normal group')
  columns = [key for key in cohort.keys(together) if key in peaks]
  scores = normal_group.against_normal(comparison.peaks.reindex(columns=columns), peaks[columns])
  return dataclasses.replace(comparison, notes=[*comparison.notes, *notes, *said], normal=Normal(scores, curves))


def _with_visits(comparison: Comparison, visited: Sequence[str], known: pd.DataFrame | None) -> Comparison:
  table = pd.DataFrame({study: comparison.named[study] for study in visited if study in comparison.peaks.index}).T
  counts = table['person'].map(table['person'].value_counts()) if len(table) else pd.Series(dtype=int)
  single = sorted(table['person'][counts < 2]) if len(table) else []
  notes = [f'visits: people with one visit alone that can be compared: {some(single)}'] * bool(single)
  if not (counts > 1).any():
    raise UserError('no person has two visits that can be compared. ' + '; '.join([*comparison.notes, *notes]))
  pairs = table[counts > 1]
  twice = pairs[pairs.duplicated(['person', 'visit'])]
  if len(twice):
    raise UserError(f'person {twice["person"].iloc[0]} has several studies of visit {twice["visit"].iloc[0]}')
  peaks, said = _timed(comparison.peaks.loc[pairs.index], 'visits')
  changes = visit_changes.changes(peaks, pairs, known)
  if known is None:
    said.append(
      'visits: the limit of a person is from the visits of the others, whose own changes widen it; --repeatability '
      'takes that of people who were measured twice without a change'
    )
  if without := int(changes['limit'].isna().sum()):
    said.append(f'visits: {without} of {len(changes)} differences have no limit: no other person was measured twice')
  made = Visits(changes, visit_changes.repeatability_table(peaks, pairs))
  return dataclasses.replace(comparison, notes=[*comparison.notes, *notes, *said], visits=made)
