"""How one person looks in one scanner: everything beside a healthy heart in a known spiral scan, drawn from a seed.

`PLAIN` is that known scan: the person as `anatomy` draws them, seen from the base. `draw_look` draws another from wide
ranges, so that a network that learns from many looks cannot lean on one. Each range has a unit and a reason.
"""

import dataclasses
from typing import Any, NamedTuple

import numpy as np

from ear_jax.phantom.anatomy import Chest, Contrast, Subject, Visit
from ear_jax.phantom.chest import below_skin


class Range(NamedTuple):
  """Numbers to draw from, evenly; by equal factors where `even` is False."""

  low: float
  high: float
  unit: str
  reason: str
  even: bool = True

  def draw(self, rng: np.random.Generator) -> float:
    """Returns one number."""
    if self.even:
      return float(rng.uniform(self.low, self.high))
    return float(np.exp(rng.uniform(np.log(self.low), np.log(self.high))))


# What a look has of each, by the names of its fields.
RANGES = {
  'cavity': Range(0.75, 1.32, 'of 22.8-25 mm', 'small in hypertrophy, 33 mm in a dilated ventricle'),
  'wall': Range(0.7, 1.9, 'of 6.0-8.4 mm', 'thinned after an infarct to 15 mm in hypertrophy', even=False),
  'uneven': Range(0.6, 1.8, 'of the usual harmonics', 'healthy walls vary by about 15 % round the ring'),
  'oval': Range(0.5, 2.4, 'of the usual ellipticity', 'the septum flattens; cuts are seldom square to the long axis'),
  'squeeze': Range(0.45, 1.2, 'of 31-35 % of the radius', 'ejection fractions of about 25 to 65 %'),
  'descent': Range(0.5, 1.1, 'of 12.6-13.5 mm', 'falls with the ejection fraction'),
  'apex': Range(0.75, 1.15, 'of 13-15 mm', 'the last slice lies nearer to or farther from the tip'),
  'spot_angle': Range(-np.pi, np.pi, 'rad', 'any artery may close; the septum bulges as well as the free wall'),
  'spot_width': Range(0.35, 0.8, 'rad', 'one to two of six segments'),
  'trabeculae': Range(0.0, 7.0, 'mm', 'often deeper than the compact wall; counted to the cavity, as readers do'),
  'papillary_gap': Range(0.0, 1.4, 'radii', 'papillary muscles leave the wall towards the base'),
  'right_size': Range(0.75, 1.25, 'of 22-29 x 35-43 mm', 'a collapsed to a loaded right ventricle'),
  'right_wall': Range(1.2, 4.5, 'mm', 'seldom seen in full; thick where loaded'),
  'right_trabeculae': Range(0.0, 4.0, 'mm', 'the right ventricle is the more trabeculated one'),
  'right_bend': Range(0.0, 4.0, 'mm', 'a crescent or a triangle rather than an ellipse'),
  'right_shift': Range(-10.0, 10.0, 'mm', 'the insertions lie in front of or behind the middle'),
  'right_tilt': Range(-0.35, 0.35, 'rad', 'the same'),
  'turn': Range(-0.7, 0.7, 'rad', 'electrical axis and build: upright to lying hearts'),
  'snr': Range(5.0, 50.0, 'of one encode in the wall', 'fast spirals to averaged cines', even=False),
  'coil': Range(0.22, 1.0, 'of 110-150 mm', 'depth of coils: small surface coils to a body coil', even=False),
  'coil_turn': Range(-1.1, 0.4, 'rad', 'round the chest, towards the right ventricle where below 0'),
  'coil_front': Range(-115.0, -65.0, 'mm', 'front coils lie on the skin: slim or obese'),
  'ghost': Range(0.0, 0.1, 'of the signal', 'breathing and flow repeat along the phase encoding'),
  'ghost_shift': Range(25.0, 120.0, 'mm', 'a half to a tenth of the field of view'),
  'aspect': Range(1.0, 1.6, 'acquired, along over across', 'phase encoding is the coarser direction'),
  'coarse': Range(1.0, 1.8, 'acquired over reconstructed pixel', 'zero filling of up to a factor of two'),
  'blur': Range(0.0, 0.8, 'mm', 'off-resonance, relaxation during the read-out, reconstruction filters'),
  'sharing': Range(0.0, 0.15, 'of a frame from each neighbour', 'shared views; RR intervals that differ'),
  'gain': Range(500.0, 2600.0, 'counts of a signal of 1', 'every vendor scales in its own way', even=False),
}  # fmt: skip

# Relative magnitudes by family. Fat below zero is opposed to water: borders between the two are then dark lines.
_SIGNALS: dict[str, dict[str, tuple[float, float]]] = {
  'ssfp': {  # T2 over T1: bright blood and fat, the wall at a third of the blood
    'muscle': (0.18, 0.38), 'blood': (0.64, 0.92), 'liver': (0.22, 0.48), 'fat': (0.6, 1.15), 'lung': (0.015, 0.07),
    'texture': (0.03, 0.11), 'skin': (0.2, 0.6), 'marrow': (0.2, 0.7), 'content': (0.1, 0.9), 'speckle': (0.1, 0.5),
  },
  'gradient_echo': {  # T1 and inflow: less contrast, more flow in the blood
    'muscle': (0.32, 0.55), 'blood': (0.50, 0.95), 'liver': (0.35, 0.65), 'fat': (0.4, 1.0), 'lung': (0.02, 0.08),
    'texture': (0.04, 0.10), 'skin': (0.2, 0.5), 'marrow': (0.2, 0.6), 'content': (0.1, 0.6), 'speckle': (0.4, 1.2),
  },
  'spiral': {  # velocity mapping: fat is suppressed by water excitation, blood bright or saturated
    'muscle': (0.34, 0.60), 'blood': (0.08, 0.95), 'liver': (0.28, 0.62), 'fat': (0.08, 0.4), 'lung': (0.02, 0.08),
    'texture': (0.04, 0.12), 'skin': (0.15, 0.4), 'marrow': (0.1, 0.4), 'content': (0.1, 0.6), 'speckle': (0.6, 1.3),
  },
  'free': {  # no physics: what no sequence of today shows may come
    'muscle': (0.12, 0.85), 'blood': (0.05, 0.95), 'liver': (0.1, 0.9), 'fat': (0.05, 1.2), 'lung': (0.01, 0.3),
    'texture': (0.02, 0.14), 'skin': (0.1, 0.8), 'marrow': (0.05, 0.9), 'content': (0.05, 0.9), 'speckle': (0.1, 1.3),
  },
}  # fmt: skip
_SHARES = {'ssfp': 0.4, 'gradient_echo': 0.2, 'spiral': 0.25, 'free': 0.15}
_LEAST_CONTRAST = 1.4  # of blood and wall, either way round: a reader sees no border below


@dataclasses.dataclass(frozen=True)
class Look:
  """What is drawn for one person; the defaults are the plain look. `RANGES` holds units and reasons.

  Attributes beside those of `RANGES`:
    family: what the contrast resembles.
    mirrored: arrays show the heart from the base, right ventricle on the right; else from the apex, as clinics do.
    quarters: quarter turns of the picture, clockwise on screen.
    contrast, chest, papillary: instead of the person's own; None keeps those.
    spot: height of a bulge (above 0) or a thin stretch (below 0) of the wall, relative to its thickness.
    cartesian: whether k-space is a rectangle; else a spiral's disc with faint swirls.
    sideways: whether the phase is encoded along the columns' direction instead of the rows'.
    magnitudes: encodes that the magnitude is the mean of.
    field: what is left of the picture: '' for all, 'circle', or 'barrel' for corrected gradients.
    snr, gain, sharing: None for the visit's, the scanner's and the size's own.
  """

  family: str = 'spiral'
  mirrored: bool = True
  quarters: int = 0
  contrast: Contrast | None = None
  chest: Chest | None = None
  papillary: tuple[tuple[float, float], ...] | None = None
  cavity: float = 1.0
  wall: float = 1.0
  uneven: float = 1.0
  oval: float = 1.0
  squeeze: float = 1.0
  descent: float = 1.0
  apex: float = 1.0
  spot: float = 0.0
  spot_angle: float = 0.0
  spot_width: float = 0.5
  trabeculae: float = 0.0
  papillary_gap: float = 0.0
  right_size: float = 1.0
  right_wall: float = 3.2
  right_trabeculae: float = 0.0
  right_bend: float = 0.0
  right_shift: float = 0.0
  right_tilt: float = 0.0
  turn: float = 0.0
  cartesian: bool = False
  sideways: bool = False
  magnitudes: int = 4
  field: str = ''
  snr: float | None = None
  coil: float = 1.0
  coil_turn: float = 0.0
  coil_front: float = -115.0
  ghost: float = 0.0
  ghost_shift: float = 60.0
  aspect: float = 1.0
  coarse: float | None = None
  blur: float = 0.0
  sharing: float | None = None
  gain: float | None = None

  @property
  def left(self) -> float:
    """The largest outer radius of the left ventricle at rest, mm."""
    return 25.0 * self.cavity + 8.4 * self.wall * (1 + max(self.spot, 0.0))

  @property
  def reach(self) -> float:
    """Half the width of a picture that holds the wall in every frame, mm: ellipticity, bend and sway come on top."""
    return 1.12 * self.left + 6.0


PLAIN = Look()


def draw_look(rng: np.random.Generator, *, turned: bool = False) -> Look:
  """Returns one look, seen from the apex; with `turned` in any of the eight symmetries of the square."""
  family = str(rng.choice(list(_SHARES), p=list(_SHARES.values())))
  mirrored, quarters = (bool(rng.integers(2)), int(rng.integers(4))) if turned else (False, 0)
  hand = -1 if mirrored else 1
  cartesian = family in ('ssfp', 'gradient_echo') or rng.random() < 0.5
  numbers: dict[str, Any] = {name: span.draw(rng) for name, span in RANGES.items()}
  if rng.random() < 0.5:
    numbers['ghost'] = 0.0  # a breath well held
  look = Look(
    family=family,
    mirrored=mirrored,
    quarters=quarters,
    contrast=_draw_contrast(rng, family),
    papillary=_draw_papillary(rng, hand),
    spot=float(rng.choice([0.0, rng.uniform(-0.5, -0.2), rng.uniform(0.2, 0.7)], p=[0.4, 0.3, 0.3])),
    cartesian=cartesian,
    magnitudes=1 if cartesian else 4,
    field=str(rng.choice(['', 'circle', 'barrel'], p=[0.6, 0.15, 0.25])) if cartesian else '',
  )
  look = dataclasses.replace(look, **numbers)
  return dataclasses.replace(look, chest=_draw_chest(rng, hand, look), sideways=bool(rng.integers(2)))


def dress(subject: Subject, visit: Visit, look: Look) -> tuple[Subject, Visit]:
  """Returns the person and the visit with that look."""
  heart, spot = subject.heart, _spot(look)
  dressed = dataclasses.replace(
    heart,
    inner=heart.inner * look.cavity,
    apex_taper=heart.apex_taper * look.apex,
    # A spot adds its mean to the thickness; harmonics are relative to the sum.
    thickness=heart.thickness * look.wall * (1 + spot[0].real),
    inner_harmonics=tuple(c * look.uneven for c in heart.inner_harmonics),
    thickness_harmonics=_sum(
      tuple(c * look.uneven for c in heart.thickness_harmonics), tuple(c / (1 + spot[0].real) for c in spot[1:])
    ),
    ellipticity=heart.ellipticity * look.oval,
    systolic_ratio=1 - (1 - heart.systolic_ratio) * look.squeeze,
    descent=heart.descent * look.descent,
    papillary=heart.papillary if look.papillary is None else look.papillary,
    papillary_gap=look.papillary_gap,
    trabeculae=look.trabeculae,
    right_ventricle=(heart.right_ventricle[0] * look.right_size, heart.right_ventricle[1] * look.right_size),
    right_wall=look.right_wall,
    right_trabeculae=look.right_trabeculae,
    right_bend=look.right_bend,
    right_shift=look.right_shift,
    right_tilt=look.right_tilt,
  )
  subject = dataclasses.replace(
    subject, heart=dressed, chest=look.chest or subject.chest, contrast=look.contrast or subject.contrast
  )
  angle = visit.angle + look.turn + look.quarters * np.pi / 2
  return subject, dataclasses.replace(visit, angle=angle, snr=look.snr or visit.snr)


def _draw_contrast(rng: np.random.Generator, family: str) -> Contrast:
  """Tissues of a family, drawn again until blood and wall differ."""
  while True:
    values = {name: float(rng.uniform(*span)) for name, span in _SIGNALS[family].items()}
    if abs(np.log(values['blood'] / values['muscle'])) > np.log(_LEAST_CONTRAST):
      break
  if family == 'ssfp' or rng.random() < 0.3:
    values['fat'] *= -1
  return Contrast(**values)


def _draw_papillary(rng: np.random.Generator, hand: int) -> tuple[tuple[float, float], ...]:
  """None to four muscles: angle from the lateral wall in rad, radius in mm."""
  places = rng.permutation([-1.0, 1.0, -0.5, 0.5])[: rng.choice([0, 1, 2, 3, 4], p=[0.05, 0.1, 0.45, 0.25, 0.15])]
  return tuple((float(hand * (p + rng.uniform(-0.3, 0.3))), float(rng.uniform(2.0, 5.5))) for p in places)


def _draw_chest(rng: np.random.Generator, hand: int, look: Look) -> Chest:
  """A doubly oblique cut: skin before and above the heart, lung beside it, diaphragm and belly below.

  Lengths are mm from the heart. `hand` is 1 in the view from the apex, right ventricle on the left.
  """
  uniform, left = rng.uniform, look.left
  diaphragm = left + uniform(1, 22)  # breathing moves it by 20 mm
  wide, high = uniform(130, 230), uniform(140, 300)
  liver = uniform(55, 90), uniform(34, 60)
  chest = Chest(
    centre=(hand * uniform(10, 60), high - uniform(50, 90)),
    axes=(wide, high),
    wobble=tuple(complex(*rng.normal(0, s, 2)) for s in (0.0, 0.02, 0.025, 0.012, 0.01)),
    tilt=-hand * uniform(-0.1, 0.7),
    fat=uniform(5, 32),
    muscle=uniform(6, 16),
    liver=(-hand * uniform(30, 85), diaphragm + uniform(0.75, 1.0) * liver[1], *liver),
    stomach=(hand * uniform(5, 60), diaphragm + uniform(16, 34), uniform(22, 42), uniform(14, 30)),
    pericardial_fat=uniform(-1.0, 9),
    mediastinum=uniform(4, 34),
    uneven=uniform(0.05, 0.3),
    diaphragm=diaphragm,
    dome=hand * uniform(-0.3, 0.5),
    organs=int(rng.integers(8, 28)),
    fine_vessels=bool(rng.random() < 0.7),
    sternum=bool(rng.random() < 0.6),
    arms=bool(rng.random() < 0.3),
    table=bool(rng.random() < 0.2),
  )
  return _around(chest, hand, look)


def _around(chest: Chest, hand: int, look: Look) -> Chest:
  """The chest, moved and widened until both ventricles and their fat lie below the skin's fat."""
  turn, fat = np.linspace(0, 2 * np.pi, 24), max(chest.pericardial_fat, 0.0)
  across, along = 30 * look.right_size + fat, 44 * look.right_size + fat
  x = np.concatenate([(look.left + fat) * np.cos(turn), across * np.cos(turn) - 0.9 * hand * look.left])
  y = np.concatenate([(look.left + fat) * np.sin(turn), along * np.sin(turn) - hand * look.right_shift])
  while (below_skin(chest, x, y)[0] < 1.2 * chest.fat + 4).any():
    centre = chest.centre[0] - 2 * hand, chest.centre[1] - 1
    chest = dataclasses.replace(chest, centre=centre, axes=(1.02 * chest.axes[0], 1.02 * chest.axes[1]))
  return chest


def _spot(look: Look) -> tuple[complex, ...]:
  """Fourier coefficients 0 to 6 of a bell of height `spot` about `spot_angle`."""
  share = look.spot * look.spot_width / np.sqrt(2 * np.pi)
  bell = [
    share * (2 if k else 1) * np.exp(-0.5 * (k * look.spot_width) ** 2 + 1j * k * look.spot_angle) for k in range(7)
  ]
  return tuple(map(complex, bell))


def _sum(one: tuple[complex, ...], two: tuple[complex, ...]) -> tuple[complex, ...]:
  length = max(len(one), len(two))
  one, two = (c + (0j,) * (length - len(c)) for c in (one, two))
  return tuple(a + b for a, b in zip(one, two, strict=True))
