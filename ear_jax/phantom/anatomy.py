"""One subject's heart and chest, and one visit of that subject, drawn from a generator.

Ranges follow the published and the generic values listed in `docs/phantom.md`. Lengths are mm, angles rad, velocities
cm/s, times s, magnitudes relative to a full scale of 1. Angles grow clockwise on screen from +column.
"""

import dataclasses

import numpy as np

from ear_jax.phantom.cycle import Cycle, Timing, pump, timing, turn
from ear_jax.phantom.motion import Motion, Wall

_APEX_START = 0.35  # position from which the cavity tapers


@dataclasses.dataclass(frozen=True)
class Heart:
  """The left ventricle of a subject, from base (position 0) to apex (position 1)."""

  inner: float  # mean endocardial radius at the base at end diastole
  apex_taper: float  # radius at the apex slice relative to the base
  thickness: float  # mean wall thickness at the base
  inner_harmonics: tuple[complex, ...]
  thickness_harmonics: tuple[complex, ...]
  systolic_ratio: float  # end-systolic over end-diastolic endocardial radius
  squeeze_widths: tuple[float, float, float, float]
  squeeze_atrial: float
  descent: float  # of the base
  descent_mid: float  # relative to the base
  descent_apex: float
  descent_widths: tuple[float, float, float, float]
  descent_atrial: float
  length: float  # from the basal to the apical slice
  compressibility: float
  rotation: tuple[float, float, float]  # early; late at the base; late at the apex: counter-clockwise from the apex
  transmural: float
  ellipticity: float
  ellipse_axis: float
  shear: tuple[float, float]
  shear_axis: float
  sway: float
  tilt: float  # lateral excess of the descent
  septum: float  # direction of the septum from the centre
  papillary: tuple[tuple[float, float], ...]  # angle from the lateral wall, radius
  right_ventricle: tuple[float, float]  # semi-axes across and along the septum
  papillary_gap: float = 0.0  # from the wall, in radii of the muscle
  trabeculae: float = 0.0  # depth of the trabeculated layer within the compact wall
  right_wall: float = 3.2
  right_trabeculae: float = 0.0  # the same in the right ventricle
  right_bend: float = 0.0  # of the right ventricle's border away from an ellipse
  right_shift: float = 0.0  # of the right ventricle along the septum
  right_tilt: float = 0.0  # of the right ventricle against the septum


@dataclasses.dataclass(frozen=True)
class Chest:
  """What surrounds the heart; lengths from the heart centre."""

  centre: tuple[float, float]  # of the trunk
  axes: tuple[float, float]  # outer semi-axes of the trunk
  wobble: tuple[complex, ...]
  tilt: float
  fat: float  # thickness of the subcutaneous layer
  muscle: float
  liver: tuple[float, float, float, float]  # centre and semi-axes
  stomach: tuple[float, float, float, float]
  pericardial_fat: float
  mediastinum: float
  uneven: float = 0.0  # of the subcutaneous fat, relative
  diaphragm: float | None = None  # below the heart; None where the cut shows no belly
  dome: float = 0.0  # slope of the diaphragm, down over column
  organs: int = 0  # loops of bowel and other round things in the belly
  fine_vessels: bool = False  # in the lung
  sternum: bool = False
  arms: bool = False
  table: bool = False


@dataclasses.dataclass(frozen=True)
class Contrast:
  """Relative magnitudes of the tissues."""

  muscle: float
  blood: float
  liver: float
  fat: float  # below 0: opposed to water
  lung: float
  texture: float  # standard deviation of the tissue's own texture, relative
  skin: float = 0.30
  marrow: float = 0.24
  content: float = 0.22  # of stomach and bowel
  speckle: float = 1.0  # of fast blood, relative


@dataclasses.dataclass(frozen=True)
class Subject:
  """All of a person that stays the same between visits."""

  heart: Heart
  chest: Chest
  contrast: Contrast
  mirrored: bool  # arrays show the heart from the base: right ventricle on the right
  seed: int  # of textures, vessels and trabeculae


@dataclasses.dataclass(frozen=True)
class Visit:
  """What changes when the same person is scanned again."""

  timing: Timing
  centre: tuple[float, float]  # of the heart at t = 0, from the image centre
  angle: float  # of the picture
  slice_shift: float  # of all slices, in positions
  snr: float  # one encode, in the wall
  blood: float  # factor on the blood's magnitude
  flow: float  # peak speed of the blood, cm/s


def draw_subject(rng: np.random.Generator, *, mirrored: bool = True) -> Subject:
  """Returns one subject."""
  uniform = rng.uniform
  bright = uniform() < 0.5
  muscle = uniform(0.36, 0.48)
  contrast = Contrast(
    muscle=muscle,
    blood=uniform(0.62, 0.95) if bright else uniform(0.10, 0.20),
    liver=uniform(0.32, 0.55),
    fat=uniform(0.14, 0.30),
    lung=uniform(0.03, 0.07),
    texture=uniform(0.06, 0.11),
  )
  return Subject(_draw_heart(rng, mirrored), _draw_chest(rng, mirrored), contrast, mirrored, int(rng.integers(2**31)))


def draw_visit(rng: np.random.Generator, *, offset: float) -> Visit:
  """Returns one visit; the heart lies up to `offset` mm from the image centre along either axis."""
  uniform = rng.uniform
  return Visit(
    timing=timing(
      uniform(0.72, 1.18),
      systole=uniform(0.105, 0.135),
      filling=uniform(0.113, 0.127),
      a_wave=uniform(0.865, 0.895),
    ),
    centre=(uniform(-offset, offset), uniform(-offset, offset)),
    angle=uniform(-0.3, 0.3),
    slice_shift=uniform(-0.03, 0.03),
    snr=uniform(10, 26),
    blood=uniform(0.9, 1.1),
    flow=uniform(35, 80),
  )


def wall_motion(subject: Subject, visit: Visit, position: float) -> Motion:
  """Returns the motion of the slice at `position`, 0 at the base to 1 at the apex."""
  heart, at, hand = subject.heart, visit.timing, (-1 if subject.mirrored else 1)
  u = float(np.clip(position + visit.slice_shift, 0, 1))
  taper = 1 - (1 - heart.apex_taper) * (max(0.0, u - _APEX_START) / (1 - _APEX_START)) ** 1.7
  inner = heart.inner * taper
  share, slope = _descent_share(heart, u)
  early, base, apex = heart.rotation
  septum = heart.septum + visit.angle
  e = np.array([[np.cos(a := heart.ellipse_axis + visit.angle), np.sin(a)], [-np.sin(a), np.cos(a)]])
  return Motion(
    rr=at.rr,
    wall=Wall(
      inner,
      heart.thickness * (1 - 0.12 * u),
      _turned(heart.inner_harmonics, visit.angle),
      _turned(heart.thickness_harmonics, visit.angle),
    ),
    squeeze=pump(at, inner * (1 - heart.systolic_ratio), widths=heart.squeeze_widths, late=0.6,
                 atrial=heart.squeeze_atrial),
    descent=pump(at, heart.descent * share, widths=heart.descent_widths, late=0.42, atrial=heart.descent_atrial),
    strain=-slope / (share * heart.length),
    compressibility=heart.compressibility,
    # Counter-clockwise seen from the apex is counter-clockwise on an array that is not mirrored.
    rotation=turn(at, -hand * early, -hand * (base + (apex - base) * u)),
    transmural=heart.transmural,
    stretch=e.T @ np.diag([1 + heart.ellipticity, 1 / (1 + heart.ellipticity)]) @ e,
    shear_axis=heart.shear_axis + visit.angle,
    shear=heart.shear,
    centre=visit.centre,
    sway=_sway(at, heart.sway * (1 - 0.4 * u)),
    sway_axis=septum + 0.3 * hand,
    tilt=heart.tilt,
    tilt_angle=septum + np.pi,
  )  # fmt: skip


def _draw_heart(rng: np.random.Generator, mirrored: bool) -> Heart:
  uniform = rng.uniform
  inner, hand = uniform(22.8, 25.0), -1 if mirrored else 1
  deg = np.pi / 180
  return Heart(
    inner=inner,
    apex_taper=uniform(12.8, 15.0) / inner,
    thickness=uniform(6.0, 8.4),
    inner_harmonics=_draw_harmonics(rng, (0.02, 0.02, 0.014, 0.010, 0.008, 0.006)),
    thickness_harmonics=_draw_harmonics(rng, (0.07, 0.05, 0.04, 0.03)),
    systolic_ratio=uniform(0.65, 0.69),
    squeeze_widths=(uniform(0.040, 0.046), uniform(0.062, 0.068), uniform(0.031, 0.034), uniform(0.028, 0.032)),
    squeeze_atrial=uniform(0.20, 0.27),
    descent=uniform(12.6, 13.5),
    descent_mid=uniform(0.61, 0.66),
    descent_apex=uniform(0.200, 0.214),
    descent_widths=(uniform(0.039, 0.048), uniform(0.060, 0.065), uniform(0.0218, 0.0260), uniform(0.033, 0.036)),
    descent_atrial=uniform(0.36, 0.41),
    length=uniform(48, 56),
    compressibility=uniform(0.0, 0.05),
    rotation=(uniform(1.6, 2.2) * deg, uniform(-6.0, -4.5) * deg, uniform(7.0, 9.0) * deg),
    transmural=uniform(0.1, 0.4),
    ellipticity=uniform(-0.05, 0.05),
    ellipse_axis=uniform(0, np.pi),
    shear=(uniform(-0.05, 0.05), uniform(-0.03, 0.03)),
    shear_axis=uniform(0, 2 * np.pi),
    sway=uniform(0.8, 2.2),
    tilt=uniform(0.1, 0.3),
    septum=(np.pi if hand == 1 else 0.0) + hand * uniform(-0.1, 0.35),
    papillary=((hand * uniform(-1.1, -0.8), uniform(3.2, 4.6)), (hand * uniform(0.8, 1.2), uniform(3.2, 4.6))),
    right_ventricle=(uniform(22, 29), uniform(35, 43)),
  )


def _draw_chest(rng: np.random.Generator, mirrored: bool) -> Chest:
  uniform, hand = rng.uniform, -1 if mirrored else 1
  wobble = [complex(*rng.normal(0, s, 2)) for s in (0.0, 0.012, 0.02, 0.008, 0.006)]
  return Chest(
    centre=(-hand * uniform(10, 30), uniform(8, 26)),
    axes=(uniform(150, 172), uniform(104, 122)),
    wobble=tuple(wobble),
    tilt=hand * uniform(-0.2, 0.15),
    fat=uniform(9, 20),
    muscle=uniform(9, 13),
    liver=(-hand * uniform(48, 66), uniform(62, 78), uniform(66, 80), uniform(40, 50)),
    stomach=(hand * uniform(48, 70), uniform(66, 82), uniform(30, 42), uniform(22, 32)),
    pericardial_fat=uniform(2.5, 7),
    mediastinum=uniform(20, 34),
  )


def _draw_harmonics(rng: np.random.Generator, scales: tuple[float, ...]) -> tuple[complex, ...]:
  return tuple(complex(*np.clip(rng.normal(0, s, 2), -2 * s, 2 * s)) for s in scales)


def _turned(coefficients: tuple[complex, ...], angle: float) -> tuple[complex, ...]:
  return tuple(complex(c * np.exp(1j * order * angle)) for order, c in enumerate(coefficients, start=1))


def _descent_share(heart: Heart, u: float) -> tuple[float, float]:
  """Descent at position u relative to the base, and its slope; the parabola through base, middle and apex."""
  mid, apex = heart.descent_mid, heart.descent_apex
  quadratic = 2 * (1 + apex - 2 * mid)
  linear = apex - 1 - quadratic
  return 1 + linear * u + quadratic * u**2, linear + 2 * quadratic * u


def _sway(at: Timing, amplitude: float) -> Cycle:
  widths = tuple(w / at.rr for w in (0.07, 0.06, 0.05))
  return Cycle((amplitude, -0.8 * amplitude, -0.2 * amplitude), (at.systole + 0.04, at.e_wave, at.a_wave), widths)
