"""The arithmetic of a network, counted from its convolutions: what a second of it is measured against."""

import dataclasses
import math

import flax.linen as nn
import jax

from ear_jax.models.conv import Conv3D
from ear_jax.models.recurrence import ConvLSTM


@dataclasses.dataclass(frozen=True)
class Work:
  """Floating-point operations of one pass over a batch; a multiplication and an addition are two.

  Taps that meet the padding count; norm, activation, pooling and loss (a few per cent) do not.

  Attributes:
    forward: of the network.
    step: of a training step: forward, gradient by the weights, and gradient by the inputs save that by the video.
  """

  forward: int
  step: int


def count(model: nn.Module, shape: tuple[int, ...]) -> Work:
  """Returns the work of `model` on a video of some shape `[B, T, H, W, C]`, without computing anything."""
  calls: list[int] = []

  def record(call, args, kwargs, context):
    out = call(*args, **kwargs)
    if context.method_name == '__call__':
      if isinstance(context.module, Conv3D):
        calls.append(convolution(context.module.get_variable('params', 'kernel').shape, out.shape))
      elif isinstance(context.module, ConvLSTM):  # its scan is traced once, not once a frame
        features, passes = context.module.features, 2 if context.module.cyclic else 1
        calls.append(passes * convolution((3, 3, features, 4 * features), out.shape))
    return out

  with nn.intercept_methods(record):
    jax.eval_shape(model.init, jax.random.key(0), jax.ShapeDtypeStruct(shape, 'float32'))
  return Work(forward=sum(calls), step=3 * sum(calls) - calls[0])


def convolution(kernel: tuple[int, ...], out: tuple[int, ...]) -> int:
  """Returns the operations of a convolution from the shapes of its kernel `[..., C, F]` and output `[..., F]`."""
  return 2 * math.prod(kernel) * math.prod(out[:-1])
