"""Any cine to a network of one kind of picture and back, with a network simple enough to know the answer."""

import dataclasses
import functools
import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ml_collections import FrozenConfigDict

from configs import base
from ear_jax.cine import Cine
from ear_jax.devices.placement import Placement
from ear_jax.networks.heart import heart_centres
from ear_jax.networks.inference import make_predictor, myocardium
from ear_jax.networks.segment import Network, expected_error, interleaved_cycles, segment
from ear_jax.system.errors import UserError

CROP, FRAMES, SPACING = 32, 6, 2.0


class Bright(nn.Module):
  """Wall where the magnitude, normalised, is high."""

  @nn.compact
  def __call__(self, video, train=False):
    logit = 20.0 * (video[..., 0] - 0.5)
    return jnp.stack([jnp.zeros_like(logit), logit], axis=-1)


class Frame(nn.Module):
  """Wall everywhere, as likely as the frame's own magnitude says: to see where each frame's answer goes."""

  @nn.compact
  def __call__(self, video, train=False):
    logit = jnp.broadcast_to(video[..., :1, :1, 0], video.shape[:-1]) + 0.1
    return jnp.stack([jnp.zeros_like(logit), logit], axis=-1)


class Tilted(nn.Module):
  """Wall the likelier the lower in the window, whatever the picture."""

  @nn.compact
  def __call__(self, video, train=False):
    logit = jnp.linspace(-2, 2, CROP).reshape(1, 1, CROP, 1) + 0 * video[..., 0]
    return jnp.stack([jnp.zeros_like(logit), logit], axis=-1)


def network_of(module, spacing=(SPACING, SPACING), frames=FRAMES, channels=1, **changes):
  config = base.get_config()
  config.data.crop = CROP
  config.data.channels = channels
  config.augment.flip = True
  predict = functools.partial(make_predictor(myocardium(module), config, Placement(jax.local_devices())), {})
  picture = {'frames': frames, 'spacing': spacing, 'size': [CROP + 4, CROP + 4]}
  manifest = {'config_hash': 'x', 'training_picture': picture}
  return Network(**{
    'source': 'mine', 'config': FrozenConfigDict(config), 'step': 1, 'manifest': manifest, 'split': None,
    'variables': {}, 'predict': predict,
  } | changes)  # fmt: skip


def ring(frames=14, size=90, spacing=1.25, centre=(33.0, 58.0), beat=0.2):
  """A bright beating ring of 12 and 20 mm on dark ground, and its mask."""
  rows, columns = np.indices((size, size))
  r = np.hypot(rows - centre[0], columns - centre[1]) * spacing
  swing = 1 + beat * np.cos(2 * np.pi * np.arange(frames) / frames)[:, None, None]
  mask = (r >= 12 * swing) & (r <= 20 * swing)
  video = np.where(mask, 1000.0, 100.0)[..., None].astype(np.float32)
  blank = np.zeros(mask.shape, np.uint8)
  return Cine(video, blank, np.zeros(frames, bool), None, (spacing,) * 2, 50.0, 's', 's', '1'), mask


def dice(a, b):
  return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.mark.parametrize(('frames', 'spacing'), [(14, 1.25), (6, 2.0), (3, 1.7), (20, 0.9)])
def test_a_ring_is_found_and_delineated_on_its_own_grid(frames, spacing):
  cine, mask = ring(frames=frames, spacing=spacing, size=round(112 / spacing), centre=(41 / spacing, 72 / spacing))
  found = network_of(Bright()).segment(cine)
  assert found.probability.shape == mask.shape
  assert np.hypot(*np.subtract(found.centre, (41 / spacing, 72 / spacing))) * spacing < 3
  assert min(dice(f, m) for f, m in zip(found.mask.astype(bool), mask, strict=True)) > 0.9  # edges on a 2 mm grid
  shift = [np.subtract(np.argwhere(f).mean(0), np.argwhere(m).mean(0)) for f, m in zip(found.mask, mask, strict=True)]
  assert np.abs(np.mean(shift, axis=0)).max() * spacing < 0.25  # mm; half a pixel of the network would be 1
  assert found.uncertainty.shape == (frames,)
  assert found.uncertainty.max() < 0.15


def test_of_two_rings_the_one_is_the_heart_that_the_network_is_surer_of():
  heart, mask = ring(size=150, centre=(40.0, 40.0), beat=0.05)
  _, wall = ring(size=150, centre=(105.0, 105.0), beat=0.4)  # beats more, and is hardly brighter than its ground
  rows, columns = np.indices((150, 150))
  video = np.where(wall, 350.0, heart.video[..., 0])
  video[:, np.hypot(rows - 105, columns - 105) < 4] = 1000.0
  cine = heart.replace(video=video[..., None].astype(np.float32))
  assert math.dist(heart_centres(cine)[0], (105, 105)) < 25
  found = network_of(Bright()).segment(cine)
  assert math.dist(found.centre, (40, 40)) < 3
  assert dice(found.mask.astype(bool), mask) > 0.9


def test_without_spacing_a_network_that_needs_it_refuses_and_one_that_does_not_goes_on():
  cine, mask = ring(spacing=SPACING, size=56, centre=(25, 30))
  cine = cine.replace(spacing=(np.nan, np.nan))
  with pytest.raises(UserError, match='pixel spacing is unknown'):
    network_of(Bright()).segment(cine)
  assert dice(network_of(Bright(), spacing=None).segment(cine).mask.astype(bool), mask) > 0.97


def test_networks_are_averaged():
  cine, _ = ring()
  alone = [network_of(network).segment(cine).probability for network in (Bright(), Frame())]
  both = segment(cine, [network_of(Bright()), network_of(Frame())])
  inside = both.probability > 0
  np.testing.assert_allclose(both.probability[inside], ((alone[0] + alone[1]) / 2)[inside], atol=0.05)
  assert both.uncertainty.mean() > network_of(Bright()).segment(cine).uncertainty.mean()


def test_nothing_changes_a_network():
  network = network_of(Bright())
  with pytest.raises(dataclasses.FrozenInstanceError):
    network.step = 2
  with pytest.raises(AttributeError, match='immutable'):
    network.config.eval.tta = True


def test_mirror_images_and_quarter_turns_are_an_argument():
  """The views of this network cancel: sigmoid(x) + sigmoid(-x) = 1. What is not 0.5 is the window's border."""
  plain, averaged = (network_of(Tilted()).segment(ring()[0], tta=tta).probability for tta in (False, True))
  share = [(np.abs(found[found > 0] - 0.5) < 1e-5).mean() for found in (plain, averaged)]
  assert share[0] < 0.1
  assert share[1] > 0.8


def test_a_delineation_stands_for_its_probability():
  found = network_of(Bright()).segment(ring()[0])
  np.testing.assert_array_equal(np.asarray(found), found.probability)


def test_a_cine_without_velocities_is_answered_with_the_network_that_fits():  # case N15
  words = r's/1 has a magnitude alone, and the network mine needs velocities too: .* such as '
  words += 'ear3d-magnitude or ear3d-sunnybrook, which'
  with pytest.raises(UserError, match=words):
    network_of(Bright(), channels=4).segment(ring()[0])


def test_a_run_too_old_to_say_what_it_was_trained_on_is_named():
  with pytest.raises(UserError, match='mine does not say what pictures it was trained on'):
    network_of(Bright(), manifest={'config_hash': 'x'}).segment(ring()[0])


@given(st.integers(1, 60), st.integers(1, 30))
def test_cycles_hold_every_frame_and_are_even(frames, length):
  cycles = interleaved_cycles(frames, length)
  assert {len(cycle) for cycle in cycles} == {length}
  assert set(np.concatenate(cycles)) == set(range(frames))
  step = frames / length
  for cycle in cycles:
    around = np.diff(np.append(cycle, cycle[0] + frames))
    assert np.abs(around - step).max() < 1 + 1e-9  # as even as whole frames can be, over the end of the cycle too


def test_the_same_number_of_frames_is_the_cycle_itself():
  (cycle,) = interleaved_cycles(16, 16)
  np.testing.assert_array_equal(cycle, np.arange(16))


def test_expected_error_by_hand():
  probability = np.zeros((3, 2, 2), np.float32)
  probability[0] = [[1, 1], [0, 0]]  # certain
  probability[1] = [[0.8, 0.6], [0.4, 0]]  # mask 2 pixels: 1 - 2 * 1.4 / (1.8 + 2)
  np.testing.assert_allclose(expected_error(probability), [0, 1 - 2.8 / 3.8, 1], atol=1e-6)
