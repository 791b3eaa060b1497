"""Files made to mislead: each is answered with a sentence, in little memory, and nothing outside the study is read."""

import gzip
import json
import os
import zlib

import h5py
import numpy as np
import pydicom
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian

from ear_jax.cine import Study
from ear_jax.formats import folder, hdf5, nifti, strainmap
from ear_jax.formats.faults import MalformedStudy
from ear_jax.formats.open import open_studies
from ear_jax.system.errors import UserError

VIDEO = 'anna-1_MID_video.nii.gz'


@pytest.fixture
def h5_file(tmp_path, make_cine):
  path = tmp_path / 'anna-1.h5'
  hdf5.write(Study('anna', 'anna-1', (make_cine(),)), path)
  return path


@pytest.fixture
def nifti_folder(tmp_path, make_cine):
  nifti.write(make_cine(), tmp_path / 'nifti')
  return tmp_path / 'nifti'


def sentence(path):
  """What the reader says of a folder that it refuses."""
  with pytest.raises(MalformedStudy) as error:
    open_studies(path)
  return str(error.value)


def replace(h5, name, make):
  del h5[name]
  make(h5, name)


HUGE = (50, 2**20, 2**20, 4)
SECRET = b'root of another file, twelve by ten pixels and more' * 90
CHANGES = {
  'petabytes declared': (
    lambda h5, name: h5.create_dataset(name, HUGE, 'f4', chunks=(1, 64, 64, 4)),
    '`image` has shape (50, 1048576, 1048576, 4)',
  ),
  'a link to another file': (
    lambda h5, name: h5.__setitem__(name, h5py.ExternalLink('other.h5', '/image')),
    '`image` is a link: store the data themselves',
  ),
  'a link to itself': (lambda h5, name: h5.__setitem__(name, h5py.SoftLink(f'/{name}')), '`image` is a link'),
  'bytes of another file': (
    lambda h5, name: h5.create_dataset(name, (3, 12, 10, 4), 'u2', external=[('secret.bin', 0, h5py.h5f.UNLIMITED)]),
    '`image` is stored in other files',
  ),
  'a virtual data set': (
    lambda h5, name: h5.create_virtual_dataset(name, virtual()),
    '`image` is stored in other files',
  ),
  'text': (lambda h5, name: h5.create_dataset(name, data=['a', 'b']), '`image` is no array of numbers'),
  'a group': (lambda h5, name: h5.create_group(name), '`image` is no array of numbers'),
  'complex numbers': (lambda h5, name: h5.create_dataset(name, (3, 12, 10, 4), 'c8'), 'no array of numbers'),
  'nothing': (lambda h5, name: h5.create_dataset(name, data=h5py.Empty('f4')), '`image` is no array of numbers'),
}


def virtual():
  layout = h5py.VirtualLayout((3, 12, 10, 4), 'u2')
  layout[...] = h5py.VirtualSource('other.h5', 'image', (3, 12, 10, 4))
  return layout


@pytest.mark.parametrize('name', CHANGES)
def test_an_hdf5_image_that_is_none(h5_file, name):
  (h5_file.parent / 'secret.bin').write_bytes(SECRET)
  change, words = CHANGES[name]
  with h5py.File(h5_file, 'a') as h5:
    replace(h5, 'MID/image', lambda h5, at: change(h5['MID'], 'image'))
  assert words in sentence(h5_file)
  with pytest.raises(MalformedStudy):
    folder.read(h5_file.parent, channels=4)


@pytest.mark.parametrize('key', ['venc', 'spacing', 'frame_interval', 'signs', 'level'])
@pytest.mark.parametrize(
  'value', ['Planted', b'\xff\xfe', [np.inf] * 3, -1.0, [1e300] * 2, h5py.Empty('f4'), np.zeros((3, 3))], ids=repr
)
def test_an_hdf5_setting_of_any_type(h5_file, key, value):
  with h5py.File(h5_file, 'a') as h5:
    h5['MID'].attrs[key] = value
  found = sentence(h5_file)
  assert f'{key} is' in found
  assert 'Planted' not in found


def test_a_slice_may_not_be_named_to_trick_a_terminal_or_a_folder(h5_file):
  for name in ('x' * 300, 'red \x1b[31m', '..'):
    with h5py.File(h5_file, 'a') as h5:
      h5.move(next(iter(h5)), name)
    found = sentence(h5_file)
    assert 'the name of a slice is longer than 64 characters, empty, or cannot be printed' in found
    assert '\x1b' not in found


@pytest.mark.parametrize(
  ('offset', 'values', 'words'),
  [
    (40, [4, 32767, 32767, 1, 32767], 'more than 268435456 values'),
    (40, [4, 10, 12, 32767, 32767], 'more than 268435456 values'),
    (70, [32, 64], 'pixels are complex64, expected numbers'),
    (70, [128, 24], 'expected numbers'),
    (70, [7, 16], 'not readable (HeaderDataError)'),
  ],
  ids=['huge pictures', 'huge stack', 'complex', 'colour', 'unknown type'],
)
def test_a_nifti_header_is_not_believed(nifti_folder, offset, values, words):
  path = nifti_folder / VIDEO
  data = bytearray(gzip.decompress(path.read_bytes()))
  data[offset : offset + 2 * len(values)] = np.array(values, '<i2').tobytes()
  path.write_bytes(gzip.compress(bytes(data)))
  assert words in sentence(nifti_folder)


@pytest.mark.parametrize(
  ('settings', 'words'),
  [
    ({'annotated': 5}, '`annotated` is no list of whole numbers'),
    ({'annotated': [True, 0.5]}, '`annotated` is no list of whole numbers'),
    ({'level': ['mid']}, 'level is none of base, mid, apex'),
    ({'level': 'Planted'}, 'level is none of base, mid, apex'),
    ({'venc': {'x': 1}}, 'venc is something else'),
    ({'venc': None}, 'venc is []'),
  ],
)
def test_nifti_settings_of_any_type(nifti_folder, settings, words):
  path = nifti_folder / VIDEO.replace('.nii.gz', '.json')
  path.write_text(json.dumps(json.loads(path.read_text()) | settings))
  assert words in sentence(nifti_folder)
  assert 'Planted' not in sentence(nifti_folder)


def test_json_nested_without_end(nifti_folder):
  (nifti_folder / VIDEO.replace('.nii.gz', '.json')).write_text('[' * 100_000)
  assert 'not readable (RecursionError)' in sentence(nifti_folder)


@pytest.mark.parametrize('name', ['a.h5', 'b_MID_video.nii.gz', 'somebody_1_2_train.nc'])
@pytest.mark.parametrize('kind', ['pipe', 'endless', 'lost'])
def test_pipes_devices_and_lost_links_are_not_waited_for(tmp_path, name, kind):
  path = tmp_path / name
  if kind == 'pipe':
    os.mkfifo(path)
  else:
    path.symlink_to('/dev/zero' if kind == 'endless' else tmp_path / 'nothing')
  assert f'{name} is no ordinary file' in sentence(tmp_path)


def test_a_pipe_in_place_of_a_mask_or_of_settings(nifti_folder):
  for name in ('anna-1_MID_mask.nii.gz', 'anna-1_MID_video.json'):
    (nifti_folder / name).unlink()
    os.mkfifo(nifti_folder / name)
    assert f'{name} is no ordinary file' in sentence(nifti_folder)


def test_folders_linked_in_a_circle_end(h5_file):
  (h5_file.parent / 'round').symlink_to(h5_file.parent)
  os.mkfifo(h5_file.parent / 'pipe.dcm')
  (study,) = open_studies(h5_file.parent)
  assert len(list(study.read())) == 1


def deflate(path, megabytes):
  """Makes the file one whose whole data set is deflated, with that many megabytes of zeros behind it."""
  image = pydicom.dcmread(path)
  image.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
  del image.PixelData
  image.save_as(path)
  whole = path.read_bytes()
  start = 144 + int.from_bytes(whole[140:144], 'little')  # behind the group of the file's own elements
  data = zlib.decompress(whole[start:], -zlib.MAX_WBITS)
  packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
  zeros = b''.join(packer.compress(bytes(2**20)) for _ in range(megabytes))
  path.write_bytes(whole[:start] + packer.compress(data) + zeros + packer.flush())


def test_a_deflated_bomb_is_not_unpacked(scan):
  deflate(scan.file(), megabytes=1)
  assert 'not a readable DICOM file (it is deflated as a whole: export it uncompressed)' in sentence(scan.folder)


def test_declared_pictures_without_end_are_not_decoded(scan):
  scan.edit(Rows=65535, Columns=65535)
  assert 'more than 268435456 values' in sentence(scan.folder)
  scan.edit(Rows=4500, Columns=4500)
  assert 'the header declares 4500 x 4500 x 1 x 1 values' in sentence(scan.folder)


@pytest.mark.parametrize('kind', ['external', 'huge', 'linked'])
def test_contours_that_lie_elsewhere_or_are_too_many(tmp_path, kind):
  path = tmp_path / 'contours.nc'
  with h5py.File(path, 'w') as h5:
    group = h5.create_group('segments')
    if kind == 'external':
      group.create_dataset('segments', (5,), 'f8', external=[('secret.bin', 0, 40)])
    elif kind == 'huge':
      group.create_dataset('segments', (2**20,) * 3, 'f8', chunks=(64,) * 3)
    else:
      group['segments'] = h5py.ExternalLink('other.h5', '/')
  with pytest.raises(UserError, match=r'not a readable StrainMap file \(`segments` (is stored|has shape|is a link)'):
    strainmap.read_contours(path)


def test_subjects_that_are_no_table(h5_file):
  (h5_file.parent / 'subjects.csv').write_bytes(b'dataset,subject\n\xff\xfe,\n')
  with pytest.raises(MalformedStudy, match=r'subjects.csv: not a readable table \(UnicodeDecodeError\)'):
    folder.read(h5_file.parent, channels=4)
