"""A network sees a heart the way up that it was trained on: by the cine's place, or recognised where there is none."""

import functools
import os
import pathlib

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import FrozenConfigDict

from configs import base
from ear_jax.cine import Cine, Place
from ear_jax.data.upright import (
  CLINICAL,
  FROM_BASE,
  TURNS,
  Turn,
  axes_of,
  axes_turned,
  picture_turned,
  portrait,
  turn_between,
  turned,
  undone,
)
from ear_jax.devices.placement import Placement
from ear_jax.formats.open import open_studies
from ear_jax.formats.siemens import writer
from ear_jax.networks.inference import make_predictor, myocardium
from ear_jax.networks.load import load_network
from ear_jax.networks.recognise import recognise, views
from ear_jax.networks.segment import Network, _turned_point, segment, turn_for
from ear_jax.phantom import study

CROP, SPACING = 32, 2.0
HERE = Place((10.0, -20.0, 30.0), *CLINICAL, 8.0)


class Sided(nn.Module):
  """Wall where it is bright, the likelier the further down and right in the window, and where +column is fast."""

  @nn.compact
  def __call__(self, video, train=False):
    ramp = jnp.linspace(-1, 1, CROP)
    logit = 6.0 * (video[..., 0] - 0.5) + ramp.reshape(1, 1, CROP, 1) + 0.5 * ramp.reshape(1, 1, 1, CROP)
    if video.shape[-1] > 1:
      logit = logit + 2.0 * video[..., 1]
    return jnp.stack([jnp.zeros_like(logit), logit], axis=-1)


def network_of(axes=CLINICAL, heart=None, channels=1):
  config = base.get_config()
  config.data.crop = CROP
  config.data.channels = channels
  predict = functools.partial(make_predictor(myocardium(Sided()), config, Placement(jax.local_devices())), {})
  picture = {'frames': 6, 'spacing': (SPACING, SPACING), 'size': [CROP + 4, CROP + 4], 'axes': axes, 'heart': heart}
  manifest = {'config_hash': 'x', 'training_picture': picture}
  return Network('mine', FrozenConfigDict(config), 1, manifest, None, {}, predict)


def heart(channels=1, frames=6, shape=(90, 84), spacing=(1.25, 1.4), centre=(43.0, 48.0)):
  """A beating ring with something bright on its left, off the middle of a picture that is not square."""
  rows, columns = ((np.arange(n) - c) * s for n, c, s in zip(shape, centre, spacing, strict=True))
  y, x = np.meshgrid(rows, columns, indexing='ij')
  swing = 1 + 0.2 * np.cos(2 * np.pi * np.arange(frames) / frames)[:, None, None]
  ring = (np.hypot(x, y) > 11 * swing) & (np.hypot(x, y) < 18 * swing)
  video = np.zeros((frames, *shape, channels), np.float32)
  video[..., 0] = 100 + 900 * ring + 300 * (np.hypot(x + 32, y + 4) < 9) + 60 * (y > 30) + 30 * (x > 30)
  if channels == 4:
    video[..., 1:] = np.stack([4 * x / 40, 6 * y / 40, 0 * x], -1)
  venc = (20.0, 20.0, 30.0) if channels == 4 else None
  return Cine(video, ring.astype(np.uint8), np.ones(frames, bool), venc, spacing, 100.0, 's', 's', '1', place=HERE)


@pytest.mark.parametrize('channels', [1, 4])
@pytest.mark.parametrize('turn', TURNS)
def test_a_cine_in_any_order_gives_the_answer_of_the_cine(channels, turn):
  """Case A1: with a place, whatever the network is."""
  cine, network = heart(channels), network_of(channels=channels)
  expected = segment(cine, [network])
  assert 0.2 < expected.mask.sum() / cine.mask.sum() < 2
  found = segment(turned(cine, turn), [network])
  np.testing.assert_allclose(picture_turned(found.probability, undone(turn)), expected.probability, atol=1e-5)
  np.testing.assert_allclose(found.centre, _turned_point(expected.centre, cine, turn), atol=1e-3)
  lost = turned(cine, turn).replace(place=None)
  said = segment(lost, [network], axes=axes_of(turned(cine, turn).place))
  np.testing.assert_array_equal(said.probability, found.probability)
  if turn != Turn():  # the network does care
    assert np.abs(picture_turned(segment(lost, [network]).probability, undone(turn)) - expected.probability).max() > 0.1


@pytest.mark.parametrize('turn', TURNS)
def test_points_are_turned_as_pictures_are(turn):
  cine = heart()
  dot = np.zeros(cine.mask.shape, np.uint8)
  dot[:, 12, 70] = 1
  where = _turned_point((12, 70), cine, turn)
  assert picture_turned(dot, turn)[0][where] == 1
  there = turned(cine, turn)
  assert _turned_point(where, cine, turn, back=True) == (12, 70)
  assert there.mask.shape[1:] == picture_turned(dot, turn).shape[1:]


def test_networks_of_different_axes_see_each_their_own():
  cine = heart()
  one, other = network_of(), network_of(axes=axes_turned(CLINICAL, Turn(1, True)))
  both = segment(cine, [one, other])
  view = turned(cine, Turn(1, True))
  second = picture_turned(segment(view, [one]).probability, Turn(1, True))  # for `one` this is turned back: the same
  np.testing.assert_allclose(second, segment(cine, [one]).probability, atol=1e-5)
  assert turn_for(axes_of(cine.place), other) == Turn(1, True)
  assert both.probability.shape == cine.mask.shape


@pytest.fixture(scope='module')
def known():
  return network_of(heart=portrait([heart()]))


@pytest.mark.parametrize('turn', TURNS)
def test_a_study_without_place_is_recognised(known, turn):
  slices = [turned(heart(centre=(43.0 + k, 48.0)), turn).replace(place=None) for k in range(3)]
  axes, said = recognise(slices.__getitem__, 3, known)
  assert turn_between(axes, CLINICAL) == undone(turn)
  assert 'look most like the training pictures (correlation' in said
  assert ('as they are stored' in said) == (turn == Turn())
  assert 'not clear' not in said


def test_what_is_known_or_cannot_be_compared_is_not_guessed(known):
  cine = heart()
  assert recognise(lambda _: cine, 3, known) == (None, '')
  lost = cine.replace(place=None)
  assert recognise(lambda _: lost, 3, network_of()) == (None, '')
  assert recognise(lambda _: lost, 3, network_of(axes=None, heart=portrait([cine]))) == (None, '')
  wide = heart(shape=(200, 200)).replace(place=None)  # no border of the picture looks like another's
  noise = np.random.default_rng(0).uniform(0, 1000, wide.video.shape).astype(np.float32)
  axes, said = recognise(lambda _: wide.replace(video=noise), 3, known)
  assert axes is None
  assert 'they look like none of the training pictures' in said


def test_all_slices_vote_where_those_of_the_middle_do_not_agree(known):
  """Six of a middle that tells nothing, and the outer ones that do."""
  lost = heart().replace(place=None)
  even = lost.replace(video=np.where(lost.mask[..., None] > 0, 1000, 100).astype(np.float32))
  asked = []

  def read(index):
    asked.append(index)
    return even if 2 <= index <= 6 else lost

  axes, _ = recognise(read, 9, known)
  assert set(asked) == set(range(9))
  assert turn_between(axes, CLINICAL) == Turn()


def test_the_shipped_phantom_network_sees_phantoms_as_before(tmp_path):
  """Bit for bit, on a phantom read from velocity DICOM: what the writer says is how the network was trained."""
  size = study.Size('phantom_scan', 1, 0, (1,), 8, 64, 2.0, 2.4, offset=6.0, sharing=0.0)
  writer.write(study.phantom_study(size), tmp_path)
  (opened,) = open_studies(tmp_path)
  network = load_network('ear3d-phantom')
  cine = opened[1]
  assert axes_of(cine.place) == pytest.approx(np.array(FROM_BASE), abs=1e-3)
  before = segment(cine.replace(place=None), [network])
  np.testing.assert_array_equal(segment(cine, [network]).probability, before.probability)
  assert before.mask.any()


def _dice(a, b):
  return 2 * (a & b).sum() / (a.sum() + b.sum())


def _middle(folder):
  (opened,) = open_studies(folder)
  return opened[len(opened) // 2]


needs_patients = pytest.mark.skipif('SUNNYBROOK_DIR' not in os.environ, reason='needs the Sunnybrook cines')


@pytest.fixture(scope='module')
def real():
  return load_network('ear3d-sunnybrook')


@needs_patients
def test_a_patient_in_another_order_has_the_same_masks(real):
  """Case A1, rows stored bottom-up as dcm2niix does: Dice with place and without, one slice."""
  cine, turn = _middle(pathlib.Path(os.environ['SUNNYBROOK_DIR']) / 'cine/images/SC-HF-I-2'), Turn(2, True)
  assert turn_for(axes_of(cine.place), real) == Turn()
  stored = turned(cine, turn)
  expected = segment(cine, [real]).mask
  lost = stored.replace(place=None)
  axes, _ = recognise(lambda _: lost, 1, real)
  assert _dice(picture_turned(segment(stored, [real]).mask, undone(turn)), expected) >= 0.98
  assert _dice(picture_turned(segment(lost, [real], axes=axes).mask, undone(turn)), expected) >= 0.95
  assert _dice(picture_turned(segment(lost, [real]).mask, undone(turn)), expected) < 0.95  # what it is for


@needs_patients
def test_a_patient_who_was_scanned_on_the_side_is_recognised_by_the_pictures(real):
  """What the header of SC-HF-I-1 says: the head is on the left of the picture."""
  cine = _middle(pathlib.Path(os.environ['SUNNYBROOK_DIR']) / 'cine/images/SC-HF-I-1')
  found = TURNS[int(np.argmax(views(cine.replace(place=None), real)))]
  assert found == turn_for(axes_of(cine.place), real) == Turn(3)


@pytest.mark.skipif('PIG_DIR' not in os.environ, reason='needs the cine of a pig')
def test_a_pig_in_another_order_has_the_same_masks(real):
  """With place and without: its field of view is smaller than those of the people that it is compared with."""
  cine, turn = _middle(pathlib.Path(os.environ['PIG_DIR']) / 'images'), Turn(1, True)
  stored = turned(cine, turn)
  expected = segment(cine, [real]).mask
  assert _dice(picture_turned(segment(stored, [real]).mask, undone(turn)), expected) >= 0.98
  lost = stored.replace(place=None)
  axes, _ = recognise(lambda _: lost, 1, real)
  assert _dice(picture_turned(segment(lost, [real], axes=axes).mask, undone(turn)), expected) >= 0.95
