"""What is timed: a network, the size of its cines, and the numbers put into it."""

import dataclasses
import re
from collections.abc import Sequence

import numpy as np
from absl import flags

from ear_jax.system.errors import UsageError

NETWORKS = ('unet3d', 'ear3d')
CHANNELS = 4
CLASSES = 2


@dataclasses.dataclass(frozen=True)
class Case:
  """One network at one size.

  Attributes:
    network: 'unet3d' or 'ear3d'.
    frames: T.   size: H and W.   batch: B, cines a step.
    filters: channels of each level, top first.
  """

  network: str
  frames: int
  size: int
  batch: int
  filters: tuple[int, ...]

  @property
  def title(self) -> str:
    """The case in a few words."""
    return f'{self.network} {self.frames} x {self.size} x {self.size}, batch {self.batch}'

  def inputs(self) -> tuple[np.ndarray, np.ndarray]:
    """Returns the same numbers for everyone: video float32 `[B, T, H, W, 4]` and mask uint8 `[B, T, H, W]`, a ring."""
    rng = np.random.default_rng(0)
    video = rng.standard_normal((self.batch, self.frames, self.size, self.size, CHANNELS), np.float32)
    axis = np.arange(self.size) - self.size / 2
    radius = np.hypot(axis[:, None], axis) / self.size
    ring = ((radius > 0.15) & (radius < 0.25)).astype(np.uint8)
    return video, np.broadcast_to(ring, video.shape[:-1]).copy()


def flags_of_cases() -> list[flags.FlagHolder]:
  """Makes the flags that say what is timed and how often: 'network', 'sizes', 'filters', 'rounds'."""
  return [
    flags.DEFINE_list('network', list(NETWORKS), 'Networks, with commas between them.'),
    flags.DEFINE_list('sizes', ['16x128x128'], 'Frames x rows x columns of a cine.'),
    flags.DEFINE_list('filters', ['16', '32', '64', '128'], 'Channels of each level, top first.'),
    flags.DEFINE_integer('rounds', 5, 'How often each is timed, in turn.', lower_bound=1),
  ]


def parse_cases(networks: Sequence[str], sizes: Sequence[str], filters: Sequence[str]) -> list[Case]:
  """Returns the cases of one cine that flags of these names ask for, each size with each network.

  Raises: UserError for a network, a size or filters that cannot be.
  """
  networks = [name.lower() for name in networks]
  if unknown := [name for name in networks if name not in NETWORKS]:
    raise UsageError(f'--network {unknown[0]!r} is not one of {", ".join(NETWORKS)}')
  if not all(text.isdecimal() and int(text) for text in filters):
    raise UsageError(f'--filters {",".join(filters)!r}: give one number of channels a level, such as 16,32,64,128')
  levels = tuple(map(int, filters))
  return [Case(name, *parse_size(text, len(levels)), 1, levels) for text in sizes for name in networks]


def parse_size(text: str, levels: int) -> tuple[int, int]:
  """Returns frames and size of '50x128x128'.

  Raises: UserError when it is not of that form, or a picture that `levels` levels of pooling cannot halve.
  """
  match = re.fullmatch(r'(\d+)x(\d+)x(\d+)', text)
  if not match or match[2] != match[3]:
    raise UsageError(f'size {text!r} is not frames x rows x columns of a square picture, such as 16x128x128')
  frames, size = int(match[1]), int(match[2])
  if not frames or not size or size % 2**levels:
    raise UsageError(
      f'size {text!r}: rows and columns must be divisible by {2**levels} ({levels} levels), and frames be 1 or more'
    )
  return frames, size
