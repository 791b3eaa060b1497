"""Reads folders of results that `predict` wrote: verdict of the quality gate, curves and markers of each study."""

import dataclasses
import json
import pathlib
from collections.abc import Sequence
from typing import Any

import pandas as pd

from ear_jax.formats.opened import NAME
from ear_jax.system.errors import UserError

_KEYS = ('study', 'verdict', 'curves_withheld', 'slices', 'checks', 'settings', 'versions')
_SLICE = ('frames', 'frame_interval_ms', 'holds_ventricle', 'expected_dice')
_CHECK = ('name', 'slice_id', 'status', 'reason')
_WHERE = ['slice', 'level', 'group', 'region_name']
_CURVES = [*_WHERE, 'component', 'frame', 'velocity_cm_s']
_MARKERS = [*_WHERE, 'component', 'marker', 'frame', 'velocity_cm_s', 'time_ms']
_STRAIN = [*_WHERE, 'kind', 'frame', 'strain_percent']
_NUMBERS = ('frame', 'velocity_cm_s', 'time_ms', 'strain_percent')
GROUPS = ('global', 'angular6', 'layers')  # of regions, that are read


@dataclasses.dataclass(frozen=True, eq=False)
class Results:
  """One study's results.

  Attributes:
    study: its pseudonym.
    verdict: of the quality gate: 'pass', 'warn' or 'fail'.
    withheld: there are no curves because the gate failed.
    slices: as `summary.json` has them.
    checks: the same, with 'name', 'slice_id', 'status', 'reason'.
    settings: conventions and switches of the analysis.
    versions: of the software and the networks.
    curves: slice, level, group (of `GROUPS`), region_name, component, frame, velocity_cm_s; None where there are none.
    markers: slice, level, group, region_name, component, marker, frame, velocity_cm_s, time_ms of the same.
    strain: slice, level, group, region_name, kind, frame, strain_percent; None where there is no such file.
  """

  study: str
  verdict: str
  withheld: bool
  slices: Sequence[dict[str, Any]]
  checks: Sequence[dict[str, str]]
  settings: dict[str, Any]
  versions: dict[str, str]
  curves: pd.DataFrame | None
  markers: pd.DataFrame | None
  strain: pd.DataFrame | None = None


def read_results(folder: pathlib.Path) -> tuple[list[Results], int]:
  """Returns the studies whose results lie in `folder` or below it, in the order of their names, and unfinished ones.

  The number counts folders with curves and no summary, as an interrupted `predict` leaves them.

  Raises: UserError when there is no study, a file is broken, or two folders hold a study of one name.
  """
  if not folder.is_dir():
    raise UserError(f'{folder} is no folder: give the --output of ear_jax.predict')
  by_study: dict[str, tuple[pathlib.Path, Results]] = {}
  for path in sorted(folder.rglob('summary.json')):
    one = _read(path)
    if one is None:
      continue
    if one.study in by_study:
      raise UserError(f'study {one.study} is in {by_study[one.study][0]} and in {path.parent}: keep one of the two')
    by_study[one.study] = path.parent, one
  if not by_study:
    raise UserError(f'no results lie in {folder}: it has no summary.json as ear_jax.predict writes it')
  finished = {where for where, _ in by_study.values()}
  unfinished = sum(path.parent not in finished for path in folder.rglob('curves.csv'))
  return [by_study[study][1] for study in sorted(by_study)], unfinished


def _read(path: pathlib.Path) -> Results | None:
  """Returns one study; None for a summary.json of something else."""
  try:
    summary = json.loads(path.read_text(encoding='utf-8'))
  except (OSError, ValueError) as fault:
    raise UserError(f'{path} cannot be read ({type(fault).__name__}): run ear_jax.predict again') from fault
  if not isinstance(summary, dict) or any(key not in summary for key in _KEYS):
    return None
  parts = [(summary['slices'], _SLICE), (summary['checks'], _CHECK), ([summary['settings'], summary['versions']], ())]
  known = all(isinstance(many, list) and all(_has(one, keys) for one in many) for many, keys in parts)
  if not known or not NAME.fullmatch(str(summary['study'])):
    raise UserError(f'{path} is not as this version writes it: run ear_jax.predict again')
  curves, markers, strain = (_table(path.with_name(name), columns) for name, columns in _TABLES.items())
  if (curves is None) != (markers is None):
    missing = 'curves.csv' if curves is None else 'markers.csv'
    raise UserError(f'{path.parent} lacks {missing}: run ear_jax.predict again')
  study, verdict, withheld, slices, checks, settings, versions = (summary[key] for key in _KEYS)
  return Results(study, verdict, withheld, slices, checks, settings, versions, curves, markers, strain)


_TABLES = {'curves.csv': _CURVES, 'markers.csv': _MARKERS, 'strain.csv': _STRAIN}


def _has(one: Any, keys: Sequence[str]) -> bool:
  return isinstance(one, dict) and all(key in one for key in keys)


def _table(path: pathlib.Path, columns: list[str]) -> pd.DataFrame | None:
  if not path.exists():
    return None
  texts = dict.fromkeys((*_WHERE, 'component', 'kind', 'marker'), str)
  try:
    table = pd.read_csv(path, keep_default_na=False, na_values=[''], dtype=texts)
    chosen = table.loc[table['group'].isin(GROUPS), columns]
    numbers = chosen.select_dtypes('number').columns
    wrong = [name for name in _NUMBERS if name in columns and name not in numbers]
  except (OSError, ValueError, KeyError) as fault:
    raise UserError(f'{path} cannot be read ({type(fault).__name__}): run ear_jax.predict again') from fault
  if wrong:
    raise UserError(f'{path}: column {wrong[0]} holds a text: run ear_jax.predict again')
  return chosen.fillna({'level': ''}).reset_index(drop=True)
