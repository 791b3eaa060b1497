"""Blood in the ventricles: fast through the plane, swirling in it, speckled; it may wrap."""

from __future__ import annotations

import numpy as np

_MODES = 7


class Flow:
  """A random but smooth flow field of one cavity over one cycle."""

  def __init__(self, rng: np.random.Generator, speed: float, timing):
    """Draws a flow with peak speed about `speed` in cm/s, timed by a `cycle.Timing`."""
    self._rng_seed = int(rng.integers(2**31))
    self._speed, self._timing = speed, timing
    angle, wave = rng.uniform(0, 2 * np.pi, _MODES), rng.uniform(8, 26, _MODES)
    self._k = 2 * np.pi / wave * np.stack([np.cos(angle), np.sin(angle)])  # [2, M] rad/mm
    self._phase = rng.uniform(0, 2 * np.pi, (3, _MODES))
    self._drift = rng.integers(1, 4, _MODES) * rng.choice([-1, 1], _MODES)  # whole turns a cycle: periodic
    self._weight = rng.normal(0, 1, (3, _MODES)) / np.sqrt(_MODES / 2)
    self._swirl = rng.uniform(-0.35, 0.35)

  def strength(self, t: float) -> float:
    """Returns the axial pulse at t (cycles): about -1 in ejection (towards the base), +0.9 in the E wave."""
    at = self._timing

    def wave(centre, width):
      gap = np.mod(t - centre + 0.5, 1) - 0.5
      return np.exp(-0.5 * (gap * at.rr / width) ** 2)

    return -wave(at.systole + 0.05, 0.075) + 0.9 * wave(at.e_wave, 0.055) + 0.5 * wave(at.a_wave, 0.045)

  def velocity(self, x: np.ndarray, y: np.ndarray, radius: float, t: float) -> np.ndarray:
    """Returns `[3, ...]` cm/s at x, y mm from the cavity's centre; `radius` in mm scales the profile."""
    pulse = self.strength(t)
    profile = np.clip(1 - (x**2 + y**2) / radius**2, 0, 1) ** 0.6
    arg = self._k[0] * x[..., None] + self._k[1] * y[..., None] + 2 * np.pi * self._drift * t
    stir = self._speed * (0.07 + 0.16 * abs(pulse))
    total = np.stack([stir * (self._weight[c] * np.cos(arg + self._phase[c])).sum(-1) for c in range(3)])
    turn = self._speed * self._swirl * abs(pulse) / radius
    total[0] -= turn * y
    total[1] += turn * x
    total[2] += self._speed * pulse * profile
    return total * np.sqrt(profile)

  def speckle(self, shape: tuple[int, ...], t: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns relative magnitude `shape` and velocity jitter `[3, *shape]` in cm/s of unresolved turbulence at t."""
    rng = np.random.default_rng((self._rng_seed, round(t * 1e6)))
    level = 0.12 + 0.30 * abs(self.strength(t))
    jitter = rng.standard_normal((3, *shape), dtype=np.float32) * (0.22 * level * self._speed)
    gain = np.abs(1 + 1.1 * level * rng.standard_normal(shape, dtype=np.float32)) * np.exp(-0.9 * (level - 0.12))
    return gain, jitter
