"""DICOM segmentations, read back by highdicom and by pydicom."""

import dataclasses

import enhanced_file
import highdicom as hd
import numpy as np
import pydicom
import pytest
from analysed import exact_motion, write_sources
from pydicom.uid import SegmentationStorage

import ear_jax
from ear_jax.formats.dicom import seg
from ear_jax.system.errors import UserError


@pytest.fixture(scope='module')
def motion():
  return exact_motion(1, failed=(2,))


@pytest.fixture(scope='module')
def sources(tmp_path_factory, motion):
  return write_sources(tmp_path_factory.mktemp('source'), motion.mask.shape[1:], len(motion.mask))


@pytest.fixture(scope='module')
def paths(tmp_path_factory, motion, sources):
  return seg.write(tmp_path_factory.mktemp('seg'), motion.mask, sources, pseudonym='anon-01', slice_id='sax2')


def test_each_frame_with_contours_has_an_object(paths):
  assert [path.name for path in paths] == ['frame-000.dcm', 'frame-001.dcm', 'frame-003.dcm']


def test_highdicom_reads_the_mask_of_the_source_that_an_object_refers_to(paths, motion, sources):
  origins = [pydicom.dcmread(path) for path in sources]
  for path, frame in zip(paths, (0, 1, 3), strict=True):
    read = hd.seg.segread(path)
    origin = origins[frame]
    assert read.get_source_image_uids() == [
      (hd.UID(origin.StudyInstanceUID), hd.UID(origin.SeriesInstanceUID), hd.UID(origin.SOPInstanceUID))
    ]
    pixels = read.get_pixels_by_source_instance([origin.SOPInstanceUID])  # [1, H, W, segment]
    np.testing.assert_array_equal(pixels[0, :, :, 0], motion.mask[frame])
    geometry = read.get_volume_geometry()
    np.testing.assert_allclose(geometry.position, origin.ImagePositionPatient)
    np.testing.assert_allclose(geometry.direction_cosines, origin.ImageOrientationPatient)
    np.testing.assert_allclose(geometry.pixel_spacing, origin.PixelSpacing)


def test_pydicom_reads_the_same_mask_and_the_tags_that_viewers_sort_by(paths, motion, sources):
  read = [pydicom.dcmread(path) for path in paths]
  for one, frame in zip(read, (0, 1, 3), strict=True):
    np.testing.assert_array_equal(one.pixel_array, motion.mask[frame])
    assert one.SOPClassUID == SegmentationStorage
    assert (one.Modality, one.SegmentationType, one.InstanceNumber) == ('SEG', 'BINARY', frame + 1)
    assert one.PerFrameFunctionalGroupsSequence[0].FrameContentSequence[0].TemporalPositionIndex == frame + 1
    assert 'SpacingBetweenSlices' not in one.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert one.StudyInstanceUID == pydicom.dcmread(sources[0]).StudyInstanceUID
    assert one.FrameOfReferenceUID == pydicom.dcmread(sources[0]).FrameOfReferenceUID
  assert len({one.SeriesInstanceUID for one in read}) == 1
  assert len({one.SegmentSequence[0].TrackingUID for one in read}) == 1
  assert len({one.SOPInstanceUID for one in read}) == 3


def test_the_segment_is_coded_and_its_maker_named(paths):
  (segment,) = pydicom.dcmread(paths[0]).SegmentSequence
  kind = segment.SegmentedPropertyTypeCodeSequence[0]
  # SNOMED CT 49848007: structure of myocardium of left ventricle
  assert (kind.CodeValue, kind.CodingSchemeDesignator) == ('49848007', 'SCT')
  assert segment.SegmentedPropertyCategoryCodeSequence[0].CodeValue == '91723000'  # anatomical structure
  assert segment.SegmentAlgorithmType == 'AUTOMATIC'
  algorithm = segment.SegmentationAlgorithmIdentificationSequence[0]
  assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ('ear_jax', ear_jax.__version__)


def test_objects_of_an_earlier_run_do_not_stay(tmp_path, motion, sources):
  seg.write(tmp_path, exact_motion(1).mask, sources, pseudonym='a', slice_id='sax2')
  assert (tmp_path / 'frame-002.dcm').exists()
  written = seg.write(tmp_path, motion.mask, sources, pseudonym='a', slice_id='sax2')
  assert sorted(tmp_path.iterdir()) == written


@pytest.mark.parametrize(
  ('tags', 'message'),
  [
    ({'NumberOfFrames': 3}, '3 frames in one file, and it is not known which one is meant'),
    ({'ImagePositionPatient': None}, 'no ImagePositionPatient'),
    ({'FrameOfReferenceUID': None}, 'no FrameOfReferenceUID'),
    ({'Rows': 24, 'Columns': 96}, 'picture of 24 x 96 pixels, the mask has 48 x 48'),
  ],
)
def test_a_source_that_cannot_be_referred_to_is_refused(tmp_path, motion, tags, message):
  sources = write_sources(tmp_path / 'source', motion.mask.shape[1:], len(motion.mask), tags=tags)
  with pytest.raises(UserError, match=message):
    seg.write(tmp_path / 'seg', motion.mask, sources, pseudonym='a', slice_id='sax2')
  assert not (tmp_path / 'seg').exists()


def test_too_few_or_unreadable_sources_are_refused(tmp_path, motion, sources):
  with pytest.raises(UserError, match='4 frames but 3 source instances'):
    seg.write(tmp_path, motion.mask, sources[:3], pseudonym='a', slice_id='sax2')
  text = tmp_path / 'text.dcm'
  text.write_text('hello')
  for wrong in (text, tmp_path / 'none.dcm'):
    with pytest.raises(UserError, match='not a readable DICOM file'):
      seg.write(tmp_path, motion.mask, [wrong] * 4, pseudonym='a', slice_id='sax2')


@pytest.mark.parametrize('made', ['MANUAL', 'SEMIAUTOMATIC'])
def test_contours_of_a_person_are_no_artificial_intelligence(tmp_path, motion, sources, made):
  """Case S9."""
  (path, *_) = seg.write(tmp_path, motion.mask, sources, pseudonym='a', slice_id='sax2', made=made)
  (segment,) = pydicom.dcmread(path).SegmentSequence
  assert segment.SegmentAlgorithmType == made
  assert ('SegmentationAlgorithmIdentificationSequence' in segment) == (made != 'MANUAL')
  assert ('SegmentAlgorithmName' in segment) == (made != 'MANUAL')


@pytest.mark.parametrize(
  ('drawn', 'corrected', 'made'),
  [(False, False, 'AUTOMATIC'), (True, False, 'MANUAL'), (True, True, 'SEMIAUTOMATIC')],
)
def test_contours_say_how_they_were_made(motion, drawn, corrected, made):
  assert dataclasses.replace(motion.contours, drawn=drawn, corrected=corrected).made == made


def test_an_object_refers_to_the_frame_of_a_file_that_holds_several(tmp_path, motion):
  """Case C3: an enhanced file; its frames in no order."""
  order, blank = (2, 0, 3, 1), np.zeros(motion.mask.shape[1:])
  place = {'orientation': [1, 0, 0, 0, 0.6, -0.8]}
  pictures = [place | {'pixels': blank, 'corner': [-50, -40, 12.5 + t], 'trigger': 5 + 30 * t} for t in order]
  source = tmp_path / 'cine.dcm'
  enhanced_file.write(source, pictures, FrameOfReferenceUID='1.2.3.5')
  frames = [order.index(t) for t in range(4)]
  paths = seg.write(tmp_path / 'seg', motion.mask, [source] * 4, pseudonym='a', slice_id='sax2', frames=frames)
  origin = pydicom.dcmread(source)
  for path, t in zip(paths, (0, 1, 3), strict=True):
    read = pydicom.dcmread(path)
    (group,) = read.PerFrameFunctionalGroupsSequence
    (reference,) = group.DerivationImageSequence[0].SourceImageSequence
    assert (reference.ReferencedSOPInstanceUID, reference.ReferencedSOPClassUID) == (
      origin.SOPInstanceUID,
      origin.SOPClassUID,
    )
    assert reference.ReferencedFrameNumber == frames[t] + 1
    assert group.PlanePositionSequence[0].ImagePositionPatient == [-50, -40, 12.5 + t]
    (named,) = read.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    assert named.ReferencedSOPClassUID == origin.SOPClassUID
    np.testing.assert_array_equal(hd.seg.segread(path).pixel_array, motion.mask[t])
    assert 'SECRET' not in str(read)
  with pytest.raises(UserError, match='not a readable DICOM file'):
    seg.write(tmp_path / 'seg', motion.mask, [source] * 4, pseudonym='a', slice_id='s', frames=[0, 1, 2, 4])
