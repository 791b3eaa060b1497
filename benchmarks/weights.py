"""Our parameters under the names that the peers give theirs, so that all compute the same."""

from __future__ import annotations

import numpy as np

# Levels of the module tree that hold one module, which the peers do without.
_ALONE = ('GroupNorm_0', 'forward')


def read(path: str) -> dict[str, np.ndarray]:
  """Returns our parameters from the npz file, keyed 'module.module.kernel' and so on; `[kt, kh, kw, C, F]` kernels."""
  with np.load(path) as arrays:
    return {'.'.join(part for part in name.split('/') if part not in _ALONE): arrays[name] for name in arrays}


def groups(channels: int) -> int:
  """Returns the number of groups of a group norm: the most, up to 8, that divide the channels."""
  return max(g for g in range(1, 9) if channels % g == 0)
