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


def summary(volumes: Volumes) -> dict:
  """Returns what summary.json holds of the volumes, None for what is not known."""
  values = (volumes.edv, volumes.esv, volumes.stroke_volume, volumes.ejection_fraction, volumes.mass, volumes.mass_es)
  return {
    **{name: _rounded(value) for name, value in zip(FIGURES, values, strict=True)},
    'ed_frame': volumes.ed,
    'es_frame': volumes.es,
    'slice_height_mm': dict(zip(volumes.slices, map(_rounded, volumes.height), strict=True)),
    'missing': volumes.missing,
    'notes': list(volumes.notes),
  }


def write(folder: pathlib.Path, pseudonym: str, volumes: Volumes) -> list[pathlib.Path]:
  """Writes the tables of a study and returns their paths; what an earlier analysis left of them is removed.

  Without volumes (`Volumes.missing`) there are areas and thicknesses alone, and the workbook is named by them; without
  any contour there is nothing.
  """
  books = [folder / f'{pseudonym}_{holds}.xlsx' for holds in ('volumes', 'areas')]
  book = books[bool(volumes.missing)]
  for path in (*(folder / name for name in FILES), *books):
    path.unlink(missing_ok=True)
  if np.isnan(volumes.endo).all():
    return []
  tables = {'areas': areas_table(volumes), 'thickness': thickness_table(volumes)}
  if not volumes.missing:
    tables = {'volumes': volumes.to_frame()} | tables
  for name, table in tables.items():
    write_csv(folder / f'{name}.csv', table)
  with excel.workbook(book) as writer:
    for name, table in ({'summary': _summary_table(volumes)} | tables).items():
      table.round(3).to_excel(writer, sheet_name=name, index=False)
  return [*(folder / f'{name}.csv' for name in tables), book]


def areas_table(volumes: Volumes) -> pd.DataFrame:
  """Returns one line a slice and frame: slice, frame, time_ms, endo_area, epi_area, unit."""
  row, frame = (axis.ravel() for axis in np.indices(volumes.endo.shape))
  table = pd.DataFrame({'slice': np.array(volumes.slices, object)[row], 'frame': frame})
  table['time_ms'] = frame * volumes.frame_interval
  return table.assign(endo_area=volumes.endo.ravel(), epi_area=volumes.epi.ravel(), unit=volumes.unit)


def thickness_table(volumes: Volumes) -> pd.DataFrame:
  """Returns one line a slice and sector: slice, sector, ed_mm, es_mm, thickening_percent."""
  row, sector = (axis.ravel() for axis in np.indices(volumes.thickness.shape[:2]))
  names = np.array(volumes.sectors, object)[sector]
  ed, es = (volumes.thickness_at(frame).ravel() for frame in (volumes.ed, volumes.es))
  table = pd.DataFrame({'slice': np.array(volumes.slices, object)[row], 'sector': names, 'ed_mm': ed, 'es_mm': es})
  return table.assign(thickening_percent=volumes.thickening.ravel())


def _summary_table(volumes: Volumes) -> pd.DataFrame:
  said = summary(volumes)
  known = {} if volumes.missing else FIGURES
  lines: list[tuple[object, object, str]] = [(name, said[key], unit) for key, (name, unit, _) in known.items()]
  lines += [('Frame of end diastole', volumes.ed, 'from 0'), ('Frame of end systole', volumes.es, 'from 0')]
  lines += [(f'Height of the disc of {name}', height, 'mm') for name, height in said['slice_height_mm'].items()]
  lines += [('Density of the wall', DENSITY, 'g/mL'), *(('Note', note, '') for note in volumes.notes)]
  lines += [('No volumes', volumes.missing, '')] * bool(volumes.missing)
  return pd.DataFrame(lines, columns=['what', 'value', 'unit'])


def _rounded(value: float) -> float | None:
  known = plain(value)
  return None if known is None else round(known, 2)
