"""The network's input by hand, and what of the scanner it must not depend on."""

import numpy as np
import pytest

from ear_jax.data.normalise import normalise

VENC = (20.0, 25.0, 30.0)


@pytest.fixture(scope='module')
def video():
  rng = np.random.default_rng(0)
  velocity = rng.uniform(-20, 20, (3, 8, 8, 3))
  return np.concatenate([rng.gamma(2.0, 300.0, (3, 8, 8, 1)), velocity], axis=-1).astype(np.float32)


def test_magnitude_by_hand():
  # Every second pixel of every second row counts: 0, 1, ..., 100 in 101 frames of one such pixel each. The median is
  # 50, the percentiles are 1 and 99, half their distance is 49.
  video = np.full((101, 2, 2, 1), 1e6, np.float32)
  video[:, 0, 0, 0] = np.arange(101)
  found = normalise(video, None)
  np.testing.assert_allclose(found[[0, 50, 99, 100], 0, 0, 0], [-50 / 49, 0, 1, 50 / 49], rtol=1e-6)
  assert found.dtype == np.float32


def test_velocities_are_divided_by_venc_and_the_in_plane_ones_by_the_larger(video):
  found = normalise(video, VENC)
  np.testing.assert_allclose(found[..., 1:], video[..., 1:] / np.float32([25, 25, 30]), rtol=1e-6)
  turned = normalise(video[..., [0, 2, 1, 3]], (25.0, 20.0, 30.0))  # the picture turned: the vector keeps its length
  np.testing.assert_allclose(turned[..., [0, 2, 1, 3]], found, rtol=1e-6)


def test_robust_magnitude_does_not_depend_on_scale_offset_or_a_few_bright_pixels(video):
  found = normalise(video, VENC)
  rescaled = video.copy()
  rescaled[..., 0] = 7.5 * video[..., 0] + 120
  np.testing.assert_allclose(normalise(rescaled, VENC), found, atol=1e-5)
  bulk = np.abs(found[..., 0]) <= 3
  assert bulk.mean() > 0.95
  bright = video.copy()
  bright[0, 1, 1, 0] = 1e7  # one pixel of 192, not even counted
  change = np.delete(normalise(bright, VENC)[..., 0].ravel(), 9) - np.delete(found[..., 0].ravel(), 9)
  np.testing.assert_array_equal(change, 0)


def test_window_counts_the_central_window_alone(video):
  found = normalise(video, VENC, 'window', 4)
  np.testing.assert_allclose(found[:, 2:6, 2:6], normalise(video[:, 2:6, 2:6], VENC), rtol=1e-6)
  bright = video.copy()
  bright[:, :, 6, 0] += 1e6
  np.testing.assert_array_equal(normalise(bright, VENC, 'window', 4)[:, :, :6], found[:, :, :6])
  assert (normalise(bright, VENC)[:, 2:6, 2:6] != normalise(video, VENC)[:, 2:6, 2:6]).any()


def test_joint_is_one_mean_and_deviation_of_everything(video):
  found = normalise(video, VENC, 'joint')
  np.testing.assert_allclose(found, (video - video.mean()) / video.std(), rtol=1e-4, atol=1e-5)
  assert float(found.mean()) == pytest.approx(0, abs=1e-5)
  assert float(found.std()) == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize('method', ['robust', 'window', 'joint'])
def test_a_constant_picture_is_finite(method):
  np.testing.assert_array_equal(normalise(np.full((2, 4, 4, 1), 80, np.uint16), None, method, 2), 0)


def test_an_unknown_method_is_refused(video):
  with pytest.raises(ValueError, match=r"config\.data\.normalise 'minmax' is not 'robust', 'window' or 'joint'"):
    normalise(video, VENC, 'minmax')


def test_velocities_without_a_venc_are_refused(video):
  with pytest.raises(ValueError, match='4 channels without a venc: the velocities have no scale'):
    normalise(video, None)
