"""From cine to mask with networks that are simple enough to know the answer."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import base
from ear_jax import cine as cine_lib
from ear_jax.data.window import central_window, paste_window
from ear_jax.devices.placement import Placement
from ear_jax.networks.inference import make_predictor, myocardium, to_mask
from ear_jax.system.errors import UserError

CROP = 8


def offsets():
  """Rows and columns from the middle of the window, to be broadcast over `[B, T, H, W]`."""
  line = jnp.arange(CROP) - (CROP - 1) / 2
  return line.reshape(1, 1, CROP, 1), line.reshape(1, 1, 1, CROP)


class Bright(nn.Module):
  """Myocardium wherever the normalised magnitude exceeds its median by half the picture's range."""

  @nn.compact
  def __call__(self, video, train=False):
    logit = 20.0 * (video[..., 0] - 0.5)
    return jnp.stack([jnp.zeros_like(logit), logit], axis=-1)


class Inward(nn.Module):
  """Probability by the velocity towards the centre of the window: it changes if a vector is not turned."""

  @nn.compact
  def __call__(self, video, train=False):
    dr, dc = offsets()
    logit = -(dc * video[..., 1] + dr * video[..., 2])
    return jnp.stack([jnp.zeros_like(logit), logit], axis=-1)


class Twist(nn.Module):
  """Probability by the circumferential velocity, which a mirror turns round."""

  @nn.compact
  def __call__(self, video, train=False):
    dr, dc = offsets()
    logit = dr * video[..., 1] - dc * video[..., 2]
    return jnp.stack([jnp.zeros_like(logit), logit], axis=-1)


class Band(nn.Module):
  """Probability by the distance in rows from the middle, whatever the picture: only quarter turns change it."""

  @nn.compact
  def __call__(self, video, train=False):
    logit = offsets()[0] ** 2 / 4 + 0 * video[..., 0]
    return jnp.stack([jnp.zeros_like(logit), logit], axis=-1)


def configuration(**changes):
  config = base.get_config()
  config.data.crop = CROP
  config.augment.flip = True
  for name, value in changes.items():
    config.eval[name] = value
  return config


def made_of(model, config, placement):
  return make_predictor(myocardium(model), config, placement)


@pytest.fixture(scope='module')
def placement():
  return Placement(jax.local_devices())


@pytest.fixture(scope='module')
def bright_cine(make_cine):
  """Returns `make(seed, rows, columns, frames)`: about a third of the pixels bright, the others dark."""

  def make(seed, rows, columns, frames=2):
    rng = np.random.default_rng(seed)
    video = rng.uniform(-15, 15, (frames, rows, columns, 4)).astype(np.float32)
    video[..., 0] = np.where(rng.random((frames, rows, columns)) < 0.3, 1000, 100)
    mask = np.zeros((frames, rows, columns), np.uint8)
    return make_cine(video=video, mask=mask, annotated=np.ones(frames, bool), slice_id=str(seed))

  return make


def window_of(rows, columns):
  """Which pixels of a picture the central window covers."""
  ones = central_window(np.ones((1, rows, columns), bool), CROP)
  return paste_window(ones, rows, columns)[0]


def test_masks_are_of_the_whole_slice_whatever_its_size(placement, bright_cine):
  sizes = [(13, 17), (8, 8), (5, 6), (6, 20), (7, 9)]  # larger and smaller than the window, and both
  cines = [bright_cine(i, *size) for i, size in enumerate(sizes)]  # five on two devices: the last batch is short
  found = list(made_of(Bright(), configuration(), placement)(placement.replicate({}), cines))
  assert [cine.slice_id for cine, _ in found] == ['0', '1', '2', '3', '4']
  for (cine, probability), original, size in zip(found, cines, sizes, strict=True):
    assert cine is original
    assert (probability.shape, probability.dtype) == ((2, *size), np.float32)
    expected = (cine.video[..., 0] > 500) & window_of(*size)
    assert expected.any()
    np.testing.assert_array_equal(to_mask(probability), expected)
    np.testing.assert_array_equal(probability[:, ~window_of(*size)], 0)


@pytest.mark.parametrize(('count', 'batches'), [(1, [1]), (3, [2]), (5, [4]), (9, [4, 1])])
def test_a_short_batch_is_filled_to_a_power_of_two(placement, bright_cine, count, batches):
  """On two devices with up to four each: a lone cine does not cost as much as eight."""
  seen = []

  def apply(variables, video):
    seen.append(len(video))  # while it is compiled
    return myocardium(Bright())(variables, video)

  cines = [bright_cine(i, 9, 9) for i in range(count)]
  predictor = make_predictor(apply, configuration(batch_size=4), placement)
  found = list(predictor(placement.replicate({}), cines))
  assert seen == batches
  assert len(found) == count
  for cine, probability in found:
    np.testing.assert_array_equal(to_mask(probability), (cine.video[..., 0] > 500) & window_of(9, 9))


@pytest.mark.parametrize('batch_size', [0, 2])
def test_cines_of_other_lengths_come_in_order_and_do_not_meet(placement, bright_cine, batch_size):
  cines = [bright_cine(i, 9, 9, frames) for i, frames in enumerate((2, 3, 3, 3, 2))]
  predictor = made_of(Bright(), configuration(batch_size=batch_size), placement)
  found = list(predictor(placement.replicate({}), iter(cines)))
  assert [cine.slice_id for cine, _ in found] == ['0', '1', '2', '3', '4']
  for cine, probability in found:
    np.testing.assert_array_equal(to_mask(probability), (cine.video[..., 0] > 500) & window_of(9, 9))


@pytest.mark.parametrize('model', [Bright(), Inward()], ids=['by-magnitude', 'by-inward-velocity'])
def test_averaging_over_symmetries_changes_nothing_for_an_equivariant_network(placement, bright_cine, model):
  cines = [bright_cine(i, 11, 9) for i in range(2)]
  plain, averaged = (
    [p for _, p in made_of(model, configuration(tta=tta), placement)(placement.replicate({}), cines)]
    for tta in (False, True)
  )
  for a, b in zip(averaged, plain, strict=True):
    assert 0 < b.min(initial=1, where=b > 0) < 0.5 < b.max()
    np.testing.assert_allclose(a, b, atol=1e-5)


def test_averaging_is_over_quarter_turns_and_mirrors(placement, bright_cine):
  cine = bright_cine(0, CROP, CROP)

  def predict(model, tta):
    ((_, probability),) = made_of(model, configuration(tta=tta), placement)(placement.replicate({}), [cine])
    return probability

  def sigmoid(x):
    return 1 / (1 + np.exp(-x))

  # Half of the symmetries turn the twist c round, and sigmoid(c) + sigmoid(-c) = 1.
  assert np.abs(predict(Twist(), tta=False) - 0.5).max() > 0.3
  np.testing.assert_allclose(predict(Twist(), tta=True), 0.5, atol=1e-6)
  # Half of them turn rows into columns.
  dr, dc = np.indices((CROP, CROP)) - (CROP - 1) / 2
  expected = (sigmoid(dr**2 / 4) + sigmoid(dc**2 / 4)) / 2
  np.testing.assert_allclose(predict(Band(), tta=True), np.broadcast_to(expected, cine.mask.shape), atol=1e-6)


@pytest.mark.parametrize('learnt', ['rot90', 'flip'])
def test_averaging_is_over_the_views_that_training_showed(placement, bright_cine, learnt):
  """Quarter turns leave a twist as it is, and mirror images a band of rows: the other kind of view would change it."""
  cine, config = bright_cine(0, CROP, CROP), configuration(tta=True)
  config.augment.rot90, config.augment.flip = learnt == 'rot90', learnt == 'flip'
  predictor = made_of(Twist() if learnt == 'rot90' else Band(), config, placement)
  plain, averaged = (next(predictor(placement.replicate({}), [cine], tta))[1] for tta in (False, True))
  np.testing.assert_allclose(averaged, plain, atol=1e-5)


def test_an_average_over_views_that_no_training_showed_is_refused(placement, bright_cine):
  config = configuration()
  config.augment.rot90 = config.augment.flip = False
  with pytest.raises(UserError, match='learnt hearts one way up'):
    list(made_of(Bright(), config, placement)(placement.replicate({}), [bright_cine(0, 9, 9)], tta=True))
  config.eval.tta = True
  with pytest.raises(UserError, match='learnt hearts one way up'):
    made_of(Bright(), config, placement)


def test_a_turned_cine_gets_the_turned_mask(placement, bright_cine):
  cine = bright_cine(3, CROP, CROP)
  predictor = made_of(Inward(), configuration(), placement)
  results = predictor(placement.replicate({}), [cine, cine_lib.rot90(cine)])
  (_, probability), (_, turned) = results
  np.testing.assert_allclose(turned, np.rot90(probability, 1, (1, 2)), atol=1e-5)


def test_a_network_for_magnitude_alone_reads_four_channel_cines(placement, bright_cine):
  config = configuration()
  config.data.channels = 1
  cine = bright_cine(0, CROP, CROP)
  ((_, probability),) = made_of(Bright(), config, placement)(placement.replicate({}), [cine])
  np.testing.assert_array_equal(to_mask(probability), cine.video[..., 0] > 500)


def test_velocities_that_are_not_there_are_refused_by_name(placement, make_cine):
  predictor = made_of(Bright(), configuration(), placement)
  with pytest.raises(UserError, match=r'config\.data\.channels is 4, but cine anna-1/MID has 1: use 1 for magnitude'):
    list(predictor(placement.replicate({}), [make_cine(channels=1)]))


def test_a_mask_is_what_is_more_likely_than_not():
  mask = to_mask(np.float32([0.0, 0.5, 0.5001, 1.0]))
  assert mask.tolist() == [0, 0, 1, 1]
  assert mask.dtype == np.uint8
