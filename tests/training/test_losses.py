"""The losses against fractions worked out on paper and optax, and their exactness over cines, frames and devices."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ear_jax.training.losses import LOSSES, REGION_LOSSES, segmentation_loss

# Four pixels, foreground probability (1/2, 1/2, 3/4, 3/4) and reference (1, 0, 1, 0).
#   foreground: I = 1/2 + 3/4 = 5/4, P = 5/2, Y = 2.   background: I = 1/2 + 1/4 = 3/4, P = 3/2, Y = 2.
# Dice = (2I + f) / (P + Y + f), IoU = (I + f) / (P + Y - I + f):
#   f = 0: foreground 5/9 and 5/13, background 3/7 and 3/11.
#   f = 1: foreground 7/11 and 9/17, background 5/9 and 7/15.
PROBABILITY = np.array([0.5, 0.5, 0.75, 0.75]).reshape(1, 1, 2, 2)
MASK = np.array([1, 0, 1, 0], np.uint8).reshape(1, 1, 2, 2)
BY_HAND = {  # (foreground, background) of each loss
  ('dice', 0): (4 / 9, 4 / 7),
  ('dice', 1): (4 / 11, 4 / 9),
  ('iou', 0): (8 / 13, 8 / 11),
  ('iou', 1): (8 / 17, 8 / 15),
  ('dice_iou', 0): (4 / 9 * 8 / 13, 4 / 7 * 8 / 11),
  ('dice_iou', 1): (4 / 11 * 8 / 17, 4 / 9 * 8 / 15),
  ('dice_iou_product', 0): (1 - 5 / 9 * 5 / 13, 1 - 3 / 7 * 3 / 11),
  ('dice_iou_product', 1): (1 - 7 / 11 * 9 / 17, 1 - 5 / 9 * 7 / 15),
}
# Cross-entropy: -(ln 1/2 + ln 1/2 + ln 3/4 + ln 1/4) / 4.
CROSS_ENTROPY = (2 * np.log(2) + np.log(4 / 3) + np.log(4)) / 4


def to_logits(probability):
  """Logits whose softmax gives the foreground its probability."""
  probability = np.asarray(probability, float)
  return np.log(np.stack([1 - probability, probability], axis=-1)).astype(np.float32)


def annotate(*frames):
  return np.array(frames, bool)


@pytest.fixture(scope='module')
def batch():
  """Three cines of two frames: uneven foreground, one frame of the second and all of the third unannotated."""
  rng = np.random.default_rng(0)
  logits = rng.normal(size=(3, 2, 3, 4, 2)).astype(np.float32)
  mask = (rng.random((3, 2, 3, 4)) < np.array([0.7, 0.1, 0.5]).reshape(3, 1, 1, 1)).astype(np.uint8)
  return logits, mask, annotate([True, True], [True, False], [False, False])


@functools.cache
def compiled(**options):
  return jax.jit(jax.value_and_grad(functools.partial(segmentation_loss, **options)))


def test_every_loss_has_a_value_by_hand():
  """Case N9: a new loss is refused until it has its row above, with and without smoothing."""
  assert set(BY_HAND) == {(name, smooth) for name in REGION_LOSSES for smooth in (0, 1)}
  assert set(LOSSES) == {'cross_entropy', *REGION_LOSSES}


@pytest.mark.parametrize(('name', 'smooth'), BY_HAND)
def test_region_losses_by_hand(name, smooth):
  arguments = (to_logits(PROBABILITY), MASK, annotate([True]))
  foreground, background = BY_HAND[name, smooth]
  for reduction in ('cine', 'batch'):  # the same, for a single cine
    options = {'name': name, 'smooth': float(smooth), 'reduction': reduction}
    assert float(segmentation_loss(*arguments, **options)) == pytest.approx((foreground + background) / 2, rel=1e-5)
    only = segmentation_loss(*arguments, loss_classes='foreground', **options)
    assert float(only) == pytest.approx(foreground, rel=1e-5)


def test_cross_entropy_by_hand_and_sums_of_losses():
  arguments = (to_logits(PROBABILITY), MASK, annotate([True]))
  assert float(segmentation_loss(*arguments, name='cross_entropy')) == pytest.approx(CROSS_ENTROPY, rel=1e-5)
  both = segmentation_loss(*arguments, name='dice_iou+cross_entropy')
  assert float(both) == pytest.approx(sum(BY_HAND['dice_iou', 1]) / 2 + CROSS_ENTROPY, rel=1e-5)


def test_dice_equals_optax_with_half_the_smoothing(batch):
  logits, mask, _ = batch
  everything = annotate([True, True], [True, True], [True, True])
  ours = segmentation_loss(logits, mask, everything, name='dice', smooth=3.0, reduction='cine')
  with jax.numpy_rank_promotion('allow'):  # optax broadcasts
    theirs = optax.losses.dice_loss(
      logits.reshape(3, -1, 2), np.eye(2, dtype=np.float32)[mask].reshape(3, -1, 2), smooth=1.5
    )
  assert float(ours) == pytest.approx(float(jnp.mean(theirs)), rel=1e-5)


@pytest.mark.parametrize('smooth', [0.0, 1.0])
@pytest.mark.parametrize('reduction', ['cine', 'batch'])
def test_what_is_not_annotated_changes_nothing_and_gets_no_gradient(batch, reduction, smooth):
  logits, mask, annotated = batch
  function = compiled(name='dice_iou+cross_entropy', reduction=reduction, smooth=smooth)
  value, gradient = function(logits, mask, annotated)
  changed = np.where(annotated.reshape(3, 2, 1, 1, 1), logits, -3 * logits + 1)
  other, _ = function(changed, np.where(annotated.reshape(3, 2, 1, 1), mask, 0), annotated)
  assert float(other) == float(value)
  np.testing.assert_array_equal(np.asarray(gradient)[~annotated], 0)
  assert (np.abs(np.asarray(gradient)[annotated]).max((1, 2, 3)) > 0).all()


@pytest.mark.parametrize('smooth', [0.0, 1.0])
def test_reduction_by_cine_is_the_mean_of_cines_and_by_batch_pools_their_pixels(batch, smooth):
  logits, mask, annotated = batch
  options = {'name': 'dice', 'smooth': smooth}
  alone = [
    float(segmentation_loss(logits[i : i + 1], mask[i : i + 1], annotated[i : i + 1], **options)) for i in (0, 1)
  ]
  by_cine = float(segmentation_loss(logits, mask, annotated, reduction='cine', **options))
  assert by_cine == pytest.approx(sum(alone) / 2, rel=1e-5)  # the third cine has no annotation
  # Pooled: the three annotated frames as one cine.
  frames = [a[annotated][None] for a in (logits, mask)]
  pooled = float(segmentation_loss(*frames, annotate([True] * 3), reduction='cine', **options))
  by_batch = float(segmentation_loss(logits, mask, annotated, reduction='batch', **options))
  assert by_batch == pytest.approx(pooled, rel=1e-5)
  assert abs(by_cine - by_batch) > 1e-3


def _on_one_and_two_devices(name, reduction, annotated):
  """Loss and gradient by a shared parameter of four cines, on one device and on two."""
  rng = np.random.default_rng(1)
  features = rng.normal(size=(4, 1, 3, 4, 3)).astype(np.float32)
  mask = (rng.random((4, 1, 3, 4)) < np.array([0.9, 0.6, 0.2, 0.05]).reshape(4, 1, 1, 1)).astype(np.uint8)
  weights = rng.normal(size=(3, 2)).astype(np.float32)

  def loss_and_gradient(weights, features, mask, annotated, axis_name):
    def loss(weights):
      return segmentation_loss(features @ weights, mask, annotated, name=name, reduction=reduction, axis_name=axis_name)

    value, gradient = jax.value_and_grad(loss)(weights)
    return value, gradient if axis_name is None else jax.lax.pmean(gradient, axis_name)

  batch = (features, mask, annotated)
  one = jax.jit(functools.partial(loss_and_gradient, axis_name=None))(weights, *batch)
  two = jax.pmap(functools.partial(loss_and_gradient, axis_name='i'), axis_name='i', in_axes=(None, 0, 0, 0))(
    weights, *(x.reshape(2, 2, *x.shape[1:]) for x in batch)
  )
  return one, two


@pytest.mark.parametrize('reduction', ['cine', 'batch'])
@pytest.mark.parametrize('name', ['dice_iou', 'cross_entropy+dice_iou_product'])
@pytest.mark.parametrize(
  'annotated',
  [annotate([True], [True], [True], [True]), annotate([True], [True], [False], [False])],
  ids=['all', 'none-on-the-second-device'],
)
def test_two_devices_give_the_loss_and_gradient_of_one(name, reduction, annotated):
  (loss, gradient), (losses, gradients) = _on_one_and_two_devices(name, reduction, annotated)
  assert np.abs(gradient).max() > 1e-3
  for device in (0, 1):
    assert float(losses[device]) == pytest.approx(float(loss), rel=1e-5)
    np.testing.assert_allclose(gradients[device], gradient, atol=1e-6)


@pytest.mark.parametrize('reduction', ['cine', 'batch'])
@pytest.mark.parametrize('name', LOSSES)
def test_losses_are_finite_at_the_edges_and_region_losses_lie_between_0_and_1(name, reduction):
  function = compiled(name=name, reduction=reduction)
  perfect = []
  for mask in (np.zeros((2, 1, 2, 3), np.uint8), np.ones((2, 1, 2, 3), np.uint8)):
    for certainty in (-30.0, 0.0, 30.0):
      logits = np.stack([np.zeros(mask.shape), np.full(mask.shape, certainty)], -1).astype(np.float32)
      value, gradient = function(logits, mask, annotate([True], [True]))
      assert np.isfinite(value)
      assert np.isfinite(gradient).all()
      assert value >= -1e-6
      assert name == 'cross_entropy' or value <= 1 + 1e-6
      if certainty == (30.0 if mask.any() else -30.0):
        perfect.append(float(value))
  assert perfect == pytest.approx([0, 0], abs=1e-6)


@pytest.mark.parametrize('smooth', [0.0, 1.0])
@pytest.mark.parametrize('reduction', ['cine', 'batch'])
def test_a_batch_without_annotation_costs_nothing(batch, reduction, smooth):
  logits, mask, annotated = batch
  function = compiled(name='dice_iou+cross_entropy', reduction=reduction, smooth=smooth)
  value, gradient = function(logits, mask, np.zeros_like(annotated))
  assert float(value) == 0
  np.testing.assert_array_equal(gradient, 0)


@pytest.mark.parametrize(('smooth', 'expected'), [(0.0, 0.5), (1.0, 0.0)])
@pytest.mark.parametrize('reduction', ['cine', 'batch'])
def test_a_class_neither_there_nor_predicted_is_right_with_smoothing_and_wrong_without(reduction, smooth, expected):
  # Probability below the smallest float: I = P = Y = 0 for the foreground, 1 - f / f with f = 1; without f its loss is
  # 1, as 0 / 0 has no value, and the mean with the background's 0 is 1/2.
  logits = np.broadcast_to(np.float32([0, -200]), (1, 1, 2, 2, 2))
  function = compiled(name='dice', reduction=reduction, smooth=smooth)
  value, gradient = function(logits, np.zeros((1, 1, 2, 2), np.uint8), annotate([True]))
  assert float(value) == pytest.approx(expected, abs=1e-6)
  assert np.isfinite(gradient).all()


def test_losses_grow_with_the_error_and_bfloat16_logits_are_summed_in_float32(batch):
  logits, mask, annotated = batch
  sign = 2.0 * mask[..., None] - 1
  right = np.concatenate([-sign, sign], -1).astype(np.float32)
  for name in LOSSES:
    values = [float(segmentation_loss(scale * right, mask, annotated, name=name)) for scale in (1.0, 0.0, -1.0)]
    assert values == sorted(values)
    assert values[0] < values[2] - 0.1
  half = segmentation_loss(jnp.asarray(logits, jnp.bfloat16), mask, annotated)
  assert half.dtype == jnp.float32


@pytest.mark.parametrize(
  ('changes', 'sentence'),
  [
    ({'name': 'dice+focal'}, r"'focal' is not one of .*dice_iou_product or a sum of them"),
    ({'reduction': 'mean'}, "reduction 'mean' is not one of .*'cine', 'batch'"),
    ({'loss_classes': 'background'}, "classes 'background' is not one of .*'both', 'foreground'"),
  ],
)
def test_unknown_options_are_refused(batch, changes, sentence):
  with pytest.raises(ValueError, match=sentence):
    segmentation_loss(*batch, **changes)


def test_shapes_that_do_not_belong_together_are_refused(batch):
  logits, mask, annotated = batch
  for arguments in (
    (logits, mask[:, :1], annotated),
    (logits, mask, annotated[:2]),
    (logits[:, :, :2], mask, annotated),
  ):
    with pytest.raises(ValueError, match='do not belong together'):
      segmentation_loss(*arguments)


@pytest.mark.parametrize('name', ['dice', 'cross_entropy'])
def test_a_frame_may_count_in_part(name):
  """Frames of weight 1 and 1/4 are, in every sum, four pixels and one."""
  probability, mask = np.array([0.5, 0.75, 0.25, 0.5]), np.array([1, 0, 1, 1])
  weight = np.array([1, 1, 0.25, 0.25])
  logits = to_logits(probability.reshape(1, 2, 1, 2))
  found = segmentation_loss(logits, mask.reshape(1, 2, 1, 2), np.float32([[1, 0.25]]), name=name, smooth=0.0)
  p, y = np.stack([1 - probability, probability]) * weight, np.stack([1 - mask, mask])
  own = np.where(mask == 1, probability, 1 - probability)
  expected = {
    'dice': np.mean(1 - 2 * (p * y).sum(1) / (p + weight * y).sum(1)),
    'cross_entropy': -(weight * np.log(own)).sum() / weight.sum(),
  }
  np.testing.assert_allclose(found, expected[name], rtol=1e-6)
