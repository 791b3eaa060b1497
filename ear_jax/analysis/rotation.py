"""What follows from the curves by integration: rotation, twist between two slices, displacement."""

import math

import numpy as np
import pandas as pd

from ear_jax.analysis.motion import SliceMotion
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


def twist(base: SliceMotion, apex: SliceMotion, distance: float = math.nan) -> pd.DataFrame:
  """Returns how the apical slice turns against the basal one, one line a frame of the apical slice.

  Slices scanned in different heartbeats are compared at the same fraction of the cycle, the basal one resampled to the
  frames of the apical one if their numbers differ.

  Args:
    base, apex: the two slices.
    distance: mm between them; NaN when unknown.

  Returns:
    Columns normalised_cycle (from 0), twist_deg (apical less basal rotation), twist_rate_deg_s, and torsion_deg_cm and
    torsion_rate_deg_s_cm, NaN when the distance is unknown; signs as in `Settings.circumferential_sign`.

  Raises:
    ValueError: the two were analysed with different settings, or the distance is not positive.
  """
  if base.settings.circumferential_sign != apex.settings.circumferential_sign:
    raise ValueError(f'{base.name} and {apex.name} count rotation in opposite directions')
  if distance <= 0:
    raise ValueError(f'{base.name} and {apex.name} are {distance} mm apart, expected a positive distance')
  time = np.arange(len(apex.rotation)) / len(apex.rotation)
  angle = apex.rotation - _at(base.rotation, time)
  rate = np.rad2deg(apex.rotation_rate - _at(base.rotation_rate, time))
  length = distance / _MM_PER_CM
  columns = {'normalised_cycle': time, 'twist_deg': angle, 'twist_rate_deg_s': rate}
  return pd.DataFrame(columns | {'torsion_deg_cm': angle / length, 'torsion_rate_deg_s_cm': rate / length})


def _at(curve: np.ndarray, time: np.ndarray) -> np.ndarray:
  """A periodic curve at times in cycles."""
  if len(curve) == len(time):
    return curve
  return np.interp(time, np.arange(len(curve) + 1) / len(curve), np.append(curve, curve[0]))
