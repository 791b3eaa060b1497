"""A heart is shown the same way up whatever order its rows and columns are stored in, and recognised by its looks."""

import itertools

import numpy as np
import pytest

from ear_jax.cine import Place, flip, rot90
from ear_jax.data import upright
from ear_jax.data.upright import CLINICAL, FROM_BASE, TURNS, Turn

OBLIQUE = Place((10.0, -20.0, 30.0), (0.8, 0.6, 0.0), (-0.36, 0.48, -0.8), 8.0)  # nearly as clinics show it


@pytest.fixture
def cine(make_cine):
  return make_cine(place=OBLIQUE)


@pytest.mark.parametrize('turn', TURNS)
def test_eight_orders_of_one_picture_become_one(cine, turn):
  """Video with its velocities, mask, spacing, venc and place."""
  stored = upright.turned(cine, turn)
  shown = upright.upright(stored, CLINICAL)
  np.testing.assert_array_equal(shown.video, cine.video)
  np.testing.assert_array_equal(shown.mask, cine.mask)
  assert (shown.spacing, shown.venc) == (cine.spacing, cine.venc)
  np.testing.assert_allclose(shown.place.corner, OBLIQUE.corner, atol=1e-9)
  assert upright.turn_between(upright.axes_of(stored.place), CLINICAL) == upright.undone(turn)


def test_the_eight_turns_are_those_of_the_square_and_lead_back(cine):
  seen = set()
  for turn in TURNS:
    there = upright.turned(cine, turn)
    seen.add((there.video.shape, there.video.tobytes()))
    np.testing.assert_array_equal(upright.picture_turned(cine.mask, turn), there.mask)
    np.testing.assert_array_equal(upright.picture_turned(there.mask, upright.undone(turn)), cine.mask)
    axes = upright.axes_turned(upright.axes_of(cine.place), turn)
    np.testing.assert_allclose(axes, upright.axes_of(there.place))
  assert len(seen) == 8


def test_clinics_look_from_the_apex_and_the_phantom_from_the_base():
  """The normals point away from the viewer; the apex lies to the left, front and feet."""
  apexward = np.array([0.62, -0.55, -0.56])
  for axes, side in ((CLINICAL, -1), (FROM_BASE, 1)):
    across, down = np.array(axes)
    assert np.sign(np.cross(across, down) @ apexward) == side
    np.testing.assert_allclose(np.array(axes) @ np.array(axes).T, np.eye(2), atol=2e-3)
    assert down[2] < -0.8  # feet below


def test_what_is_no_short_axis_or_has_no_place_is_left_alone(cine):
  coronal = cine.replace(place=Place((0.0, 0.0, 0.0), (0.0, 0.2, 0.98), (0.6, -0.784, 0.16)))
  assert upright.turn_between(((0.0, 1.0, 0.0), (1.0, 0.0, 0.0)), ((0.0, 0.0, 1.0), (1.0, 0.0, 0.0))) == Turn()
  nowhere = cine.replace(place=None)
  assert upright.upright(nowhere, CLINICAL) is nowhere
  assert upright.upright(coronal, CLINICAL).mask.sum() == cine.mask.sum()


def scene(shape=(120, 100), spacing=(1.6, 2.0)):
  """A ring with something bright at its left and something dark below: `[H, W]`; and the centre of the ring."""
  rows, columns = (np.arange(n) * s for n, s in zip(shape, spacing, strict=True))
  y, x = np.meshgrid(rows - 90.0, columns - 100.0, indexing='ij')
  picture = 100.0 + 400 * (np.hypot(x, y) < 20) + 300 * (np.hypot(x + 35, y + 5) < 18) - 80 * (y > 40) + 60 * (x > 70)
  return picture.astype(np.float32), (90.0 / spacing[0], 100.0 / spacing[1])


def _of(make_cine, picture, centre):
  """Returns a cine of one frame with a reference about the centre of the heart."""
  mask = np.zeros((1, *picture.shape), np.uint8)
  mask[0, round(centre[0]) - 3 : round(centre[0]) + 4, round(centre[1]) - 3 : round(centre[1]) + 4] = 1
  return make_cine(1, frames=1, video=picture[None, ..., None], mask=mask, spacing=(1.6, 2.0), frame_interval=np.nan)


def test_a_portrait_tells_the_eight_views_apart(make_cine):
  cine = _of(make_cine, *scene())
  known = upright.portrait([cine])
  assert np.shape(known) == (3, 16, 16)
  like = []
  for turn in TURNS:
    view = upright.turned(cine, turn)
    where = np.argwhere(view.mask[0]).mean(0)
    like.append(upright.likeness(upright.looks(view.video[0, ..., 0], tuple(where), view.spacing), known))
  assert like[0] == pytest.approx(1, abs=1e-3)
  assert max(like[1:]) < 0.8


def test_who_lies_on_the_side_is_portrayed_as_the_others(make_cine):
  """Of five subjects of two slices each one lies otherwise: the portrait is that of five who lie alike."""
  alike, one_on_the_side = [], []
  for k in range(5):
    picture, centre = scene()
    noisy = picture + np.random.default_rng(k).normal(0, 40, picture.shape).astype(np.float32)
    own = [_of(make_cine, noisy, centre).replace(subject=f'subject-{k}')] * 2
    alike += own
    one_on_the_side += [upright.turned(cine, Turn(3)) for cine in own] if k == 1 else own
  np.testing.assert_allclose(upright.portrait(one_on_the_side), upright.portrait(alike), atol=0.05)


def test_the_portrait_of_a_network_trained_before_has_two_extents_and_still_serves():
  picture, centre = scene()
  looks = upright.looks(picture, centre, (1.6, 2.0))
  assert upright.likeness(looks, np.nan_to_num(looks[:2]).tolist()) == pytest.approx(1)


@pytest.mark.parametrize('turn', TURNS)
def test_a_small_field_of_view_is_compared_where_it_lies(make_cine, turn):
  """What lies outside the picture is not seen: no dark tissue, as it was once taken for."""
  picture, centre = scene((200, 200), (1.6, 2.0))
  known = upright.portrait([_of(make_cine, picture, centre)])
  small = upright.turned(_of(make_cine, picture[25:94, :76], (centre[0] - 25, centre[1])), turn)  # 110 mm by 152 mm
  where = np.argwhere(small.mask[0]).mean(0)
  looks = upright.looks(small.video[0, ..., 0], (where[0], where[1]), small.spacing)
  assert 0.4 < np.isnan(looks[1]).mean() < 0.8
  np.testing.assert_allclose(np.nanmean(looks, (1, 2)), 0, atol=1e-6)
  like = [upright.likeness(upright.picture_turned(looks, view), known) for view in TURNS]
  assert TURNS[int(np.argmax(like))] == upright.undone(turn)
  assert max(like) > 0.9


def test_a_portrait_needs_a_reference_and_a_spacing(make_cine):
  assert upright.portrait([]) is None
  assert upright.portrait([make_cine(spacing=(np.nan, np.nan))]) is None
  assert upright.portrait([make_cine(mask=np.zeros((3, 12, 10), np.uint8))]) is None


def test_looks_do_not_depend_on_contrast_or_grid():
  """Ranks: another gain and offset is the same picture; another gamma or a finer grid nearly so."""
  picture, centre = scene()
  looks = upright.looks(picture, centre, (1.6, 2.0))
  np.testing.assert_allclose(upright.looks(3 * picture + 50, centre, (1.6, 2.0)), looks, atol=1e-6)
  assert upright.likeness(upright.looks(np.sqrt(picture), centre, (1.6, 2.0)), looks) > 0.97
  finer, there = scene((240, 200), (0.8, 1.0))
  assert upright.likeness(upright.looks(finer, there, (0.8, 1.0)), looks) > 0.95


def test_the_turn_of_a_cine_is_that_of_cine_py(cine):
  for mirrored, k in itertools.product((False, True), range(4)):
    other = rot90(flip(cine, 'column') if mirrored else cine, k)
    np.testing.assert_array_equal(upright.turned(cine, Turn(k, mirrored)).video, other.video)
