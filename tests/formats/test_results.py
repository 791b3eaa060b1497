"""The folder of results: complete, equal to the analysis, and silent about the patient."""

import gzip
import zipfile

import h5py
import nibabel as nib
import numpy as np
import pandas as pd
import pydicom
import pytest
from analysed import SMALL, exact_motion, write_sources
from highdicom._standard_utils import get_iod_module_map, get_module_attribute_map
from pydicom.datadict import dictionary_VR, tag_for_keyword

from ear_jax.analysis.drawn import wall_mask
from ear_jax.analysis.motion import COMPONENTS, GROUPS
from ear_jax.analysis.slices import analyse
from ear_jax.formats import strainmap
from ear_jax.formats.source import Source
from ear_jax.phantom import study
from ear_jax.report import results
from ear_jax.system.errors import UserError

SECRET = 'ZEPPELINA'  # stands in every text field of the sources
DAY, TIME = '19591117', '114213.777'


def text_fields():
  """Returns every text attribute that the standard knows at the root of an MR image, and its value representation."""
  modules = {one['key'] for one in get_iod_module_map()['mr-image']}
  tables = get_module_attribute_map()
  keywords = {
    one['keyword'] for key in modules for one in tables[key] if not one['path'] and tag_for_keyword(one['keyword'])
  }
  found = {word: dictionary_VR(tag_for_keyword(word)) for word in sorted(keywords)}
  return {word: vr for word, vr in found.items() if vr in _PLANTED}


_PLANTED = {'DA': DAY, 'TM': TIME, 'DT': DAY + TIME, 'AS': '064Y', 'PN': f'{SECRET}^ANNA'} | dict.fromkeys(
  ('LO', 'SH', 'LT', 'ST', 'UT', 'UC', 'AE'), SECRET
)


@pytest.fixture(scope='module')
def sources(tmp_path_factory):
  folder = tmp_path_factory.mktemp(SECRET)
  tags = {word: _PLANTED[vr] for word, vr in text_fields().items()} | {'PatientSex': 'O', 'OtherPatientIDs': SECRET}
  return write_sources(folder / f'{SECRET}.MR', (SMALL.matrix, SMALL.matrix), SMALL.frames, tags=tags)


@pytest.fixture(scope='module')
def slices(sources):
  source = Source(instances=sources, position=12.5)
  return [
    results.SliceResult(exact_motion(0), source, '234 MVM sax1'),
    results.SliceResult(exact_motion(1, failed=(2,)), source, '239 MVM sax2'),
    results.SliceResult(exact_motion(2)),
  ]


@pytest.fixture(scope='module')
def folder(tmp_path_factory, slices):
  return tmp_path_factory.mktemp('results') / 'anon-01'


@pytest.fixture(scope='module')
def paths(folder, slices):
  return results.write_results(folder, 'anon-01', slices)


def every_byte(path):
  """Yields (place, bytes) of a file as it is, and of what is packed in it."""
  yield path.name, path.read_bytes()
  if path.suffix == '.gz':
    yield f'{path.name} unpacked', gzip.decompress(path.read_bytes())
  if path.suffix == '.xlsx':
    with zipfile.ZipFile(path) as book:
      for name in book.namelist():
        yield f'{path.name}/{name}', book.read(name)
  if path.suffix == '.nc':
    with h5py.File(path) as h5:
      parts = [repr(dict(h5.attrs))]
      h5.visititems(
        lambda name, one: parts.append(f'{name} {dict(one.attrs)} {one[()] if hasattr(one, "shape") else ""}')
      )
      yield f'{path.name} unpacked', '\n'.join(parts).encode()
  if path.suffix == '.dcm':
    yield f'{path.name} read', str(pydicom.dcmread(path)).encode()


def test_all_files_of_the_study_are_there_and_no_other(folder, paths):
  names = {str(path.relative_to(folder)) for path in paths}
  segs = {f'seg/sax1/frame-{t:03d}.dcm' for t in range(4)} | {f'seg/sax2/frame-{t:03d}.dcm' for t in (0, 1, 3)}
  tables = {f'{name}.csv' for name in ('contours', 'curves', 'markers', 'motion')}
  of_slices = {f'sax{k}_{kind}' for k in (1, 2, 3) for kind in ('mask.nii.gz', 'velocity.xlsx')}
  assert names == segs | tables | of_slices | {'anon-01.nc'}
  assert {str(path.relative_to(folder)) for path in folder.rglob('*') if path.is_file()} == names


def test_no_identifier_of_the_source_is_in_any_byte_of_any_file(paths, sources):
  origin = pydicom.dcmread(sources[0])
  secret = [element.keyword for element in origin if str(element.value) in _PLANTED.values()]
  assert len(secret) > 60
  assert {'PatientName', 'PatientID', 'PatientBirthDate', 'StudyDate', 'AccessionNumber', 'InstitutionName'} <= set(
    secret
  )
  words = (SECRET, SECRET.lower(), SECRET.title(), 'ANNA', DAY, '1959-11-17', TIME, '064Y')
  found = [
    f'{word} in {place}'
    for path in paths
    for place, content in every_byte(path)
    for word in words
    for encoding in ('utf-8', 'utf-16-le')
    if word.encode(encoding) in content
  ]
  assert found == []


def test_masks_come_back_with_spacing_and_time(paths, slices):
  by_name = {path.name: path for path in paths}
  for one in slices:
    image = nib.load(by_name[f'{one.slice_id}_mask.nii.gz'])
    np.testing.assert_array_equal(np.asarray(image.dataobj)[:, :, 0].transpose(2, 1, 0), one.motion.mask)
    assert image.get_data_dtype() == np.uint8
    assert image.header.get_zooms() == pytest.approx((2.4, 2.4, 1, 20.5))
    assert image.header.get_xyzt_units() == ('mm', 'msec')


def test_curves_hold_every_value_of_the_analysis(folder, paths, slices):
  table = pd.read_csv(folder / 'curves.csv', keep_default_na=False, na_values=[''])
  assert list(table.columns) == [
    *('slice', 'level', 'group', 'region', 'region_name', 'component', 'frame', 'time_ms', 'velocity_cm_s')
  ]
  assert len(table) == 3 * (1 + 6 + 24 + 3) * 4 * 3
  for one in slices:
    for group in GROUPS:
      for k, component in enumerate(COMPONENTS):
        wanted = (table.slice == one.slice_id) & (table.group == group) & (table.component == component)
        values = table[wanted].pivot(index='region', columns='frame', values='velocity_cm_s').to_numpy()
        np.testing.assert_allclose(values, one.motion.curves[group][..., k], rtol=1e-5)  # six digits
  np.testing.assert_allclose(table.time_ms, table.frame * 20.5)
  assert table[(table.group == 'angular6') & (table.region == 2)].region_name.unique().tolist() == ['IL']
  assert set(table[table.slice == 'sax1'].level) == {'base'}


def test_contours_hold_every_point_and_the_flag_of_its_frame(folder, paths, slices):
  table = pd.read_csv(folder / 'contours.csv')
  assert list(table.columns) == ['slice', 'frame', 'side', 'point', 'row', 'column', 'flag']
  assert len(table) == 3 * 4 * 2 * 360
  for one in slices:
    for side in ('endo', 'epi'):
      points = table[(table.slice == one.slice_id) & (table.side == side)].sort_values(['frame', 'point'])
      expected = getattr(one.motion.contours, side).reshape(-1, 2)
      np.testing.assert_allclose(points[['row', 'column']], expected, rtol=1e-5)
  assert table[table.flag.notna()][['slice', 'frame', 'flag']].drop_duplicates().to_numpy().tolist() == [
    ['sax2', 2, 'ring open']
  ]


def test_markers_and_motion_hold_the_numbers_of_the_analysis(folder, paths, slices):
  markers = pd.read_csv(folder / 'markers.csv', keep_default_na=False)
  expected = pd.concat([one.motion.markers for one in slices])
  assert list(markers.columns) == [
    *('slice', 'level', 'group', 'region', 'region_name', 'component', 'marker', 'frame'),
    *('velocity_cm_s', 'time_ms', 'normalised_time_ms'),
    *('velocity_low_cm_s', 'velocity_high_cm_s', 'time_low_ms', 'time_high_ms'),
  ]
  np.testing.assert_allclose(markers.time_high_ms, expected.time_high, rtol=1e-5)
  np.testing.assert_array_equal(markers[['group', 'region', 'marker']], expected[['group', 'region', 'marker']])
  np.testing.assert_allclose(markers.velocity_cm_s, expected.velocity, rtol=1e-5)
  motion = pd.read_csv(folder / 'motion.csv')
  second = motion[motion.slice == 'sax2']
  np.testing.assert_allclose(second.rotation_deg, slices[1].motion.rotation, rtol=1e-5)
  np.testing.assert_allclose(second.rotation_rate_rad_s, slices[1].motion.rotation_rate, rtol=1e-5)
  np.testing.assert_allclose(
    second[[f'displacement_{name}_mm' for name in COMPONENTS]], slices[1].motion.displacement, rtol=1e-5
  )


def test_strainmap_gets_its_own_names_and_else_the_slice(folder, paths):
  read = strainmap.read_contours(folder / 'anon-01.nc')
  assert list(read) == ['234 MVM sax1', '239 MVM sax2', 'sax3']
  truth = study.truth(study.plan(SMALL)[2])
  mask = wall_mask(read['sax3'].pairs(), truth.mask.shape[1:])
  assert 2 * (mask & truth.mask).sum() / (mask.sum() + truth.mask.sum()) >= 0.98


def test_a_source_that_no_seg_can_refer_to_costs_only_the_seg(tmp_path):
  sources = write_sources(tmp_path / 'source', (48, 48), 4, tags={'NumberOfFrames': 2})
  one = results.SliceResult(exact_motion(0), Source(instances=sources))
  names = {path.name for path in results.write_results(tmp_path / 'out', 'anon', [one])}
  assert 'sax1_velocity.xlsx' in names
  assert not (tmp_path / 'out/seg').exists()


def test_pseudonyms_and_slices_must_be_fit_for_file_names(tmp_path):
  for wrong in ('', '../up', 'Anna Müller', 'a' * 65, '.hidden'):
    with pytest.raises(UserError, match='pseudonym'):
      results.write_results(tmp_path, wrong, [])
  with pytest.raises(UserError, match='several slices would be written as sax1'):
    results.write_results(tmp_path, 'anon', [results.SliceResult(exact_motion(0))] * 2)
  same = [results.SliceResult(exact_motion(k), strainmap_name='1 MVM') for k in (0, 1)]
  with pytest.raises(UserError, match='several slices are called 1 MVM'):
    results.write_results(tmp_path, 'anon', same)
  assert not list(tmp_path.iterdir())


def test_withheld_curves_are_in_no_file_and_leave_those_of_an_earlier_run(tmp_path):
  slices = [results.SliceResult(exact_motion(0))]
  everything = results.write_results(tmp_path, 'anon', slices)
  withheld = results.write_results(tmp_path, 'anon', slices, curves=False)
  assert {path.name for path in everything} - {path.name for path in withheld} == {
    *('curves.csv', 'markers.csv', 'motion.csv', 'sax1_velocity.xlsx')
  }
  assert sorted(path for path in tmp_path.iterdir()) == sorted(withheld)


def test_the_analysis_of_a_phantom_goes_out_to_strainmap_and_comes_back(tmp_path):
  cine = study.render(study.plan(SMALL)[1])
  motion = analyse(cine, cine.mask, septum=0.5)
  results.write_results(tmp_path, 'anon', [results.SliceResult(motion)])
  (drawn,) = strainmap.read_contours(tmp_path / 'anon.nc').values()
  back = cine.replace(mask=wall_mask(drawn.pairs(), cine.mask.shape[1:]))
  assert 2 * (back.mask & motion.mask).sum() / (back.mask.sum() + motion.mask.sum()) >= 0.98
  markers = pd.read_csv(tmp_path / 'markers.csv', keep_default_na=False, na_values=[''])
  np.testing.assert_allclose(markers.velocity_cm_s, motion.markers.velocity, rtol=1e-5)
  curve = pd.read_excel(tmp_path / f'{cine.slice_id}_velocity.xlsx', sheet_name='GLOBAL')['LONG']
  np.testing.assert_allclose(curve, motion.curves['global'][0, :, 0])


def test_a_slice_without_any_contour_still_has_its_files(tmp_path):
  cine = study.render(study.plan(SMALL)[0])
  motion = analyse(cine, np.zeros_like(cine.mask), septum=0.5)
  paths = results.write_results(tmp_path, 'anon', [results.SliceResult(motion), results.SliceResult(exact_motion(1))])
  assert {path.name for path in paths} >= {'sax1_mask.nii.gz', 'sax1_velocity.xlsx', 'sax2_velocity.xlsx'}
  assert not strainmap.read_contours(tmp_path / 'anon.nc')['sax1'].annotated.any()
  curves = pd.read_csv(tmp_path / 'curves.csv')
  assert curves[curves.slice == 'sax1'].velocity_cm_s.isna().all()
  assert pd.read_excel(tmp_path / 'sax1_velocity.xlsx', sheet_name='GLOBAL', index_col=0).isna().all(axis=None)
