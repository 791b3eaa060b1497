"""Velocity studies of another hand, to test on and never to train or to choose on.

Nothing here comes from `ear_jax.phantom`: another ring, another clock, other textures, another way from tissue to
picture. A ring of the wall contracts, turns, descends and sways; a material point keeps its share `s` of the way from
the inner to the outer border and its angle `alpha`, so that mask and velocity are formulas. Around it lie layers cut by
wavy lines and cells of a Voronoi diagram. Pixels are means of 2 x 2 samples of complex signals, with white noise.

`list(strangers(12, frames=50))` is the set that networks are held against: 12 people x 3 slices x 50 frames.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np
from scipy import ndimage, spatial

from ear_jax.cine import Cine

VENC = (20.0, 20.0, 30.0)
# Size of the ring, descent and rotation (degrees) relative to the person's, from base to apex.
_LEVELS = (('base', 1.0, 1.0, -0.4), ('mid', 0.95, 0.6, 0.3), ('apex', 0.62, 0.22, 1.0))


@dataclasses.dataclass(frozen=True, eq=False)
class Stranger:
  """A scanned slice and what is exactly so in it.

  Attributes:
    cine: the scan, its mask exact.
    velocity: `[T, H, W, 3]` cm/s, 0 outside the wall.
    curves: `[3, T]` longitudinal, radial (inward) and circumferential (counter-clockwise) means in cm/s over the mask,
      about the mean of the outer border, without in-plane bulk motion; time mean not removed.
    snr: of one encode in the wall.
  """

  cine: Cine
  velocity: np.ndarray
  curves: np.ndarray
  snr: float


def _step(t, begin, end):
  """A rise from 0 to 1 between two times and its derivative: the polynomial whose first two derivatives join."""
  u = np.clip((t - begin) / (end - begin), 0, 1)
  return u**3 * (10 - 15 * u + 6 * u * u), 30 * (u * (1 - u)) ** 2 / (end - begin)


def _pulse(t, systole):
  """Returns how far the heart has contracted, 0 to 1 and back in a cycle, and its rate; E and A wave share 3 : 1."""
  up, fill, kick = _step(t, 0.03, systole), _step(t, systole + 0.05, systole + 0.27), _step(t, 0.82, 0.98)
  return tuple(u - 0.75 * f - 0.25 * k for u, f, k in zip(up, fill, kick, strict=True))


@dataclasses.dataclass(frozen=True)
class Ring:
  """The wall of one slice; lengths mm, angles rad (from +column to +row), `rr` s, times in cycles."""

  rr: float
  systole: float
  inner: float
  wall: float
  oval: tuple[float, float]  # relative size and angle of the second harmonic of the inner border
  bean: tuple[float, float]  # of the third
  lopsided: tuple[float, float]  # relative excess of the wall's thickness, and its angle
  squeeze: float  # share of the inner radius that is lost in systole
  gain: float  # share of the wall's area that is won
  turn: float  # at end systole
  descent: float
  tilt: tuple[float, float]  # relative excess of the descent, and its angle
  centre: tuple[float, float]
  sway: tuple[float, float]

  def borders(self, alpha, t):
    """Inner and outer radius at material angles, and their rates in mm a cycle."""
    f, rate = _pulse(t, self.systole)
    rest = self.inner * (1 + self.oval[0] * np.cos(2 * (alpha - self.oval[1])))
    rest = rest + self.inner * self.bean[0] * np.cos(3 * (alpha - self.bean[1]))
    area = (rest + self.wall * (1 + self.lopsided[0] * np.cos(alpha - self.lopsided[1]))) ** 2 - rest**2
    inside, inside_rate = rest * (1 - self.squeeze * f), -rest * self.squeeze * rate
    outside = np.sqrt(inside**2 + area * (1 + self.gain * f))
    return inside, outside, inside_rate, (inside * inside_rate + 0.5 * area * self.gain * rate) / outside

  def where(self, s, alpha, t):
    """Place `[..., 3]` in mm of material points; the third is towards the apex."""
    f, _ = _pulse(t, self.systole)
    inside, outside, *_ = self.borders(alpha, t)
    radius, angle = inside + s * (outside - inside), alpha + self.turn * f
    x = self.centre[0] + self.sway[0] * f + radius * np.cos(angle)
    y = self.centre[1] + self.sway[1] * f + radius * np.sin(angle)
    return np.stack([x, y, self.descent * f * (1 + self.tilt[0] * np.cos(alpha - self.tilt[1])) + 0 * radius], -1)

  def material(self, x, y, t):
    """Share of the way and material angle of the points that lie at x, y in mm at t."""
    f, _ = _pulse(t, self.systole)
    dx, dy = x - self.centre[0] - self.sway[0] * f, y - self.centre[1] - self.sway[1] * f
    alpha = np.arctan2(dy, dx) - self.turn * f
    inside, outside, *_ = self.borders(alpha, t)
    return (np.hypot(dx, dy) - inside) / (outside - inside), alpha

  def velocity(self, s, alpha, t):
    """`[..., 3]` cm/s of material points."""
    f, rate = _pulse(t, self.systole)
    inside, outside, inside_rate, outside_rate = self.borders(alpha, t)
    radius, out = inside + s * (outside - inside), inside_rate + s * (outside_rate - inside_rate)
    cos, sin, spin = np.cos(alpha + self.turn * f), np.sin(alpha + self.turn * f), radius * self.turn * rate
    along = self.descent * rate * (1 + self.tilt[0] * np.cos(alpha - self.tilt[1])) + 0 * radius
    x, y = out * cos - spin * sin + self.sway[0] * rate, out * sin + spin * cos + self.sway[1] * rate
    return np.stack([x, y, along], -1) / (10 * self.rr)


def strangers(people: int = 1, *, frames: int = 6, size: int = 96, seed: int = 0) -> Iterator[Stranger]:
  """Yields three slices, base, middle and apex, of each person: `frames` pictures of `size` x `size` pixels."""
  for person in range(people):
    rng = np.random.default_rng((seed, person, 77))
    spacing = rng.uniform(1.05, 1.5) * 96 / size
    snr, side = float(np.exp(rng.uniform(np.log(8), np.log(48)))), float(rng.choice([0, np.pi])) + rng.normal(0, 0.3)
    dark, light = rng.uniform(0.15, 0.4), rng.uniform(0.6, 1.0)
    wall, blood = (dark, light) if person % 2 else (light, dark)
    whole = _ring(rng, side)
    for k, (level, scale, share, turn) in enumerate(_LEVELS):
      ring = dataclasses.replace(
        whole, inner=whole.inner * scale, descent=whole.descent * share, turn=whole.turn * turn
      )
      noise = np.random.default_rng((seed, person, k))
      name = f'stranger{seed or ""}-{person + 1:02d}'
      about = {'subject': name, 'dataset': name, 'slice_id': f'sax{k + 1}', 'level': level}
      yield _scan(ring, side, (wall, blood), snr, spacing, frames, size, noise, about)


def _ring(rng, side):
  uniform = rng.uniform
  return Ring(
    rr=uniform(0.7, 1.15),
    systole=uniform(0.32, 0.4),
    inner=uniform(19, 27),
    wall=uniform(5.5, 11),
    oval=(uniform(0, 0.09), uniform(0, np.pi)),
    bean=(uniform(0, 0.03), uniform(0, 2)),
    lopsided=(uniform(0, 0.3), uniform(-np.pi, np.pi)),
    squeeze=uniform(0.2, 0.36),
    gain=uniform(0.05, 0.16),
    turn=np.deg2rad(uniform(7, 12)) * rng.choice([-1, 1]),
    descent=uniform(9, 14),
    tilt=(uniform(0.05, 0.3), side + np.pi),
    centre=(uniform(-5, 5), uniform(-5, 5)),
    sway=(uniform(-2, 2), uniform(-2, 2)),
  )


def _scan(ring, side, signals, snr, spacing, frames, size, rng, about):
  fine = (np.arange(2 * size) - size + 0.5) * spacing / 2
  x, y = np.meshgrid(fine, fine)
  line = (np.arange(size) - (size - 1) / 2) * spacing
  pixels = np.meshgrid(line, line)
  chest, grain = _chest(x, y, side, rng), _value_noise(rng, x.shape, 3)
  drift = sum(rng.uniform(-0.02, 0.02) * z for z in pixels) + rng.uniform(-1, 1)  # cm/s, all components alike
  coil = np.exp(-((pixels[0] - rng.uniform(-80, 80)) ** 2 + (pixels[1] - rng.uniform(-80, 80)) ** 2) / 2 / 120**2)
  video, truth = np.empty((frames, size, size, 4), np.float32), np.zeros((frames, size, size, 3), np.float32)
  mask, curves = np.zeros((frames, size, size), np.uint8), []
  for f, t in enumerate(np.arange(frames) / frames):
    encodes = _signals(ring, side, signals, chest, grain, x, y, t)
    small = encodes.reshape(4, size, 2, size, 2).mean((2, 4))
    small[1:] *= np.exp(1j * np.pi * drift / np.array(VENC)[:, None, None])
    sigma = signals[0] / snr
    small = coil / coil[size // 2, size // 2] * small + sigma * (
      rng.normal(size=small.shape) + 1j * rng.normal(size=small.shape)
    )
    video[f, ..., 0] = 900 * np.abs(small[0])
    video[f, ..., 1:] = np.moveaxis(np.angle(small[1:] * small[0].conj()), 0, -1) / np.pi * VENC
    s, alpha = ring.material(*pixels, t)
    inside = (s >= 0) & (s <= 1)
    mask[f], truth[f][inside] = inside, ring.velocity(s[inside], alpha[inside], t)
    rim = ring.where(1.0, np.linspace(0, 2 * np.pi, 360, endpoint=False), t)[:, :2].mean(0)
    curves.append(_curves(np.stack([p[inside] for p in pixels], -1) - rim, truth[f][inside]))
  cine = Cine(
    video, mask, np.ones(frames, bool), VENC, (spacing, spacing), 1000 * ring.rr / frames, **about
  )  # fmt: skip
  return Stranger(cine, truth, np.array(curves).T, snr)


def _curves(away, velocity):
  plane = velocity[:, :2] - velocity[:, :2].mean(0)
  angle = np.arctan2(away[:, 1], away[:, 0])
  inward = -(np.cos(angle) * plane[:, 0] + np.sin(angle) * plane[:, 1])
  counter_clockwise = np.sin(angle) * plane[:, 0] - np.cos(angle) * plane[:, 1]  # rows grow downwards
  return velocity[:, 2].mean(), inward.mean(), counter_clockwise.mean()


def _signals(ring, side, signals, chest, grain, x, y, t):
  """Complex signals `[4, H, W]`: one without and three with velocity encoding."""
  wall, blood = signals
  s, alpha = ring.material(x, y, t)
  f, rate = _pulse(t, ring.systole)
  velocity = ring.velocity(np.clip(s, 0, 1), alpha, t)
  near = np.exp(-np.clip(s - 1, 0, None))
  flow = np.clip(1 - (1 + s * ring.wall / ring.inner) ** 2, 0, 1) * -6 * rate  # a parabola over the cavity, cm/s
  reach = ring.inner + ring.wall
  other = 0.8 * reach * (1 - 0.25 * f)
  shift = reach * 0.75
  beside = np.hypot(x - ring.centre[0] - shift * np.cos(side), y - ring.centre[1] - shift * np.sin(side))
  picture = chest.copy()
  picture[(beside < other + 2.5) & (s > 1)] = 0.9 * wall
  picture[(beside < other) & (s > 1)] = blood
  picture[(s > 1) & (s < 1.2)] = 0.25  # fat and pericardium
  picture[(beside < other - 1) & (s > 1)] = blood
  picture[(s <= 1)] = wall
  picture[s < 0] = blood
  for place in (2.3, 4.0):  # heads of papillary muscles
    head = ring.where(-0.6, np.array(side + place), t)
    picture[np.hypot(x - head[0], y - head[1]) < 0.3 * ring.wall] = wall
  picture = picture * (1 + 0.12 * grain)
  moved = velocity * near[..., None]
  moved[..., 2] += np.where((s < 0) | ((beside < other) & (s > 1)), flow, 0)
  phase = np.pi * np.moveaxis(moved, -1, 0) / np.array(VENC)[:, None, None]
  return np.concatenate([picture[None] + 0j, picture * np.exp(1j * phase)])


def _chest(x, y, side, rng):
  """Layers cut by wavy lines, lung, and a belly of Voronoi cells."""
  waves = sum(rng.uniform(1, 3) * np.sin(x / rng.uniform(12, 40) + rng.uniform(0, 6)) for _ in range(4))
  up = -y - 0.35 * np.cos(side) * x + waves
  skin, thick = rng.uniform(52, 68), rng.uniform(6, 16)
  belly = y + waves - rng.uniform(34, 46)
  seeds = np.stack([rng.uniform(x.min(), x.max(), 40), rng.uniform(20, 120, 40)], -1)
  cells = spatial.cKDTree(seeds).query(np.stack([x, y], -1))[1]
  image = np.full_like(x, rng.uniform(0.02, 0.1))
  image = np.where(belly > 0, rng.uniform(0.15, 0.8, len(seeds))[cells], image)
  image = np.where(up > skin - thick - 9, rng.uniform(0.3, 0.5), image)
  image = np.where(up > skin - thick, rng.uniform(0.2, 1.0), image)
  return np.where(up > skin, 0.0, image)


def _value_noise(rng, shape, octaves):
  """Noise of random lattices, drawn out by splines and added up, mean 0 and variance 1."""
  total = np.zeros(shape)
  for octave in range(octaves):
    lattice = rng.uniform(-1, 1, (6 * 2**octave, 6 * 2**octave))
    grown = ndimage.zoom(lattice, [n / m for n, m in zip(shape, lattice.shape, strict=True)], order=3)
    total += grown[: shape[0], : shape[1]] / 2**octave
  return (total - total.mean()) / total.std()
