"""Masks as NIfTI and as SEG lie where the DICOM pictures lie, by the word of a reader that is not ours: SimpleITK."""

import math

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from analysed import write_sources

from ear_jax.cine import Place
from ear_jax.formats import nifti
from ear_jax.formats.dicom import seg

AXIAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
OBLIQUE = ((0.8, 0.6, 0.0), (0.36, -0.48, -0.8))
MIRRORED = ((0.0, 0.0, -1.0), (-0.6, -0.8, 0.0))
CORNER = (-60.5, 21.25, 130.0)


def centroid(image):
  """Of a 3-D mask, in SimpleITK's coordinates: DICOM's patient axes."""
  shapes = sitk.LabelShapeStatisticsImageFilter()
  shapes.Execute(sitk.Cast(image, sitk.sitkUInt8))
  return np.array(shapes.GetCentroid(1))


@pytest.mark.parametrize('axes', [AXIAL, OBLIQUE, MIRRORED])
def test_the_centre_of_a_mask_is_where_the_scanner_has_it(tmp_path, axes):
  """Case S8: within 0.1 mm, on a grid of other rows than columns."""
  mask = np.zeros((2, 40, 56), np.uint8)
  mask[:, 6:11, 30:47] = 1
  mask[1, 25:27, 8:10] = 1
  spacing = (1.3, 1.9)
  tags = {
    'PixelSpacing': [*spacing],
    'ImageOrientationPatient': [*axes[0], *axes[1]],
    'ImagePositionPatient': list(CORNER),
  }
  sources = write_sources(tmp_path / 'source', mask.shape[1:], 2, tags=tags)
  scan = sitk.ReadImage(str(sources[0]))
  place = Place(CORNER, *axes, 8.0)
  path = tmp_path / 'mask.nii.gz'
  nifti.write_mask(mask, path, spacing=spacing, frame_interval=40.0, place=place)
  cine = sitk.ReadImage(str(path))
  assert cine.GetSpacing()[2] == pytest.approx(8)
  objects = seg.write(tmp_path / 'seg', mask, sources, pseudonym='a', slice_id='s')
  for frame in range(2):
    row, column = np.argwhere(mask[frame]).mean(0)
    there = np.array(scan.TransformContinuousIndexToPhysicalPoint((column, row, 0.0)))
    np.testing.assert_allclose(centroid(cine[..., frame]), there, atol=0.1)
    np.testing.assert_allclose(_of_seg(objects[frame]), there, atol=0.1)


def _of_seg(path):
  """The centroid of a SEG: pixels by pydicom, since ITK reads no single bits, its geometry by SimpleITK."""
  read = pydicom.dcmread(path)
  image = sitk.GetImageFromArray(read.pixel_array[None])
  shared, own = read.SharedFunctionalGroupsSequence[0], read.PerFrameFunctionalGroupsSequence[0]
  row, column = map(float, shared.PixelMeasuresSequence[0].PixelSpacing)
  orientation = (shared if 'PlaneOrientationSequence' in shared else own).PlaneOrientationSequence[0]
  across, down = np.array(orientation.ImageOrientationPatient, float).reshape(2, 3)
  image.SetSpacing((column, row, 1.0))
  image.SetOrigin(tuple(map(float, own.PlanePositionSequence[0].ImagePositionPatient)))
  image.SetDirection(np.stack([across, down, np.cross(across, down)], 1).ravel())
  return centroid(image)


def test_a_video_out_of_nifti_gives_a_mask_that_lies_on_it(tmp_path, make_cine):
  """Case C2: every pixel, whatever the order of rows and columns."""
  for k, axes in enumerate((AXIAL, OBLIQUE, MIRRORED)):
    (tmp_path / str(k)).mkdir()
    video = nifti.write(make_cine(1, place=Place(CORNER, *axes, 8.0), frame_interval=math.nan), tmp_path / str(k))
    (cine,) = nifti.read(video)
    out = tmp_path / f'{k}.nii.gz'
    nifti.write_mask(cine.mask, out, spacing=cine.spacing, frame_interval=math.nan, place=cine.place)
    one, other = sitk.ReadImage(str(video)), sitk.ReadImage(str(out))
    for index in ((0, 0, 0, 0), (9, 11, 0, 2)):
      there, here = (image.TransformIndexToPhysicalPoint(index)[:3] for image in (one, other))
      np.testing.assert_allclose(here, there, atol=1e-3)
