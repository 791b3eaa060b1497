"""Blood in the ventricles: fast through the plane, swirling in it, speckled; it may wrap."""

import numpy as np

from ear_jax.phantom.cycle import Timing
from ear_jax.phantom.texture import Tile

_PERIOD = 192.0  # mm, of the eddies; carried by one period a cycle, so that the flow is periodic in time too


class Flow:
  """A random flow field of one cavity over one cycle, without any claim of being incompressible."""

  def __init__(self, rng: np.random.Generator, speed: float, timing: Timing):
    """Draws a flow with peak speed about `speed` in cm/s."""
    self._seed = int(rng.integers(2**31))
    self._speed, self._timing = speed, timing
    self._eddies, self._grain = Tile(rng, (2.5, 6.0), int(_PERIOD)), Tile(rng, (0.9,), int(_PERIOD))
    self._swirl = rng.uniform(-0.4, 0.4)

  def strength(self, t: float) -> float:
    """Returns the axial pulse at t (cycles): about -1 in ejection (towards the base), +0.9 in the E wave."""
    at = self._timing

    def wave(centre: float, width: float) -> float:
      gap = np.mod(t - centre + 0.5, 1) - 0.5
      return np.exp(-0.5 * (gap * at.rr / width) ** 2)

    return float(-wave(at.systole + 0.05, 0.075) + 0.9 * wave(at.e_wave, 0.055) + 0.5 * wave(at.a_wave, 0.045))

  def velocity(self, x: np.ndarray, y: np.ndarray, radius: float, t: float) -> np.ndarray:
    """Returns `[3, ...]` cm/s at x, y mm from the cavity's centre; `radius` in mm scales the profile."""
    pulse = self.strength(t)
    profile = np.clip(1 - (x**2 + y**2) / radius**2, 0.15, 1) ** 0.6
    amplitude = self._speed * (0.06 + 0.17 * abs(pulse))
    move = _PERIOD * t
    eddies = [self._eddies(x + move, y + 61), self._eddies(x + 97, y - move), self._eddies(x - move, y + 23)]
    total = amplitude * np.stack(eddies)
    turn = self._speed * self._swirl * abs(pulse) / radius
    total[0] -= turn * y
    total[1] += turn * x
    total[2] += self._speed * pulse * profile
    return total

  def speckle(self, x: np.ndarray, y: np.ndarray, t: float, much: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Returns relative magnitude and velocity jitter `[3, ...]` in cm/s of unresolved turbulence, times `much`."""
    rng = np.random.default_rng((self._seed, round(t * 1e6)))
    level = abs(self.strength(t))
    jitter = rng.standard_normal((3, *x.shape), dtype=np.float32) * ((0.02 + 0.08 * level) * much * self._speed)
    grain = self._grain(x + _PERIOD * t, y - _PERIOD * t) + rng.standard_normal(x.shape, dtype=np.float32)
    # Spins of one pixel that move apart in phase lose signal.
    return np.maximum(1 + (0.04 + 0.075 * level) * much * grain, 0) * np.exp(-0.3 * level * much), jitter
