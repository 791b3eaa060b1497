"""Volumes of stacks whose volume is known: half an ellipsoid, a phantom sampled finely, pixels counted in polygons."""

import dataclasses
import math

import numpy as np
import pytest
from scipy import ndimage
from skimage.draw import polygon2mask

from ear_jax.analysis.depth import stack_of
from ear_jax.analysis.drawn import as_drawn
from ear_jax.analysis.motion import Contours
from ear_jax.analysis.outline import LEAVING, NO_VENTRICLE, without_ring
from ear_jax.analysis.polar import RAYS
from ear_jax.analysis.slices import analyse, analyse_with_contours
from ear_jax.analysis.volumes import volumes
from ear_jax.cine import Cine, Place, rot90
from ear_jax.phantom import study as phantom

LENGTH, INNER, WALL = 88.0, 25.0, 9.0  # mm: of the cavity, its radius at the base, the wall at end diastole
SPACING = (1.3, 1.1)
SHAPE = (72, 84)
MIDDLE = np.array([35.4, 41.7])
FRAMES = 4
SQUEEZE = np.array([1.0, 0.8, 0.65, 0.9])  # of the inner radius; the outer border stands still


def cine_at(depth, frames=FRAMES, **fields):
  place = Place((3.0, -4.0, 12.0 + depth), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), 8.0)
  known = {'spacing': SPACING, 'place': place, 'frame_interval': 40.0} | fields
  return Cine(
    np.zeros((frames, *SHAPE, 1), np.float32), np.zeros((frames, *SHAPE), np.uint8), np.zeros(frames, bool), None,
    subject='anna', dataset='anna', slice_id=f'slice-{depth:g}', **known,
  )  # fmt: skip


def circle(radius):
  """`[T, 360, 2]` pixels of circles of `[T]` mm."""
  return MIDDLE + radius[:, None, None] * RAYS / np.array(SPACING)


def radii(depth):
  """Inner and outer radius `[T]` mm of half an ellipsoid whose base is at 0."""
  share = math.sqrt(max(1 - (depth / LENGTH) ** 2, 0))
  return share * INNER * SQUEEZE, np.full(FRAMES, share * INNER + WALL)


def ring(depth, **fields):
  inner, outer = radii(depth)
  contours = Contours(circle(inner), circle(outer), ('',) * FRAMES, np.zeros(FRAMES, bool))
  return analyse_with_contours(cine_at(depth, **fields), contours)


def depths(distance=8.0):
  return np.arange(distance / 2, LENGTH, distance)


def lost(motion, frames, flag='ring open over 120 degrees'):
  """A motion without contours in some frames."""
  contours = motion.contours
  endo, epi, failed = contours.endo.copy(), contours.epi.copy(), contours.failed.copy()
  endo[frames], epi[frames], failed[frames] = np.nan, np.nan, True
  flags = tuple(flag if bad else '' for bad in failed)
  return dataclasses.replace(motion, contours=Contours(endo, epi, flags, failed, contours.drawn))


def test_half_an_ellipsoid_has_its_volume_and_mass():
  found = volumes([ring(depth) for depth in depths()])
  # Cavity 2/3 pi a^2 L, less by SQUEEZE^2; discs in the middle of each layer of 8 mm miss 0.4 % of it.
  true = 2 / 3 * math.pi * INNER**2 * LENGTH / 1000 * SQUEEZE**2
  np.testing.assert_allclose(found.cavity, true, rtol=0.005)
  assert (found.ed, found.es, found.missing) == (0, 2, '')
  assert found.ejection_fraction == pytest.approx(100 * (1 - 0.65**2), abs=0.1)
  assert found.stroke_volume == pytest.approx(found.edv - found.esv)
  # Wall at end diastole: sum of pi ((r + w)^2 - r^2) = pi w (2 r + w), and the mean of r is pi / 4 of INNER.
  wall = math.pi * WALL * (2 * math.pi / 4 * INNER + WALL) * LENGTH / 1000
  assert found.mass == pytest.approx(1.05 * wall, rel=0.005)


def test_masks_of_the_same_stack_have_it_within_two_percent():
  grid = (np.indices(SHAPE) - MIDDLE[:, None, None]) * np.array(SPACING)[:, None, None]
  away = np.hypot(*grid)
  motions = []
  for depth in depths():
    inner, outer = (side[:, None, None] for side in radii(depth))
    motions.append(analyse(cine_at(depth), ((away > inner) & (away <= outer)).astype(np.uint8)))
  found, exact = volumes(motions), volumes([ring(depth) for depth in depths()])
  np.testing.assert_allclose(found.cavity, exact.cavity, rtol=0.02)
  assert found.mass == pytest.approx(exact.mass, rel=0.02)


def test_polygons_have_the_volume_of_the_pixels_counted_in_them():
  rng = np.random.default_rng(3)
  wobble = 1 + 0.15 * ndimage.gaussian_filter1d(rng.normal(size=360), 12, mode='wrap')[:, None] * 5
  motions, counted, fine = [], np.zeros((2, FRAMES)), 4
  for depth in depths():
    sides = [(MIDDLE + (line - MIDDLE) * wobble)[:, ::8] for line in map(circle, radii(depth))]
    cine = cine_at(depth)
    motions.append(analyse_with_contours(cine, as_drawn(list(zip(*sides, strict=True)))))
    for side, lines in enumerate(sides):
      masks = [polygon2mask(np.array(SHAPE) * fine, line * fine) for line in lines]
      counted[side] += np.array([mask.sum() for mask in masks]) * math.prod(SPACING) / fine**2 * 8.0 / 1000
  found = volumes(motions)
  np.testing.assert_allclose(found.cavity, counted[0], rtol=0.003)
  np.testing.assert_allclose(found.wall, counted[1] - counted[0], rtol=0.003)


def test_ten_slices_of_a_phantom_have_the_volume_of_forty():
  person = dataclasses.replace(phantom.first_visit('mini')[1], size=dataclasses.replace(phantom.MINI, frames=6))
  length = 70.0  # mm that the ten slices stand for

  def truth(count):
    return [phantom.truth(dataclasses.replace(person, position=(k + 0.5) / count)) for k in range(count)]

  def area(points):  # of pixels, by another formula than the code's: the cross products of complex numbers
    z = points @ np.array([1, 1j])
    return 0.5 * np.abs((z.conj() * np.roll(z, -1, -1)).imag.sum(-1))

  fine = truth(40)
  pixel = person.size.spacing**2
  cavity = sum(area(one.endo) for one in fine) * pixel * length / 40 / 1000
  wall = sum(area(one.epi) - area(one.endo) for one in fine) * pixel * length / 40 / 1000
  motions = []
  for k, one in enumerate(truth(10)):
    place = Place((0.0, 0.0, k * length / 10), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    cine = cine_at(k, frames=6, spacing=(person.size.spacing,) * 2, place=place)
    motions.append(analyse(dataclasses.replace(cine, **still(one.mask)), one.mask))
  found = volumes(motions)
  assert found.missing == ''
  np.testing.assert_allclose(found.cavity, cavity, rtol=0.02)
  np.testing.assert_allclose(found.wall, wall, rtol=0.02)


def still(mask):
  return {
    'video': np.zeros((*mask.shape, 1), np.float32), 'mask': np.zeros_like(mask), 'annotated': np.zeros(len(mask), bool)
  }  # fmt: skip


def test_a_turned_picture_has_the_same_volumes_and_so_has_the_stack_upside_down():
  motions = [ring(depth) for depth in depths()]
  found = volumes(motions)
  np.testing.assert_allclose(volumes(motions[::-1]).cavity, found.cavity)
  turned = []
  for depth in depths():
    cine = rot90(cine_at(depth))
    inner, outer = (np.stack([SHAPE[1] - 1 - side[..., 1], side[..., 0]], -1) for side in map(circle, radii(depth)))
    contours = Contours(inner, outer, ('',) * FRAMES, np.zeros(FRAMES, bool))
    turned.append(analyse_with_contours(cine, contours))
  np.testing.assert_allclose(volumes(turned).cavity, found.cavity)


def test_the_distance_is_that_of_the_planes_not_the_thickness_and_uneven_gaps_are_shared():
  # Discs of areas 4, 2, 1 at 0, 10, 14 mm stand for 10, 7 and 4 mm.
  places = [Place((0.0, 0.0, z), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), 8.0) for z in (0.0, 10.0, 14.0)]
  np.testing.assert_allclose(stack_of(places).height, [10, 7, 4])
  np.testing.assert_allclose(stack_of(places[::-1]).height, [4, 7, 10])


def test_a_slice_beyond_the_ventricle_counts_as_nothing_and_halves_no_disc():
  inside = [ring(depth) for depth in depths()]
  beyond = without_ring(ring(0.0), (NO_VENTRICLE,) * FRAMES)
  beyond = dataclasses.replace(beyond, place=dataclasses.replace(beyond.place, corner=(3.0, -4.0, 8.0)))
  found = volumes([beyond, *inside])
  np.testing.assert_allclose(found.cavity, volumes(inside).cavity)
  assert (found.endo[0] == 0).all()
  assert 'at apex: what lies beyond' in ' '.join(found.notes)


def test_a_missing_slice_is_said():
  kept = [ring(depth) for k, depth in enumerate(depths()) if k != 4]
  found = volumes(kept)
  assert '1 slice of the stack missing: neighbours lie 16.0 mm apart where 8.0 mm is usual' in found.notes[0]
  assert found.edv == pytest.approx(volumes([ring(depth) for depth in depths()]).edv, rel=0.01)


SOUND = [ring(depth) for depth in depths()]


@pytest.mark.parametrize(
  ('motions', 'reason'),
  [
    (SOUND[:1], 'a single slice'),
    (SOUND[1::3], 'up to 24 mm apart'),
    (SOUND[:4], 'does not cover the ventricle: 4 slices stand for 32 mm'),
    (SOUND[:6], 'does not cover the apex: the smaller cavity at its ends is 75 %'),
    ([*SOUND[:3], *SOUND[6:]], 'up to 32 mm apart'),
    ([*SOUND[:5], ring(depths()[4]), *SOUND[5:]], 'two slices lie at one place'),
    ([*SOUND[:5], ring(44.0, place=None), *SOUND[6:]], 'patient is not known'),
    ([*SOUND[:5], lost(SOUND[5], range(FRAMES)), *SOUND[6:]], 'without any contour: slice-44'),
    ([*SOUND[:5], lost(SOUND[5], [2]), *SOUND[6:]], 'in 1 of 4 frames a slice has no contours'),
    ([*SOUND[:5], lost(SOUND[5], [0, 1, 3]), *SOUND[6:]], '1 of 4 frames have contours in all slices'),
    ([ring(d, place=None, spacing=(math.nan, math.nan)) for d in depths()], 'pixel spacing is not known'),
    (
      [*SOUND[:-1], ring(84.0, place=Place((0.0, 0.0, 96.0), (1.0, 0.0, 0.0), (0.0, math.cos(0.2), math.sin(0.2))))],
      'tilted against each other by 11 deg',
    ),
  ],
)
def test_where_there_is_no_volume_a_sentence_says_why_and_no_number_is_given(motions, reason):
  found = volumes(motions)
  assert reason in found.missing
  assert np.isnan([found.edv, found.esv, found.ejection_fraction, found.mass, found.stroke_volume]).all()
  assert np.isnan(found.cavity).all()
  assert np.isnan(found.wall).all()


def test_slices_of_another_number_of_frames_have_no_common_volume():
  odd = analyse(cine_at(60.0, frames=5), np.zeros((5, *SHAPE), np.uint8))
  found = volumes([*SOUND[:7], odd, *SOUND[8:]])
  assert 'slices have 4 and 5 frames' in found.missing
  assert found.ed is None


def test_frames_that_a_person_left_undrawn_have_no_volume_and_the_others_do():
  drawn = [analyse_with_contours(cine_at(d), as_drawn([*zip(*map(circle, radii(d)), strict=True)])) for d in depths()]
  found = volumes([lost(one, [1, 3], 'not drawn') for one in drawn])
  assert (found.ed, found.es) == (0, 2)
  np.testing.assert_array_equal(np.isnan(found.cavity), [False, True, False, True])
  assert '2 of 4 frames have no contours' in ' '.join(found.notes)


def test_an_unknown_frame_beside_end_systole_is_said():
  longer = [analyse_with_contours(cine_at(d, frames=6), six(ring(d).contours)) for d in depths()]
  found = volumes([lost(one, [3]) if k == 4 else one for k, one in enumerate(longer)])
  assert (found.missing, found.ed, found.es) == ('', 0, 2)
  assert 'a frame beside frame 2 is one of them: end systole may be there' in found.notes
  assert 'frame beside frame 0' not in ' '.join(found.notes)


def six(contours):
  """The contours of six frames: the four, and the last again, twice."""
  order = [0, 1, 2, 3, 3, 3]
  return Contours(contours.endo[order], contours.epi[order], ('',) * 6, np.zeros(6, bool))


def test_where_the_ventricle_leaves_the_last_slice_its_frames_count_as_nothing_and_that_is_said():
  left = lost(SOUND[-1], [2], 'no mask')
  found = volumes([*SOUND[:-1], left])
  assert found.missing == ''
  assert found.esv == pytest.approx(volumes(SOUND).esv - SOUND_AREA, abs=1e-6)
  assert 'no wall in 1 frame of slice-84, at an end of the ventricle, which counts as 0' in found.notes


def test_where_the_ventricle_leaves_a_plane_in_part_its_area_is_that_of_the_frames_beside():
  """With less than half of the wall missing most of what is in the plane is ventricle still."""
  left = lost(SOUND[0], [2], LEAVING)
  found = volumes([left, *SOUND[1:]])
  assert found.missing == ''
  assert found.endo[0, 2] == pytest.approx((found.endo[0, 1] + found.endo[0, 3]) / 2)
  np.testing.assert_allclose(found.cavity[[0, 1, 3]], volumes(SOUND).cavity[[0, 1, 3]])
  assert 'the ventricle leaves slice-4 in part in 1 frame; areas' in ' '.join(found.notes)
  beyond = without_ring(ring(0.0), (NO_VENTRICLE,) * FRAMES)
  empty = volumes([beyond, lost(SOUND[0], [2], NO_VENTRICLE), *SOUND[1:]])
  assert empty.endo[1, 2] == 0
  some = '; in some frames only: slice-4 (3 of 4)'
  assert found.holding == f'10 of 11 slices hold the ventricle{some}'
  assert empty.holding == f'10 of 12 slices hold the ventricle{some}; beyond it: slice-0'


SOUND_AREA = math.pi * radii(84.0)[0][2] ** 2 * 8 / 1000 * 360 / (2 * math.pi) * math.sin(2 * math.pi / 360)  # polygon


def test_frames_of_end_diastole_and_systole_can_be_given():
  found = volumes(SOUND, ed_frame=3, es_frame=1)
  assert (found.ed, found.es) == (3, 1)
  assert found.notes[:2] == ('end diastole is frame 3, as given', 'end systole is frame 1, as given')
  assert found.ejection_fraction == pytest.approx(100 * (1 - (0.8 / 0.9) ** 2), abs=0.1)
  assert 'not smaller in frame 3' in volumes(SOUND, ed_frame=1, es_frame=3).missing
  with pytest.raises(ValueError, match='es_frame 4: frames are 0 to 3'):
    volumes(SOUND, es_frame=4)


def test_thickness_is_that_of_the_wall_in_each_sector():
  found = volumes(SOUND)
  inner, outer = radii(depths()[0])
  np.testing.assert_allclose(found.thickness[0], np.tile(outer - inner, (6, 1)), rtol=1e-3)
  np.testing.assert_allclose(found.thickening[0], 100 * ((outer - inner)[2] / (outer - inner)[0] - 1), rtol=1e-3)


def test_a_thick_side_is_in_its_own_sectors():
  inner, outer = radii(20.0)
  # The cavity lies 3 mm to the right: the right wall is thinner by about 3 mm, the left one thicker.
  endo = circle(inner) + np.array([0.0, 3.0]) / np.array(SPACING)
  contours = as_drawn([*zip(endo, circle(outer), strict=True)])
  motion = analyse_with_contours(cine_at(20.0), contours, septum=math.pi / 2)  # sector 0 begins on the right
  thick = volumes([motion]).thickness[0]  # [6, T]
  np.testing.assert_allclose(thick[[0, 5]].mean(0), (outer - inner) - 2.4, atol=0.4)
  np.testing.assert_allclose(thick[[2, 3]].mean(0), (outer - inner) + 2.4, atol=0.4)
