r"""The paper's losses (Eq. 3-6) on soft masks, exact over any number of devices.

With p the softmax of the logits, y the one-hot reference and sums over the pixels of annotated frames,

.. math:: I = \sum p y, \quad P = \sum p, \quad Y = \sum y, \quad
          Dice = \frac{2 I + f}{P + Y + f}, \quad IoU = \frac{I + f}{P + Y - I + f}

for each class, and the loss is the mean over classes. `reduction='cine'` forms it for each cine and averages over the
cines of the global batch; `'batch'` first sums I, P, Y over the global batch, as the released code does. Both give N
devices the loss, and after `pmean` the gradient, of one device. Frames without annotation do not count.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from ear_jax.config.fields import FIELDS
from ear_jax.system.errors import UserError, nearest

REDUCTIONS = FIELDS['loss.reduction'].choices
CLASSES = FIELDS['loss.loss_classes'].choices
Loss = Callable[..., jax.Array]
_TINY = 1e-12  # pixels; its square, in the gradient, is still a float32


def dice(i: jax.Array, p: jax.Array, y: jax.Array, smooth: float) -> jax.Array:
  """Returns the Dice loss `1 - Dice` (Eq. 4) from soft counts in pixels."""
  return 1.0 - (2.0 * i + smooth) / (p + y + smooth)


def iou(i: jax.Array, p: jax.Array, y: jax.Array, smooth: float) -> jax.Array:
  """Returns the IoU loss `1 - IoU` (Eq. 6; the paper calls this quantity IoU) from soft counts in pixels."""
  return 1.0 - (i + smooth) / (p + y - i + smooth)


def dice_iou(i: jax.Array, p: jax.Array, y: jax.Array, smooth: float) -> jax.Array:
  """Returns the Dice-IoU loss `(1 - Dice)(1 - IoU)` (Eq. 5) from soft counts in pixels."""
  return dice(i, p, y, smooth) * iou(i, p, y, smooth)


def dice_iou_product(i: jax.Array, p: jax.Array, y: jax.Array, smooth: float) -> jax.Array:
  """Returns `1 - Dice * IoU`, the form in the authors' code, from soft counts in pixels."""
  return 1.0 - (1.0 - dice(i, p, y, smooth)) * (1.0 - iou(i, p, y, smooth))


REGION_LOSSES = {'dice': dice, 'iou': iou, 'dice_iou': dice_iou, 'dice_iou_product': dice_iou_product}
LOSSES = ('cross_entropy', *REGION_LOSSES)


@functools.partial(jax.jit, static_argnames=('name', 'smooth', 'reduction', 'loss_classes', 'axis_name'), inline=False)
def segmentation_loss(
  logits: jax.Array,
  mask: jax.Array,
  annotated: jax.Array,
  *,
  name: str = 'dice_iou',
  smooth: float = 1.0,
  reduction: str = 'cine',
  loss_classes: str = 'both',
  axis_name: str | None = None,
) -> jax.Array:
  """Returns the loss of the global batch, a float32 scalar; 0 when nothing in it is annotated.

  Args:
    logits: `[B, T, H, W, K]` float.
    mask: `[B, T, H, W]` integer class of each pixel.
    annotated: `[B, T]` bool, frames that carry a reference; or how much each counts, 0 to 1.
    name: one of `LOSSES`, or a sum of them such as 'dice_iou+cross_entropy'.
    smooth: Laplace smoothing f, in pixels.
    reduction: 'cine' or 'batch', see above.
    loss_classes: 'both', or 'foreground' to leave out class 0 (region losses only).
    axis_name: device axis to sum over, or None.

  Raises: ValueError if shapes do not match or a name is unknown.
  """
  if logits.shape[:-1] != mask.shape or mask.shape[:2] != annotated.shape:
    raise ValueError(f'logits {logits.shape}, mask {mask.shape} and annotated {annotated.shape} do not belong together')
  check_loss(name, reduction, loss_classes)
  logits = logits.astype(jnp.float32)
  weight = annotated.astype(jnp.float32)[:, :, None, None]  # [B, T, 1, 1]
  target = jax.nn.one_hot(mask, logits.shape[-1], dtype=jnp.float32)
  first = 1 if loss_classes == 'foreground' else 0
  total = jnp.zeros(())
  for term in name.split('+'):
    if term == 'cross_entropy':
      total += _cross_entropy(logits, target, weight, axis_name)
    else:
      loss = functools.partial(_of_counts, term, smooth)
      total += _region_loss(loss, logits, target, weight, reduction, first, axis_name)
  return total


def _cross_entropy(logits: jax.Array, target: jax.Array, weight: jax.Array, axis_name: str | None) -> jax.Array:
  """Returns Eq. 3 as the mean over the annotated pixels of the global batch."""
  per_pixel = -jnp.sum(target * jax.nn.log_softmax(logits), axis=-1)
  pixels = jnp.sum(jnp.broadcast_to(weight, per_pixel.shape))
  total, pixels = _psum((jnp.sum(per_pixel * weight), pixels), axis_name)
  return total / jnp.maximum(pixels, 1.0)


def _of_counts(name: str, smooth: float, i: jax.Array, p: jax.Array, y: jax.Array) -> jax.Array:
  value = REGION_LOSSES[name](i, p, y, smooth=smooth)
  if jnp.shape(value) != i.shape or not jnp.issubdtype(value.dtype, jnp.floating):
    raise UserError(
      f'config.loss.name: {name!r} returns {jnp.shape(value)} {jnp.result_type(value)} for counts of {i.shape}: '
      'expected a float for each count, without a mean or sum of its own (classes and cines are averaged afterwards)'
    )
  return value


def _region_loss(
  loss: Loss, logits: jax.Array, target: jax.Array, weight: jax.Array, reduction: str, first: int, axis_name: str | None
) -> jax.Array:
  probability = jax.nn.softmax(logits) * weight[..., None]
  each = probability * target, probability, target * weight[..., None]
  counts = [jnp.sum(x, axis=(1, 2, 3)) for x in each]  # 3 of [B, K]

  def mean_over_classes(i: jax.Array, p: jax.Array, y: jax.Array) -> jax.Array:
    p = p + _TINY * (p + y == 0)  # without smoothing, a class that is neither there nor predicted would be 0 / 0
    return jnp.mean(loss(i, p, y), axis=-1)

  if reduction == 'batch':
    i, p, y = (_psum(jnp.sum(x, axis=0), axis_name)[first:] for x in counts)
    return mean_over_classes(i, p, y) * (jnp.sum(y + p) > 0)
  i, p, y = (x[:, first:] for x in counts)
  present = (jnp.max(weight, axis=(1, 2, 3)) > 0).astype(jnp.float32)  # [B], cines with any annotated frame
  per_cine = mean_over_classes(i, p, y)
  total, cines = _psum((jnp.sum(per_cine * present), jnp.sum(present)), axis_name)
  return total / jnp.maximum(cines, 1.0)


def _psum(tree: Any, axis_name: str | None) -> Any:
  return tree if axis_name is None else jax.lax.psum(tree, axis_name)


def check_loss(name: str, reduction: str, loss_classes: str) -> None:
  """Raises ValueError for a loss, a reduction or classes that there are not."""
  known = ('cross_entropy', *REGION_LOSSES)  # with those that a program has put there
  unknown = [term for term in name.split('+') if term not in known]
  if unknown:
    raise ValueError(
      f'config.loss.name: loss {unknown[0]!r} is not one of {", ".join(known)} or a sum of them, such as '
      f'dice_iou+cross_entropy{nearest(unknown[0], known)}'
    )
  for what, value, known in (('reduction', reduction, REDUCTIONS), ('classes', loss_classes, CLASSES)):
    if value not in known:
      raise ValueError(f'loss {what} {value!r} is not one of {known}')
