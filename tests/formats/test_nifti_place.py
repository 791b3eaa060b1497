"""NIfTI lies in the patient where its header says; masks are turned to their videos; absurd times, units are told."""

import itertools
import math
import re

import nibabel as nib
import numpy as np
import pytest

from ear_jax.cine import Place, flip, rot90
from ear_jax.formats import nifti
from ear_jax.formats.dicom import geometry
from ear_jax.formats.source import Source

ACROSS, DOWN = (0.8, 0.6, 0.0), (0.36, -0.48, -0.8)
PLACE = Place((-20.0, 31.5, 7.25), ACROSS, DOWN, 8.0)
RAS = np.array([-1, -1, 1])  # NIfTI's axes of DICOM's


def scanned(path):
  """The names, faults and notes of one file."""
  found = nifti.scan(path, path.parent)
  return found.names, [str(fault) for fault in found.faults], list(found.notes)


@pytest.fixture
def placed(tmp_path, make_cine):
  """A cine of known place as NIfTI: 12 rows of 0.85 mm, 10 columns of 0.9 mm, thickness 8 mm."""
  cine = make_cine(place=PLACE, frame_interval=250.0)
  return cine, nifti.write(cine, tmp_path)


def test_pixels_lie_where_the_place_says(placed):
  """Case S8, C2: the world coordinates of nibabel, of video and of mask, are those of the cine, in RAS."""
  cine, path = placed
  for image in (nib.load(path), nib.load(path.with_name('anna-1_MID_mask.nii.gz'))):
    assert (int(image.header['sform_code']), int(image.header['qform_code'])) == (1, 1)
    assert image.header['pixdim'][3] == 8
    for matrix in (image.get_sform(), image.get_qform()):
      for row, column in ((0, 0), (11, 0), (0, 9), (7, 3)):
        there = RAS * cine.place.point(row, column, cine.spacing)
        np.testing.assert_allclose((matrix @ (column, row, 0, 1))[:3], there, atol=1e-4)
  (back,) = nifti.read(path)
  assert scanned(path)[1:] == ([], [])
  for name in ('corner', 'across', 'down', 'thickness'):
    np.testing.assert_allclose(getattr(back.place, name), getattr(PLACE, name), atol=1e-4)


def test_an_unknown_place_is_said_to_be_unknown(tmp_path, make_cine):
  """Case S8: code 0, and no matrix of pixel sizes that claims to be the scanner's."""
  path = nifti.write(make_cine(frame_interval=250.0), tmp_path)
  header = nib.load(path).header
  assert (int(header['sform_code']), int(header['qform_code'])) == (0, 0)
  assert next(nifti.read(path)).place is None
  nib.save(nib.Nifti1Image(np.ones((5, 4, 1, 3)), np.diag([0.9, 0.85, 8, 1])), tmp_path / 'ben_MID_video.nii')
  assert next(nifti.read(tmp_path / 'ben_MID_video.nii')).place is None  # what programs write that know of no place


@pytest.mark.parametrize(('k', 'mirrored'), list(itertools.product(range(4), (False, True))))
def test_a_mask_of_the_same_place_in_another_order_is_turned(placed, k, mirrored):
  """Case A5."""
  cine, path = placed
  turned = rot90(flip(cine, 'column') if mirrored else cine, k)
  mask = path.with_name('anna-1_MID_mask.nii.gz')
  nifti.write_mask(turned.mask, mask, spacing=turned.spacing, frame_interval=250.0, place=turned.place)
  assert scanned(path)[1] == []
  np.testing.assert_array_equal(next(nifti.read(path)).mask, cine.mask)


def test_a_mask_of_a_stack_is_turned_over_its_slices_too(tmp_path):
  """Case A5, of a file with three slices, the mask's third axis the other way."""
  matrix = np.array([[-0.72, -0.306, 4.0, 10], [-0.54, 0.408, 3.0, 20], [0.0, -0.68, 6.2, 30], [0, 0, 0, 1]])
  video, mask = np.ones((10, 12, 3, 4), np.float32), np.zeros((10, 12, 3, 4), np.uint8)
  mask[2, 5, 0] = 1
  nib.save(nib.Nifti1Image(video, matrix), tmp_path / 'ben_sax_video.nii')
  other = np.diag([1.0, 1, -1, 1])
  other[2, 3] = 2
  nib.save(nib.Nifti1Image(mask[:, :, ::-1], matrix @ other), tmp_path / 'ben_sax_mask.nii')
  cines = list(nifti.read(tmp_path / 'ben_sax_video.nii'))
  assert [cine.mask[0, 5, 2] for cine in cines] == [1, 0, 0]
  corners = np.array([cine.place.corner for cine in cines])
  np.testing.assert_allclose(corners - corners[0], np.outer(range(3), RAS * (4.0, 3.0, 6.2)), atol=1e-4)


@pytest.mark.parametrize(
  ('change', 'words'),
  [
    (lambda a: a @ _move(0, 0, 3), r'mask lies up to \d+\.\d mm from its video'),
    (lambda a: a @ _move(1, 0, 0), r'mask lies up to 0\.9 mm from its video'),
    (lambda a: a @ np.diag([0.5, 0.5, 1, 1]), 'mask lies on another grid than its video'),
    (lambda a: _turn(20) @ a, r'mask lies up to \d+\.\d mm from its video'),
    (lambda a: _turn(50) @ a, 'mask lies on another grid than its video'),
  ],
)
def test_a_mask_of_another_place_or_grid_is_a_fault(placed, change, words):
  """Case A5."""
  _, path = placed
  mask = path.with_name('anna-1_MID_mask.nii.gz')
  image = nib.load(mask)
  nib.save(nib.Nifti1Image(np.asarray(image.dataobj), change(image.affine)), mask)
  (fault,) = scanned(path)[1]
  assert re.search(words, fault), fault


def _move(*by):
  matrix = np.eye(4)
  matrix[:3, 3] = by
  return matrix


def _turn(degrees):
  c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
  matrix = np.eye(4)
  matrix[:2, :2] = (c, -s), (s, c)
  return matrix


def _rewrite(path, change):
  image = nib.load(path)
  image = nib.Nifti1Image(np.asarray(image.dataobj), None, image.header)
  change(image)
  nib.save(image, path)


@pytest.mark.parametrize(
  ('change', 'words'),
  [
    (
      lambda i: i.set_qform(_move(0, 0, 40) @ i.get_sform(), code=1),
      'its sform and qform contradict each other (one corner at 20.0 -31.5 7.2 and at 20.0 -31.5 47.2 mm)',
    ),
    (
      lambda i: (i.set_qform(None, code=0), i.set_sform(i.get_sform() @ np.diag([1.5, 1.5, 1, 1]), code=1)),
      'its sform has pixels of 1.35 x 1.275 mm, pixdim of 0.9 x 0.85 mm',
    ),
    (
      lambda i: (i.set_qform(None, code=0), i.set_sform(i.get_sform() @ _shear(), code=1)),
      'its sform is sheared: rows and columns are 78.',
    ),
  ],
)
def test_a_header_that_contradicts_itself_gives_no_place_and_says_so(placed, change, words):
  _, path = placed
  _rewrite(path, change)
  _, faults, notes = scanned(path)
  assert faults == []
  assert notes[0].startswith(f'place in the patient unknown: {words}')
  (cine,) = nifti.read(path)
  assert cine.place is None
  np.testing.assert_allclose(cine.spacing, (0.85, 0.9), rtol=1e-6)


def _shear():
  matrix = np.eye(4)
  matrix[:2, 1] = 0.2, math.sqrt(0.96)
  matrix[0, 1] *= 0.85 / 0.9
  return matrix


@pytest.mark.parametrize(('unit', 'of_mm'), [('meter', 1e-3), ('micron', 1e3)])
def test_units_of_space_are_honoured(placed, unit, of_mm):
  """Case B8."""
  _, path = placed

  def scale(image):
    matrix = np.diag([of_mm, of_mm, of_mm, 1]) @ image.get_sform()
    image.set_sform(matrix, code=1)
    image.set_qform(matrix, code=1)
    image.header.set_xyzt_units(unit, 'msec')

  _rewrite(path, scale)
  (cine,) = nifti.read(path)
  np.testing.assert_allclose(cine.spacing, (0.85, 0.9), rtol=1e-5)
  np.testing.assert_allclose(cine.place.corner, PLACE.corner, rtol=1e-5)
  assert cine.place.thickness == pytest.approx(8, rel=1e-5)
  assert scanned(path)[1:] == ([], [])


def test_pixels_smaller_than_any_scanner_makes_are_refused(placed):
  """Case B8: they would ask for more memory than any machine has."""
  _, path = placed
  _rewrite(path, lambda i: i.header.set_zooms((0.0014, 0.0014, 1, 250, 1)))
  assert 'expected two positive numbers in mm, from 0.05 to 20' in scanned(path)[1][0]


@pytest.mark.parametrize(('interval', 'cycle'), [(3.745, '74.9'), (1000.0, '20000')])
def test_an_interval_that_no_heart_has_is_unknown(tmp_path, make_cine, interval, cycle):
  """Case A3: dcm2niix writes TR, others 1 s."""
  path = nifti.write(make_cine(frames=20, frame_interval=interval), tmp_path)
  beside = path.with_name('anna-1_MID_video.json')
  assert next(nifti.read(path)).frame_interval == interval  # a person stated it
  beside.unlink()
  assert math.isnan(next(nifti.read(path)).frame_interval)
  note, taken = scanned(path)[2]
  assert taken == 'not stated by the file, and taken: venc 20, 20, 30 (cm/s, mm)'
  assert note.startswith(f'20 frames of {interval:.4g} ms are {cycle} ms, and a heartbeat lasts 300 to 2000 ms')
  beside.write_text('{"frame_interval": 50.8}')
  assert next(nifti.read(path)).frame_interval == 50.8
  beside.write_text('{"frame_interval": "soon"}')
  assert 'frame_interval' in scanned(path)[1][0]


@pytest.mark.parametrize(
  ('name', 'dataset', 'slice_id', 'subject'),
  [
    ('sub-01_ses-01_sax_video.nii.gz', 'sub-01_ses-01', 'sax', 'sub-01'),
    ('sub-01_ses-02_task-rest_run-1_video.NII.GZ', 'sub-01_ses-02', 'task-rest_run-1', 'sub-01'),
    ('sub-01_sax_video.nii', 'sub-01', 'sax', 'sub-01'),
    ('1234567_2_0_sax_video.nii.gz', '1234567_2_0', 'sax', '1234567'),
    ('1234567_3_0_sax_video.nii.gz', '1234567_3_0', 'sax', '1234567'),
    ('anna-1_ses-01_video.nii.gz', 'anna-1', 'ses-01', 'anna-1'),
  ],
)
def test_sessions_are_visits_of_one_subject(tmp_path, name, dataset, slice_id, subject):
  """Case A12."""
  path = tmp_path / name
  nib.save(nib.Nifti1Image(np.ones((5, 4, 1, 3), np.float32), None), path)
  assert scanned(path)[0] == ((dataset, slice_id),)
  (cine,) = nifti.read(path)
  assert (cine.dataset, cine.slice_id, cine.subject) == (dataset, slice_id, subject)


def test_a_mask_without_a_place_is_taken_on_its_array_and_that_is_said(placed):
  cine, path = placed
  mask = path.with_name('anna-1_MID_mask.nii.gz')
  nib.save(nib.Nifti1Image(np.asarray(nib.load(mask).dataobj), np.eye(4)), mask)
  np.testing.assert_array_equal(next(nifti.read(path)).mask, cine.mask)
  assert scanned(path)[1:] == ([], ['mask taken as it lies on the array of its video: it does not say where it lies'])


def test_a_source_without_headers_of_its_own_lies_where_its_cine_lies():
  """So sectors are named, and torsion has a length, for NIfTI as for DICOM."""
  there = Source().at(PLACE)
  assert there.orientation == (*ACROSS, *DOWN)
  assert there.position == pytest.approx(geometry.position(there.orientation, PLACE.corner))
  stated = Source(position=3.0, orientation=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0))
  assert stated.at(PLACE) is stated
  assert Source().at(None).orientation is None
