"""NIfTI masks beside DICOM become the reference of the slice that they lie on, whatever they are called."""

import nibabel as nib
import numpy as np
import pytest

from ear_jax.cine import flip
from ear_jax.formats import nifti
from ear_jax.formats.open import open_studies


def write(cine, path, mask):
  nifti.write_mask(mask, path, spacing=cine.spacing, frame_interval=cine.frame_interval, place=cine.place)


@pytest.fixture
def cines(scan):
  (study,) = open_studies(scan.folder)
  return list(study)


def test_masks_lie_on_their_slices_in_any_order_of_axes(scan, cines):
  rng = np.random.default_rng(2)
  masks = [rng.integers(0, 2, cine.mask.shape).astype(np.uint8) for cine in cines[:2]]
  masks[1][2] = 0
  write(cines[1], scan.folder / 'z_mask.nii.gz', masks[1])
  turned = flip(cines[0], 'row')
  write(turned, scan.folder / 'a_mask.nii.gz', 255 * masks[0][:, ::-1])
  (study,) = open_studies(scan.folder)
  assert not study.faults
  for cine, mask in zip(study, (*masks, None), strict=True):
    expected = np.zeros(cine.mask.shape) if mask is None else mask
    np.testing.assert_array_equal(cine.mask, expected)
    np.testing.assert_array_equal(cine.annotated, expected.any(axis=(1, 2)))


def test_a_mask_of_the_whole_stack(scan, cines):
  mask = np.zeros((24, 24, 3, 3), np.uint8)  # column, row, slice, frame
  for k in range(3):
    mask[4 + k : 9, 3:7, k] = 1
  image = nib.Nifti1Image(mask, None)
  nifti.affine.set_place(image, cines[0].place, cines[0].spacing)
  matrix = image.affine.copy()
  step = np.subtract(cines[1].place.corner, cines[0].place.corner) * (-1, -1, 1)
  matrix[:3, 2] = step
  image.set_sform(matrix, code=1)
  image.set_qform(matrix, code=1)
  nib.save(image, scan.folder / 'heart_mask.nii.gz')
  (study,) = open_studies(scan.folder)
  for k, cine in enumerate(study):
    np.testing.assert_array_equal(cine.mask, mask[:, :, k].transpose(2, 1, 0))


@pytest.mark.parametrize(
  ('change', 'words'),
  [
    (lambda c: c.replace(place=None), 'mask without video: it does not say where it lies'),
    (lambda c: c.replace(place=type(c.place)((9.0, 9.0, 9.0), c.place.across, c.place.down)), 'it lies on no slice'),
    (lambda c: c.replace(mask=c.mask[:2], video=c.video[:2], annotated=c.annotated[:2]), 'it has shape (24, 24, 1, 2)'),
  ],
)
def test_a_mask_that_lies_on_no_slice_is_named(scan, cines, change, words):
  cine = change(cines[1])
  write(cine, scan.folder / 'x_mask.nii.gz', np.ones(cine.mask.shape, np.uint8))
  studies = open_studies(scan.folder)
  assert [len(study.faults) for study in studies] == [0, 1]
  assert words in str(studies[1].faults[0])
  assert not any(cine.annotated.any() for cine in studies[0])


def test_two_masks_of_one_slice_are_refused(scan, cines):
  for name in ('a', 'b'):
    write(cines[0], scan.folder / f'{name}_mask.nii.gz', np.ones(cines[0].mask.shape, np.uint8))
  _, refused = open_studies(scan.folder)
  assert 'b_mask.nii.gz: mask without video: it lies on slice slice-00, which has contours already' in map(
    str, refused.faults
  )
