"""Velocity over one cardiac cycle as a periodic sum of Gaussians with zero integral.

The displacement is the exact integral of that sum, so it starts at zero, comes back to zero, and its derivative is the
velocity by formula. Time is a fraction of the RR interval, from the R wave; `motion` gives it units.
"""

import dataclasses
import math

import numpy as np
from scipy.special import erf

_IMAGES = np.arange(-2, 3)  # periodic copies; the widest wave (0.1 of a cycle) is below 1e-16 beyond them
_ROOT_2PI = math.sqrt(2 * math.pi)


@dataclasses.dataclass(frozen=True)
class Timing:
  """When the waves of one heart peak, as fractions of the cycle."""

  rr: float  # s
  early: float  # first rotation, isovolumic contraction
  systole: float
  late_systole: float
  end_systole: float
  e_wave: float
  a_wave: float


@dataclasses.dataclass(frozen=True)
class Cycle:
  """A sum of periodic Gaussians: `area` (displacement units), `centre` and `width` (fractions of the cycle)."""

  area: tuple[float, ...]
  centre: tuple[float, ...]
  width: tuple[float, ...]

  def __post_init__(self) -> None:
    if abs(sum(self.area)) > 1e-9 * max(map(abs, self.area), default=1.0):
      raise ValueError(f'areas sum to {sum(self.area)}, expected 0: the displacement would not close over the cycle')

  def displacement(self, t: np.ndarray | float) -> np.ndarray:
    """Returns the displacement since t = 0, in units of `area`; t in cycles, any shape."""
    return self._integral(np.asarray(t, float)) - self._integral(np.asarray(0.0))

  def rate(self, t: np.ndarray | float) -> np.ndarray:
    """Returns the derivative of `displacement` by t, in units of `area` per cycle."""
    area, width, gap = self._gaps(t)
    return (area / (width * _ROOT_2PI) * np.exp(-0.5 * (gap / width) ** 2)).sum((-2, -1))

  def _integral(self, t: np.ndarray) -> np.ndarray:
    area, width, gap = self._gaps(t)
    return (0.5 * area * erf(gap / (width * math.sqrt(2)))).sum((-2, -1))

  def _gaps(self, t: np.ndarray | float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Areas `[N, 1]`, widths `[N, 1]` and times since each periodic copy of each wave `[..., N, 5]`."""
    area, centre, width = (np.array(v)[:, None] for v in (self.area, self.centre, self.width))
    return area, width, np.mod(np.asarray(t, float), 1.0)[..., None, None] - centre - _IMAGES


def timing(rr: float, *, systole: float = 0.12, filling: float = 0.12, a_wave: float = 0.88) -> Timing:
  """Returns the wave times of a heart with RR interval `rr` in s; systole takes a larger share of a short cycle.

  `systole` and `a_wave` are the times of their peaks, `filling` the time from end systole to the E wave, in cycles.
  """
  end_systole = 0.35 * rr**-0.35
  return Timing(rr, 0.05, systole, 0.68 * end_systole, end_systole, end_systole + filling, a_wave)


def pump(
  at: Timing,
  peak: float,
  *,
  widths: tuple[float, float, float, float],
  late: float,
  atrial: float,
) -> Cycle:
  """Returns the cycle of a quantity that grows to `peak` in systole and returns with the E and the A wave.

  Args:
    at: wave times.
    peak: displacement at end systole, any unit.
    widths: standard deviations in s of early systole, late systole, E wave and A wave.
    late: velocity of late systole relative to early systole.
    atrial: share of the return that belongs to the A wave.
  """
  early_share = widths[0] / (widths[0] + late * widths[1])
  area = (peak * early_share, peak * (1 - early_share), -peak * (1 - atrial), -peak * atrial)
  return Cycle(area, (at.systole, at.late_systole, at.e_wave, at.a_wave), tuple(w / at.rr for w in widths))


def turn(at: Timing, early: float, late: float) -> Cycle:
  """Returns the rotation: `early` (isovolumic) then `late` (ejection), undone before the E wave and in the A wave."""
  total = early + late
  area = (early, late, -0.8 * total, -0.2 * total)
  centre = (at.early, at.systole + 0.06, 0.4 * at.end_systole + 0.6 * at.e_wave, at.a_wave)
  return Cycle(area, centre, tuple(w / at.rr for w in (0.020, 0.060, 0.040, 0.040)))
