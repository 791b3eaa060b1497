"""The training step as a pure function of state and batch; `Placement.pmap_step`, or `jit_step`, puts it on devices."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from ear_jax.models.conv import upsample
from ear_jax.training.losses import check_loss, segmentation_loss
from ear_jax.training.state import TrainState

Arrays = dict[str, jax.Array]


def make_train_step(
  model: nn.Module,
  optimizer: optax.GradientTransformation,
  loss_config: ConfigDict,
  *,
  ema_decay: float,
  axis_name: str | None,
) -> Callable[[TrainState, Arrays], tuple[TrainState, Arrays]]:
  """Returns `step(state, batch) -> (state, metrics)`.

  With deep supervision the loss is the mean over the levels that have a head, weighted 1, 1/2, 1/4 and so on from the
  top; a lower level's logits are spread over the pixels that each stands for, so that all see the same reference.

  A batch holds `video` `[B, T, H, W, C]`, `mask` `[B, T, H, W]` and `annotated` `[B, T]`; metrics are the scalars
  `loss`, `dice` (hard, pooled over the global batch: a progress figure, not the evaluation) and `grad_norm`.

  Raises: ValueError for a loss that there is not.
  """
  options = {k: loss_config[k] for k in ('name', 'smooth', 'reduction', 'loss_classes')}
  check_loss(*(options[k] for k in ('name', 'reduction', 'loss_classes')))

  def loss_fn(params: Any, batch_stats: Any, batch: Arrays) -> tuple[jax.Array, tuple[jax.Array, Any]]:
    variables = {'params': params, 'batch_stats': batch_stats}
    logits, updated = model.apply(variables, batch['video'], train=True, mutable=['batch_stats', 'supervision'])
    levels = [logits, *_spread(updated.get('supervision', {}))]
    losses = [segmentation_loss(x, batch['mask'], batch['annotated'], axis_name=axis_name, **options) for x in levels]
    loss = sum(part / 2**k for k, part in enumerate(losses)) / sum(1 / 2**k for k in range(len(losses)))
    return loss, (logits, updated.get('batch_stats', {}))

  def step(state: TrainState, batch: Arrays) -> tuple[TrainState, Arrays]:
    grad_fn = jax.value_and_grad(loss_fn, has_aux=True)
    (loss, (logits, batch_stats)), grads = grad_fn(state.params, state.batch_stats, batch)
    # The loss holds sums over devices, whose transpose is again a sum: the mean over devices is the exact gradient.
    grads = grads if axis_name is None else jax.lax.pmean(grads, axis_name)
    updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    ema_params = _average(state.ema_params, params, state.step, ema_decay)
    metrics = {'loss': loss, 'dice': _pooled_dice(logits, batch, axis_name), 'grad_norm': optax.tree.norm(grads)}
    return state.replace(
      step=state.step + 1, params=params, batch_stats=batch_stats, opt_state=opt_state, ema_params=ema_params
    ), metrics

  return step


def _spread(supervision: Mapping[str, Any]) -> Iterator[jax.Array]:
  """Yields the logits of the lower levels, from the second one down, each pixel repeated to the size of the top."""
  for level in range(2, 2 + len(supervision)):
    (logits,) = supervision[f'level{level}']
    for _ in range(level - 1):
      logits = upsample(logits)
    yield logits


def _average(ema_params: Any, params: Any, step: jax.Array, decay: float) -> Any:
  if ema_params is None:
    return None
  # A young average forgets faster, so that the random start does not linger: (1 + n) / (10 + n) as in TensorFlow.
  n = step.astype(jnp.float32)
  kept = jnp.minimum(decay, (1.0 + n) / (10.0 + n))
  return jax.tree.map(lambda a, p: kept * a + (1.0 - kept) * p, ema_params, params)


def _pooled_dice(logits: jax.Array, batch: Arrays, axis_name: str | None) -> jax.Array:
  counted = batch['annotated'].astype(bool)[:, :, None, None]
  predicted, reference = ((mask == 1) & counted for mask in (jnp.argmax(logits, axis=-1), batch['mask']))
  counts = jnp.stack([jnp.sum(predicted & reference), jnp.sum(predicted), jnp.sum(reference)]).astype(jnp.float32)
  if axis_name is not None:
    counts = jax.lax.psum(counts, axis_name)
  return (2.0 * counts[0] + 1.0) / (counts[1] + counts[2] + 1.0)
