"""The heart is found where something beats, not where it is bright or where phase is noise."""

import numpy as np
import pytest

from ear_jax.cine import Cine
from ear_jax.networks.heart import heart_centres, pulsation
from ear_jax.phantom import study

FAR = study.Size('far', 4, 0, (4,), 8, 128, 2.0, 2.0, offset=45.0, sharing=0.0)


def _cine(video, venc=(20.0, 20.0, 30.0), spacing=(2.0, 2.0)):
  frames = video.shape[:3]
  return Cine(
    video.astype(np.float32), np.zeros(frames, np.uint8), np.zeros(frames[0], bool), venc, spacing, 40.0, 's', 's', '1'
  )


def _still(rng, frames=12, size=100):
  """A bright still body, air whose phase is uniform noise, and nothing that beats."""
  video = np.zeros((frames, size, size, 4))
  video[..., 0] = rng.rayleigh(10, video.shape[:3])
  video[..., 1:] = rng.uniform(-1, 1, (*video.shape[:3], 3)) * (20, 20, 30)
  video[:, 10:50, 10:90] = (1000, 0, 0, 0)
  return video


@pytest.mark.parametrize('place', [(35, 30), (60, 70)])
def test_a_disc_that_moves_with_the_cycle_is_found(place):
  video = _still(np.random.default_rng(5))
  rows, columns = np.indices(video.shape[1:3])
  disc = (rows - place[0]) ** 2 + (columns - place[1]) ** 2 < 12**2
  beat = np.sin(2 * np.pi * np.arange(len(video)) / len(video))
  video[:, disc] = np.stack([np.full_like(beat, 300), 0 * beat, 0 * beat, 5 * beat], -1)[:, None]
  found = heart_centres(_cine(video))[0]
  assert np.hypot(*np.subtract(found, place)) < 3


def test_pulsation_is_the_amplitude_of_the_first_harmonic_over_venc():
  turn = 2 * np.pi * np.arange(10) / 10
  video = np.zeros((10, 2, 2, 4))
  video[..., 0] = 100
  video[..., 3] = (6 * np.cos(turn) + 9 * np.cos(2 * turn))[:, None, None]
  np.testing.assert_allclose(pulsation(video, (20, 20, 30)), 6 / 30, atol=1e-6)
  video[..., 0] += (50 * np.sin(turn))[:, None, None]  # and of the magnitude over its 99th percentile
  scale = np.percentile(video[..., 0], 99)
  np.testing.assert_allclose(pulsation(video[..., :1], None), 50 / scale, atol=1e-6)


def test_hearts_of_the_phantom_lie_within_reach_of_the_network():
  for plan in study.plan(FAR, seed=3)[::2]:
    cine = study.render(plan)
    middle = np.argwhere(cine.mask.any(0)).mean(0)
    distance = [np.hypot(*(np.subtract(found, middle) * 2.0)) for found in heart_centres(cine)]
    assert min(distance) < 30, f'{cine.name}: {distance} mm'


def test_without_motion_the_middle_is_as_good_as_any():
  assert heart_centres(_cine(np.ones((1, 20, 31, 1)), venc=None)) == [(9.5, 15.0)]
  assert heart_centres(_cine(np.ones((8, 20, 30, 1)), venc=None))[0] == (9.5, 14.5)
