"""From a folder of DICOM to curves, files and the page, by the command line; and back through StrainMap's file."""

import csv
import gzip
import json
import math
import pathlib
import shutil
import zipfile

import command_line
import h5py
import nibabel as nib
import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGLosslessSV1

from ear_jax.analysis import uncertainty
from ear_jax.analysis.motion import Contours
from ear_jax.analysis.slices import analyse_with_contours
from ear_jax.cine import Study
from ear_jax.formats import nifti, strainmap
from ear_jax.formats.open import open_studies
from ear_jax.formats.siemens import writer as siemens_writer
from ear_jax.phantom import study
from ear_jax.report import curves, deformation

pytestmark = pytest.mark.multiprocess

SCAN = study.Size('phantom_scan', 5, 0, (5,), 8, 64, 2.0, 2.4, offset=12.0, sharing=0.0)
KNOWN, OTHER = 1, 0  # a person on whom the toy network is trained, scanned again on another grid; and another one
LEARN = {
  **{'steps': 200, 'eval.every': 200, 'loss.name': 'dice_iou+cross_entropy', 'optimizer.accumulate': 1},
  **{'optimizer.learning_rate': 5e-3, 'augment.elastic': 0.0, 'augment.intensity': 0.0, 'augment.flip': False},
  **{'augment.rot90': False},
}
SECRET, BORN = 'Zzyzxova', '19430917'


def _study(subject: int) -> Study:
  cines = [study.render(plan) for plan in study.plan(SCAN) if plan.subject_index == subject]
  return Study(cines[0].subject, cines[0].dataset, tuple(cines))


@pytest.fixture(scope='module')
def scanned(tmp_path_factory) -> pathlib.Path:
  """A folder with one study of three slices as DICOM."""
  folder = tmp_path_factory.mktemp('scanned')
  siemens_writer.write(_study(KNOWN), folder)
  return folder


@pytest.fixture(scope='module')
def delineates(config_file, tmp_path_factory) -> pathlib.Path:
  """A run whose network knows one person's heart well."""
  workdir = tmp_path_factory.mktemp('runs') / 'delineates'
  changes = [f'--config.{key}={value}' for key, value in LEARN.items()]
  outcome = command_line.run('ear_jax.train', '--config', config_file, '--workdir', workdir, *changes)
  assert outcome.status == 0, outcome.stderr
  assert f'phantom-{KNOWN + 1:02d}' in json.loads((workdir / 'split.json').read_text())['train']
  return workdir


@pytest.fixture(scope='module')
def results(delineates, scanned, tmp_path_factory) -> pathlib.Path:
  """What the toy network's prediction of it wrote, without TensorFlow; forced, for the network is a toy."""
  output = tmp_path_factory.mktemp('results')
  run = ('ear_jax.predict', scanned, '--checkpoint', delineates, '--output', output, '--force')
  outcome = command_line.run_without_tensorflow(*run)
  assert outcome.status == 0, outcome.stderr
  (folder,) = output.iterdir()
  assert str(folder / 'report.html') in outcome.stdout
  assert outcome.stderr.index('slices: 3 of 3 done') < outcome.stderr.index(f'{folder.name}: writing results')
  return folder


def _masks(folder):
  return {path.name: np.asarray(nib.load(path).dataobj) for path in sorted(folder.glob('*_mask.nii.gz'))}


def _summary(folder):
  return json.loads((folder / 'summary.json').read_text())


def test_the_wall_is_found_on_another_grid(results):
  """The toy network knows pictures of 32 x 32 pixels of 3.6 mm and 3 frames; these have 64 x 64 of 2 mm and 8."""
  for index, (plan, mask) in enumerate(
    zip([p for p in study.plan(SCAN) if p.subject_index == KNOWN], _masks(results).values(), strict=True)
  ):
    true, found = study.truth(plan).mask, mask[:, :, 0].transpose(2, 1, 0)
    assert 2 * np.minimum(true, found).sum() / (true.sum() + found.sum()) > (0.7, 0.7, 0.55)[index]


def test_every_slice_has_its_files_and_the_study_one_name(results):
  summary = _summary(results)
  for one in summary['slices']:  # case S7
    assert one['venc_cm_s'] == [20.0, 20.0, 30.0]
    assert one['spacing_mm'] == [2.0, 2.0]
    assert len(one['image_orientation']) == 6
    assert one['sectors'] == 'CCW'
    peak = next(m for m in one['markers'] if (m['component'], m['marker']) == ('longitudinal', 'PS'))
    had = one['intervals'] == uncertainty.HELD
    assert had == (
      peak['velocity_low'] is not None and peak['velocity_low'] <= peak['velocity'] <= peak['velocity_high']
    )
  assert [one['intervals'] for one in summary['slices']].count(uncertainty.HELD) >= 2
  assert results.name == summary['study']
  assert results.name.startswith('study-')
  slices = [entry['slice'] for entry in summary['slices']]
  assert len(slices) == 3
  assert [entry['level'] for entry in summary['slices']] == ['base', 'mid', 'apex']
  for name in slices:
    assert _masks(results)[f'{name}_mask.nii.gz'].shape == (64, 64, 1, 8)
    assert len(list((results / 'seg' / name).glob('*.dcm'))) == 8
    assert (results / f'{name}_velocity.xlsx').exists()
  names = {'contours.csv', 'curves.csv', 'markers.csv', 'motion.csv', 'twist.csv'}
  names |= {'strain.csv', 'segments.csv', 'function.csv', 'areas.csv', 'thickness.csv'}  # too short a stack for volumes
  assert {*curves.FILES, *deformation.PICTURES, 'bulls_eye.png'} <= {path.name for path in results.iterdir()}
  assert len(summary['segments']) == 17
  assert {path.name for path in results.glob('*.csv')} == names
  assert set(summary['cost']) == {'read', 'delineate', 'analyse', 'draw', 'write'}


def test_curves_are_those_of_the_masks(results, scanned):
  """The means of the velocities in the exported masks, by a loop written from the definitions."""
  (opened,) = open_studies(scanned)
  sound = {entry['slice'] for entry in _summary(results)['slices'] if entry['wraps'] == 0}
  cine = next(cine for cine, _ in opened.read() if cine.slice_id in sound)
  mask = _masks(results)[f'{cine.slice_id}_mask.nii.gz'][:, :, 0].transpose(2, 1, 0).astype(bool)  # [T, H, W]
  expected = np.array([cine.video[t][mask[t]][:, 3].mean() for t in range(len(mask))])
  with (results / 'curves.csv').open() as lines:
    found = [
      float(row['velocity_cm_s'])
      for row in csv.DictReader(lines)
      if (row['slice'], row['group'], row['component']) == (cine.slice_id, 'global', 'longitudinal')
    ]
  np.testing.assert_allclose(found, expected - expected.mean(), atol=1e-4)


def test_twist_is_the_apex_less_the_base(results):
  def column(file, name, **where):
    with (results / file).open() as lines:
      rows = [row for row in csv.DictReader(lines) if all(row[k] == v for k, v in where.items())]
    return np.array([float(row[name]) for row in rows])

  first, *_, last = (entry['slice'] for entry in _summary(results)['slices'])
  # Rotation of a slice is mean velocity over mean radius; twist is by regression inside the wall, weighted.
  expected = column('motion.csv', 'rotation_deg', slice=last) - column('motion.csv', 'rotation_deg', slice=first)
  found = column('twist.csv', 'twist_deg')
  assert np.corrcoef(found, expected)[0, 1] > 0.97
  assert column('function.csv', 'value', quantity='twist') in found  # one number, in both files


def test_contours_come_back_through_strainmaps_file(results, scanned, tmp_path, forks):
  """DICOM -> predict -> .nc -> contours of a file -> masks: Dice of at least 0.98 on every slice."""
  (file,) = results.glob('*.nc')
  outcome = forks.run('ear_jax.predict', scanned, '--contours', file, '--output', tmp_path, '--force')
  assert outcome.status == 0, outcome.stderr
  there, back = _masks(results), _masks(tmp_path / results.name)
  assert there.keys() == back.keys()
  for name, mask in there.items():
    assert 2 * np.minimum(mask, back[name]).sum() / (mask.sum() + back[name].sum()) >= 0.98, name
  versions = _summary(tmp_path / results.name)['versions']
  assert 'contours' not in versions, 'nobody corrected them'
  assert versions['network 1'] == _summary(results)['versions']['network 1']


def _drawn_by_a_person(scanned, path, names, *, gap=None):
  """A StrainMap file with the exact contours of the person who was scanned; one frame of the mid slice left out."""
  motions = []
  for plan, cine in zip(
    [p for p in study.plan(SCAN) if p.subject_index == KNOWN], open_studies(scanned)[0], strict=True
  ):
    truth = study.truth(plan)
    empty = np.array([cine.slice_id == 'slice-01' and t == gap for t in range(8)])
    sides = [np.where(empty[:, None, None], np.nan, side) for side in (truth.endo, truth.epi)]
    motions.append(analyse_with_contours(cine, Contours(*sides, ('',) * 8, empty, drawn=True), septum=1.0))
  strainmap.write(path, motions[: len(names)], names, pseudonym='a')
  return path


def test_what_is_drawn_is_done_and_what_is_not_is_named(scanned, tmp_path, forks):
  """Cases S4 and S10: an undrawn frame, an undrawn slice, contours of no slice; without a network and with one."""
  file = _drawn_by_a_person(scanned, tmp_path / 'a.nc', ['slice-00', 'slice-01', '99 elsewhere'], gap=5)
  outcome = forks.run('ear_jax.predict', scanned, '--contours', file, '--output', tmp_path / 'out')
  assert outcome.status == 1
  assert 'a.nc, cine 3: not used: the contours fit no slice by name' in outcome.stderr
  assert 'elsewhere' not in outcome.stderr + outcome.stdout  # a description may hold a name
  (folder,) = (tmp_path / 'out').iterdir()
  summary = _summary(folder)
  assert [entry['slice'] for entry in summary['slices']] == ['slice-00', 'slice-01']
  said = ' '.join(f'{check["slice_id"]}: {check["reason"]}' for check in summary['checks'])
  assert 'slice-01: frame 5 of 8: not drawn' in said
  assert 'slice-02: no contours are drawn, and no network is given: left out' in said
  assert not summary['curves_withheld']
  mask = _masks(folder)['slice-01_mask.nii.gz']
  assert np.flatnonzero(mask.any((0, 1, 2))).tolist() == [0, 1, 2, 3, 4, 6, 7]


def test_contours_that_were_not_used_beside_a_network_are_no_success(scanned, delineates, tmp_path, forks):
  """Case S4: rc was 0, and the curves were those of a run without the file."""
  file = _drawn_by_a_person(scanned, tmp_path / 'a.nc', ['1 x', '2 x', '3 x'])
  run = ('ear_jax.predict', scanned, '--contours', file, '--checkpoint', delineates, '--output', tmp_path / 'out')
  outcome = forks.run(*run, '--force')
  assert outcome.status == 1
  assert outcome.stderr.count('not used: none of its 3 cines is of a slice here') == 1
  assert len(_summary(next((tmp_path / 'out').iterdir()))['slices']) == 3


def test_a_study_that_fails_keeps_its_contours_and_loses_its_curves(results, delineates, scanned, tmp_path, forks):
  """Three of the four slices' velocities are noise: the gate fails, and curves of an earlier run go too."""
  broken = tmp_path / 'scan'
  shutil.copytree(scanned, broken)
  rng = np.random.default_rng(0)
  for path in broken.iterdir():
    image = pydicom.dcmread(path)
    if image.SeriesNumber % 5 in (2, 3, 4) and image.ImageType[2] == 'P':
      image.PixelData = rng.integers(0, 4096, image.pixel_array.shape).astype(np.uint16).tobytes()
      image.save_as(path)
  run = ('ear_jax.predict', broken, '--checkpoint', delineates, '--output', tmp_path / 'out')
  assert forks.run(*run, '--force').status == 0
  (folder,) = (tmp_path / 'out').iterdir()
  assert (folder / 'curves.csv').exists()
  outcome = forks.run(*run)
  assert outcome.status == 3
  assert 'withheld' in outcome.stdout
  assert _summary(folder)['curves_withheld']
  left = {path.name for path in folder.iterdir()}
  assert not left & {'curves.csv', 'markers.csv', 'motion.csv', 'twist.csv', *curves.FILES}
  assert not left & {'strain.csv', 'segments.csv', 'function.csv', *deformation.PICTURES, 'bulls_eye.png'}
  assert not list(folder.glob('*.xlsx'))
  assert {'contours.csv', 'report.html'} <= left


def test_a_bad_study_is_named_and_a_good_one_done(delineates, scanned, tmp_path, forks):
  folder = tmp_path / 'both'
  shutil.copytree(scanned, folder / 'good')
  siemens_writer.write(_study(OTHER), folder / 'bad')
  for path in (folder / 'bad').iterdir():
    image = pydicom.dcmread(path)
    if image.SeriesNumber == 12 and image.InstanceNumber == 3:
      path.unlink()
  outcome = forks.run('ear_jax.predict', folder, '--checkpoint', delineates, '--output', tmp_path / 'out', '--force')
  assert outcome.status == 1
  assert 'Traceback' not in outcome.stderr
  assert 'error:' in outcome.stderr
  assert len(list((tmp_path / 'out').iterdir())) == 1


def test_pixels_that_no_decoder_can_read_give_a_sentence(delineates, scanned, tmp_path, forks):
  shutil.copytree(scanned, tmp_path / 'scan')
  path = sorted((tmp_path / 'scan').iterdir())[100]
  image = pydicom.dcmread(path)
  image.PixelData = encapsulate([b'\xff\xd8 no picture'])
  image.file_meta.TransferSyntaxUID = JPEGLosslessSV1
  image.save_as(path)
  run = ('ear_jax.predict', tmp_path / 'scan', '--checkpoint', delineates, '--output', tmp_path / 'out')
  outcome = forks.run(*run)
  assert outcome.sentence.endswith('1 problem; nothing was read.')
  assert path.name in outcome.stderr
  assert not (tmp_path / 'out').exists()


def test_magnitude_alone_gives_contours(tmp_path, forks, config_file):
  workdir = tmp_path / 'run'
  changes = ('--config.data.name=toy/magnitude', '--config.data.channels=1', '--config.steps=2')
  assert forks.run('ear_jax.train', '--config', config_file, '--workdir', workdir, *changes).status == 0
  cine = _study(KNOWN).cines[1]
  cine = cine.replace(video=cine.video[..., :1], venc=None, mask=np.zeros_like(cine.mask), annotated=cine.annotated & 0)
  nifti.write(cine, tmp_path / 'grey')
  outcome = forks.run('ear_jax.predict', tmp_path / 'grey', '--checkpoint', workdir, '--output', tmp_path / 'out')
  assert outcome.status in (0, 3), outcome.stderr  # 3: a network of two steps delineates nothing
  (folder,) = (tmp_path / 'out').iterdir()
  assert 'magnitude only' in json.dumps(_summary(folder)['checks'])
  assert _masks(folder)
  assert not (folder / 'curves.csv').exists()


def _plant(folder: pathlib.Path) -> None:
  """Puts a name and a date into every text field, into file names and folder names."""
  for path in sorted(folder.rglob('*.dcm')):
    image = pydicom.dcmread(path)
    image.PatientName, image.PatientID = f'{SECRET}^Ada', SECRET
    for word, value in {
      'PatientBirthDate': BORN,
      'StudyDate': BORN,
      'SeriesDate': BORN,
      'AcquisitionDate': BORN,
      'ContentDate': BORN,
      'AccessionNumber': SECRET,
      'InstitutionName': SECRET,
      'ReferringPhysicianName': SECRET,
      'OperatorsName': SECRET,
      'StudyDescription': SECRET,
      'SeriesDescription': SECRET,
      'ProtocolName': SECRET,
      'StudyID': SECRET,
      'StationName': SECRET,
      'PatientComments': SECRET,
      'PatientAddress': SECRET,
      'MilitaryRank': SECRET,
    }.items():
      setattr(image, word, value)
    image.ImageComments = f'{image.ImageComments} {SECRET}'
    image.save_as(path)
    _, *fields = path.name.split('.')  # patient, modality, protocol, series, instance, year, month, day, ...
    path.rename(path.with_name('.'.join([SECRET, *fields[:4], '1943', '09', '17', *fields[7:]])))


def _bytes(path: pathlib.Path) -> bytes:
  """All that a file holds, unpacked."""
  raw = path.read_bytes()
  if path.suffix == '.gz':
    return raw + gzip.decompress(raw)
  if path.suffix == '.xlsx':
    with zipfile.ZipFile(path) as inside:
      return raw + b''.join(inside.read(name) for name in inside.namelist())
  if path.suffix == '.nc':
    found = []
    with h5py.File(path) as h5:
      found.append(repr(dict(h5.attrs)))
      h5.visititems(lambda name, item: found.append(name + repr(dict(item.attrs))))
      h5.visititems(lambda _, item: found.append(repr(item[()])) if isinstance(item, h5py.Dataset) else None)
    return raw + ''.join(found).encode()
  return raw


def test_no_identifier_reaches_any_output_or_line(delineates, scanned, tmp_path, forks):
  folder = tmp_path / f'{SECRET}_{BORN}'
  shutil.copytree(scanned, folder)
  _plant(folder)
  outcome = forks.run('ear_jax.predict', folder, '--checkpoint', delineates, '--output', tmp_path / 'out', '--force')
  assert outcome.status == 0, outcome.stderr
  said = (outcome.stdout + outcome.stderr).replace(str(folder), '')
  files = [path for path in (tmp_path / 'out').rglob('*') if path.is_file()]
  assert len(files) > 30
  for secret in (SECRET, SECRET.upper(), BORN, '1943-09-17', '1943.09.17'):
    assert secret not in said
    assert [path.name for path in files if secret.encode() in _bytes(path)] == []
    assert [path for path in files if secret in str(path.relative_to(tmp_path / 'out'))] == []


@pytest.mark.parametrize(
  ('args', 'words'),
  [
    (['{scanned}'], ['--output']),
    (['--output={out}'], ['STUDY']),
    (['{scanned}', '--output={out}'], ['--checkpoint', '--contours']),
    (['{scanned}', 'more', '--output={out}'], ['more', 'options begin with --']),
    (['/nowhere', '--output={out}', '--checkpoint={trained}'], ['/nowhere']),
    (['{scanned}', '--output={out}', '--checkpoint=/nowhere'], ['/nowhere', 'no training run']),
    (['{scanned}', '--output={out}', '--contours=/nowhere.nc'], ['/nowhere.nc', 'no such file']),
    (['{scanned}', '--output={out}', '--checkpoint={trained}', '--signs=1,1'], ['--signs=1,1', '1,-1,1']),
    (['{scanned}', '--output={out}', '--checkpoint={trained}', '--venc=20,0,30'], ['--venc=20,0,30', '20,20,30']),
    (['{scanned}', '--output={out}', '--checkpoint={trained}', '--pseudonym=a/b'], ["'a/b'"]),
    (['{scanned}', '--output={out}', '--checkpoint={trained}', '--orientation=up'], ['up', 'CCW']),
  ],
  ids=lambda value: None if value[0].startswith(('{', '/', '-')) else ' '.join(value),
)
def test_predict_answers_a_mistake_with_one_sentence(forks, delineates, scanned, tmp_path, args, words):
  places = {'scanned': scanned, 'trained': delineates, 'out': tmp_path / 'out'}
  sentence = forks.run('ear_jax.predict', *(arg.format(**places) for arg in args)).sentence
  assert [word for word in words if word not in sentence] == [], sentence


def test_expected_dice_is_a_share_and_the_mean_of_its_frames(results):
  values = [entry['expected_dice'] for entry in _summary(results)['slices']]
  assert all(0 <= value <= 1 and math.isfinite(value) for value in values)
  frames = [entry['expected_dice_by_frame'] for entry in _summary(results)['slices']]
  np.testing.assert_allclose(np.mean(frames, axis=1), values, atol=1e-4)


def test_predict_says_where_the_one_study_of_a_folder_lies(forks, tmp_path, scanned):
  run = ('ear_jax.predict', scanned, f'--checkpoint={tmp_path}', '--output', tmp_path / 'out', '--pseudonym=anna')
  outcome = forks.run(*run)
  assert 'holds no training run' in outcome.sentence
  assert outcome.stdout == f'anna is the study in {scanned}\n'
