"""The smallest network that keeps the contract of `ear_jax.models`: what a user's own could begin as."""

import flax.linen as nn
from ml_collections import ConfigDict


class Tiny(nn.Module):
  """Two convolutions, each frame on its own; takes pictures of even size."""

  width: int
  classes: int
  axis_name: str | None = None
  unit = 2

  @nn.compact
  def __call__(self, video, train=False):
    x = nn.relu(nn.Conv(self.width, (1, 3, 3), name='first')(video))
    return nn.Conv(self.classes, (1, 1, 1), name='last')(x)


def build(config: ConfigDict, axis_name: str | None) -> Tiny:
  """Returns the network of a `config.model` that has a section `tiny`."""
  return Tiny(config.tiny.width, config.classes, axis_name)
