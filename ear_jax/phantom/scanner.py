"""The scanner: tissue signals per velocity encode in, 12-bit magnitude and phase differences out.

One reference encode is shared by three velocity encodes, so the noise of the three velocities is correlated (0.5).
Signals pass coil shading and background phase, a circular band limit in k-space (spiral read-out at `acquired` mm) and
complex Gaussian noise inside that disc, and are reconstructed on the finer grid. Noise is added before magnitude and
phase are taken: the magnitude is then Rician, and the phase of air is uniform.
"""

import dataclasses

import numpy as np
from scipy import fft

from ear_jax.cine import Venc

COUNTS = 4096
_ROLL_OFF = 0.06  # of the band's edge, so that ringing stays as weak as in a filtered spiral reconstruction


@dataclasses.dataclass(frozen=True, eq=False)
class Scanner:
  """One slice's acquisition.

  Attributes:
    band: `[H, W]` float32, weight of each k-space sample, in `fft2` order.
    receive: `[4, H, W]` complex64, coil shading times background phase per encode, constant in time.
    sigma: standard deviation of the real and of the imaginary noise of one encode's image.
    gain: magnitude counts of a signal of 1.
    sharing: weight of each neighbouring frame in a frame (view sharing); 0 for none.
    magnitudes: encodes, from the reference on, whose mean is the magnitude.
    field: `[H, W]` 1 where the picture shows anything, 0 where it is blanked; 1 for everywhere.
  """

  band: np.ndarray
  receive: np.ndarray
  sigma: float
  gain: float
  sharing: float = 0.0
  magnitudes: int = 4
  field: np.ndarray | int = 1


def band_limit(
  shape: tuple[int, int],
  spacing: float,
  acquired: float,
  swirl: float = 0.0,
  *,
  aspect: float = 1.0,
  cartesian: bool = False,
  blur: float = 0.0,
  ghost: float = 0.0,
  ghost_shift: float = 0.0,
) -> np.ndarray:
  """Returns the k-space weights `[H, W]` of a spiral with pixels of `acquired` mm on a grid of `spacing` mm.

  Args:
    shape: rows and columns.
    spacing: reconstructed pixel in mm.
    acquired: acquired pixel in mm, not finer than `spacing`.
    swirl: relative error of the spiral's density away from its centre, which throws faint swirls around sharp
      structures; 0 for none.
    aspect: acquired pixel along the rows' direction (phase encoding) over that along the columns'.
    cartesian: a rectangle instead of a disc.
    blur: standard deviation in mm of a Gaussian.
    ghost: signal that comes again at `ghost_shift` mm up and down, relative, both together.
  """
  ky, kx = fft.fftfreq(shape[0], spacing)[:, None], fft.fftfreq(shape[1], spacing)[None]  # 1/mm
  k, edge = (np.maximum(np.abs(aspect * ky), np.abs(kx)) if cartesian else np.hypot(aspect * ky, kx)), 0.5 / acquired
  weight = 1 / (1 + np.exp((k - edge) / (_ROLL_OFF * edge / 4)))
  weight *= k <= edge * (1 + _ROLL_OFF)
  arms = np.cos(3 * np.arctan2(ky, kx) - 2 * np.pi * k * 60.0)  # a ghost ring about 60 mm wide
  arms[0, 0] = 0  # all arms meet in the centre: it has no direction, and an error there would slow every velocity
  weight *= np.exp(-2 * (np.pi * blur) ** 2 * (kx**2 + ky**2)) * (1 + ghost * np.cos(2 * np.pi * ky * ghost_shift))
  return (weight * (1 + swirl * arms)).astype(np.float32)


def background(rng: np.random.Generator, x: np.ndarray, y: np.ndarray, peak: float) -> np.ndarray:
  """Returns a smooth velocity offset `[H, W]` in cm/s: a polynomial of order 2 that reaches `peak` within 60 mm.

  x, y are mm from the heart. Eddy currents and concomitant gradients leave such offsets, the same in every frame.
  """
  c = rng.normal(0, 1, 6)
  u, v = x / 60, y / 60

  def polynomial(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return c[0] + c[1] * u + c[2] * v + 0.4 * (c[3] * u * u + c[4] * u * v + c[5] * v * v)

  ring = np.linspace(0, 2 * np.pi, 72)
  disc = np.concatenate([polynomial(r * np.cos(ring), r * np.sin(ring)) for r in (0, 0.5, 1)])
  return polynomial(u, v) * (peak / np.abs(disc).max())


def shading(
  rng: np.random.Generator, x: np.ndarray, y: np.ndarray, depth: float = 1.0, front: float = -115.0
) -> np.ndarray:
  """Returns the receive sensitivity `[H, W]`, 1 at the heart; x, y are mm from it.

  Six coils in front of and behind the chest, combined as a sum of squares. `depth` scales how deep they see: small
  ones (below 1) light up the skin. `front` is where those in front of the chest lie.
  """

  def combined(x: np.ndarray | float, y: np.ndarray | float) -> np.ndarray:
    return np.sqrt(sum(1 / (1 + ((x - cx) ** 2 + (y - cy) ** 2) / size**2) ** 2 for cx, cy, size in coils))

  coils = [
    (side + rng.uniform(-15, 15), height + rng.uniform(-12, 12), depth * rng.uniform(110, 150))
    for height in (front, 150.0)
    for side in (-90.0, 0.0, 90.0)
  ]
  return combined(x, y) / combined(0.0, 0.0)


def field(kind: str, shape: tuple[int, int]) -> np.ndarray | int:
  """Returns 1 where a picture of `shape` shows anything: '' everywhere, 'circle', or 'barrel' between curved sides."""
  if not kind:
    return 1
  v, u = (
    np.linspace(-1, 1, n)[axes] for n, axes in zip(shape, ((slice(None), None), (None, slice(None))), strict=True)
  )
  return np.hypot(u, v) < 0.97 if kind == 'circle' else np.abs(u) < 0.8 + 0.2 * v**2


def share_views(frames: np.ndarray, sharing: float) -> np.ndarray:
  """Returns `[T, ...]` with each frame mixed with its two neighbours, over the end of the cycle too."""
  if not sharing:
    return frames
  return (1 - 2 * sharing) * frames + sharing * (np.roll(frames, 1, 0) + np.roll(frames, -1, 0))


def acquire(scanner: Scanner, signals: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
  """Returns magnitude `[H, W]` and phase `[3, H, W]` counts (uint16, below 4096) of the signals `[4, H, W]`."""
  k = fft.fft2(signals * scanner.receive) * scanner.band
  disc = np.nonzero(scanner.band)
  # The inverse transform divides by H W; white noise in the disc leaves it with variance sum(band^2) / (H W)^2.
  scale = scanner.sigma * scanner.band.size / np.sqrt((scanner.band[disc] ** 2).sum())
  noise = rng.standard_normal((4, disc[0].size, 2), dtype=np.float32).view(np.complex64)[..., 0]
  k[:, disc[0], disc[1]] += noise * (scale * scanner.band[disc])
  images = fft.ifft2(k)
  magnitude = np.abs(images[: scanner.magnitudes]).mean(0) * scanner.field
  return (
    np.clip(np.rint(magnitude * scanner.gain), 0, COUNTS - 1).astype(np.uint16),
    phase_counts(np.angle(images[1:] * images[0].conj())),
  )


def phase_counts(phase: np.ndarray) -> np.ndarray:
  """Returns `round(2048 + 2048 phase / pi) mod 4096` as uint16; phase in rad."""
  half = COUNTS // 2
  return np.mod(np.rint(half + phase * (half / np.pi)), COUNTS).astype(np.uint16)


def counts_to_velocity(counts: np.ndarray, venc: Venc) -> np.ndarray:
  """Returns cm/s float32, in [-venc, venc), of phase counts `[3, H, W]`."""
  half = COUNTS // 2
  limits = np.asarray(venc, np.float32)[:, None, None]
  return (counts.astype(np.float32) - half) * (limits / half)
