"""The analysis as named arrays and as a table: every number where its name says, and a file can hold it."""

import numpy as np
import pytest
import xarray as xr
from known_motion import exact

from ear_jax.analysis.motion import COMPONENTS, Settings
from ear_jax.analysis.septum import Septum
from ear_jax.analysis.slices import analyse


@pytest.fixture(scope='module')
def motion():
  truth, cine = exact(1)
  return analyse(cine, truth.mask, septum=truth.septal_angle, settings=Settings(orientation='CW'))


@pytest.fixture(scope='module')
def data(motion):
  return motion.to_xarray()


def test_a_curve_is_found_by_its_names(motion, data):
  radial, circumferential = (COMPONENTS.index(name) for name in ('radial', 'circumferential'))
  found = data.curves.sel(component='radial', region='global')
  np.testing.assert_array_equal(found, motion.curves['global'][0, :, radial])
  found = data.curves.sel(component='circumferential', region='A')  # clockwise: AS, A, AL, IL, I, IS
  np.testing.assert_array_equal(found, motion.curves['angular6'][1, :, circumferential])
  found = data.curves.sel(component='radial', region='IL 3')  # the fourth sector of six holds 12 to 15 of 24
  np.testing.assert_array_equal(found, motion.curves['angular24'][14, :, radial])
  assert data.curves.sel(region=data.group == 'layers').region.values.tolist() == ['endo', 'mid', 'epi']
  assert data.offset.sel(component='radial', region='epi') == motion.offset['layers'][2, radial]
  assert data.curves.dims == ('component', 'region', 'frame')


def test_units_and_time_are_said(motion, data):
  units = {name: data[name].attrs.get('units') for name in ('curves', 'rotation', 'displacement', 'time', 'contours')}
  assert units == {'curves': 'cm/s', 'rotation': 'deg', 'displacement': 'mm', 'time': 'ms', 'contours': 'pixel'}
  assert data.time.values[3] == pytest.approx(3 * motion.frame_interval)
  assert data.attrs['orientation'] == 'CW'
  assert data.attrs['level'] == 'mid'


def test_markers_contours_and_displacement_are_in_their_places(motion, data):
  rows = motion.markers.query("group == 'angular6' and component == 'longitudinal' and marker == 'PD'")
  for _, row in rows.iterrows():
    place = {'marker': 'PD', 'component': 'longitudinal', 'region': row['region_name']}
    assert float(data.marker_velocity.sel(place)) == row['velocity']
    assert float(data.marker_time.sel(place)) == row['time']
  assert np.isnan(data.marker_time.sel(marker='PC1', component='radial')).all(), 'radial curves have no PC1'
  np.testing.assert_array_equal(data.contours.sel(side='epi', axis='row'), motion.contours.epi[..., 0])
  np.testing.assert_array_equal(data.displacement.sel(component='longitudinal'), motion.displacement[:, 0])


def test_a_file_can_hold_it(data, tmp_path):
  data.to_netcdf(tmp_path / 'slice.nc', engine='h5netcdf')
  with xr.open_dataset(tmp_path / 'slice.nc', engine='h5netcdf') as again:
    xr.testing.assert_equal(again.load(), data)
    assert again.attrs['septal_reference'] == data.attrs['septal_reference']


def test_the_table_and_the_arrays_hold_the_same(data, motion):
  table = motion.to_frame()
  assert len(table) == data.curves.size
  line = table[(table.region_name == 'AL') & (table.component == 'radial') & (table.frame == 7)]
  assert line.velocity_cm_s.tolist() == [float(data.curves.sel(region='AL', component='radial', frame=7))]
  assert set(table.slice) == {'sax1'}


def test_without_a_septum_the_whole_wall_is_the_same_and_its_absence_is_said(motion):
  truth, cine = exact(1)
  found = analyse(cine, truth.mask)
  for group in ('global', 'layers'):
    np.testing.assert_array_equal(found.curves[group], motion.curves[group])
  np.testing.assert_array_equal(found.rotation, motion.rotation)
  attributes = found.to_xarray().attrs
  assert 'unknown' in attributes['septal_reference']
  assert (attributes['septal_reference_stated'], motion.to_xarray().attrs['septal_reference_stated']) == (0, 1)
  assert analyse(cine, truth.mask, septum=Septum(1.0, 'estimated', certain=False)).septal_reference.certain is False


def test_a_magnitude_alone_gives_contours_without_curves():
  truth, cine = exact(1)
  found = analyse(cine.replace(video=cine.video[..., :1], venc=None), truth.mask)
  assert np.isfinite(found.contours.epi).all()
  assert np.isnan(found.to_xarray().curves).all()
  assert found.to_frame().velocity_cm_s.isna().all()
