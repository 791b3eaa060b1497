"""The parts of a U-Net level: norm, activation, the two-convolution block and pooling.

Each is written in the form whose gradient is cheap on every platform: pooling as a maximum of strided slices, group
norm in one pass over the data.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from ear_jax.config.fields import FIELDS
from ear_jax.models.conv import Conv3D
from ear_jax.models.video import Video, pixelwise

NORMS = FIELDS['model.norm'].choices
ACTIVATES = FIELDS['model.activate'].choices
ACTIVATIONS = {
  'relu': nn.relu,
  'leaky_relu': lambda x: nn.leaky_relu(x, 0.3),  # slope of the released code
  'gelu': nn.gelu,
  'silu': nn.silu,
}


class GroupNorm(nn.Module):
  """Normalises groups of channels over frame, row and column together, in one pass with float32 sums.

  Attributes:
    groups: number of groups; must divide the number of channels.
    epsilon: added to the variance.
  """

  groups: int
  epsilon: float = 1e-5

  @nn.compact
  def __call__(self, x: jax.Array) -> Video:
    c = x.shape[-1]
    scale = self.param('scale', nn.initializers.ones, (c,))
    bias = self.param('bias', nn.initializers.zeros, (c,))
    x32 = x.astype(jnp.float32)

    def per_group(moment: jax.Array) -> jax.Array:  # [B, C] -> [B, C], the mean over each channel's group
      grouped = moment.reshape(x.shape[0], self.groups, -1).mean(axis=-1, keepdims=True)
      return jnp.broadcast_to(grouped, (x.shape[0], self.groups, c // self.groups)).reshape(x.shape[0], c)

    mean = per_group(x32.mean(axis=(1, 2, 3)))
    variance = jnp.maximum(per_group(jnp.square(x32).mean(axis=(1, 2, 3))) - jnp.square(mean), 0.0)
    gain = scale[None] * jax.lax.rsqrt(variance + self.epsilon)  # [B, C]
    return pixelwise(_line, x, constants=(gain, bias[None] - gain * mean))


def _line(x: jax.Array, gain: jax.Array, offset: jax.Array) -> jax.Array:
  """`gain * x + offset` of each channel, in float32."""
  each = (slice(None), None, None, None, slice(None))
  return (x.astype(jnp.float32) * gain[each] + offset[each]).astype(x.dtype)


class Norm(nn.Module):
  """The normalisation layer of a block.

  Attributes:
    kind: 'group' (up to 8 groups), 'instance' (a group per channel) or 'batch' (statistics over the global batch;
      momentum 0.99 and epsilon 1e-3 as in Keras and so in the released code).
    axis_name: device axis over which batch statistics are averaged; None on a single device.
    train: batch statistics of this batch rather than the running ones.
  """

  kind: str
  axis_name: str | None
  train: bool

  @nn.compact
  def __call__(self, x: jax.Array) -> Video:
    if self.kind == 'batch':
      norm = nn.BatchNorm(
        use_running_average=not self.train, momentum=0.99, epsilon=1e-3, axis_name=self.axis_name, dtype=x.dtype
      )
      return norm(x)
    if self.kind not in NORMS:
      raise ValueError(f'norm {self.kind!r} is not one of {NORMS}')
    channels = x.shape[-1]
    groups = channels if self.kind == 'instance' else max(g for g in range(1, 9) if channels % g == 0)
    return GroupNorm(groups)(x)


class ConvBlock(nn.Module):
  """Two convolutions, each normalised: the body of one level; of a skip and the level below in the decoder.

  Attributes:
    features: channels after the first and after the second convolution.
    activate: 'both' activates after each convolution, 'last' once a block, as the released code does.
    time_kernel: frames that a convolution sees; rows and columns are 3.
    gpu_convolution: see `conv.conv3d`.
    between: optional module applied after the first convolution and norm (the released decoder's recurrence).
  """

  features: tuple[int, int]
  norm: str
  activation: str
  activate: str
  time_kernel: int
  time_padding: str
  dtype: Any
  axis_name: str | None
  train: bool
  gpu_convolution: str = 'planes'
  between: nn.Module | None = None

  @nn.compact
  def __call__(self, x: Video, low: Video | None = None) -> Video:
    if self.activate not in ACTIVATES:
      raise ValueError(f'activate {self.activate!r} is not one of {ACTIVATES}')
    for i, features in enumerate(self.features):
      extents = (self.time_kernel, 3, 3)
      conv = Conv3D(
        features, extents, self.time_padding, dtype=self.dtype, gpu=self.gpu_convolution, name=f'conv{i + 1}'
      )
      y = conv(x, low if i == 0 else None)
      x = Norm(self.norm, self.axis_name, self.train, name=f'norm{i + 1}')(y)
      if i == 1 or self.activate == 'both':
        x = pixelwise(ACTIVATIONS[self.activation], x)
      if i == 0 and self.between is not None:
        x = self.between(x)
    return x


def max_pool(x: Video) -> jax.Array:
  """Returns `[B, T, H/2, W/2, C]`, the maximum over 2 x 2 pixels; H and W are even."""
  x = jnp.asarray(x)
  even, odd = x[:, :, 0::2], x[:, :, 1::2]
  rows = jnp.maximum(even, odd)
  return jnp.maximum(rows[:, :, :, 0::2], rows[:, :, :, 1::2])
