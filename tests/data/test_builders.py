"""The TFDS builders: every config builds, its records are read without TensorFlow, faults leave nothing behind."""

import dataclasses
import pathlib
import subprocess
import sys

import h5py
import nibabel as nib
import numpy as np
import pytest
import tensorflow_datasets as tfds
from ml_collections import ConfigDict
from PIL import Image

from data_builders.cine import cine_dataset_builder as cine_builder
from data_builders.mvm_cmr import mvm_cmr_dataset_builder as mvm_cmr
from data_builders.sunnybrook import sunnybrook_dataset_builder as sunnybrook
from ear_jax.cine import Cine, Place, Study, flip, rot90
from ear_jax.data import records, upright
from ear_jax.data.data_set import open_data_set
from ear_jax.formats import hdf5, nifti
from ear_jax.formats.choices import Choices
from ear_jax.formats.faults import MalformedStudy
from ear_jax.formats.source import Source
from ear_jax.phantom import study
from ear_jax.system.errors import UserError
from ear_jax.workflows.make_phantom import make_phantom

ROOT = pathlib.Path(__file__).parents[2]
TOY = study.Size('phantom_toy', 3, 0, (3,), 2, 32, 3.6, 3.6, offset=2.0, sharing=0.0)

VARIED_TOY = dataclasses.replace(TOY, matrix=48, spacings=(2.0, 3.0), varied=True)

READ = """
import sys
import tensorflow_datasets as tfds
from ear_jax.data import records, upright
from ear_jax.data.data_set import open_data_set
source = tfds.builder_from_directory(sys.argv[1]).as_data_source(split='train')
print(*sorted(records.decode_cine(example).name for example in source))
assert 'tensorflow' not in sys.modules, 'reading a data set imported TensorFlow'
"""


def _study(*names):
  """Returns a tiny study of one dataset, `anna`, with slices of the given names."""
  video = np.zeros((2, 6, 5, 4), np.float32)
  video[..., 0] = 7
  mask = np.zeros((2, 6, 5), np.uint8)
  mask[:, 2:4, 2:4] = 1
  settings = {'venc': (20.0, 20.0, 30.0), 'spacing': (1.0, 1.0), 'frame_interval': 20.0}
  cines = (
    Cine(video, mask, np.ones(2, bool), subject='anna', dataset='anna', slice_id=name, **settings) for name in names
  )
  return Study('anna', 'anna', tuple(cines))


def _build(builder_class, config, tmp_path, **settings):
  """Builds a config from `tmp_path/manual` into `tmp_path/data` and returns its examples as cines."""
  manual, download = tmp_path / 'manual', tmp_path / 'download'
  manual.mkdir(exist_ok=True)
  builder = builder_class(config=config, data_dir=tmp_path / 'data')
  download_config = tfds.download.DownloadConfig(manual_dir=manual, **settings)
  builder.download_and_prepare(download_dir=download, download_config=download_config)
  assert builder.info.file_format == tfds.core.FileFormat.ARRAY_RECORD
  source = tfds.builder_from_directory(builder.data_dir).as_data_source(split='train')
  return sorted((records.decode_cine(example) for example in source), key=lambda cine: cine.name)


def _written(tmp_path):
  """Returns what lies in the data folder, but for the list of configs that TFDS keeps beside the data sets."""
  files = (path.relative_to(tmp_path / 'data') for path in (tmp_path / 'data').rglob('*') if path.is_file())
  return [path for path in files if path.parts[1] != '.config']


@pytest.fixture
def toy_phantom(monkeypatch):
  monkeypatch.setattr(study, 'MINI', TOY)
  monkeypatch.setattr(study, 'VARIED', VARIED_TOY)
  monkeypatch.setattr(study, 'PAPER', TOY)


@pytest.mark.usefixtures('toy_phantom')
@pytest.mark.parametrize('cap', [None, 2])
@pytest.mark.parametrize('way', ['phantom_mini', 'phantom_paper', 'phantom_paper by Beam'])
def test_the_phantom_is_built(tmp_path, way, cap):
  settings = {'max_examples_per_split': cap}
  if way.endswith('Beam'):
    beam_options = pytest.importorskip('apache_beam.options.pipeline_options').PipelineOptions
    settings['beam_options'] = beam_options(['--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner'])
  cines = _build(mvm_cmr.Builder, way.split()[0], tmp_path, **settings)
  expected = [study.render(plan) for plan in study.plan(TOY)][:cap]
  assert [cine.name for cine in cines] == [cine.name for cine in expected]
  np.testing.assert_allclose(cines[1].video, expected[1].video, rtol=3e-7)
  np.testing.assert_array_equal(cines[1].mask, expected[1].mask)


@pytest.mark.usefixtures('toy_phantom')
def test_varied_people_are_shown_as_clinics_show_them(tmp_path):
  cines = _build(mvm_cmr.Builder, 'phantom_varied', tmp_path)
  expected = [study.render(plan) for plan in study.plan(VARIED_TOY, 8)]
  assert {cine.name: cine.spacing for cine in cines} == {cine.name: pytest.approx(cine.spacing) for cine in expected}
  assert len({cine.spacing for cine in cines}) == 3
  for cine, other in zip(cines, sorted(expected, key=lambda cine: cine.name), strict=True):
    np.testing.assert_array_equal(cine.mask, other.mask)
  config = ConfigDict({'data': {'name': 'mvm_cmr/phantom_varied', 'dir': str(tmp_path / 'data')}})
  assert open_data_set(config).axes == upright.CLINICAL


def test_the_people_that_train_the_shipped_network_are_none_that_it_is_tested_on():
  seeds = {config.name: config.seed for config in mvm_cmr.Builder.BUILDER_CONFIGS}
  trained, crowd, *tested = (
    {plan.subject for plan in study.plan(size, seeds[name])}
    for name, size in {
      'phantom_many': study.MANY,
      'phantom_crowd': study.CROWD,
      'phantom_varied': study.VARIED,
      'phantom_mini': study.MINI,
      'phantom_other': study.MINI,
    }.items()
  )
  assert (len(trained), len(crowd)) == (40, 1000)
  assert not (trained | crowd) & set().union(*tested)


@pytest.mark.slow
@pytest.mark.multiprocess
@pytest.mark.usefixtures('toy_phantom')
def test_the_phantom_is_built_by_two_worker_processes(tmp_path, monkeypatch):
  beam_options = pytest.importorskip('apache_beam.options.pipeline_options').PipelineOptions
  runner = '--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner'
  options = beam_options([runner, '--direct_running_mode=multi_processing', '--direct_num_workers=2'])
  expected = [study.render(plan) for plan in study.plan(TOY)]
  monkeypatch.setattr(study, 'render', None)  # here; other processes have their own
  cines = _build(mvm_cmr.Builder, 'phantom_paper', tmp_path, beam_options=options)
  assert [cine.name for cine in cines] == [cine.name for cine in expected]
  for cine, other in zip(cines, expected, strict=True):
    np.testing.assert_allclose(cine.video, other.video, rtol=3e-7)
    np.testing.assert_array_equal(cine.mask, other.mask)


def test_the_users_folder_is_built(tmp_path):
  (tmp_path / 'manual').mkdir()
  hdf5.write(_study('BASE', 'MID'), tmp_path / 'manual/anna.h5')
  cines = _build(mvm_cmr.Builder, 'folder', tmp_path)
  assert [cine.name for cine in cines] == ['anna/BASE', 'anna/MID']
  assert cines[0].mask.sum() == 8


def test_a_person_who_knows_better_says_so_in_the_config(tmp_path):
  """Contours of the wrong place are refused, and taken as `predict --force` takes them."""
  make_phantom(tmp_path / 'manual/p1', size=TOY, contours=True)
  with h5py.File(tmp_path / 'manual/p1/contours.nc', 'a') as h5:
    segments = h5['segments/segments']
    segments[...] = segments[...] - int(6 / segments.attrs['scale_factor'][0])  # pixels
  with pytest.raises(MalformedStudy, match='do not lie on a wall'):
    _build(mvm_cmr.Builder, 'folder', tmp_path)
  trusting = mvm_cmr.MvmCmrConfig(name='mine', choices={'trusted': True})
  cines = _build(mvm_cmr.Builder, trusting, tmp_path)
  truth = study.truth(study.first_visit(TOY, subject=1)[0]).mask[0]
  assert len(cines) == 3
  there, true = (np.argwhere(one).mean(0) for one in (cines[0].mask[0], truth))
  np.testing.assert_allclose(there - true, -6, atol=0.1)
  with pytest.raises(UserError, match="gaps is 'some', expected one of refuse, accept"):
    _build(mvm_cmr.Builder, mvm_cmr.MvmCmrConfig(name='mine2', choices={'gaps': 'some'}), tmp_path)
  with pytest.raises(UserError, match=r'venc is .* expected three positive'):
    Choices(venc=(20, 20))


def test_a_data_set_that_is_there_is_taken_only_where_its_source_is_the_same(tmp_path):
  """Contours that were drawn anew, a file more, and another choice: none of them gives the old data set in silence."""
  (tmp_path / 'manual').mkdir()
  labels = _write_acdc(tmp_path / 'manual')
  mine = cine_builder.CineConfig(name='mine', label=2)
  first = _build(cine_builder.Builder, mine, tmp_path)
  (tmp_path / 'manual/results').mkdir()
  (tmp_path / 'manual/results/summary.json').write_text('{"study": "", "verdict": "", "checks": [], "versions": {}}')
  again = _build(cine_builder.Builder, mine, tmp_path)  # results of ours are no source
  assert [cine.name for cine in again] == [cine.name for cine in first]
  with pytest.raises(UserError, match='choices: build it anew with --overwrite'):
    _build(cine_builder.Builder, cine_builder.CineConfig(name='mine', label=3), tmp_path)
  nib.save(nib.Nifti1Image(np.roll(labels, 1, 1), np.eye(4)), tmp_path / 'manual/patient001_frame01_gt.nii.gz')
  with pytest.raises(UserError, match='files that have changed since'):
    _build(cine_builder.Builder, mine, tmp_path)
  assert tfds.builder_from_directory(tmp_path / 'data/cine/mine/1.0.0').as_data_source(split='train')
  mode = tfds.download.GenerateMode.REUSE_CACHE_IF_EXISTS  # as --overwrite
  new = _build(cine_builder.Builder, mine, tmp_path, download_mode=mode)
  assert not (new[0].mask == first[0].mask).all()
  (tmp_path / 'manual/subjects.csv').write_text('dataset,subject\npatient001,anna\n')
  with pytest.raises(UserError, match='built from other files'):
    _build(cine_builder.Builder, mine, tmp_path)


def _write_acdc(root, affine=np.eye(4)):  # noqa: B008  (is not changed)
  """Writes a patient of ACDC with two slices of two frames and labels at end diastole; returns those labels."""
  labels = np.zeros((8, 6, 2), np.int16)  # column, row, slice
  labels[1:3, 2:5], labels[3:5, 2:5], labels[5:7, 2:4] = 3, 2, 1
  for name, pixels in (('4d', np.ones((8, 6, 2, 2), np.int16)), ('frame01_gt', labels)):
    nib.save(nib.Nifti1Image(pixels, affine), root / f'patient001_{name}.nii.gz')
  return labels


@pytest.mark.parametrize('config', ['folder', 'structures', cine_builder.CineConfig(name='mine', label=3)])
def test_a_public_set_is_built(tmp_path, config):
  (tmp_path / 'manual').mkdir()
  labels = _write_acdc(tmp_path / 'manual')
  cines = _build(cine_builder.Builder, config, tmp_path)
  assert [(cine.name, cine.subject) for cine in cines] == [(f'patient001/slice-0{z}', 'patient001') for z in (0, 1)]
  for z, cine in enumerate(cines):
    np.testing.assert_array_equal(cine.annotated, [True, False])
    expected = getattr(config, 'label', 2) == labels[..., z].T
    np.testing.assert_array_equal(cine.mask[0], expected)
  if config == 'structures':
    source = tfds.builder_from_directory(tmp_path / 'data/cine/structures/1.0.0').as_data_source(split='train')
    for example in source:
      np.testing.assert_array_equal(example['labels'][0], np.array([0, 3, 2, 1])[labels[..., 0].T])
      assert not example['labels'][1].any()


def test_structures_are_turned_with_the_picture(tmp_path):
  (tmp_path / 'manual').mkdir()
  across, down = np.array(upright.CLINICAL)
  matrix = np.eye(4)  # columns run down and rows across: the picture is to be turned and mirrored
  matrix[:3] = np.stack([-down, -across, np.cross(across, down), [1, 2, 3]], axis=1) * [[-1], [-1], [1]]
  _write_acdc(tmp_path / 'manual', matrix)
  _build(cine_builder.Builder, 'structures', tmp_path)
  source = tfds.builder_from_directory(tmp_path / 'data/cine/structures/1.0.0').as_data_source(split='train')
  for example in source:
    assert example['labels'].shape == (2, 8, 6)
    np.testing.assert_array_equal(example['labels'] == 2, example['mask'])
    assert example['mask'].any()


def _write_frames(root):
  """Writes two end-diastolic Sunnybrook frames of one patient, and one end-systolic."""
  disc, ring = np.zeros((16, 20), np.uint8), np.zeros((16, 20), np.uint8)
  disc[6:9, 6:9], ring[4:11, 4:11] = 255, 255
  for kind, pixels, images in (('images', disc, '123'), ('endo', disc, '123'), ('epi', ring, '12')):
    (root / 'frames' / kind).mkdir(parents=True)
    for image in images:
      Image.fromarray(pixels).save(root / f'frames/{kind}/SC-N-02-IM-0001-000{image}.png')


def test_sunnybrook_frames_are_built_and_read_without_tensorflow(tmp_path):
  _write_frames(tmp_path / 'manual')
  cines = _build(sunnybrook.Builder, 'frames', tmp_path)
  assert [cine.mask.sum() for cine in cines] == [40, 40]
  built = tmp_path / 'data/sunnybrook/frames/1.0.0'
  read = subprocess.run([sys.executable, '-c', READ, built], cwd=ROOT, capture_output=True, text=True, check=True)
  assert read.stdout.split() == ['SC-N-02/IM-0001-0001', 'SC-N-02/IM-0001-0002']


def test_a_malformed_folder_lists_its_faults_and_leaves_nothing(tmp_path):
  (tmp_path / 'manual').mkdir()
  hdf5.write(_study('BASE'), tmp_path / 'manual/anna.h5')
  (tmp_path / 'manual/ben.h5').write_bytes(b'nonsense')
  (tmp_path / 'manual/carl.h5').write_bytes(b'nonsense')
  with pytest.raises(MalformedStudy) as error:
    _build(mvm_cmr.Builder, 'folder', tmp_path)
  assert [fault.file for fault in error.value.faults] == ['ben.h5', 'carl.h5']
  assert _written(tmp_path) == []


def test_an_error_in_the_middle_leaves_nothing(tmp_path, monkeypatch):
  def stops_after_one(root, **_):
    yield _study('BASE').cines[0], Source()
    raise OSError('the disk is gone')

  monkeypatch.setattr(mvm_cmr.folder, 'read', stops_after_one)
  (tmp_path / 'manual').mkdir()
  (tmp_path / 'manual/x').touch()  # TFDS insists on a manual directory that is not empty
  with pytest.raises(OSError, match='the disk is gone'):
    _build(mvm_cmr.Builder, 'folder', tmp_path)
  assert _written(tmp_path) == []


@pytest.mark.parametrize('module', [cine_builder, mvm_cmr, sunnybrook])
def test_builders_do_not_import_tensorflow_themselves(module):
  text = pathlib.Path(module.__file__).read_text()
  assert 'import tensorflow\n' not in text
  assert 'import tensorflow as' not in text


@pytest.mark.slow
def test_tfds_build_runs_and_takes_a_config_of_ones_own_as_json(tmp_path):
  _write_acdc(tmp_path)
  command = [pathlib.Path(sys.executable).with_name('tfds'), 'build', 'data_builders/cine']
  options = ['--config={"name": "mine", "label": 3, "choices": {"gaps": "accept"}}', '--max_examples_per_split=1']
  folders = [f'--manual_dir={tmp_path}', f'--data_dir={tmp_path}/data']
  subprocess.run([*command, *options, *folders], cwd=ROOT, check=True, capture_output=True)
  source = tfds.builder_from_directory(tmp_path / 'data/cine/mine/1.0.0').as_data_source(split='train')
  assert [records.decode_cine(example).mask.sum() for example in source] == [6]


def test_pictures_of_a_known_place_are_turned_one_way_and_the_data_set_says_which(tmp_path):
  """A study stored in another order of rows and columns gives the same records; without a place it stays."""
  place = Place((5.0, 6.0, 7.0), (-0.664, -0.748, 0.0), (-0.419, 0.372, -0.829), 8.0)
  (cine,) = _study('MID')
  cine = cine.replace(
    place=place, frame_interval=250.0, video=np.arange(240, dtype=np.float32).reshape(2, 6, 5, 4) / 16
  )
  for name, turned in (
    ('as', cine),
    ('other', rot90(flip(cine, 'row'), 3)),
    ('unknown', rot90(cine.replace(place=None))),
  ):
    manual = tmp_path / name / 'manual'
    manual.mkdir(parents=True)
    nifti.write(turned, manual)
  first, second, stays = (_build(mvm_cmr.Builder, 'folder', tmp_path / name)[0] for name in ('as', 'other', 'unknown'))
  np.testing.assert_array_equal(second.video, first.video)
  np.testing.assert_array_equal(second.mask, first.mask)
  assert first.mask.shape == (2, 6, 5)
  assert stays.mask.shape == (2, 5, 6)
  axes = []
  for name in ('as', 'other', 'unknown'):
    config = ConfigDict({'data': {'name': 'mvm_cmr/folder', 'dir': str(tmp_path / name / 'data')}})
    axes.append(open_data_set(config).axes)
  assert axes == [upright.FROM_BASE, upright.FROM_BASE, None]


def test_sunnybrook_says_which_way_up_it_is(tmp_path):
  _write_frames(tmp_path / 'manual')
  _build(sunnybrook.Builder, 'frames', tmp_path)
  config = ConfigDict({'data': {'name': 'sunnybrook/frames', 'dir': str(tmp_path / 'data')}})
  data = open_data_set(config)
  picture = data.picture(data.subjects, 1.3)
  assert picture['axes'] == upright.CLINICAL
  assert np.shape(picture['heart']) == (3, 16, 16)
  assert data.picture(data.subjects)['heart'] is None  # without a spacing nobody knows how large a heart is


@pytest.mark.parametrize('name', ['nowhere', 'empty', 'file'])
@pytest.mark.parametrize('builder', [(sunnybrook.Builder, 'frames'), (mvm_cmr.Builder, 'folder')])
def test_without_files_to_read_nothing_is_begun(tmp_path, monkeypatch, builder, name):
  (tmp_path / 'empty').mkdir()
  (tmp_path / 'file').touch()
  words = {'nowhere': 'nowhere does not exist', 'empty': 'empty is empty', 'file': 'file is a file'}[name]
  made = builder[0](config=builder[1], data_dir=tmp_path / 'data')
  config = tfds.download.DownloadConfig(manual_dir=tmp_path / name)
  with pytest.raises(UserError, match=rf'{words}: say where they are with --manual_dir\. .*docs/data.md|README.md'):
    made.download_and_prepare(download_config=config)
  with pytest.raises(UserError, match='downloads/manual does not exist'):  # where TFDS looks by itself
    made.download_and_prepare()
  monkeypatch.setattr(sys, 'argv', ['/anywhere/bin/tfds', 'build'])
  with pytest.raises(SystemExit, match=f'^error: .*{words}'):
    made.download_and_prepare(download_config=config)
  assert not (tmp_path / 'data').exists()


def test_a_malformed_folder_ends_the_command_with_its_sentence(tmp_path, monkeypatch):
  (tmp_path / 'manual/frames').mkdir(parents=True)
  monkeypatch.setattr(sys, 'argv', ['/site-packages/tensorflow_datasets/scripts/cli/main.py', 'build'])
  with pytest.raises(SystemExit, match='frames/images: there is no such folder; '):
    _build(sunnybrook.Builder, 'frames', tmp_path)
