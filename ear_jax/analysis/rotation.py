"""What follows from the curves by integration: rotation and displacement."""

import numpy as np

from ear_jax.analysis.periodic import bridge_gaps, integrate

_MM_PER_CM = 10.0


def rotation_rate(circumferential: np.ndarray, mean_radius: np.ndarray) -> np.ndarray:
  """Returns `[T]` rad/s: mean circumferential velocity `[T]` cm/s over the wall's mean radius `[T]` mm."""
  return circumferential * _MM_PER_CM / mean_radius


def displacement(velocity: np.ndarray, frame_interval: float) -> np.ndarray:
  """Returns `[T, ...]` mm, the integral of velocities `[T, ...]` cm/s.

  The integrals forwards from frame 0 and backwards from the end of the cycle, weighted by the distance to either:
  d = (1 - w) d_forward - w d_backward with w = frame / T; d is 0 at both ends of the cycle.

  Args:
    velocity: `[T, ...]` cm/s.
    frame_interval: ms.
  """
  forward = integrate(velocity, frame_interval)
  # Forward and backward sums differ by the sum over the whole cycle.
  whole = bridge_gaps(velocity).sum(0) * frame_interval / 1000
  weight = (np.arange(len(velocity)) / len(velocity)).reshape(-1, *[1] * (velocity.ndim - 1))
  return (forward - weight * whole) * _MM_PER_CM
