"""A picture shown darker or brighter, on another scale, is the same picture once both have one tone."""

import numpy as np
import pytest

from ear_jax.data.normalise import normalise
from ear_jax.data.tone import curve_to, levels, toned

VENC = (20.0, 25.0, 30.0)


@pytest.fixture
def video():
  """A picture with greys from 0 to 1, dark for the most part, and velocities."""
  rng = np.random.default_rng(4)
  magnitude = rng.beta(1.5, 4.0, size=(3, 40, 40, 1))
  return np.concatenate([magnitude, rng.normal(0, 5, (3, 40, 40, 3))], -1).astype(np.float32)


def test_the_middle_grey_is_the_one_asked_for(video):
  changed = toned(video, curve_to(0.4, video[..., :1], 20))
  np.testing.assert_allclose(levels(changed[..., :1], 20), (0, 0.4, 1), atol=1e-4)
  np.testing.assert_array_equal(changed[..., 1:], video[..., 1:])  # velocities are measurements


@pytest.mark.parametrize('power', [0.5, 2.0])
@pytest.mark.parametrize('method', ['robust', 'window', 'joint'])
def test_a_network_sees_the_same_whatever_the_scanner_made_of_the_greys(video, method, power):
  dark = video[..., :1] - levels(video[..., :1], 0)[0]  # a curve keeps what is dark
  shown = np.maximum(dark, 0)
  other = 900 * shown**power
  for tone, same in ((0.4, True), (0.0, False)):
    first, second = (normalise(picture, None, method, 40, tone) for picture in (shown, other))
    assert np.allclose(first, second, atol=2e-3) is same


def test_order_of_the_greys_stays(video):
  changed = toned(video, curve_to(0.3, video[..., :1], 0))[..., 0]
  bright = video[..., 0] > levels(video[..., :1], 0)[0]
  order = np.argsort(video[..., 0][bright])
  assert (np.diff(changed[bright][order]) >= 0).all()


def test_pictures_without_middle_greys_are_not_torn_apart():
  flat = np.full((1, 8, 8, 1), 7.0, np.float32)
  assert not toned(flat, curve_to(0.4, flat, 8)).any()
  night = np.zeros((1, 40, 40, 1), np.float32)
  night[:, :2] = 1.0
  assert curve_to(0.4, night, 0).power == 1.0  # its median is its darkest grey
  night[:, 2:] = np.linspace(1e-9, 2e-9, 38)[:, None, None]
  assert curve_to(0.4, night, 0).power == pytest.approx(1 / 3)
