"""Augmented cines stay true: the mask follows the picture, and the velocity vector turns with it."""

import numpy as np
import pytest
from ml_collections import ConfigDict

from ear_jax import cine as cine_lib
from ear_jax.data.augment import augment

OFF = {'rot90': False, 'flip': False, 'rotate': 0.0, 'scale': 0.0, 'elastic': 0.0, 'intensity': 0.0}
SIZE = 41


class Upper:
  """A source of randomness whose every draw is the upper end of its range; `turns` for the quarter turns."""

  def __init__(self, turns=0, chance=0.0):
    self.turns, self.chance = turns, chance

  def integers(self, low, high=None, size=None):
    return self.turns if high is None else np.full(size, high - 1)

  def uniform(self, low, high):
    return high

  def random(self):
    return self.chance


@pytest.fixture(scope='module')
def disc():
  """Magnitude 1 within a disc, 0 outside, and the disc as mask; radial 3 and circumferential 1 cm/s everywhere."""
  r, c = np.indices((60, 60)) - 29.5
  distance = np.hypot(r, c)
  mask = np.repeat((distance < 14)[None], 2, 0).astype(np.uint8)
  video = np.zeros((2, 60, 60, 4), np.float32)
  video[..., 0] = mask
  video[..., 1] = (-3 * c + r) / distance
  video[..., 2] = (-3 * r - c) / distance
  video[..., 3] = 7
  return video, mask


@pytest.fixture(scope='module')
def noise():
  rng = np.random.default_rng(0)
  return rng.normal(size=(2, 20, 20, 4)).astype(np.float32), (rng.random((2, 20, 20)) < 0.5).astype(np.uint8)


def run(cine, rng, *, size=SIZE, shift=0, **changes):
  return augment(*cine, ConfigDict(OFF | changes), rng, size=size, shift=shift)


def curves(video, mask):
  """Mean radial (inward), circumferential (counter-clockwise) and longitudinal velocity about the mask's centroid."""
  rows, columns = np.nonzero(mask[0])
  dr, dc = rows - rows.mean(), columns - columns.mean()
  distance = np.hypot(dr, dc)
  keep = distance > 4  # near the centre the direction changes from pixel to pixel
  along_column, along_row, apexward = video[0][mask[0] > 0][keep, 1:].T
  dr, dc, distance = dr[keep], dc[keep], distance[keep]
  radial, circumferential = -(dc * along_column + dr * along_row), dr * along_column - dc * along_row
  return np.array([(radial / distance).mean(), (circumferential / distance).mean(), apexward.mean()])


def test_switched_off_it_is_the_central_crop(noise):
  video, mask = run(noise, np.random.default_rng(0), size=12)
  np.testing.assert_array_equal(video, noise[0][:, 4:16, 4:16])
  np.testing.assert_array_equal(mask, noise[1][:, 4:16, 4:16])
  assert (video.dtype, mask.dtype) == (np.float32, np.uint8)


def test_shift_moves_picture_and_mask_up_to_its_limit(noise):
  video, mask = run(noise, Upper(), size=12, shift=3)
  np.testing.assert_array_equal(video, noise[0][:, 7:19, 7:19])
  np.testing.assert_array_equal(mask, noise[1][:, 7:19, 7:19])
  rng, corners = np.random.default_rng(0), set()
  for _ in range(200):
    shifted, _ = run(noise, rng, size=12, shift=1)
    (corner,) = np.argwhere((noise[0][:, :, :, 0] == shifted[0, 0, 0, 0])[0])
    corners.add(tuple(int(x) for x in corner))
  assert corners == {(r, c) for r in (3, 4, 5) for c in (3, 4, 5)}


@pytest.mark.parametrize('k', range(4))
def test_quarter_turns_and_mirrors_are_those_of_the_cine(noise, k):
  video, mask = run(noise, Upper(turns=k), size=20, rot90=True, flip=True)  # a chance of 0: mirrored
  np.testing.assert_array_equal(video, cine_lib.flip_video(cine_lib.rot90_video(noise[0], k), 'column'))
  np.testing.assert_array_equal(mask, np.flip(np.rot90(noise[1], k, (1, 2)), 2))
  video, mask = run(noise, Upper(turns=k, chance=0.9), size=20, rot90=True, flip=True)  # not mirrored
  np.testing.assert_array_equal(video, cine_lib.rot90_video(noise[0], k))
  np.testing.assert_array_equal(mask, np.rot90(noise[1], k, (1, 2)))


def test_all_eight_symmetries_are_drawn(noise):
  rng, seen = np.random.default_rng(1), set()
  for _ in range(100):
    video, _ = run(noise, rng, size=20, rot90=True, flip=True)
    seen.add(float(video[0, 0, 0, 0]) + 1000 * float(video[0, 0, -1, 0]))  # two corners tell the eight apart
  assert len(seen) == 8


@pytest.mark.parametrize(('angle', 'k'), [(90.0, 1), (180.0, 2), (-90.0, 3)])
def test_a_rotation_by_right_angles_is_the_quarter_turn(noise, angle, k):
  video, mask = run(noise, Upper(), size=20, rotate=angle)
  inside = (slice(None), slice(1, -1), slice(1, -1))  # at the border rounding may fall outside of the picture
  np.testing.assert_allclose(video[inside], cine_lib.rot90_video(noise[0], k)[inside], atol=1e-5)
  np.testing.assert_array_equal(mask[inside], np.rot90(noise[1], k, (1, 2))[inside])


@pytest.mark.parametrize('angle', [30.0, -75.0])
def test_a_rotation_by_any_angle_keeps_the_curves(disc, angle):
  expected = curves(*run(disc, Upper()))
  np.testing.assert_allclose(expected, [3, 1, 7], atol=0.02)
  np.testing.assert_allclose(curves(*run(disc, Upper(), rotate=angle)), expected, atol=0.03)
  mirrored = run(disc, Upper(turns=1), rotate=angle, rot90=True, flip=True)
  np.testing.assert_allclose(curves(*mirrored), expected * (1, -1, 1), atol=0.03)


def test_an_arrow_turns_by_the_angle_of_the_picture():
  # An arrow to the right, turned 30 degrees counter-clockwise on screen: cos 30 to the right, sin 30 up (-row).
  video = np.zeros((1, 9, 9, 4), np.float32)
  video[..., 1] = 1
  turned, _ = run((video, np.zeros((1, 9, 9), np.uint8)), Upper(), size=5, rotate=30.0)
  np.testing.assert_allclose(turned[0, 2, 2], [0, np.sqrt(3) / 2, -0.5, 0], atol=1e-6)


def test_zoom_enlarges_by_its_factor(disc):
  _, mask = run(disc, Upper(), scale=0.2)
  assert mask[0].sum() == pytest.approx(disc[1][0].sum() * 1.2**2, rel=0.02)


@pytest.mark.parametrize(
  'changes',
  [{'rotate': 40.0}, {'scale': 0.2}, {'elastic': 2.0}, {'rotate': 40.0, 'scale': 0.2, 'elastic': 2.0, 'rot90': True}],
)
def test_the_mask_follows_the_picture(disc, changes):
  rng, still = np.random.default_rng(2), run(disc, Upper())[1]
  for _ in range(3):
    video, mask = run(disc, rng, shift=4, flip=True, **changes)
    assert set(np.unique(mask)) == {0, 1}
    assert (mask != still).any()
    differ = (video[..., 0] >= 0.5) != mask  # linear and nearest interpolation differ by fractions of a border pixel
    assert differ.sum() < 0.03 * mask.sum()


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(disc):
  everything = {'rot90': True, 'flip': True, 'rotate': 20.0, 'scale': 0.1, 'elastic': 1.0, 'intensity': 1.0}
  first, again, other = (run(disc, np.random.default_rng(s), shift=4, **everything) for s in (0, 0, 1))
  for a, b in zip(first, again, strict=True):
    np.testing.assert_array_equal(a, b)
  assert (first[0] != other[0]).any()


def test_intensity_changes_the_magnitude_alone_and_not_the_original(noise):
  before = noise[0].copy()
  video, mask = run(noise, np.random.default_rng(0), size=20, intensity=1.0)
  np.testing.assert_array_equal(video[..., 1:], noise[0][..., 1:])
  np.testing.assert_array_equal(mask, noise[1])
  assert np.abs(video[..., 0] - noise[0][..., 0]).max() > 0.05
  assert np.corrcoef(video[..., 0].ravel(), noise[0][..., 0].ravel())[0, 1] > 0.9  # still the same picture
  np.testing.assert_array_equal(noise[0], before)


def test_magnitude_alone_is_augmented_too(disc):
  everything = {'rot90': True, 'flip': True, 'rotate': 20.0, 'intensity': 1.0}
  video, mask = run((disc[0][..., :1], disc[1]), np.random.default_rng(0), **everything)
  assert video.shape == (2, SIZE, SIZE, 1)
  constant = run((np.full((1, 8, 8, 1), 0.5, np.float32), np.zeros((1, 8, 8), np.uint8)), Upper(), size=8, rotate=10.0)
  np.testing.assert_allclose(constant[0], 0.5, atol=1e-6)
  assert mask.any()
