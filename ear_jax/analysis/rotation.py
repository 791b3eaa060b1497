"""What follows from the curves by integration: rotation, twist between two slices, displacement.

Displacement is the mean of the integral run forwards from frame 0 and the one run backwards from the end of the cycle,
weighted by the distance to either: exactly the forward integral less a straight line that brings it back to where it
began. A curve without its mean over the cycle needs no such line.
"""

from typing import NamedTuple

import numpy as np

from ear_jax.analysis.motion import SliceMotion
from ear_jax.analysis.periodic import bridge_gaps, integrate

_MM_PER_CM = 10.0


class Twist(NamedTuple):
  """How the apical slice turns against the basal one; signs as in `Settings.circumferential_sign`.

  Attributes:
    time: `[T]` in cycles, from 0.
    twist: `[T]` deg, apical less basal rotation.   twist_rate: `[T]` deg/s.
    torsion: `[T]` deg/cm and torsion_rate: `[T]` deg/s/cm; None when the distance is unknown.
  """

  time: np.ndarray
  twist: np.ndarray
  twist_rate: np.ndarray
  torsion: np.ndarray | None
  torsion_rate: np.ndarray | None


def rotation_rate(circumferential: np.ndarray, mean_radius: np.ndarray) -> np.ndarray:
  """Returns `[T]` rad/s: mean circumferential velocity `[T]` cm/s over the wall's mean radius `[T]` mm."""
  return circumferential * _MM_PER_CM / mean_radius


def displacement(velocity: np.ndarray, frame_interval: float) -> np.ndarray:
  """Returns `[T, ...]` mm: the forward and backward integral of velocities `[T, ...]` cm/s, joined.

  d = (1 - w) d_forward - w d_backward with w = frame / T; d is 0 at frame 0 and at the end of the cycle.
  """
  forward = integrate(velocity, frame_interval)
  # Forward and backward sums differ by the sum over the whole cycle.
  whole = bridge_gaps(velocity).sum(0) * frame_interval / 1000
  weight = (np.arange(len(velocity)) / len(velocity)).reshape(-1, *[1] * (velocity.ndim - 1))
  return (forward - weight * whole) * _MM_PER_CM


def twist(base: SliceMotion, apex: SliceMotion, distance: float | None = None) -> Twist:
  """Returns the twist between two slices.

  Slices scanned in different heartbeats are compared at the same fraction of the cycle, the basal one resampled to the
  frames of the apical one if their numbers differ.

  Args:
    base, apex: the two slices.
    distance: mm between them; None when unknown.

  Raises:
    ValueError: the two were analysed with different settings, or the distance is not positive.
  """
  if base.settings.circumferential_sign != apex.settings.circumferential_sign:
    raise ValueError(f'{base.name} and {apex.name} count rotation in opposite directions')
  if distance is not None and not distance > 0:
    raise ValueError(f'{base.name} and {apex.name} are {distance} mm apart, expected a positive distance')
  time = np.arange(len(apex.rotation)) / len(apex.rotation)
  angle = apex.rotation - _at(base.rotation, time)
  rate = np.rad2deg(apex.rotation_rate - _at(base.rotation_rate, time))
  if distance is None:
    return Twist(time, angle, rate, None, None)
  length = distance / _MM_PER_CM
  return Twist(time, angle, rate, angle / length, rate / length)


def _at(curve, time):
  """A periodic curve at times in cycles."""
  if len(curve) == len(time):
    return curve
  return np.interp(time, np.arange(len(curve) + 1) / len(curve), np.append(curve, curve[0]))
