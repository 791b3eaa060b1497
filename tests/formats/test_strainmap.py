"""StrainMap's files: what we write is what plain xarray, and so StrainMap, reads; and what we read back is the wall."""

import dataclasses

import h5py
import numpy as np
import pytest
import xarray as xr
from analysed import SMALL, exact_motion

from ear_jax.analysis.drawn import wall_mask
from ear_jax.analysis.motion import Settings
from ear_jax.formats import strainmap
from ear_jax.phantom import study
from ear_jax.system.errors import UserError

NAMES = ['234 MVM sax1', '239 MVM sax2', '244 MVM sax3']


@pytest.fixture(scope='module')
def motions():
  settings = Settings(orientation='CW', signs=(1, -1, 1))
  return exact_motion(0, settings=settings), exact_motion(1, failed=(2,), settings=settings)


@pytest.fixture(scope='module')
def path(motions, tmp_path_factory):
  path = tmp_path_factory.mktemp('strainmap') / 'anon-01.nc'
  strainmap.write(path, motions, NAMES[:2], pseudonym='anon-01')
  return path


def dice(one, other):
  return 2 * (one & other).sum() / (one.sum() + other.sum())


def write_as_strainmap(path, points=361, **attributes):
  """Writes two circles as StrainMap's own writer does, by xarray, with the dimensions in another order."""
  turn = np.linspace(0, 2 * np.pi, points)
  circle = np.stack([np.cos(turn), np.sin(turn)])  # [coord: col, row; point]
  segments = np.stack([10.0 * circle, 15.0 * circle])[:, None, None] + np.array([30.0, 20.0])[:, None]
  segments = np.repeat(segments, 3, axis=2)  # [side, cine, frame, coord, point]
  segments[:, :, 1] = np.nan
  coordinates = {
    'side': ['endocardium', 'epicardium'],
    'cine': ['7 sAx2'],
    'frame': np.arange(3),
    'coord': ['col', 'row'],
  }
  array = xr.DataArray(segments, coordinates, ('side', 'cine', 'frame', 'coord', 'point'), name='segments')
  largest = float(np.nanmax(np.abs(segments)))
  packing = {'dtype': 'int32', 'scale_factor': largest / (2**31 - 1), '_FillValue': -(2**31)}
  array.to_dataset().to_netcdf(path, group='segments', engine='h5netcdf', encoding={'segments': packing})
  with h5py.File(path, 'a') as h5:
    h5.attrs.update({'Patient Name': 'SECRET^NAME', 'Patient DOB': '19700101'} | attributes)


def test_plain_xarray_opens_each_group_as_one_array_with_strainmaps_dimensions(path, motions):
  with h5py.File(path) as h5:
    assert set(h5) == {'segments', 'centroid', 'septum', 'sign_reversal'}
    assert not [name for name in h5 if isinstance(h5[name], h5py.Dataset)]
  opened = {}
  for group in ('segments', 'centroid', 'septum', 'sign_reversal'):
    with xr.open_dataset(path, group=group, engine='h5netcdf') as dataset:
      assert list(dataset.data_vars) == [group]
      opened[group] = dataset[group].load()
  segments = opened['segments']
  assert dict(segments.sizes) == {'cine': 2, 'side': 2, 'frame': 4, 'coord': 2, 'point': 360}
  assert segments.dims == ('cine', 'side', 'frame', 'coord', 'point')
  assert 'point' not in segments.coords
  assert segments.cine.values.tolist() == NAMES[:2]
  assert segments.side.values.tolist() == ['endocardium', 'epicardium']
  assert segments.coord.values.tolist() == ['col', 'row']
  assert segments.frame.dtype == np.int64
  for cine, motion in zip(NAMES[:2], motions, strict=True):
    for group, points in (('centroid', motion.centre), ('septum', motion.septum)):
      stored = opened[group].sel(cine=cine, coord=['row', 'col']).values
      # Case S5: StrainMap takes a cine whose centroid has no NaN for complete, and fails on the frame without contours.
      expected = np.where(motion.contours.failed[:, None], np.nan, points)
      np.testing.assert_allclose(stored, expected, rtol=0, atol=1e-6)
    first = segments.sel(cine=cine, side='epicardium', coord=['row', 'col']).isel(point=0).values
    np.testing.assert_allclose(first, motion.contours.epi[:, 0], rtol=0, atol=1e-6)
  assert opened['sign_reversal'].comp.values.tolist() == ['X', 'Y', 'Z']
  assert opened['sign_reversal'].values.tolist() == [1, -1, 1]
  assert opened['sign_reversal'].dtype == np.int16


def test_numbers_are_packed_as_strainmap_packs_them(path):
  with h5py.File(path) as h5:
    stored = h5['segments/segments']
    assert stored.dtype == np.int32
    codes, scale = stored[()].astype(float), stored.attrs['scale_factor']
    assert stored.attrs['_FillValue'] == -(2**31)
    assert np.abs(codes[codes != -(2**31)]).max() == 2**31 - 1
    with xr.open_dataset(path, group='segments', engine='h5netcdf') as dataset:
      np.testing.assert_array_equal(dataset.segments, np.where(codes == -(2**31), np.nan, codes * scale))


def test_root_attributes_are_text_of_variable_length_and_a_number(path):
  with h5py.File(path) as h5:
    assert h5.attrs['orientation'] == 'CW'  # bytes would not be equal
    assert h5py.check_string_dtype(h5.attrs.get_id('orientation').dtype).length is None
    assert h5.attrs['timeshift'] == -0.045
    assert h5.attrs['Patient Name'] == 'anon-01'
    assert {name for name in h5.attrs if name.isidentifier()} == {'_NCProperties', 'orientation', 'timeshift'}


def test_our_contours_come_back_as_the_mask_they_were_drawn_from(path, motions):
  read = strainmap.read_contours(path)
  assert list(read) == NAMES[:2]
  for name, motion in zip(NAMES[:2], motions, strict=True):
    mask, annotated = wall_mask(read[name].pairs(), motion.mask.shape[1:]), read[name].annotated
    np.testing.assert_array_equal(annotated, ~motion.contours.failed)
    assert not mask[~annotated].any()
    assert min(dice(a, b) for a, b in zip(mask[annotated], motion.mask[annotated], strict=True)) >= 0.98


def test_written_curves_are_closed_and_lie_on_the_given_ones():
  turn = np.deg2rad(np.arange(360))
  circle = np.stack([np.sin(turn), np.cos(turn)], -1)
  inner, outer = (strainmap.closed(radius * circle[None])[0] for radius in (12.0, 20.0))
  np.testing.assert_allclose(inner[0], inner[-1], atol=1e-12)
  np.testing.assert_allclose(np.hypot(*inner.T), 12, atol=12 * (1 - np.cos(np.pi / 360)))  # no further than a chord
  np.testing.assert_allclose(np.arctan2(*inner.T), np.arctan2(*outer.T), atol=1e-9)  # point i of both at one angle
  steps = np.hypot(*np.diff(outer, axis=0).T)
  assert steps.max() / steps.min() < 1.001


def test_point_i_of_both_curves_stays_at_one_angle_when_the_wall_is_not_round():
  turn = np.deg2rad(np.arange(360))
  circle = np.stack([np.sin(turn), np.cos(turn)], -1)
  radii = 20 + 4 * np.sin(3 * turn), 30 + 2 * np.cos(2 * turn)
  inner, outer = (strainmap.closed((radius[:, None] * circle)[None])[0] for radius in radii)
  apart = np.arctan2(*inner.T) - np.arctan2(*outer.T)
  assert np.abs(np.angle(np.exp(1j * apart))).max() < np.deg2rad(0.01)


def rewritten(path, folder, change, group='segments'):
  """Returns a copy of a file with one array as another program would have written it."""
  groups = ('segments', 'centroid', 'septum', 'sign_reversal')
  arrays = {name: xr.load_dataarray(path, group=name, engine='h5netcdf') for name in groups}
  arrays[group] = change(arrays[group])
  path = folder / 'rewritten.nc'
  for mode, (name, array) in zip('waaa', arrays.items(), strict=True):
    array.drop_encoding().to_dataset(name=name).to_netcdf(path, mode=mode, group=name, engine='h5netcdf')
  return path


@pytest.mark.parametrize(
  ('change', 'group', 'words'),
  [
    (lambda s: s.isel(cine=slice(0, 0)), 'segments', 'no contours in this file (it has no cine)'),
    (lambda s: s.isel(cine=[0, 0]), 'segments', 'two cines have one name'),
    (
      lambda s: s.drop_vars('coord'),
      'segments',
      '`segments` has dimensions (cine, side, frame, coord, point) or coord',
    ),
    (lambda s: s.assign_coords(coord=['x', 'y']), 'segments', '`segments` has dimensions'),
    (lambda s: s.drop_vars('cine'), 'segments', '`segments` has dimensions'),
    (lambda s: s.isel(coord=0, drop=True), 'septum', '`septum` has dimensions (cine, frame) or coordinates that'),
    (lambda s: s.isel(comp=[0, 1]), 'sign_reversal', '`sign_reversal` is not +1 or -1 for each of X, Y and Z'),
  ],
)
def test_arrays_that_strainmap_does_not_write_are_named(path, tmp_path, change, group, words):
  with pytest.raises(UserError) as error:
    strainmap.read_contours(rewritten(path, tmp_path, change, group))
  assert words in str(error.value)


@pytest.mark.parametrize(('first', 'last', 'whole'), [(100, 140, False), (90, 360, False), (358, 360, True)])
def test_a_curve_of_which_a_part_is_missing_is_no_curve(path, tmp_path, first, last, whole):
  """It was closed by a chord across the gap: a quarter of the wall was left."""

  def gap(segments):
    values = segments.values.copy()
    values[:, 0, 2, :, first:last] = np.nan
    return segments.copy(data=values)

  before = strainmap.read_contours(path)[NAMES[0]].annotated.tolist()
  after = strainmap.read_contours(rewritten(path, tmp_path, gap))[NAMES[0]].annotated.tolist()
  assert before[2]
  assert after == [*before[:2], whole, *before[3:]]


def test_shorter_slices_are_filled_with_frames_not_segmented(tmp_path):
  strainmap.write(tmp_path / 'a.nc', [exact_motion(0), exact_motion(1, frames=2)], NAMES[:2], pseudonym='a')
  read = strainmap.read_contours(tmp_path / 'a.nc')
  assert [list(read[name].annotated) for name in NAMES[:2]] == [[True] * 4, [True, True, False, False]]


def test_drawn_slices_of_different_numbers_of_points_keep_them_all(tmp_path):
  """Case S11: the shorter curve is closed by its first point again and again, which moves no line."""
  few, many = exact_motion(0), exact_motion(1)
  endo, epi = (side[:, ::3] for side in (few.contours.endo, few.contours.epi))
  few = dataclasses.replace(few, contours=dataclasses.replace(few.contours, endo=endo, epi=epi, drawn=True))
  many = dataclasses.replace(many, contours=dataclasses.replace(many.contours, drawn=True))
  strainmap.write(tmp_path / 'a.nc', [few, many], NAMES[:2], pseudonym='a')
  first, second = strainmap.read_contours(tmp_path / 'a.nc').values()
  assert first.endo.shape == (4, 361, 2)
  np.testing.assert_allclose(first.endo[:, :120], endo, atol=1e-7)
  np.testing.assert_allclose(first.endo[:, 120:], np.repeat(endo[:, :1], 241, 1), atol=1e-7)
  np.testing.assert_allclose(second.epi[:, :360], many.contours.epi, atol=1e-7)


def test_a_slice_without_any_contour_is_written_with_scale_one(tmp_path):
  motion = exact_motion(0, failed=(0, 1, 2, 3))
  strainmap.write(tmp_path / 'a.nc', [motion], NAMES[:1], pseudonym='a')
  with h5py.File(tmp_path / 'a.nc') as h5:
    assert h5['segments/segments'].attrs['scale_factor'] == 1
  assert not strainmap.read_contours(tmp_path / 'a.nc')[NAMES[0]].annotated.any()


def test_names_must_differ_and_settings_agree(tmp_path):
  with pytest.raises(ValueError, match='different names'):
    strainmap.write(tmp_path / 'a.nc', [exact_motion(0), exact_motion(1)], ['a', 'a'], pseudonym='a')
  other = exact_motion(1, settings=Settings(orientation='CW'))
  with pytest.raises(ValueError, match='share orientation'):
    strainmap.write(tmp_path / 'a.nc', [exact_motion(0), other], NAMES[:2], pseudonym='a')
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('points', [360, 361])
def test_reads_a_file_with_dimensions_in_another_order_and_no_centre(tmp_path, points):
  write_as_strainmap(tmp_path / 'file.nc', points, orientation=b'CW')
  (read,) = strainmap.read_contours(tmp_path / 'file.nc').values()
  assert read.name == '7 sAx2'
  assert read.endo.shape == (3, points, 2)
  np.testing.assert_allclose(read.endo[0, 0], [20, 40], atol=1e-6)  # row 20, column 30 + 10
  assert np.isnan(read.septum).all()
  assert 'SECRET' not in repr(read)
  mask, annotated = wall_mask(read.pairs(), (40, 60)), read.annotated
  assert annotated.tolist() == [True, False, True]
  rows, columns = np.indices((40, 60))
  distance = np.hypot(rows - 20, columns - 30)
  sure = (abs(distance - 10) > 0.01) & (abs(distance - 15) > 0.01)  # a 360-gon lies up to 0.001 inside its circle
  np.testing.assert_array_equal(mask[0][sure], ((distance > 10) & (distance < 15))[sure])


def test_files_that_are_not_strainmaps_are_refused_in_a_sentence(tmp_path):
  with pytest.raises(UserError, match=r'no\.nc: there is no such file'):
    strainmap.read_contours(tmp_path / 'no.nc')
  (tmp_path / 'text.nc').write_text('hello')
  with pytest.raises(UserError, match=r'text\.nc: not a readable StrainMap file'):
    strainmap.read_contours(tmp_path / 'text.nc')
  with h5py.File(tmp_path / 'empty.nc', 'w') as h5:
    h5.create_group('masks')
  with pytest.raises(UserError, match='no contours in this file'):
    strainmap.read_contours(tmp_path / 'empty.nc')
  array = xr.DataArray(np.zeros((2, 3)), dims=('cine', 'frame'), name='segments')
  array.to_dataset().to_netcdf(tmp_path / 'other.nc', group='segments', engine='h5netcdf')
  with pytest.raises(UserError, match=r'dimensions \(cine, frame\)'):
    strainmap.read_contours(tmp_path / 'other.nc')


def test_the_phantom_used_here_moves():
  truth = study.truth(study.plan(SMALL)[0])
  assert dice(truth.mask[0], truth.mask[1]) < 0.98  # a frame too early or late would not pass
