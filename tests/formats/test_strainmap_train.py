"""StrainMap's training exports, written here by xarray as StrainMap writes them."""

import h5py
import numpy as np
import pytest
import xarray as xr

from ear_jax.formats import folder, strainmap_train
from ear_jax.formats.faults import MalformedStudy

RNG = np.random.default_rng(5)
PIXELS = RNG.integers(0, 4096, (5, 3, 7, 9), np.uint16)  # comp, frame, row, col
PIXELS[4] = 0
PIXELS[1, 0, 0, 0] = 0  # -venc
PIXELS[4, ::2, 2:4, 3:6] = 1


def write(path, pixels=PIXELS, names=('MAG', 'X', 'Y', 'Z', 'LABELS'), **attributes):
  coordinates = {'comp': list(names)} | dict(
    zip(('frame', 'row', 'col'), map(np.arange, pixels.shape[1:]), strict=True)
  )
  array = xr.DataArray(pixels, coordinates, ('comp', 'frame', 'row', 'col'), name='stacked')
  path.parent.mkdir(parents=True, exist_ok=True)
  array.to_netcdf(path, engine='h5netcdf', encoding={'stacked': {'zlib': True, 'complevel': 9}})
  with h5py.File(path, 'a') as h5:
    h5.attrs.update(attributes)
  return path


def test_pixels_become_velocities_of_our_axes(tmp_path):
  path = write(tmp_path / 'SECRETNAME_3_1700000000_train.nc')
  (cine,) = strainmap_train.read(path)
  np.testing.assert_array_equal(cine.video[..., 0], PIXELS[0])
  # By hand: X runs against the columns, so pixel 3072 of venc 20 is -10 cm/s along them; pixel 0 is +venc.
  velocity = (PIXELS[1:4].astype(float) - 2048) / 2048
  np.testing.assert_allclose(cine.video[..., 1], np.where(velocity[0] == -1, -20, -20 * velocity[0]), atol=1e-5)
  np.testing.assert_allclose(cine.video[..., 2], 20 * velocity[1], atol=1e-5)
  np.testing.assert_allclose(cine.video[..., 3], 30 * velocity[2], atol=1e-5)
  np.testing.assert_array_equal(cine.mask, PIXELS[4])
  assert cine.annotated.tolist() == [True, False, True]
  assert (cine.venc, cine.spacing) == ((20, 20, 30), (0.85, 0.85))
  assert np.isnan(cine.frame_interval)
  assert cine.name == 'strainmap-01/cine-3'
  assert 'SECRET' not in f'{cine.name} {cine.subject}'


def test_components_are_found_by_name_and_settings_by_attribute(tmp_path):
  order = [4, 2, 0, 3, 1]
  names = np.array(['MAG', 'X', 'Y', 'Z', 'LABELS'])[order]
  stated = {'venc': (10.0, 15.0, 40.0), 'spacing': (1.0, 2.0), 'frame_interval': 21.0, 'signs': (-1, 1, 1)}
  write(tmp_path / 'one/A_1_17_train.nc', PIXELS[order], names, **stated)
  write(tmp_path / 'two/A_1_17_train.nc')
  (shuffled,) = strainmap_train.read(tmp_path / 'one/A_1_17_train.nc')
  (plain,) = strainmap_train.read(tmp_path / 'two/A_1_17_train.nc')
  np.testing.assert_array_equal(shuffled.mask, plain.mask)
  np.testing.assert_allclose(shuffled.video, plain.video * np.float32([1, -0.5, 0.75, 4 / 3]), rtol=1e-5, atol=1e-5)
  assert (shuffled.spacing, shuffled.frame_interval) == ((1, 2), 21)


def test_an_interval_that_no_heart_has_is_unknown(tmp_path):
  """Case A3, of this format."""
  path = write(tmp_path / 'A_1_17_train.nc', np.repeat(PIXELS, 7, 1), frame_interval=1000.0)
  (cine,) = strainmap_train.read(path)
  assert np.isnan(cine.frame_interval)
  note, taken = strainmap_train.scan(path, tmp_path).notes
  assert taken == 'not stated by the file, and taken: venc 20, 20, 30 and spacing 0.85, 0.85 (cm/s, mm)'
  assert note.startswith('21 frames of 1000 ms are 21000 ms')


def test_people_are_numbered_and_their_cines_named(tmp_path):
  for name in ('Zoe_1_17', 'Zoe_2_18', 'Anna_1_19', 'van_der_Berg_1_20'):
    write(tmp_path / f'{name}_train.nc')
  paths = strainmap_train.find(sorted(tmp_path.iterdir()))
  names = {path.name.split('_')[0]: strainmap_train.scan(path, tmp_path).names for path in paths}
  assert names == {
    'Anna': (('strainmap-01', 'cine-1'),),
    'Zoe': (('strainmap-02', 'cine-2'),),
    'van': (('strainmap-03', 'cine-1'),),
  }
  cines = [cine for path in paths for cine in strainmap_train.read(path)]
  assert [cine.subject for cine in cines] == ['strainmap-01', 'strainmap-02', 'strainmap-02', 'strainmap-03']


def test_a_folder_of_exports_is_read_like_any_other(tmp_path):
  write(tmp_path / 'A_1_17_train.nc')
  ((cine, _),) = folder.read(tmp_path, channels=4)
  assert cine.name == 'strainmap-01/cine-1'


def high_phase(pixels):
  pixels[1, 2] = 5000
  return pixels


def label_two(pixels):
  pixels[4, 1, 0, 0] = 2
  return pixels


@pytest.mark.parametrize(
  ('name', 'change', 'more', 'message'),
  [
    ('A_1_x', None, {}, 'name is not'),
    ('A_1_17', high_phase, {}, 'frame 2: phase lies outside'),
    ('A_1_17', label_two, {}, 'frame 1: mask holds values other than 0 and 1'),
    ('A_1_17', None, {'names': ('MAG', 'X', 'Y', 'Z', 'OTHER')}, 'comp MAG, X, Y, Z, OTHER; expected'),
    ('A_1_17', None, {'venc': (20.0, -1.0, 30.0)}, 'venc is'),
    ('A_1_17', None, {'signs': (1, 2, 1)}, 'signs is'),
  ],
)
def test_faults_name_file_place_and_rule(tmp_path, name, change, more, message):
  write(tmp_path / f'{name}_train.nc', change(PIXELS.copy()) if change else PIXELS, **more)
  with pytest.raises(MalformedStudy, match=message):
    folder.read(tmp_path, channels=4)


def test_files_of_another_kind_are_faults(tmp_path):
  (tmp_path / 'A_1_17_train.nc').write_text('hello')
  with h5py.File(tmp_path / 'B_1_17_train.nc', 'w') as h5:
    h5['other'] = 1
  with pytest.raises(MalformedStudy) as raised:
    folder.read(tmp_path, channels=4)
  first, second = raised.value.faults
  assert 'not a readable netCDF-4 file' in str(first)
  assert 'not a training export' in str(second)


def test_magnitude_alone_can_be_had_from_it(tmp_path):
  write(tmp_path / 'A_1_17_train.nc')
  ((cine, _),) = folder.read(tmp_path, channels=1)
  assert cine.venc is None
  np.testing.assert_array_equal(cine.video[..., 0], PIXELS[0])
