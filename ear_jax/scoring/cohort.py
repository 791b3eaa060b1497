"""Compares studies: curves on a normalised cycle and peaks, one value per level of a study, then one per person.

Slices of one level are averaged first, then a person's studies. A curve is put on `POINTS` points of the cycle by
cyclic linear interpolation: at equal parts of the RR interval ('rr', the default: no measured time enters), or with end
systole at 35 % in every slice ('es', the normalised time of tissue phase mapping: it takes the heart rate's larger
effect on diastole away, and with it any difference in the length of systole).

A level is where a value is of: 'mid' is its whole wall, 'mid AS' and 'mid inner third' a region of it. Strains are
components of their own, in %; they are of `WHOLE`, too: of the mean over all slices.
"""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd

from ear_jax.analysis.motion import COMPONENTS, KINDS, SECTORS

POINTS = 50
ALIGNMENTS = ('rr', 'es')
LEVELS = ('base', 'mid', 'apex', '')  # '': the study does not say which
# PC3 is missing where it is small, and either sign: no group of people has a mean of it.
PEAKS = {'longitudinal': ('PS', 'PD', 'PAS'), 'radial': ('PS', 'PD', 'PAS'), 'circumferential': ('PC1', 'PC2')}
WHOLE = 'all slices'
STRAINS = {f'{kind} strain': 'largest' if kind == 'radial' else 'smallest' for kind in KINDS[:3]}  # name of their peak
_THIRDS = {'endo': 'inner third', 'mid': 'middle third', 'epi': 'outer third'}
QUANTITIES = {'velocity': 'cm/s', 'time': 'ms', 'strain': '%'}
KEYS = ['level', 'component', 'marker', 'quantity']
_END_SYSTOLE = 0.35  # of the cycle, as `analysis.markers.normalise_time`


def on_cycle(curve: np.ndarray, end_systole: float | None = None) -> np.ndarray:
  """Returns a curve `[T]` of a cycle at `POINTS` equal parts of it; all NaN where a frame is unknown.

  Args:
    curve: any unit; frame T would be frame 0 again.
    end_systole: its frame, that is put at 35 % of the cycle; None: parts of the RR interval.
  """
  curve = np.asarray(curve, float)
  frames, share = len(curve), np.arange(POINTS) / POINTS
  at = share * frames
  if end_systole is not None:
    late = end_systole + (share - _END_SYSTOLE) / (1 - _END_SYSTOLE) * (frames - end_systole)
    at = np.where(share <= _END_SYSTOLE, share / _END_SYSTOLE * end_systole, late)
  if not (np.isfinite(curve).all() and np.isfinite(at).all()):
    return np.full(POINTS, np.nan)
  return np.interp(at, np.arange(frames + 1), np.append(curve, curve[0]))


def level_curves(
  curves: pd.DataFrame, markers: pd.DataFrame, align: str = 'rr', column: str = 'velocity_cm_s'
) -> pd.Series:
  """Returns a study's curves, cm/s or %, by (level, component, point): the mean over the slices of a level.

  Args:
    curves: slice, level, component, frame, and the values in the column `column`; one region alone at a level.
    markers: slice, component, marker, frame of the whole wall; for ES.
    align: of `ALIGNMENTS`.
    column: 'velocity_cm_s' or 'strain_percent'.
  """
  ends = markers[(markers['marker'] == 'ES') & (markers['component'] == 'radial')].set_index('slice')['frame']
  rows = []
  for (name, level, component), part in curves.groupby(['slice', 'level', 'component'], sort=False):
    end = None if align == 'rr' else float(ends.get(name, np.nan))
    values = on_cycle(part.sort_values('frame')[column].to_numpy(), end)
    index = pd.MultiIndex.from_product([[level], [component], range(POINTS)], names=['level', 'component', 'point'])
    rows.append(pd.Series(values, index))
  return pd.concat(rows).groupby(level=[0, 1, 2]).mean()


def level_peaks(markers: pd.DataFrame) -> pd.Series:
  """Returns a study's `PEAKS`, cm/s and ms, by `KEYS`: the mean over the slices of a level.

  Args:
    markers: level, component, marker, velocity_cm_s, time_ms; one region alone at a level.
  """
  known = [markers['component'].eq(c) & markers['marker'].isin(names) for c, names in PEAKS.items()]
  chosen = markers[np.any(known, axis=0)].rename(columns={'velocity_cm_s': 'velocity', 'time_ms': 'time'})
  long = chosen.melt(KEYS[:3], ['velocity', 'time'], 'quantity')
  return long.groupby(KEYS)['value'].mean()


def strain_curves(strain: pd.DataFrame, markers: pd.DataFrame, align: str = 'rr') -> pd.Series:
  """Returns a study's strains in %, by (level, component of `STRAINS`, point), of each level and of `WHOLE`.

  Args:
    strain: slice, level, kind, frame, strain_percent, group; one region alone at a level.
    markers: as of `level_curves`.
    align: of `ALIGNMENTS`.
  """
  named = strain.assign(component=strain['kind'] + ' strain')
  named = named[named['component'].isin(list(STRAINS))]
  whole = named[named['group'] == 'global'].assign(level=WHOLE)
  return level_curves(pd.concat([named, whole]), markers, align, 'strain_percent')


def strain_peaks(curves: pd.Series) -> pd.Series:
  """Returns by `KEYS` the peak of each curve of `strain_curves`: its largest value, or its smallest."""
  peaks = {}
  grouped: Any = curves.groupby(level=['level', 'component'])
  for (level, component), values in grouped:
    of = STRAINS[component]
    peak = values.max(skipna=False) if of == 'largest' else values.min(skipna=False)
    peaks[level, component, of, 'strain'] = peak
  index = pd.MultiIndex.from_tuples(list(peaks), names=KEYS)
  return pd.Series(list(peaks.values()), index, name='value', dtype=float)


def placed(table: pd.DataFrame, groups: Collection[str]) -> pd.DataFrame:
  """Returns the lines of some groups of regions, their level with the region's name where it is not the whole wall."""
  chosen = table[table['group'].isin(groups)]
  region = chosen['region_name'].replace(_THIRDS).where(chosen['group'] != 'global', '')
  return chosen.assign(level=(chosen['level'] + ' ' + region).str.strip())


def unit(component: str) -> str:
  """Returns the unit of a component's curves."""
  return '%' if component in STRAINS else 'cm/s'


def table(rows: Mapping[str, pd.Series]) -> pd.DataFrame:
  """Returns one line a study and one column a value, in the order of levels, components and time."""
  frame = pd.DataFrame.from_dict({name: row.to_dict() for name, row in rows.items()}, orient='index')
  if frame.empty:
    return frame
  names = next(iter(rows.values())).index.names
  frame.columns = pd.MultiIndex.from_tuples(keys(frame), names=names)
  regions = ('', *SECTORS['CW'], *_THIRDS.values())
  levels = (WHOLE, *(f'{level} {region}'.strip() for region in regions for level in LEVELS))
  parts = (*levels, *COMPONENTS, *STRAINS, 'PS', 'PD', 'PAS', 'PC1', 'PC2', *STRAINS.values(), *QUANTITIES)
  rank = {name: i for i, name in enumerate(parts)}
  order = sorted(keys(frame), key=lambda key: [rank.get(part, part) for part in key])
  return frame[order]


def keys(values: pd.DataFrame) -> list[tuple[Any, ...]]:
  """Returns the columns of a table."""
  columns: Any = values.columns
  return columns.tolist()


def people(values: pd.DataFrame, person: Mapping[str, str]) -> pd.DataFrame:
  """Returns one line a person: the mean over the studies of each. `person`: study to person, of all lines."""
  return values.groupby(values.index.map(person)).mean()
