"""The network of the paper as one module with switches: UNet3D, UNet3D-Attention and 3D-EAR differ only in them.

Time is never pooled: kernels of extent 3 mix neighbouring frames, the recurrence mixes all. Level k has `filters[k]`
and twice that many channels after its two convolutions, as in the released code.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from ear_jax.config.fields import FIELDS
from ear_jax.models.attention import ChannelAttention, SpatialAttention
from ear_jax.models.blocks import ConvBlock, max_pool
from ear_jax.models.conv import Conv3D
from ear_jax.models.recurrence import DenseLSTM, TemporalBlock
from ear_jax.models.video import Video

_WORDS = (
  'attention',
  'temporal',
  'temporal_sites',
  'norm',
  'activation',
  'activate',
  'time_padding',
  'gpu_convolution',
)


class UNet3D(nn.Module):
  """Segments every frame of a cine: `[B, T, H, W, C]` to logits `[B, T, H, W, classes]` in float32.

  Attributes:
    filters: channels of each level, top first; a level's encoder ends with twice as many.
    classes: 2, myocardium (index 1) and the rest (index 0).
    attention: on all skips: 'none', 'channel' (as released) or 'spatial' (Eq. 1).
    attention_max_tokens: a skip with more positions a frame than this uses channel attention instead of spatial.
    temporal: 'none', 'convlstm', or 'dense_lstm' (as released, one channel out).
    temporal_sites: where: 'bottleneck', 'encoder' (output of the deepest level, before its pooling) and 'decoder'
      (inside the deepest decoder level); the released code has the latter two.
    bidirectional, cyclic_recurrence: see `TemporalBlock`.
    norm: 'group', 'instance' or 'batch'.   activation: see `blocks.ACTIVATIONS`.   activate: 'both' or 'last'.
    time_kernel: frames that a convolution sees, odd; 1: every frame on its own, for data without time.
    time_padding: 'zero' or 'cyclic'.
    deep_supervision: decoder levels below the top with a head of their own, for training alone: their logits,
      `[B, T, H / 2, W / 2, classes]` and so on, are sown into the collection 'supervision' as 'level2' and so on.
    remat: recomputes each level in the backward pass instead of keeping its activations.
    gpu_convolution: 'planes' or '3d', the same numbers on a GPU in other operations; see `conv.conv3d`.
    dtype: computation dtype, float32 or bfloat16.   axis_name: device axis of batch statistics.
  """

  filters: tuple[int, ...] = (32, 64, 128, 256)
  classes: int = 2
  attention: str = 'none'
  attention_max_tokens: int = 16384
  temporal: str = 'none'
  temporal_sites: tuple[str, ...] = ('bottleneck',)
  bidirectional: bool = False
  cyclic_recurrence: bool = False
  norm: str = 'group'
  activation: str = 'leaky_relu'
  activate: str = 'both'
  time_kernel: int = 3
  time_padding: str = 'zero'
  deep_supervision: int = 0
  remat: bool = False
  gpu_convolution: str = 'planes'
  dtype: Any = jnp.float32
  axis_name: str | None = None

  @property
  def unit(self) -> int:
    """What H and W must be divisible by: every level halves them."""
    return 2 ** len(self.filters)

  @nn.compact
  def __call__(self, video: jax.Array, train: bool = False) -> jax.Array:
    self._check(video)
    deepest = len(self.filters)
    x: Video = video.astype(self.dtype)
    skips = []
    for level, f in enumerate(self.filters, start=1):
      x = self._block(f'encoder{level}', (f, 2 * f), train)(x)
      if level == deepest:
        x = self._recur('encoder', x)
      skips.append(x)
      x = max_pool(x)
    x = Conv3D(2 * self.filters[-1], (1, 1, 1), dtype=self.dtype, name='bottleneck')(x)
    x = self._recur('bottleneck', x)
    for level in range(deepest, 0, -1):
      f = self.filters[level - 1]
      skip = self._attend(level, skips.pop())
      recurs = level == deepest and self.temporal != 'none' and 'decoder' in self.temporal_sites
      x = self._block(f'decoder{level}', (f, f), train, between=self._temporal('decoder') if recurs else None)(skip, x)
      if 1 < level <= 1 + self.deep_supervision:
        self.sow('supervision', f'level{level}', self._head(f'head{level}')(x))
    return self._head('head')(x)

  def _head(self, name: str) -> Conv3D:
    return Conv3D(self.classes, (1, 1, 1), dtype=jnp.float32, name=name)

  def _block(self, name: str, features: tuple[int, int], train: bool, between: nn.Module | None = None) -> ConvBlock:
    block = nn.remat(ConvBlock) if self.remat else ConvBlock
    return block(
      features,
      norm=self.norm,
      activation=self.activation,
      activate=self.activate,
      time_kernel=self.time_kernel,
      time_padding=self.time_padding,
      dtype=self.dtype,
      axis_name=self.axis_name,
      train=train,
      gpu_convolution=self.gpu_convolution,
      between=between,
      name=name,
    )

  def _attend(self, level: int, skip: Video) -> Video:
    if self.attention == 'none':
      return skip
    spatial = self.attention == 'spatial' and skip.shape[2] * skip.shape[3] <= self.attention_max_tokens
    return (SpatialAttention if spatial else ChannelAttention)(dtype=self.dtype, name=f'attention{level}')(skip)

  def _recur(self, site: str, x: Video) -> Video:
    return self._temporal(site)(x) if self.temporal != 'none' and site in self.temporal_sites else x

  def _temporal(self, site: str) -> nn.Module:
    if self.temporal == 'dense_lstm':
      return DenseLSTM(dtype=self.dtype, name=f'temporal_{site}')
    return TemporalBlock(self.bidirectional, self.cyclic_recurrence, self.dtype, name=f'temporal_{site}')

  def _check(self, video: jax.Array) -> None:
    h, w = video.shape[-3:-1]
    if video.ndim != 5 or h % self.unit or w % self.unit:
      raise ValueError(
        f'video has shape {video.shape}, expected [B, T, H, W, C] with H and W divisible by {self.unit} '
        f'({len(self.filters)} levels): choose another crop'
      )
    for field in _WORDS:
      stated, choices = getattr(self, field), FIELDS[f'model.{field}'].choices
      for word in (stated,) if isinstance(stated, str) else stated:
        if word not in choices:
          raise ValueError(f'config.model.{field} {word!r} is not one of {choices}')
    if not 0 <= self.deep_supervision < len(self.filters):
      raise ValueError(
        f'model.deep_supervision is {self.deep_supervision}: 0 to {len(self.filters) - 1} of {len(self.filters)} '
        'levels (set it, or give more filters)'
      )
    if self.time_kernel < 1 or self.time_kernel % 2 == 0:
      raise ValueError(f'model.time_kernel is {self.time_kernel}: it must be odd, and 1 or more')
