"""What identifies a patient and stands in a file that is read stays there: data sets, runs, scores, exports, caches.

Of `predict` the same is tested in `test_predict.py`.
"""

import json
import os
import pathlib
import zipfile

import h5py
import nibabel as nib
import numpy as np
import pytest
import tensorflow_datasets as tfds
from toy import phantoms

from data_builders.mvm_cmr import mvm_cmr_dataset_builder as mvm_cmr
from ear_jax.cine import Study
from ear_jax.formats import hdf5, nifti

pytestmark = pytest.mark.multiprocess

SECRET, BORN = 'Zzyzxova', '19430917'
WORDS = (SECRET, SECRET.upper(), SECRET.lower(), BORN, '1943-09-17', '1943.09.17')
TAGS = {'PatientName': f'{SECRET}^Ada', 'PatientBirthDate': BORN, 'StudyDate': '1943.09.17', 'Institution': SECRET}


def _plant_in_hdf5(path: pathlib.Path) -> None:
  with h5py.File(path, 'a') as h5:
    for item in (h5, *h5.values(), *(group['image'] for group in h5.values())):
      item.attrs.update(TAGS)
    for group in h5.values():
      group['comment'] = SECRET


def _plant_in_nifti(path: pathlib.Path) -> None:
  image = nib.load(path)
  image.header['descrip'], image.header['aux_file'], image.header['intent_name'] = SECRET, SECRET, SECRET
  image.header['db_name'] = SECRET
  image.header.extensions.append(nib.nifti1.Nifti1Extension('comment', f'{SECRET} {BORN}'.encode()))
  nib.save(nib.Nifti1Image(np.asarray(image.dataobj), image.affine, image.header), path)
  settings = path.with_name(path.name.replace('.nii.gz', '.json'))
  settings.write_text(json.dumps(json.loads(settings.read_text()) | TAGS))


def _write_export(folder: pathlib.Path, cine) -> None:
  """StrainMap's training export, which is named after the patient."""
  phase = np.rint(2048 + 2048 * cine.video[..., 1:] / np.float32(cine.venc)).clip(0, 4095)
  with h5py.File(folder / f'{SECRET}_{BORN}_1_123_train.nc', 'w') as h5:
    h5['stacked'] = np.stack([cine.video[..., 0], *np.moveaxis(phase, -1, 0), cine.mask]).astype(np.int32)
    h5['comp'] = ['MAG', 'X', 'Y', 'Z', 'LABELS']
    h5.attrs.update(TAGS)


@pytest.fixture(scope='module')
def studies(tmp_path_factory) -> pathlib.Path:
  """Studies in three formats with a name and dates wherever a file has room for them, in a folder named so."""
  folder = tmp_path_factory.mktemp('planted') / f'{SECRET}_{BORN}'
  folder.mkdir()
  *most, fourth, fifth = [cine for cine in phantoms() if cine.slice_id == 'sax1']
  for cine in most:
    hdf5.write(Study(cine.subject, cine.dataset, (cine,)), folder / f'{cine.dataset}.h5')
    _plant_in_hdf5(folder / f'{cine.dataset}.h5')
  _plant_in_nifti(nifti.write(fourth, folder))
  _write_export(folder, fifth)
  return folder


@pytest.fixture(scope='module')
def built(studies, tmp_path_factory) -> pathlib.Path:
  """The data set built from them."""
  data_dir, download = tmp_path_factory.mktemp('built'), tmp_path_factory.mktemp('download')
  builder = mvm_cmr.Builder(config='folder', data_dir=data_dir)
  settings = tfds.download.DownloadConfig(manual_dir=studies)
  builder.download_and_prepare(download_dir=download, download_config=settings)
  return data_dir


def _found(folder: pathlib.Path) -> list[str]:
  """Returns every file that holds or is named after one of the words, archives unpacked."""
  found = []
  for path in folder.rglob('*'):
    parts = [str(path.relative_to(folder)).encode()]
    if path.is_file():
      parts.append(path.read_bytes())
      if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as inside:
          parts += [name.encode() + inside.read(name) for name in inside.namelist()]
    found += [f'{path.name}: {word}' for word in WORDS if any(word.encode() in part for part in parts)]
  return found


def test_the_search_finds_what_was_planted(studies):
  assert len(_found(studies)) >= 10


def test_a_data_set_and_its_metadata(built):
  assert len(list(built.rglob('*.json'))) >= 2
  assert _found(built) == []
  folder = next(path.parent for path in built.rglob('dataset_info.json'))
  examples = list(tfds.builder_from_directory(folder).as_data_source(split='train'))  # records are packed on disk
  assert len(examples) == 5
  texts = {key: [str(example[key]) for example in examples] for key in ('subject', 'dataset', 'slice_id', 'level')}
  assert not [word for word in WORDS if word in repr(texts)]
  assert any('strainmap-01' in text for text in texts['dataset'])


@pytest.mark.slow
def test_a_run_its_scores_its_export_its_log_and_its_caches(built, config_file, tmp_path, forks):
  run = tmp_path / 'run'
  data = ('--config.data.name=mvm_cmr/folder', f'--config.data.dir={built}')
  steps = (
    ('ear_jax.train', '--config', config_file, '--workdir', run, '--config.steps=2', '--config.eval.every=2', *data),
    ('ear_jax.evaluate', '--workdir', run, '--split=all', '--allow_training_subjects'),
    (
      'ear_jax.audit',
      'mvm_cmr/folder',
      '--data_dir',
      built,
      '--checkpoint',
      run,
      '--output',
      tmp_path / 'audit',
      '--trust',
    ),
    ('ear_jax.export', '--checkpoint', run, '--output', tmp_path / 'ear3d.zip'),
  )
  for step in steps:
    outcome = forks.run(*step)
    assert outcome.status == 0, outcome.stderr
    assert not [word for word in WORDS if word in outcome.stdout + outcome.stderr]
  assert len([path for path in tmp_path.rglob('*') if path.is_file()]) > 15
  assert _found(tmp_path) == []
  assert _found(pathlib.Path(os.environ['JAX_COMPILATION_CACHE_DIR'])) == []
