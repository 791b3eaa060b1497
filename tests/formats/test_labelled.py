"""Cine sets as they are distributed, in small: names, labels and frames of each layout; case C1.

The truth is three bands of columns: cavity 0 to 2, myocardium 3 to 5, right ventricle 6 to 7, drawn one row further
down in each slice, so that mirrored axes, mixed frames and permuted values show.
"""

import json

import nibabel as nib
import numpy as np
import pytest

from ear_jax.formats import folder, labels
from ear_jax.formats.choices import Choices
from ear_jax.formats.faults import MalformedStudy
from ear_jax.formats.open import open_studies

SHAPE = (9, 7, 2, 4)  # column, row, slice, frame
RNG = np.random.default_rng(3)
VIDEO = RNG.integers(0, 900, SHAPE)
AFFINE = np.array([[-1.4, 0, 0, 40], [0, 1.3, 0, -30], [0, 0, 8, 5], [0, 0, 0, 1.0]])


def structures(frame=0):
  """The truth of a frame in our values, `[W, H, Z]`; another frame has it a row higher."""
  found = np.zeros(SHAPE[:3], np.uint8)
  for z in range(2):
    for value, columns in ((1, slice(0, 3)), (2, slice(3, 6)), (3, slice(6, 8))):
      found[columns, 2 + z - (frame > 0) : 5 + z, z] = value
  return found


def save(path, pixels, affine=AFFINE, kind=np.int16):
  path.parent.mkdir(parents=True, exist_ok=True)
  image = nib.Nifti1Image(pixels.astype(kind), affine)
  image.header.set_xyzt_units('mm', 'sec')
  if pixels.ndim == 4:
    image.header.set_zooms((1.4, 1.3, 8.0, 0.2))
  nib.save(image, path)
  return path


def permuted(mask, *values):
  """A mask whose cavity, myocardium and right ventricle have these values."""
  return np.array([0, *values])[mask]


def acdc(root, values=(3, 2, 1)):
  save(root / 'patient001/patient001_4d.nii.gz', VIDEO)
  for frame in (0, 2):
    stem = f'patient001/patient001_frame{frame + 1:02d}'
    save(root / f'{stem}.nii.gz', VIDEO[..., frame])
    save(root / f'{stem}_gt.nii.gz', permuted(structures(frame), *values))
  (root / 'patient001/Info.cfg').write_text('ED: 1\nES: 3\nGroup: DCM\nHeight: 184.0\nNbFrame: 4\nWeight: 95.0\n')


def mnms(root):
  gt = np.zeros(SHAPE)
  gt[..., 0], gt[..., 2] = structures(0), structures(2)  # their values are ours
  save(root / 'A0S9V9/A0S9V9_sa.nii.gz', VIDEO)
  save(root / 'A0S9V9/A0S9V9_sa_gt.nii.gz', gt)


def mnms2(root):
  save(root / '001/001_SA_CINE.nii.gz', VIDEO)
  save(root / '001/001_LA_CINE.nii.gz', VIDEO)
  for phase, frame in (('ED', 0), ('ES', 2)):
    save(root / f'001/001_SA_{phase}.nii.gz', VIDEO[..., frame])
    save(root / f'001/001_SA_{phase}_gt.nii.gz', structures(frame))


def ukbiobank(root):
  folder = root / '1234567_2_0'
  save(folder / 'sa.nii.gz', VIDEO)
  save(folder / 'la_4ch.nii.gz', VIDEO)
  save(folder / 'seg_sa.nii.gz', np.ones(SHAPE))
  for phase, frame in (('ED', 0), ('ES', 2)):
    save(folder / f'sa_{phase}.nii.gz', VIDEO[..., frame])
    save(folder / f'label_sa_{phase}.nii.gz', structures(frame))


def nnunet(root, names={'background': 0, 'RV': 1, 'MYO': 2, 'LVC': 3}):  # noqa: B006  (is not changed)
  for frame in (0, 2):
    case = f'patient001_frame{frame + 1:02d}'
    save(root / f'Dataset027_ACDC/imagesTr/{case}_0000.nii.gz', VIDEO[..., frame])
    save(root / f'Dataset027_ACDC/labelsTr/{case}.nii.gz', permuted(structures(frame), 3, 2, 1))
  (root / 'Dataset027_ACDC/dataset.json').write_text(json.dumps({'labels': names}))


def expected(frame, z):
  return (structures(frame)[..., z].T == labels.MYOCARDIUM).astype(np.uint8)


@pytest.mark.parametrize(
  ('write', 'dataset', 'subject'),
  [
    (acdc, 'patient001', 'patient001'),
    (mnms, 'A0S9V9', 'A0S9V9'),
    (mnms2, '001', '001'),
    (ukbiobank, '1234567_2_0', '1234567'),
  ],
)
def test_a_set_as_it_is_distributed(tmp_path, write, dataset, subject):
  write(tmp_path)
  (study,) = open_studies(tmp_path)
  assert (study.dataset, study.slices, study.notes, study.faults) == (dataset, ('slice-00', 'slice-01'), (), ())
  for z, (cine, source) in enumerate(study.read()):
    np.testing.assert_array_equal(cine.video[..., 0], VIDEO[:, :, z].transpose(2, 1, 0))
    np.testing.assert_array_equal(cine.annotated, [True, False, True, False])
    np.testing.assert_array_equal(cine.mask[[0, 2]], [expected(0, z), expected(2, z)])
    np.testing.assert_array_equal(source.labels[2], structures(2)[..., z].T)
    assert (cine.subject, cine.venc) == (subject, None)
    np.testing.assert_allclose((*cine.spacing, cine.frame_interval), (1.3, 1.4, 200.0), rtol=1e-6)
    np.testing.assert_allclose(cine.place.corner, (-40, 30, 5 + 8 * z))


@pytest.mark.parametrize(
  'names',
  [
    {'background': 0, 'RV': 1, 'MYO': 2, 'LVC': 3},
    {'0': 'background', '1': 'right ventricle', '2': 'Left ventricular myocardium', '3': 'LV'},
  ],
)
def test_nnunets_cases_are_visits_of_a_subject(tmp_path, names):
  nnunet(tmp_path, names)
  studies = open_studies(tmp_path)
  assert [study.dataset for study in studies] == ['patient001_frame01', 'patient001_frame03']
  for frame, study in zip((0, 2), studies, strict=True):
    for z, cine in enumerate(study):
      assert (cine.video.shape, cine.subject) == ((1, 7, 9, 1), 'patient001')
      np.testing.assert_array_equal(cine.mask[0], expected(frame, z))


def faults(path, choices=Choices()):  # noqa: B008  (is frozen)
  with pytest.raises(MalformedStudy) as error:
    open_studies(path, choices)
  return '\n'.join(map(str, error.value.faults))


def test_labels_whose_names_say_nothing_are_asked_for(tmp_path):
  nnunet(tmp_path, {'background': 0, 'first': 1, 'second': 2, 'third': 3})
  assert 'mask holds values 1, 2, 3: say which is the myocardium (label)' in faults(tmp_path)
  (one, _) = open_studies(tmp_path, Choices(label=2))
  np.testing.assert_array_equal(one[1].mask[0], expected(0, 1))
  assert 'holds values 1, 2, 3, and not 7, which was given' in faults(tmp_path, Choices(label=7))


CASE = 'patient001/patient001_frame03'


@pytest.mark.parametrize(
  ('change', 'words'),
  [
    (lambda r: save(r / f'{CASE}_gt.nii.gz', structures()[:-1]), f'{CASE}_gt.nii.gz: mask has shape (8, 7, 2), its'),
    (lambda r: save(r / f'{CASE}_gt.nii.gz', structures() * 2), 'holds value 4, which the layout does not know'),
    (lambda r: save(r / f'{CASE}_gt.nii.gz', structures() / 2, kind=float), 'holds values between whole numbers'),
    (lambda r: save(r / f'{CASE}.nii.gz', VIDEO[..., 1]), 'is named frame 2 (from 0), but its picture is frame 1 of'),
    (lambda r: save(r / f'{CASE}.nii.gz', VIDEO[..., 1] + 5), 'is of a picture that is no frame of the video'),
    (lambda r: (r / 'patient001/Info.cfg').write_text('ED: 1\nES: 2\n'), 'ES is frame 2, but labels are of frame 3'),
    (lambda r: (r / 'patient001/patient001_4d.nii.gz').write_bytes(b'x'), 'patient001_4d.nii.gz: not readable'),
    (lambda r: save(r / 'patient001/patient001_4d.nii.gz', -VIDEO), 'magnitude is negative'),
    (
      lambda r: save(r / f'{CASE}_gt.nii.gz', structures(), AFFINE + np.eye(4)[[3, 3, 3, 0]].T * 9),
      'lies up to',
    ),
  ],
)
def test_what_contradicts_itself_is_refused(tmp_path, change, words):
  acdc(tmp_path)
  change(tmp_path)
  assert words in faults(tmp_path)


def test_a_label_map_with_another_order_of_axes_is_turned(tmp_path):
  acdc(tmp_path)
  turned = AFFINE @ np.diag([-1, 1, 1, 1.0])
  turned[:3, 3] = (AFFINE @ [SHAPE[0] - 1, 0, 0, 1])[:3]
  save(tmp_path / f'{CASE}_gt.nii.gz', permuted(structures(2), 3, 2, 1)[::-1], turned)
  (study,) = open_studies(tmp_path)
  np.testing.assert_array_equal(study[1].mask[2], expected(2, 1))


@pytest.mark.parametrize(
  ('mask', 'annotated', 'choices'),
  [
    (structures() == 2, [0], Choices()),
    ((structures() == 2) * 255, [0], Choices()),
    (structures(), [0], Choices(label=2)),
    (permuted(structures(), 3, 1, 2), [0], Choices(label=1)),
    ((structures() == 2) * 1.0000001, [0], Choices()),
  ],
  ids=['3-D', '255', 'several', 'permuted', 'nearly whole'],
)
def test_a_users_own_mask_of_end_diastole_beside_a_video(tmp_path, mask, annotated, choices):
  save(tmp_path / 'ben_sax_video.nii.gz', VIDEO)
  save(tmp_path / 'ben_sax_mask.nii.gz', mask, kind=np.float32)
  (tmp_path / 'ben_sax_video.json').write_text(json.dumps({'annotated': annotated}))
  (study,) = open_studies(tmp_path, choices)
  for z, cine in enumerate(study):
    np.testing.assert_array_equal(cine.annotated, [True, False, False, False])
    np.testing.assert_array_equal(cine.mask[0], expected(0, z))


def test_several_sets_and_a_users_own_cines_are_one_stream(tmp_path):
  for write in (acdc, mnms, mnms2, ukbiobank, nnunet):
    write(tmp_path / write.__name__)
  save(tmp_path / 'ben_sax_video.nii.gz', VIDEO)
  names = [cine.name for cine, _ in folder.read(tmp_path, channels=1, referenced=True)]
  assert len(names) == 12
  assert len(set(names)) == 12
