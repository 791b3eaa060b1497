"""The cine's rules, and the transforms of the plane: the velocity vector turns with the picture, curves stay."""

import dataclasses
import math

import numpy as np
import pytest

from ear_jax import cine as cine_lib
from ear_jax.phantom import study

NAN = math.nan


def ring(rows=26, columns=31, frames=3):
  """Video and mask of a ring that contracts, twists and moves towards the apex, off the centre of the picture."""
  r, c = np.indices((rows, columns)).astype(float)
  dr, dc = r - 11.3, c - 16.8
  distance = np.hypot(dr, dc)
  mask = (distance > 4) & (distance < 8)
  video = np.zeros((frames, rows, columns, 4), np.float32)
  for t, (inward, counter_clockwise, apexward) in enumerate([(3, 1, 5), (-2, 4, -1), (0.5, -2, 2)]):
    # Unit vectors on screen, (column, row): inward is -(dc, dr)/r; counter-clockwise is (dr, -dc)/r, since right of
    # the centre (dc > 0) it points up (towards smaller rows).
    video[t, ..., 0] = 100 + distance + 10 * np.sin(r)
    video[t, ..., 1] = (-dc * inward + dr * counter_clockwise) / distance
    video[t, ..., 2] = (-dr * inward - dc * counter_clockwise) / distance
    video[t, ..., 3] = apexward
  return video, np.repeat(mask[None], frames, 0).astype(np.uint8)


def curves(video, mask):
  """Radial (inward), circumferential (counter-clockwise) and longitudinal mean `[T, 3]` about the mask's centroid."""
  found = []
  for frame, inside in zip(video.astype(float), mask.astype(bool), strict=True):
    rows, columns = np.nonzero(inside)
    dr, dc = rows - rows.mean(), columns - columns.mean()
    radius = np.hypot(dr, dc)
    along_column, along_row, apexward = frame[inside][:, 1:].T
    along_column, along_row = along_column - along_column.mean(), along_row - along_row.mean()
    radial = -(dc * along_column + dr * along_row) / radius
    circumferential = (dr * along_column - dc * along_row) / radius
    found.append([radial.mean(), circumferential.mean(), apexward.mean()])
  return np.array(found)


@pytest.fixture(scope='module')
def ring_cine(make_cine):
  video, mask = ring()
  return make_cine(video=video, mask=mask)


@pytest.fixture(scope='module')
def phantom_cine():
  return study.render(study.plan(study.MINI)[1])


VIDEO = np.ones((3, 12, 10, 4), np.float32)
NAN_VIDEO = np.where(np.arange(3).reshape(3, 1, 1, 1) >= 1, NAN, VIDEO).astype(np.float32)


@pytest.mark.parametrize(
  ('changes', 'sentence'),
  [
    ({'video': VIDEO[0]}, r'video has shape \(12, 10, 4\), expected \[T, H, W, C\]'),
    ({'video': VIDEO[..., :3]}, 'video has 3 channels, expected 1'),
    ({'mask': np.zeros((3, 10, 12), np.uint8)}, r'mask has shape \(3, 10, 12\), the video \(3, 12, 10\)'),
    ({'annotated': np.ones(2, bool)}, r'annotated has shape \(2,\), the video has 3 frames'),
    ({'venc': None}, 'venc goes with the three velocity channels'),
    ({'video': VIDEO[..., :1]}, 'venc goes with the three velocity channels'),
    ({'venc': (20.0, 0.0, 30.0)}, r'venc is \(20.0, 0.0, 30.0\), expected cm/s, 1 or more'),
    ({'venc': (20.0, NAN, 30.0)}, 'venc is .* expected cm/s'),
    ({'spacing': (0.85, -1.0)}, r'pixel spacing is \(0.85, -1.0\), expected mm'),
    ({'venc': (0.2, 0.2, 0.3)}, 'of m/s a hundred times the number'),
    ({'spacing': (0.00085, 0.00085)}, 'expected mm, from 0.05 to 20'),
    ({'frame_interval': 0.02}, 'frame interval is 0.02, expected ms, from 0.5'),
    ({'video': VIDEO.astype(np.int16)}, 'video is int16, expected float32'),
    ({'video': NAN_VIDEO}, 'video holds NaN or infinity in frame 1, 2$'),
    ({'mask': np.full((3, 12, 10), 255, np.uint8)}, r'mask holds values other than 0 and 1 \(maximum 255\)'),
    ({'annotated': np.array([True, False, True])}, 'mask is not empty on a frame that is not annotated'),
  ],
)
def test_each_broken_rule_has_its_sentence_and_no_other(make_cine, changes, sentence):
  with pytest.raises(ValueError, match=sentence) as fault:
    make_cine(**changes)
  assert str(fault.value).startswith('anna-1/MID: ')
  assert ';' not in str(fault.value)


def test_a_sound_cine_has_no_problems_and_an_unknown_spacing_is_sound(make_cine):
  assert cine_lib.problems(make_cine()) == []
  assert cine_lib.problems(make_cine(spacing=(NAN, NAN), channels=1)) == []
  mask = np.zeros((3, 12, 10), np.uint8)
  assert cine_lib.problems(make_cine(mask=mask, annotated=np.zeros(3, bool))) == []


def test_all_faults_are_told_at_once(make_cine):
  with pytest.raises(ValueError, match='anna-1/MID') as fault:
    make_cine(video=NAN_VIDEO, venc=None, spacing=(0.0, 1.0), annotated=np.ones(4, bool))
  faults = str(fault.value).split('; ')
  for part in ('4,', 'venc goes', 'pixel spacing', 'NaN or infinity'):
    assert sum(part in f for f in faults) == 1, part
  assert len(faults) == 4


def test_changes_are_checked_again_and_a_study_refuses_foreign_cines(make_cine):
  cine = make_cine()
  with pytest.raises(ValueError, match='venc goes with'):
    cine.replace(venc=None)
  with pytest.raises(ValueError, match='study anna-2: cines of another dataset: anna-1/MID'):
    cine_lib.Study('anna', 'anna-2', (cine,))
  assert cine_lib.Study('anna', 'anna-1', (cine,)).cines[0] is cine


@pytest.mark.parametrize(
  ('k', 'right', 'down'),  # where an arrow to the right (+column) and one down (+row) point after k quarter turns
  [
    (1, (0, -1), (1, 0)),  # right turns up, which is -row; down turns right
    (2, (-1, 0), (0, -1)),
    (3, (0, 1), (-1, 0)),  # right turns down; down turns left
    (-1, (0, 1), (-1, 0)),
    (4, (1, 0), (0, 1)),
  ],
)
def test_rot90_turns_arrows(k, right, down):
  video = np.zeros((1, 2, 3, 4), np.float32)
  video[..., 3] = 7
  video[..., 1] = 5
  turned = cine_lib.rot90_video(video, k)
  np.testing.assert_array_equal(turned[..., 1:], np.broadcast_to((*(5 * a for a in right), 7), turned[..., 1:].shape))
  video[..., 1], video[..., 2] = 0, 5
  turned = cine_lib.rot90_video(video, k)
  np.testing.assert_array_equal(turned[..., 1:], np.broadcast_to((*(5 * a for a in down), 7), turned[..., 1:].shape))


def test_rot90_moves_pixels_counter_clockwise_and_swaps_what_goes_with_the_axes(make_cine):
  video = np.zeros((1, 2, 2, 4), np.float32)
  video[0, ..., 0] = [[1, 2], [3, 4]]
  np.testing.assert_array_equal(cine_lib.rot90_video(video, 1)[0, ..., 0], [[2, 4], [1, 3]])
  cine = make_cine(venc=(20.0, 25.0, 30.0))
  turned = cine_lib.rot90(cine)
  assert (turned.venc, turned.spacing) == ((25.0, 20.0, 30.0), (0.9, 0.85))
  assert turned.mask.shape == (3, 10, 12)
  np.testing.assert_array_equal(turned.mask[:, 2:8, 4:7], 1)  # rows were columns 2..7 of ten: 9 - 7 = 2 to 9 - 2 = 7
  half = cine_lib.rot90(cine, 2)
  assert (half.venc, half.spacing) == (cine.venc, cine.spacing)


def test_flip_mirrors_pixels_and_the_component_along_the_mirrored_axis(make_cine):
  video = np.zeros((1, 2, 2, 4), np.float32)
  video[0, ..., 0] = [[1, 2], [3, 4]]
  video[..., 1:] = (5, 6, 7)
  left_right, up_down = (cine_lib.flip_video(video, axis) for axis in ('column', 'row'))
  np.testing.assert_array_equal(left_right[0, ..., 0], [[2, 1], [4, 3]])
  np.testing.assert_array_equal(left_right[0, 0, 0, 1:], (-5, 6, 7))
  np.testing.assert_array_equal(up_down[0, ..., 0], [[3, 4], [1, 2]])
  np.testing.assert_array_equal(up_down[0, 0, 0, 1:], (5, -6, 7))
  np.testing.assert_array_equal(video[0, 0, 0, 1:], (5, 6, 7))  # the original is left alone


def test_four_quarter_turns_and_two_flips_are_the_identity(make_cine):
  cine = make_cine(venc=(20.0, 25.0, 30.0))
  turned = cine
  for _ in range(4):
    turned = cine_lib.rot90(turned)
  for back in (turned, *(cine_lib.flip(cine_lib.flip(cine, a), a) for a in ('row', 'column'))):
    np.testing.assert_array_equal(back.video, cine.video)
    np.testing.assert_array_equal(back.mask, cine.mask)
    assert (back.venc, back.spacing) == (cine.venc, cine.spacing)


def test_the_ring_has_the_curves_it_was_made_with(ring_cine):
  # About the true centre they are exact; the centroid of the pixels is slightly off it.
  np.testing.assert_allclose(curves(ring_cine.video, ring_cine.mask), [(3, 1, 5), (-2, 4, -1), (0.5, -2, 2)], atol=0.03)


@pytest.mark.parametrize('name', ['ring_cine', 'phantom_cine'])
def test_curves_do_not_change_under_quarter_turns(name, request):
  cine = request.getfixturevalue(name)
  expected = curves(cine.video, cine.mask)
  assert np.abs(expected).max() > 1  # cm/s: there is something to keep
  for k in (1, 2, 3):
    turned = cine_lib.rot90(cine, k)
    np.testing.assert_allclose(curves(turned.video, turned.mask), expected, atol=1e-5)


@pytest.mark.parametrize('axis', ['row', 'column'])
@pytest.mark.parametrize('name', ['ring_cine', 'phantom_cine'])
def test_a_mirror_turns_circumferential_curves_round_and_keeps_the_others(name, axis, request):
  cine = request.getfixturevalue(name)
  mirrored = cine_lib.flip(cine, axis)
  expected = curves(cine.video, cine.mask) * (1, -1, 1)
  np.testing.assert_allclose(curves(mirrored.video, mirrored.mask), expected, atol=1e-5)


def in_patient(cine):
  """Where the centre of the mask lies, mm, and the mean in-plane velocity there, in the patient's axes."""
  row, column = (float(axis.mean()) for axis in np.nonzero(cine.mask[0]))
  velocity = cine.video[0, ..., 1:3][cine.mask[0] > 0].mean(0)
  return cine.place.point(row, column, cine.spacing), velocity @ np.array([cine.place.across, cine.place.down])


@pytest.mark.parametrize(
  'transform',
  [
    *(lambda cine, k=k: cine_lib.rot90(cine, k) for k in (-1, 1, 2, 3, 4)),
    lambda cine: cine_lib.flip(cine, 'row'),
    lambda cine: cine_lib.flip(cine, 'column'),
    lambda cine: cine_lib.flip(cine_lib.rot90(cine_lib.crop(cine, 1, -2, 11, 13)), 'row'),
    lambda cine: cine_lib.resample(cine, (0.85 / 3, 0.3)),  # odd multiples: old centres stay centres
  ],
)
def test_the_heart_stays_where_it_is_in_the_patient_under_every_transform(make_cine, transform):
  mask = np.zeros((3, 12, 10), np.uint8)
  mask[:, 3:8, 4:7] = 1
  video = np.broadcast_to(np.array([100, 3, -2, 7], np.float32), (3, 12, 10, 4)).copy()
  place = cine_lib.Place((30.0, -20.0, 5.0), (0.8, 0.6, 0.0), (0.0, 0.0, -1.0), 8.0)
  cine = make_cine(video=video, mask=mask, place=place, spacing=(0.85, 0.9))
  moved = transform(cine)
  for found, expected in zip(in_patient(moved), in_patient(cine), strict=True):
    np.testing.assert_allclose(found, expected, atol=1e-5)
  assert moved.place.thickness == 8


def test_a_place_needs_perpendicular_axes_and_a_spacing(make_cine):
  place = cine_lib.Place((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
  with pytest.raises(ValueError, match='two perpendicular unit vectors'):
    make_cine(place=dataclasses.replace(place, down=(0.6, 0.8, 0.0)))
  with pytest.raises(ValueError, match='goes with a known pixel spacing'):
    make_cine(place=place, spacing=(NAN, NAN))


def test_crop_takes_the_window_and_pads_with_zeros(make_cine):
  cine = make_cine()
  window = cine_lib.crop(cine, 3, 2, 5, 6)
  np.testing.assert_array_equal(window.video, cine.video[:, 3:8, 2:8])
  np.testing.assert_array_equal(window.mask, cine.mask[:, 3:8, 2:8])
  beyond = cine_lib.crop(cine, -2, 7, 6, 9)  # rows -2..3, columns 7..15 of 12 x 10
  np.testing.assert_array_equal(beyond.video[:, 2:, :3], cine.video[:, :4, 7:])
  assert not beyond.video[:, :2].any()
  assert not beyond.video[:, :, 3:].any()
  assert not cine_lib.crop(cine, 100, 100, 4, 4).video.any()


def test_a_window_beyond_the_picture_pads_and_cropping_gives_the_picture_back(make_cine):
  cine = make_cine()
  padded = cine_lib.crop(cine, -2, -2, 17, 14)
  assert padded.video.shape == (3, 17, 14, 4)
  back = cine_lib.crop(padded, 2, 2, 12, 10)
  np.testing.assert_array_equal(back.video, cine.video)
  np.testing.assert_array_equal(back.mask, cine.mask)
  assert padded.mask.sum() == cine.mask.sum()


@pytest.mark.parametrize('spacing', [(0.4, 0.6), (1.7, 1.3), (2.0, 2.0)])
def test_resample_keeps_the_field_of_view_and_a_constant_velocity(make_cine, spacing):
  video = np.zeros((3, 12, 10, 4), np.float32)
  video[...] = (100, -19.5, 7, 29)
  cine = make_cine(video=video)
  new = cine_lib.resample(cine, spacing)
  size = np.array(new.video.shape[1:3])
  np.testing.assert_allclose(size * new.spacing, np.array((12, 10)) * cine.spacing, rtol=1e-12)
  assert (np.abs(size * spacing - size * new.spacing) <= np.array(spacing) / 2).all()  # the count was rounded
  np.testing.assert_allclose(new.video, np.broadcast_to(video[0, 0, 0], new.video.shape), rtol=1e-5)


def test_resample_interpolates_across_a_phase_wrap(make_cine):
  # +19 and -19 cm/s at venc 20 are 2 cm/s apart, across the wrap. On a grid twice as fine the two pixels at the edge
  # lie 1/4 and 3/4 of the way: weights 3/4 and 1/4 of exp(+-i 171 deg) have the angle
  # 180 - atan(tan(9 deg) / 2) = 175.472 deg, so 19.4969 cm/s.
  video = np.zeros((1, 4, 4, 4), np.float32)
  video[..., 1] = (19, 19, -19, -19)
  fine = cine_lib.resample(
    make_cine(video=video, mask=np.zeros((1, 4, 4), np.uint8), annotated=np.ones(1, bool), spacing=(1.0, 1.0)),
    (1.0, 0.5),
  )
  expected = [19, 19, 19, 19.4969, -19.4969, -19, -19, -19]
  np.testing.assert_allclose(fine.video[0, 1, :, 1], expected, atol=1e-3)


def test_resample_keeps_the_area_of_the_mask(make_cine):
  r, c = np.indices((60, 60)) - 29.5
  mask = (np.hypot(r, c) < 20).astype(np.uint8)[None]
  video = np.ones((1, 60, 60, 1), np.float32)
  cine = make_cine(
    channels=1, video=video, mask=mask, annotated=np.ones(1, bool), spacing=(1.0, 1.0), frame_interval=NAN
  )
  for spacing in ((0.7, 0.7), (1.7, 1.7)):
    new = cine_lib.resample(cine, spacing)
    assert new.mask.dtype == np.uint8
    assert set(np.unique(new.mask)) == {0, 1}
    assert new.mask.sum() * np.prod(new.spacing) == pytest.approx(mask.sum(), rel=0.03)


@pytest.mark.parametrize('spacing', [(NAN, NAN), (1.0, NAN)])
def test_an_unknown_spacing_cannot_be_resampled(make_cine, spacing):
  with pytest.raises(ValueError, match='anna-1/MID: the pixel spacing is unknown'):
    cine_lib.resample(make_cine(spacing=spacing), (1.0, 1.0))


def test_magnitude_alone_goes_through_every_transform(make_cine):
  cine = make_cine(channels=1)
  np.testing.assert_array_equal(cine_lib.rot90(cine).video, np.rot90(cine.video, 1, (1, 2)))
  np.testing.assert_array_equal(cine_lib.flip(cine, 'row').video, cine.video[:, ::-1])
  assert cine_lib.crop(cine, -4, -5, 20, 20).video.shape == (3, 20, 20, 1)
  resampled = cine_lib.resample(cine, (0.425, 0.45))
  assert resampled.video.shape == (3, 24, 20, 1)
  assert resampled.venc is None


def test_a_venc_of_two_numbers_and_a_spacing_of_three_are_no_venc_and_no_spacing():
  assert cine_lib.as_venc(np.array([20, 20, 30], np.int16)) == (20.0, 20.0, 30.0)
  assert cine_lib.as_spacing(np.array([0.5, 0.25], np.float32)) == (0.5, 0.25)
  with pytest.raises(ValueError, match='unpack'):
    cine_lib.as_venc([20.0, 30.0])
  with pytest.raises(ValueError, match='unpack'):
    cine_lib.as_spacing([0.5, 0.25, 8.0])
