"""The velocity workbook (Excel) of one slice, sheet by sheet and cell by cell as StrainMap exports it.

`Parameters` holds keys and values, then one marker table a group of regions; `GLOBAL`, `ANGULAR_x6`, `ANGULAR_x24` and
`RADIAL_x3` hold one row a frame, a column a component and region, headed by the component. The last sheets are ours:
`Intervals` of the markers, `STRAIN`, and `Notes` where the layout is silent or misleading. One workbook a slice, as in
StrainMap, so that what reads those reads these; name, birth date and date of scan are a pseudonym and empty.
"""

import math
import os

import numpy as np
import pandas as pd

import ear_jax
from ear_jax.analysis import uncertainty
from ear_jax.analysis.motion import COMPONENTS, GROUPS, INTERVALS, KINDS, SliceMotion, region_names
from ear_jax.analysis.strain import readable
from ear_jax.report import excel, page_numbers

SHEETS = {'global': 'GLOBAL', 'angular6': 'ANGULAR_x6', 'angular24': 'ANGULAR_x24', 'layers': 'RADIAL_x3'}
SHORT = {'circumferential': 'CIRC', 'radial': 'RAD', 'longitudinal': 'LONG'}  # in StrainMap's order
MARKERS = ('PS', 'PD', 'PAS', 'ES', 'PC1', 'PC2', 'PC3')
QUANTITIES = {'frame': 'Frame', 'velocity': 'Velocity (cm/s)', 'normalised_time': 'Norm. Time (s)'}
_NOTES = (
  'Times titled "Norm. Time (s)" are milliseconds of a cycle of 1000 ms; the title is that of the layout.',
  'LONG is positive towards the apex, RAD inward; CIRC: see below.',
  'Velocities are means over the region without in-plane bulk motion of the heart.',
  'Columns of a component are in the order of the regions; sector 0 begins at mid septum and sectors follow each other '
  'clockwise on the picture as stored; layers go from endo- to epicardium.',
  'The timeshift is not applied to any number here.',
  'ES of every component and region is the end systole of the whole wall, with its radial velocity, as in StrainMap; '
  'markers.csv has the velocity of each curve there.',
)


def write(
  path: str | os.PathLike,
  motion: SliceMotion,
  *,
  cine: str,
  pseudonym: str,
  offset: float = math.nan,
  rr_interval: str = '',
) -> None:
  """Writes the curves and markers of a slice.

  Args:
    path: the `.xlsx` file.
    motion: the slice.
    cine: name of the cine, as StrainMap or the study calls it.
    pseudonym: in place of the patient's name.
    offset: mm, position of the slice along its normal; NaN when unknown.
    rr_interval: ms, mean and deviation as StrainMap writes them, '900±20'; '' when the files do not say.
  """
  parameters = _parameters(motion, cine, pseudonym, offset, rr_interval)
  with excel.workbook(path) as book:
    pd.Series(parameters).to_frame().to_excel(book, sheet_name='Parameters', header=False)
    row = len(parameters) + 3
    for group, sheet in SHEETS.items():
      table = marker_table(motion, group)
      table.to_excel(book, sheet_name='Parameters', startrow=row)
      row += len(table) + 5
      curve_table(motion, group).to_excel(book, sheet_name=sheet)
      book.sheets[sheet].oddHeader.right.text = 'velocities in cm/s, a column a region'
    interval_table(motion).to_excel(book, sheet_name='Intervals', index=False)
    strain_sheet(motion).to_excel(book, sheet_name='STRAIN')
    _notes(motion, rr_interval).to_excel(book, sheet_name='Notes', header=False)


def curve_table(motion: SliceMotion, group: str) -> pd.DataFrame:
  """Returns one row a frame and one column a component and region, cm/s; the columns are headed by the component."""
  curves = motion.curves[group]  # [regions, T, 3]
  columns = [curves[:, :, COMPONENTS.index(component)] for component in SHORT]
  table = pd.DataFrame([[v for one in columns for v in one[:, t]] for t in range(curves.shape[1])])
  table.columns = pd.Index([short for short in SHORT.values() for _ in range(len(curves))], name='comp')
  return table.rename_axis(index='frame')


def marker_table(motion: SliceMotion, group: str) -> pd.DataFrame:
  """Returns rows (quantity, region) and columns (component, marker); NaN where a region lacks the marker.

  The velocity of ES is that of the whole wall's radial curve everywhere, as StrainMap has it.
  """
  every, end = motion.markers, motion.markers['marker'] == 'ES'
  radial = every[end & (every['group'] == 'global') & (every['component'] == 'radial')]['velocity']
  rows = every[every['group'] == group].replace({'component': SHORT})
  if len(radial):
    rows = rows.assign(velocity=rows['velocity'].mask(end, radial.iloc[0]))
  table = rows.pivot(index='region', columns=['component', 'marker'], values=list(QUANTITIES))
  table = table.stack(level=0, future_stack=True).swaplevel()  # type: ignore[assignment]  # no Series: a level is left
  columns = pd.MultiIndex.from_product([SHORT.values(), MARKERS], names=['comp', 'marker'])
  index = pd.MultiIndex.from_product([QUANTITIES, range(GROUPS[group])])
  table = table.reindex(index=index, columns=columns)
  names = list(region_names(group, motion.settings.orientation))
  if group in ('angular24', 'layers'):
    names = [f'{SHEETS[group]} - {k}' for k in range(GROUPS[group])]
  elif group == 'global':
    names = [SHEETS[group]]
  table.index = pd.MultiIndex.from_product([QUANTITIES.values(), names], names=['quantity', 'region'])
  known = table.dropna(axis='columns', how='all')
  return table if known.empty else known  # a table without a column cannot be written


def interval_table(motion: SliceMotion) -> pd.DataFrame:
  """Returns one row a marker: velocity (cm/s) and time (ms), each with both ends of its 95 % interval."""
  names = ['region_name', 'component', 'marker', 'velocity', *INTERVALS[:2], 'time', *INTERVALS[2:]]
  return motion.markers[names]


def strain_sheet(motion: SliceMotion) -> pd.DataFrame:
  """Returns one row a frame: strain of the whole wall and its standard error, %, kind by kind; noise is empty."""
  strain, error = motion.strain.strain['global'], motion.strain.strain_error['global']
  pairs = np.stack([readable(strain, error)[0], error[0]], -1)  # [T, 4, 2]
  columns = [f'{kind} {what}' for kind in KINDS for what in ('(%)', 'SE (%)')]
  return pd.DataFrame(pairs.reshape(len(pairs), -1), columns=columns).rename_axis(index='frame')


def _parameters(motion: SliceMotion, cine: str, pseudonym: str, offset: float, rr_interval: str) -> dict[str, object]:
  frames, rows, columns = motion.mask.shape
  reversal = dict(zip('XYZ', motion.settings.signs, strict=True))
  return {
    'StrainMap version': f'none: ear_jax {ear_jax.__version__}',
    'Cine': cine,
    'Patient Name': pseudonym,
    'Patient DOB': '',
    'Date of Scan': '',
    'Cine offset (mm)': _text(offset),
    'Mean RR interval (ms)': rr_interval or _text(frames * motion.frame_interval),
    'FOV size (rows x cols)': f'{rows}x{columns}',
    'Pixel size (mm)': _text(motion.spacing[0]),
    'Orientation': motion.settings.orientation,
    'Timeshift (ms)': 0,
    **{f'Sign reversal - {axis}': sign < 0 for axis, sign in reversal.items()},
  }


def _text(value: float) -> str:
  return '' if math.isnan(value) else str(round(float(value), 6))


def _notes(motion: SliceMotion, rr_interval: str) -> pd.DataFrame:
  settings = motion.settings
  turn = 'counter-clockwise' if settings.circumferential_sign > 0 else 'clockwise'
  lines = [
    *_NOTES,
    uncertainty.said(motion),
    f'CIRC is positive {turn} on the picture as stored.',
    f'Sectors of ANGULAR_x6, in order: {", ".join(region_names("angular6", settings.orientation))}.',
  ]
  if motion.venc:
    limits, step = ', '.join(f'{v:g}' for v in motion.venc), motion.frame_interval
    interval = 'not known' if math.isnan(step) else f'{step:.6g} ms'
    lines.append(f'Scanned with venc {limits} cm/s (along column, along row, through the plane); frames: {interval}.')
  stated = '; '.join(f'{name}: {value}' for name, value in page_numbers.conventions(settings).items())
  lines.append(f'Settings of the analysis: {stated}.')
  if not rr_interval:
    lines.append('The RR interval is frames times frame interval; its deviation is not known.')
  failed = [f'{frame}' for frame, flag in enumerate(motion.contours.failed) if flag]
  if failed:
    lines.append(f'Frames without contours, left empty: {", ".join(failed)}.')
  return pd.DataFrame(lines)
