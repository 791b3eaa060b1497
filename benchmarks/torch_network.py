"""`ear_jax.models.unet3d` in PyTorch, as a user of PyTorch would write it; axes `[B, C, T, H, W]`."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from benchmarks.weights import groups


class Block(nn.Module):
  """Two 3x3x3 convolutions, each with group norm and leaky ReLU."""

  def __init__(self, channels: int, features: tuple[int, int]):
    super().__init__()
    self.conv1 = nn.Conv3d(channels, features[0], 3, padding=1)
    self.norm1 = nn.GroupNorm(groups(features[0]), features[0])
    self.conv2 = nn.Conv3d(features[0], features[1], 3, padding=1)
    self.norm2 = nn.GroupNorm(groups(features[1]), features[1])

  def forward(self, x):
    x = functional.leaky_relu(self.norm1(self.conv1(x)), 0.3, inplace=True)
    return functional.leaky_relu(self.norm2(self.conv2(x)), 0.3, inplace=True)


class Attention(nn.Module):
  """`k = W * F`, `k . softmax_c(W * (k . k))`."""

  def __init__(self, channels: int):
    super().__init__()
    self.conv = nn.Conv3d(channels, channels, (1, 3, 3), padding=(0, 1, 1))

  def forward(self, x):
    key = self.conv(x)
    return key * functional.softmax(self.conv(key.square()), dim=1)


class Temporal(nn.Module):
  """`x + ConvLSTM(x)`, the input convolution done for all frames at once."""

  def __init__(self, channels: int):
    super().__init__()
    self.input = nn.Conv3d(channels, 4 * channels, (1, 3, 3), padding=(0, 1, 1))
    self.hidden = nn.Conv2d(channels, 4 * channels, 3, padding=1, bias=False)

  def forward(self, x):
    gates = self.input(x)
    hidden = cell = torch.zeros_like(x[:, :, 0])
    states = []
    for frame in gates.unbind(2):
      i, g, f, o = (frame + self.hidden(hidden)).chunk(4, dim=1)
      cell = torch.sigmoid(f + 1) * cell + torch.sigmoid(i) * torch.tanh(g)
      hidden = torch.sigmoid(o) * torch.tanh(cell)
      states.append(hidden)
    return x + torch.stack(states, dim=2)


class UNet3D(nn.Module):
  """`[B, C, T, H, W]` to logits `[B, classes, T, H, W]`; with `ear`, attention on the skips and the recurrence."""

  def __init__(self, channels: int, classes: int, filters: tuple[int, ...], ear: bool):
    super().__init__()
    self.levels = len(filters)
    before = channels
    for level, f in enumerate(filters, start=1):
      self.add_module(f'encoder{level}', Block(before, (f, 2 * f)))
      if ear:
        self.add_module(f'attention{level}', Attention(2 * f))
      before = 2 * f
    self.bottleneck = nn.Conv3d(before, before, 1)
    self.temporal_bottleneck = Temporal(before) if ear else nn.Identity()
    for level, f in reversed(list(enumerate(filters, start=1))):
      self.add_module(f'decoder{level}', Block(before + 2 * f, (f, f)))
      before = f
    self.head = nn.Conv3d(before, classes, 1)

  def forward(self, x):
    skips = []
    for level in range(1, self.levels + 1):
      x = getattr(self, f'encoder{level}')(x)
      skips.append(x)
      x = functional.max_pool3d(x, (1, 2, 2))
    x = self.temporal_bottleneck(self.bottleneck(x))
    for level in range(self.levels, 0, -1):
      attend = getattr(self, f'attention{level}', nn.Identity())
      x = torch.cat([attend(skips.pop()), functional.interpolate(x, scale_factor=(1, 2, 2))], dim=1)
      x = getattr(self, f'decoder{level}')(x)
    return self.head(x)


def loss(logits, mask):
  """Returns Dice-IoU loss by cine plus cross-entropy, smoothing 1; `mask` `[B, T, H, W]` holds classes."""
  target = functional.one_hot(mask, logits.shape[1]).movedim(-1, 1).to(logits.dtype)
  probability = functional.softmax(logits, dim=1)
  i, p, y = ((x).sum((2, 3, 4)) for x in (probability * target, probability, target))  # [B, K]
  dice = 1 - (2 * i + 1) / (p + y + 1)
  iou = 1 - (i + 1) / (p + y - i + 1)
  return (dice * iou).mean() + functional.cross_entropy(logits, mask)
