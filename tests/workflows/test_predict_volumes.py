"""A study's volumes reach every output, and where there are none a sentence does; cases N2, N6, N14."""

import html
import json
import math

import numpy as np
import openpyxl
import pandas as pd
import pytest

import ear_jax
from ear_jax.cine import Cine, Place, Study
from ear_jax.predict import _volumes_in_words
from ear_jax.system.errors import UserError
from ear_jax.workflows.examine import Options

LENGTH, INNER, WALL, SPACING, SIDE = 72.0, 24.0, 8.0, 2.0, 48
SQUEEZE = np.array([1.0, 0.85, 0.7, 0.65, 0.8, 0.95])


def ellipsoid(distance, frames=slice(None)):
  """Half an ellipsoid, a mask a slice, with bright blood, grey wall and dark lung."""
  away = np.hypot(*((np.indices((SIDE, SIDE)) - (SIDE - 1) / 2) * SPACING))
  cines = []
  for k, depth in enumerate(np.arange(distance / 2, LENGTH, distance)):
    inner = INNER * math.sqrt(1 - (depth / LENGTH) ** 2)
    cavity = away < inner * SQUEEZE[frames, None, None]
    mask = ((away < inner + WALL) & ~cavity).astype(np.uint8)
    video = (40.0 + 300 * cavity + 80 * mask).astype(np.float32)[..., None]
    place = Place((0.0, 0.0, float(depth)), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), 6.0)
    cines.append(
      Cine(video, mask, np.ones(len(mask), bool), None, (SPACING, SPACING), 130.0, 'anna', 'anna', f's{k}', '', place)
    )
  return Study('anna', 'anna', tuple(cines))


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  folder = tmp_path_factory.mktemp('volumes') / 'anna'
  ear_jax.predict(ellipsoid(8.0), folder, [], Options(), force=True)
  return folder


def test_the_summary_has_the_ejection_fraction_of_the_ellipsoid(folder):
  found = json.loads((folder / 'summary.json').read_text())['volumes']
  true = 2 / 3 * math.pi * INNER**2 * LENGTH / 1000
  assert found['missing'] == ''
  assert found['edv_mL'] == pytest.approx(true, rel=0.02)
  assert found['ejection_fraction_percent'] == pytest.approx(100 * (1 - 0.65**2), abs=1)
  assert (found['ed_frame'], found['es_frame']) == (0, 3)
  assert set(found['slice_height_mm'].values()) == {8.0}
  assert _volumes_in_words(found).startswith(f'EDV {found["edv_mL"]:.0f} mL, ESV ')


def test_tables_and_workbook_hold_the_same_numbers(folder):
  found = json.loads((folder / 'summary.json').read_text())['volumes']
  volumes, areas = (pd.read_csv(folder / f'{name}.csv') for name in ('volumes', 'areas'))
  assert volumes['cavity_mL'].max() == pytest.approx(found['edv_mL'], abs=0.01)
  assert volumes['time_ms'].tolist() == [0, 130, 260, 390, 520, 650]
  summed = areas.groupby('frame')['endo_area'].sum() * 8 / 1000
  np.testing.assert_allclose(summed, volumes['cavity_mL'], rtol=1e-5)
  thick = pd.read_csv(folder / 'thickness.csv')
  assert len(thick) == 9 * 6
  np.testing.assert_allclose(thick['ed_mm'], WALL, atol=0.5)
  np.testing.assert_allclose(thick['thickening_percent'], 100 * (thick['es_mm'] / thick['ed_mm'] - 1), atol=1e-2)
  book = openpyxl.load_workbook(folder / 'anna_volumes.xlsx')
  assert book.sheetnames == ['summary', 'volumes', 'areas', 'thickness']
  cells = {row[0].value: row[1].value for row in book['summary']}
  assert cells['Ejection fraction (EF)'] == found['ejection_fraction_percent']
  assert all(sheet.sheet_properties.pageSetUpPr.fitToPage for sheet in book)  # case N14


def test_the_page_of_a_magnitude_study_shows_them_in_place_of_velocities(folder):  # case N2
  page = html.unescape((folder / 'report.html').read_text())
  found = json.loads((folder / 'summary.json').read_text())['volumes']
  assert f'Ejection fraction (EF)</th><td>{found["ejection_fraction_percent"]:.0f} %</td>' in page
  assert page.count('<svg class="chart"') == 1 + 9
  assert page.count('Wall thickness by sector') == 9
  assert 'No areas of this slice' not in page
  assert 'The ejection fraction has no interval: how far readers differ was not measured' in page
  assert '<small>9 of 9 slices hold the ventricle</small>' in page
  assert '>Left-ventricular volumes<' in page
  assert 'force' not in page  # case N6


def test_frames_can_be_given(tmp_path):
  summary = ear_jax.predict(ellipsoid(8.0), tmp_path / 'out', [], Options(ed_frame=5, es_frame=2), force=True)
  found = summary['volumes']
  assert found['ejection_fraction_percent'] == pytest.approx(100 * (1 - (0.7 / 0.95) ** 2), abs=1)
  with pytest.raises(UserError, match='--es_frame=6: anna has frames 0 to 5'):
    ear_jax.predict(ellipsoid(24.0), tmp_path / 'out', [], Options(es_frame=6), force=True)


def test_a_study_without_volumes_says_why_on_the_page_and_leaves_no_file_of_an_earlier_run(tmp_path):
  out = tmp_path / 'out'
  ear_jax.predict(ellipsoid(8.0, slice(0, 4, 3)), out, [], force=True)
  assert (out / 'volumes.csv').exists()
  summary = ear_jax.predict(ellipsoid(24.0, slice(0, 4, 3)), out, [], force=True)  # three slices, as a velocity scan
  assert 'slices lie up to 24 mm apart' in summary['volumes']['missing']
  assert summary['volumes']['ejection_fraction_percent'] is None
  assert 'No volumes are given: slices lie up to 24 mm apart' in (out / 'report.html').read_text()
  assert not (out / 'volumes.csv').exists()
  assert [path.name for path in out.glob('*.xlsx')] == ['anna_areas.xlsx']  # by what it holds
  book = openpyxl.load_workbook(out / 'anna_areas.xlsx')
  assert book.sheetnames == ['summary', 'areas', 'thickness']
  assert not [
    row for row in book['summary'].iter_rows(values_only=True) if 'volume' in row[0] and row[0] != 'No volumes'
  ]
  assert len(pd.read_csv(out / 'thickness.csv')) == 18
  assert _volumes_in_words(summary['volumes']).startswith('no volumes: slices lie')
