"""The displacement field of one slice of the left ventricle, its exact velocity, and its inverse.

A material point is (R, T): radius in mm and angle in rad in a circular reference. It moves by three maps in turn.

1. Radial, the finite deformation of a thick cylinder: r^2 = a(t)^2 + (R^2 - A^2) g(t). Every element's area grows by
   g = J / lambda_z, where lambda_z(t) is the long-axis stretch at this level and J(t) the wall volume, between
   1 - compressibility (at most 5 % lost in systole) and 1.001. Thickening, shortening and wall area are thus one and
   the same statement.
2. Twist, T + phi(R, t), stronger at the inner wall. It moves no area.
3. Shape: a fixed stretch of determinant 1, a parabolic shear that deepens in systole, and a shift. They move no area.

Every map has an inverse and a time derivative in closed form. Plane coordinates are x along increasing column and y
along increasing row, mm from the image centre; z is towards the apex. Angles grow from +x to +y, clockwise on screen.
"""

import dataclasses

import numpy as np

from ear_jax.phantom.cycle import Cycle

_CM_PER_S = 0.1  # of a mm per s


@dataclasses.dataclass(frozen=True)
class Wall:
  """The material region of the wall: radii in mm over the material angle, as low Fourier harmonics."""

  inner: float  # mean endocardial radius A
  thickness: float  # mean wall thickness
  inner_harmonics: tuple[complex, ...]  # relative to `inner`, of order 1, 2, ...
  thickness_harmonics: tuple[complex, ...]  # relative to `thickness`, of order 1, 2, ...

  def borders(self, angle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the endocardial and epicardial reference radii in mm at material angles in rad."""
    endo = self.inner * (1 + _harmonics(self.inner_harmonics, angle))
    return endo, endo + self.thickness * (1 + _harmonics(self.thickness_harmonics, angle))

  def contains(self, radius: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Returns True where a material point lies in the wall."""
    endo, epi = self.borders(angle)
    return (radius >= endo) & (radius <= epi)


@dataclasses.dataclass(frozen=True)
class State:
  """The time-dependent numbers of the field at one moment; rates per second."""

  inner: float
  inner_rate: float
  growth: float
  growth_rate: float
  turn: float
  turn_rate: float
  shear: float
  shear_rate: float
  shift: np.ndarray  # [2] x, y in mm
  shift_rate: np.ndarray
  descent: float
  descent_rate: float


@dataclasses.dataclass(frozen=True)
class Motion:
  """The motion of one slice; see the module text for the maps."""

  rr: float  # s
  wall: Wall
  squeeze: Cycle  # mm, inward, of the endocardium
  descent: Cycle  # mm, towards the apex, at this level
  strain: float  # long-axis shortening per mm of `descent`, 1/mm
  compressibility: float  # largest relative loss of wall volume
  rotation: Cycle  # rad, clockwise on screen
  transmural: float  # excess of the inner wall's rotation over the outer wall's
  stretch: np.ndarray  # [2, 2] symmetric, determinant 1
  shear_axis: float  # rad
  shear: tuple[float, float]  # at rest, and its change at full squeeze
  centre: tuple[float, float]  # x, y in mm at t = 0
  sway: Cycle  # mm, of the centre
  sway_axis: float  # rad
  tilt: float  # relative excess of the descent at `tilt_angle`
  tilt_angle: float  # material rad

  def at(self, t: float) -> State:
    """Returns the field's numbers at t, a fraction of the cycle."""
    squeeze, squeeze_rate = self._sample(self.squeeze, t)
    descent, descent_rate = self._sample(self.descent, t)
    turn, turn_rate = self._sample(self.rotation, t)
    sway, sway_rate = self._sample(self.sway, t)
    full = sum(a for a in self.squeeze.area if a > 0)
    stretch, stretch_rate = 1 - self.strain * descent, -self.strain * descent_rate
    volume, volume_rate = (1 - self.compressibility * squeeze / full), -self.compressibility * squeeze_rate / full
    axis = np.array([np.cos(self.sway_axis), np.sin(self.sway_axis)])
    return State(
      inner=self.wall.inner - squeeze,
      inner_rate=-squeeze_rate,
      growth=volume / stretch,
      growth_rate=volume_rate / stretch - volume * stretch_rate / stretch**2,
      turn=turn,
      turn_rate=turn_rate,
      shear=self.shear[0] + self.shear[1] * squeeze / full,
      shear_rate=self.shear[1] * squeeze_rate / full,
      shift=np.array(self.centre) + sway * axis,
      shift_rate=sway_rate * axis,
      descent=descent,
      descent_rate=descent_rate,
    )

  def forward(self, radius: np.ndarray, angle: np.ndarray, t: float) -> np.ndarray:
    """Returns where material points are at t: `[..., 3]` x, y, z in mm (z is the descent since t = 0)."""
    s = self.at(t)
    r = self._radius(radius, s)
    turned = angle + s.turn * self._twist(radius)
    plane = self._shape(np.stack([r * np.cos(turned), r * np.sin(turned)], -1), s)
    return np.concatenate([plane + s.shift, (s.descent * self._tilting(angle))[..., None]], -1)

  def velocity(self, radius: np.ndarray, angle: np.ndarray, t: float) -> np.ndarray:
    """Returns the time derivative of `forward`: `[..., 3]` along column, along row, towards the apex, in cm/s."""
    s = self.at(t)
    r = self._radius(radius, s)
    r_rate = (s.inner * s.inner_rate + 0.5 * (radius**2 - self.wall.inner**2) * s.growth_rate) / r
    twist = self._twist(radius)
    turned, turned_rate = angle + s.turn * twist, s.turn_rate * twist
    cos, sin = np.cos(turned), np.sin(turned)
    circle = np.stack([r * cos, r * sin], -1)
    circle_rate = np.stack([r_rate * cos - r * sin * turned_rate, r_rate * sin + r * cos * turned_rate], -1)
    plane = self._shape_rate(circle, circle_rate, s) + s.shift_rate
    through = s.descent_rate * self._tilting(angle)
    return np.concatenate([plane, through[..., None]], -1) * _CM_PER_S

  def inverse(self, points: np.ndarray, t: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns material radius (mm) and angle (rad) of the points `[..., 2]` x, y in mm at t.

    The inner cavity holds no material of the wall's reference disc once wall has moved in; there R is cut at 0.
    """
    s = self.at(t)
    circle = self._unshape(points - s.shift, s)
    square = self.wall.inner**2 + ((circle**2).sum(-1) - s.inner**2) / s.growth
    radius = np.sqrt(np.maximum(square, 0))
    return radius, np.arctan2(circle[..., 1], circle[..., 0]) - s.turn * self._twist(radius)

  def _sample(self, cycle: Cycle, t: float) -> tuple[float, float]:
    return float(cycle.displacement(t)), float(cycle.rate(t)) / self.rr

  def _radius(self, radius: np.ndarray, s: State) -> np.ndarray:
    return np.sqrt(np.maximum(s.inner**2 + (radius**2 - self.wall.inner**2) * s.growth, 1e-6))

  def _twist(self, radius: np.ndarray) -> np.ndarray:
    depth = np.clip((radius - self.wall.inner) / self.wall.thickness, -1, 2)
    return 1 + self.transmural * (0.5 - depth)

  def _tilting(self, angle: np.ndarray) -> np.ndarray:
    return 1 + self.tilt * np.cos(angle - self.tilt_angle)

  def _axes(self) -> np.ndarray:
    cos, sin = np.cos(self.shear_axis), np.sin(self.shear_axis)
    return np.array([[cos, sin], [-sin, cos]])

  def _shape(self, circle: np.ndarray, s: State) -> np.ndarray:
    axes = self._axes()
    u = circle @ (axes @ self.stretch).T
    bent = np.stack([u[..., 0], u[..., 1] + s.shear * u[..., 0] ** 2 / self.wall.inner], -1)
    return bent @ axes

  def _shape_rate(self, circle: np.ndarray, circle_rate: np.ndarray, s: State) -> np.ndarray:
    axes = self._axes()
    u, du = circle @ (axes @ self.stretch).T, circle_rate @ (axes @ self.stretch).T
    bend = (s.shear_rate * u[..., 0] ** 2 + 2 * s.shear * u[..., 0] * du[..., 0]) / self.wall.inner
    return np.stack([du[..., 0], du[..., 1] + bend], -1) @ axes

  def _unshape(self, plane: np.ndarray, s: State) -> np.ndarray:
    axes = self._axes()
    u = plane @ axes.T
    straight = np.stack([u[..., 0], u[..., 1] - s.shear * u[..., 0] ** 2 / self.wall.inner], -1)
    return straight @ np.linalg.inv(axes @ self.stretch).T


def _harmonics(coefficients: tuple[complex, ...], angle: np.ndarray) -> np.ndarray:
  """Sum of Re(conj(c_k) exp(i k angle)) for k = 1, 2, ..., by Horner's rule."""
  step = np.exp(1j * np.asarray(angle))
  total = np.zeros_like(step)
  for c in reversed(coefficients):
    total = (total + np.conj(c)) * step
  return total.real
