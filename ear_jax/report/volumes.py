"""Volumes of a study as files: `volumes.csv`, `areas.csv`, `thickness.csv`, and all of it in one workbook.

The summary is what `summary.json` holds under 'volumes'; `docs/results_files.md` describes the files for users.
"""

import pathlib

import numpy as np
import pandas as pd

from ear_jax.analysis.volumes import DENSITY, Volumes
from ear_jax.report import excel
from ear_jax.report.page_numbers import plain
from ear_jax.system.csv_files import write_csv

FILES = ('volumes.csv', 'areas.csv', 'thickness.csv')
# Key of summary.json, what it is called, unit, decimals in print.
FIGURES = {
  'edv_mL': ('End-diastolic volume (EDV)', 'mL', 0),
  'esv_mL': ('End-systolic volume (ESV)', 'mL', 0),
  'stroke_volume_mL': ('Stroke volume (SV)', 'mL', 0),
  'ejection_fraction_percent': ('Ejection fraction (EF)', '%', 0),
  'mass_g': ('Mass at end diastole', 'g', 0),
  'mass_at_es_g': ('Mass at end systole', 'g', 0),
}


def summary(found: Volumes) -> dict:
  """Returns what summary.json holds of the volumes, None for what is not known."""
  values = (found.edv, found.esv, found.stroke_volume, found.ejection_fraction, found.mass, found.mass_es)
  return {
    **{name: _rounded(value) for name, value in zip(FIGURES, values, strict=True)},
    'ed_frame': found.ed,
    'es_frame': found.es,
    'slice_height_mm': dict(zip(found.slices, map(_rounded, found.height), strict=True)),
    'missing': found.missing,
    'notes': list(found.notes),
  }


def write(folder: pathlib.Path, pseudonym: str, found: Volumes) -> list[pathlib.Path]:
  """Writes the tables of a study and returns their paths; what an earlier analysis left of them is removed.

  Without volumes (`Volumes.missing`) there are areas and thicknesses alone, without any contour nothing.
  """
  book = folder / f'{pseudonym}_volumes.xlsx'
  for path in (*(folder / name for name in FILES), book):
    path.unlink(missing_ok=True)
  if np.isnan(found.endo).all():
    return []
  tables = {'areas': areas_table(found), 'thickness': thickness_table(found)}
  if not found.missing:
    tables = {'volumes': found.to_frame()} | tables
  for name, table in tables.items():
    write_csv(folder / f'{name}.csv', table)
  with excel.workbook(book) as writer:
    for name, table in ({'summary': _summary_table(found)} | tables).items():
      table.round(3).to_excel(writer, sheet_name=name, index=False)
  return [*(folder / f'{name}.csv' for name in tables), book]


def areas_table(found: Volumes) -> pd.DataFrame:
  """Returns one line a slice and frame: slice, frame, time_ms, endo_area, epi_area, unit."""
  row, frame = (axis.ravel() for axis in np.indices(found.endo.shape))
  table = pd.DataFrame({'slice': np.array(found.slices, object)[row], 'frame': frame})
  table['time_ms'] = frame * found.frame_interval
  return table.assign(endo_area=found.endo.ravel(), epi_area=found.epi.ravel(), unit=found.unit)


def thickness_table(found: Volumes) -> pd.DataFrame:
  """Returns one line a slice and sector: slice, sector, ed_mm, es_mm, thickening_percent."""
  row, sector = (axis.ravel() for axis in np.indices(found.thickness.shape[:2]))
  names = np.array(found.sectors, object)[sector]
  ed, es = (found.thickness_at(frame).ravel() for frame in (found.ed, found.es))
  table = pd.DataFrame({'slice': np.array(found.slices, object)[row], 'sector': names, 'ed_mm': ed, 'es_mm': es})
  return table.assign(thickening_percent=found.thickening.ravel())


def _summary_table(found: Volumes) -> pd.DataFrame:
  said = summary(found)
  lines: list[tuple[object, object, str]] = [(FIGURES[key][0], said[key], FIGURES[key][1]) for key in FIGURES]
  lines += [('Frame of end diastole', found.ed, 'from 0'), ('Frame of end systole', found.es, 'from 0')]
  lines += [(f'Height of the disc of {name}', height, 'mm') for name, height in said['slice_height_mm'].items()]
  lines += [('Density of the wall', DENSITY, 'g/mL'), *(('Note', note, '') for note in found.notes)]
  lines += [('No volumes', found.missing, '')] * bool(found.missing)
  return pd.DataFrame(lines, columns=['what', 'value', 'unit'])


def _rounded(value: float) -> float | None:
  known = plain(value)
  return None if known is None else round(known, 2)
