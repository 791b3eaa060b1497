"""What the analysis of one slice holds: contours, regions' velocity curves and their markers.

Pure data, no computation: `analysis.slices.analyse` makes it, reports, tables and writers read it. It gives itself as
named arrays (xarray) and as a table (pandas).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ear_jax.analysis.septum import Septum
from ear_jax.cine import Place, Venc

if TYPE_CHECKING:
  import xarray as xr

  from ear_jax.analysis.strain import Strain

COMPONENTS = ('longitudinal', 'radial', 'circumferential')  # the last axis of every velocity array, in this order
GROUPS = {'global': 1, 'angular6': 6, 'angular24': 24, 'layers': 3}  # regions of each kind
KINDS = ('radial', 'circumferential', 'longitudinal', 'shear')  # of strain and strain rate, their last axis
POINTS = 360  # of a contour
INTERVALS = ('velocity_low', 'velocity_high', 'time_low', 'time_high')  # ends of the 95 % intervals of a marker
# Sector k of six begins k * 60 degrees clockwise on screen from mid septum.
SECTORS = {'CCW': ('IS', 'I', 'IL', 'AL', 'A', 'AS'), 'CW': ('AS', 'A', 'AL', 'IL', 'I', 'IS')}
LAYERS = ('endo', 'mid', 'epi')


def region_names(group: str, orientation: str) -> tuple[str, ...]:
  """Returns the names of a group's regions in the order of their numbers.

  Args:
    group: a key of `GROUPS`.
    orientation: 'CCW' or 'CW'; sectors run clockwise on screen, and it says in which order anatomy meets them.

  Raises:
    ValueError: unknown group or orientation.
  """
  if group not in GROUPS or orientation not in SECTORS:
    known = f'{", ".join(GROUPS)} and {", ".join(SECTORS)}'
    raise ValueError(f'group {group!r}, orientation {orientation!r}: expected one of {known}')
  six = SECTORS[orientation]
  return {
    'global': ('global',),
    'angular6': six,
    'angular24': tuple(f'{name} {part + 1}' for name in six for part in range(4)),
    'layers': LAYERS,
  }[group]


@dataclasses.dataclass(frozen=True)
class Settings:
  """Conventions and switches of the analysis; each is written into every result.

  Attributes:
    orientation: 'CCW' or 'CW', the order in which sectors are named; 'CCW' for arrays that show the heart from the base
      (right ventricle on the right), as StrainMap's default. It changes names, not numbers.
    circumferential_sign: +1: positive is counter-clockwise on the array as stored; -1: clockwise.
    signs: +1 or -1 for the velocity along column, along row and through the plane, applied before all else.
    remove_mean: take each curve's mean over the cycle away (background phase; assumes that the tissue returns).
    unwrap: undo phase wraps inside the wall.
    smooth_contours: strength of the cyclic smoothing of contours over frames; 0: off.
    border: mm of wall next to either contour left out of the curves, never more than a quarter of the wall; about half
      an acquired pixel holds signal of blood or fat as well. 0: the whole wall, as StrainMap.
    view_sharing: weight of each neighbouring frame in a frame's data, undone in the curves; 0: left as measured.
  """

  orientation: str = 'CCW'
  circumferential_sign: int = 1
  signs: tuple[int, int, int] = (1, 1, 1)
  remove_mean: bool = True
  unwrap: bool = True
  smooth_contours: float = 0.0
  border: float = 0.0
  view_sharing: float = 0.0

  @property
  def seen_from_apex(self) -> str:
    """How positive rotation and twist turn when seen from the apex, as the field states them: 'clockwise' or not."""
    from_apex = self.orientation == 'CW'  # the picture shows the heart from there
    return 'counter-clockwise' if from_apex == (self.circumferential_sign > 0) else 'clockwise'


@dataclasses.dataclass(frozen=True, eq=False)
class Contours:
  """Endocardium and epicardium of every frame.

  Attributes:
    endo, epi: `[T, P, 2]` float64 (row, column) in pixels, whole numbers are pixel centres; point i of both lies at
      the same angle about the frame's centre; open (the first point is not repeated); NaN where a frame has no ring.
      P is 360, or what a person's file has.
    flags: for each frame '' or what was repaired or failed, in words: 'ring closed', 'second component removed', ...
    failed: `[T]` bool, frames without contours.
    drawn: by a person, and kept as drawn.
    corrected: by a person who began with those of a network.
    origins: for each frame where its contours are from, a key of `origin.WORDS`; empty when that is not known.
    networks: those that contours are from or began with, each with what it was trained on.
    error: `[T]` mm (px where the spacing is unknown), standard error of the radius where contours followed from other
      frames; empty when that is not known.
  """

  endo: np.ndarray
  epi: np.ndarray
  flags: tuple[str, ...]
  failed: np.ndarray
  drawn: bool = False
  corrected: bool = False
  origins: tuple[str, ...] = ()
  networks: tuple[str, ...] = ()
  error: tuple[float, ...] = ()

  @property
  def made(self) -> str:
    """As DICOM calls it: AUTOMATIC, SEMIAUTOMATIC (a network's, corrected by a person) or MANUAL."""
    return 'SEMIAUTOMATIC' if self.corrected else 'MANUAL' if self.drawn else 'AUTOMATIC'


@dataclasses.dataclass(frozen=True, eq=False)
class SliceMotion:
  """The motion of one slice.

  Attributes:
    name: `dataset/slice`.   level: 'base', 'mid', 'apex' or ''.
    spacing: mm along row and column index.   frame_interval: ms.
    mask: `[T, H, W]` uint8, the pixels whose centres lie between the contours: what the curves are means over, without
      `Settings.border`.
    contours: the borders of that mask.
    centre: `[T, 2]` (row, column), mean of the epicardial points, smoothed over 7 frames around the cycle.
    septum: `[T, 2]` (row, column), the mid-septal point that sector 0 begins at.
    septal_reference: where that comes from, and whether a person stated it.
    curves: for each group of `GROUPS`, `[regions, T, 3]` in cm/s, components as in `COMPONENTS`: longitudinal towards
      the apex, radial inward, circumferential by `Settings.circumferential_sign`; NaN on failed frames.
    offset: like `curves` without the time axis: the mean over the cycle that was taken away, cm/s.
    markers: one line a marker: group, region (number from 0), region_name, component, marker, frame, velocity (cm/s),
      time (ms), normalised_time (of a cycle of 1000 ms), and the ends of the intervals of velocity and time,
      `INTERVALS`, NaN where there are none (`analysis.uncertainty`).
    rotation_rate: `[T]` rad/s, mean circumferential velocity over mean radius.
    rotation: `[T]` deg, its integral over time from frame 0.
    displacement: `[T, 3]` mm, the integral of the global curves.
    strain: how the wall deforms, region by region, with standard errors.
    wraps: number of pixels and frames in the wall whose velocity was unwrapped.
    settings: the conventions used.
    place: of the slice in the patient; None when unknown.
    venc: cm/s along column, along row and through the plane, that the velocities were scaled by; None without any.
    inward: `[T, 3]` cm/s, means over the wall: what the velocity along column and that along row add to the inward one,
      and the one to the apex; None without velocities.
  """

  name: str
  level: str
  spacing: tuple[float, float]
  frame_interval: float
  mask: np.ndarray
  contours: Contours
  centre: np.ndarray
  septum: np.ndarray
  septal_reference: Septum
  curves: dict[str, np.ndarray]
  offset: dict[str, np.ndarray]
  markers: pd.DataFrame
  rotation_rate: np.ndarray
  rotation: np.ndarray
  displacement: np.ndarray
  strain: Strain
  wraps: int
  settings: Settings
  place: Place | None = None
  venc: Venc | None = None
  inward: np.ndarray | None = None

  def __repr__(self) -> str:
    return f'SliceMotion({self.name}: {len(self.mask)} frames, {int(self.contours.failed.sum())} without contours)'

  def to_frame(self) -> pd.DataFrame:
    """Returns the curves, one line a value: slice, level, group, region, region_name, component, frame, time_ms,
    velocity_cm_s."""
    tables = []
    for group, curves in self.curves.items():  # [regions, T, 3]
      region, frame, component = (axis.ravel() for axis in np.indices(curves.shape))
      table = pd.DataFrame(
        {'slice': self.name.rpartition('/')[2], 'level': self.level, 'group': group, 'region': region}
      )
      table['region_name'] = np.array(region_names(group, self.settings.orientation), object)[region]
      table['component'] = np.array(COMPONENTS, object)[component]
      table['frame'] = frame
      table['time_ms'] = frame * self.frame_interval
      table['velocity_cm_s'] = curves.ravel()
      tables.append(table.sort_values(['region', 'component', 'frame']))
    return pd.concat(tables, ignore_index=True)

  def _deformation(self) -> dict[str, tuple[tuple[str, ...], np.ndarray, str]]:
    named = {'strain': '%', 'strain_error': '%', 'rate': '1/s', 'rate_error': '1/s'}
    variables: dict[str, tuple[tuple[str, ...], np.ndarray, str]] = {}
    for name, units in named.items():
      values = np.concatenate(list(getattr(self.strain, name).values()))
      variables[name.replace('rate', 'strain_rate')] = (('kind', 'region', 'frame'), np.moveaxis(values, -1, 0), units)
    return variables

  def to_xarray(self) -> xr.Dataset:
    """Returns everything as named arrays, each with its `units`; what is not known is NaN.

    `curves` (component, region, frame) and `offset`; `strain`, `strain_rate` and their standard errors `strain_error`,
    `strain_rate_error` (kind, region, frame); `marker_velocity`, `marker_time`, `marker_normalised_time` and
    `marker_frame` (marker, component, region); `rotation`, `rotation_rate` and `displacement`; `contours` (side, frame,
    point, axis), `centre`, `septum`, `flag` and `mask`. The settings of the analysis, the spacing and the origin of the
    septal reference are attributes. It can be saved: `to_netcdf`.
    """
    import xarray as xr  # a second, which nothing else of the analysis needs

    names = [(group, name) for group in self.curves for name in region_names(group, self.settings.orientation)]
    curves, offset = (np.moveaxis(np.concatenate(list(of.values())), -1, 0) for of in (self.curves, self.offset))
    frame, reference = np.arange(len(self.mask)), self.septal_reference
    named = {
      'curves': (('component', 'region', 'frame'), curves, 'cm/s'),
      'offset': (('component', 'region'), offset, 'cm/s'),
      **self._deformation(),
      'rotation': ('frame', self.rotation, 'deg'),
      'rotation_rate': ('frame', self.rotation_rate, 'rad/s'),
      'displacement': (('component', 'frame'), self.displacement.T, 'mm'),
      'contours': (('side', 'frame', 'point', 'axis'), np.stack([self.contours.endo, self.contours.epi]), 'pixel'),
      'centre': (('frame', 'axis'), self.centre, 'pixel'),
      'septum': (('frame', 'axis'), self.septum, 'pixel'),
      'mask': (('frame', 'row', 'column'), self.mask, '1'),
      'flag': ('frame', np.array(self.contours.flags, str), ''),
      'time': ('frame', frame * self.frame_interval, 'ms'),
      'group': ('region', [group for group, _ in names], ''),
    }
    ticks = {'component': list(COMPONENTS), 'kind': list(KINDS), 'region': [name for _, name in names], 'frame': frame}
    said = {'septal_reference': reference.origin, 'septal_reference_stated': int(reference.certain)}
    said |= {'name': self.name, 'level': self.level, 'spacing_mm': self.spacing}
    said |= {'frame_interval_ms': self.frame_interval, 'unwrapped_samples': self.wraps}
    said |= {k: int(v) if isinstance(v, bool) else v for k, v in dataclasses.asdict(self.settings).items()}  # no bool
    data = xr.Dataset(
      {name: (dims, values, {'units': units}) for name, (dims, values, units) in named.items()},
      ticks | {'side': ['endo', 'epi'], 'axis': ['row', 'column']},
      said,
    ).set_coords(['time', 'group'])
    markers = self.markers.drop(columns=['group', 'region']).rename(columns={'region_name': 'region'})
    markers = markers.set_index(['marker', 'component', 'region']).add_prefix('marker_')
    data = data.merge(markers.to_xarray(), join='left')
    units = {'velocity': 'cm/s', 'time': 'ms', 'normalised_time': 'ms', 'frame': '1'}
    for name, unit in (units | {end: units[end.partition('_')[0]] for end in INTERVALS}).items():
      data[f'marker_{name}'].attrs['units'] = unit
    return data
