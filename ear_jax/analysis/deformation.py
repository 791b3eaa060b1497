"""The deformation of a whole stack: what needs more than one slice, and the study's numbers with their errors.

Longitudinal strain is the gradient of the descent d over the slices' places z, sector by sector: e = dd/dz and D_zz =
(dv/dz) / (1 + e) (StrainMap's e_ll). Slices are thereby taken as moving with the tissue; `Deformation.notes` says what
the same velocities mean if the planes stay where they are.

Radial strain rate is the noisiest: it is the slope across a thin wall. Muscle hardly changes its volume (by 2 to 4 %:
Yin et al., Am J Physiol 1996;271:H1864), so that D_rr + D_cc + D_zz is nearly 0; where all three are measured, half of
what is left of the sum is taken from D_rr. The sum before that is `Deformation.residual`, a check.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from ear_jax.analysis.depth import depths
from ear_jax.analysis.motion import COMPONENTS, GROUPS, SliceMotion
from ear_jax.analysis.periodic import bridge_gaps, closed_integral
from ear_jax.analysis.strain import CIRCUMFERENTIAL, LONGITUDINAL, RADIAL, Strain, strains
from ear_jax.analysis.velocity import known_mean

_CONTRADICTS = 25.0  # %, mean change of the wall's volume above which the slices' distance is not believed
_STEADIED = 0.5  # share of the volume's residual that is taken from the radial rate; chosen on people of phantom_mini


@dataclasses.dataclass(frozen=True, eq=False)
class Deformation:
  """The slices of a study that hold a wall, from base to apex, deformed together.

  Attributes:
    motions: with longitudinal strain and steadied radial strain, where the slices' distances are known.
    levels: 'base', 'mid' or 'apex' of each.
    depth: `[S]` mm from the first slice towards the apex; NaN when unknown.
    end_systole: as a share of the cycle: when the wall, by its radial velocity, has moved inward furthest, the mean of
      the slices; NaN when unknown. The marker ES is a pause of that velocity and may come earlier.
    residual: `[S]` %, product of the three stretches minus 1 at end systole: 0 for what keeps its volume; NaN unknown.
    notes: what a reader must know.
    contradiction: of the slices' distance and the velocities, with both values; ''.
  """

  motions: tuple[SliceMotion, ...]
  levels: tuple[str, ...]
  depth: np.ndarray
  end_systole: float
  residual: np.ndarray
  notes: tuple[str, ...]
  contradiction: str = ''

  def at_end_systole(self, k: int) -> int:
    """Returns the frame of slice k at end systole; -1 when unknown."""
    if math.isnan(self.end_systole):
      return -1
    frames = len(self.motions[k].mask)
    return round(self.end_systole * frames) % frames


def deform(motions: Sequence[SliceMotion]) -> Deformation:
  """Returns the deformation of a study from its slices, base to apex; those without curves are left out."""
  motions = [one for one in motions if np.isfinite(one.curves['global']).any()]
  depth, fault = _depths(motions)
  plain = Deformation(
    tuple(motions),
    levels(motions),
    depth,
    _end_systole(motions),
    np.full(len(motions), np.nan),
    (_without(fault),) if fault else (),
  )
  done = plain if fault else _with_longitudinal(plain)
  return dataclasses.replace(done, notes=(*done.notes, *_turns(motions)))


def _depths(motions: Sequence[SliceMotion]) -> tuple[np.ndarray, str]:
  """Returns how far slices lie from the first, mm towards the last `[S]`; or NaN and the reason in words."""
  if len(motions) < 2:
    return np.full(len(motions), np.nan), 'there is one slice only' if motions else 'no slice holds a wall'
  depth, fault = depths([one.place for one in motions])
  depth = (depth - depth[0]) * np.sign(depth[-1] - depth[0])
  if not fault and np.diff(depth).min() < 0:
    return np.full(len(motions), np.nan), 'the slices are not in the order of their position'
  return depth, fault


def _end_systole(motions: Sequence[SliceMotion]) -> float:
  """Returns the share of the cycle at which the walls, with one another, have moved inward furthest."""
  radial = [bridge_gaps(one.curves['global'][0, :, COMPONENTS.index('radial')]) for one in motions]
  inward = [closed_integral(len(one), 1.0) @ one for one in radial if np.isfinite(one).all() and one.any()]
  if not inward:
    return math.nan
  frames = max(map(len, inward))
  return float(np.mean([at_times(one, frames) for one in inward], axis=0).argmax() / frames)


def levels(motions: Sequence[SliceMotion]) -> tuple[str, ...]:
  """Returns each slice's level: its own where every slice has one, else by thirds of the stack."""
  if all(one.level for one in motions):
    return tuple(one.level for one in motions)
  return tuple(('base', 'mid', 'apex')[int(3 * (k + 0.5) / len(motions))] for k in range(len(motions)))


def at_times(curves: np.ndarray, frames: int) -> np.ndarray:
  """Returns periodic curves `[..., T]` at `frames` times spread over the cycle, by straight lines."""
  count = curves.shape[-1]
  if count == frames:
    return curves
  where = np.arange(frames) * count / frames
  low = where.astype(int)
  share = where - low
  return curves[..., low] * (1 - share) + curves[..., (low + 1) % count] * share


def _without(fault: str) -> str:
  return f'no longitudinal strain, torsion or gradient from base to apex: {fault}'


def _with_longitudinal(plain: Deformation) -> Deformation:
  """The stack with longitudinal strain in every slice, by parabolas through three neighbours where there are three."""
  count = len(plain.motions)
  slope = np.gradient(np.eye(count), plain.depth, axis=0, edge_order=2 if count > 2 else 1)  # [S, S] 1/mm
  motions, residual = [], np.full(count, np.nan)
  for k, one in enumerate(plain.motions):
    frames = len(one.mask)
    every = [other.strain for other in plain.motions]
    descent, rate = (
      sum(w * at_times(getattr(s, name), frames) for w, s in zip(slope[k], every, strict=True))
      for name in ('descent', 'descent_rate')
    )  # [24, T]
    error, rate_error = (
      np.sqrt(sum((w * at_times(getattr(s, name), frames)) ** 2 for w, s in zip(slope[k], every, strict=True)))
      for name in ('descent_error', 'descent_rate_error')
    )
    longitudinal = np.stack([100 * descent, 100 * error, rate / (1 + descent), rate_error], -1)  # [24, T, 4]
    motions.append(dataclasses.replace(one, strain=_lengthened(one, longitudinal)))
    end, raw = plain.at_end_systole(k), one.strain.strain['global'][0]
    if end >= 0:
      stretches = (
        1 + raw[end, RADIAL] / 100,
        1 + raw[end, CIRCUMFERENTIAL] / 100,
        1 + longitudinal[:, end, 0].mean() / 100,
      )
      residual[k] = 100 * (math.prod(stretches) - 1)
  change = float(known_mean(residual, 0))
  if abs(change) > _CONTRADICTS:
    apart = f'{abs(plain.depth[-1]) / (count - 1):.1f} mm apart by their files'
    fault = f'the velocities do not fit slices that lie {apart}: the wall would change its volume by {change:+.0f} %'
    unknown = np.full(count, np.nan)
    return dataclasses.replace(plain, depth=unknown, residual=residual, notes=(_without(fault),), contradiction=fault)
  done = dataclasses.replace(plain, motions=tuple(motions), residual=residual)
  return dataclasses.replace(done, notes=_planes(done))


def _lengthened(motion: SliceMotion, longitudinal: np.ndarray) -> Strain:
  """The strain of a slice with its longitudinal part from `[24, T, 4]`: strain, its error, rate, its error."""
  strain = motion.strain
  whole = closed_integral(len(motion.mask), motion.frame_interval)
  made: dict[str, dict[str, np.ndarray]] = {'strain': {}, 'strain_error': {}, 'rate': {}, 'rate_error': {}}
  for group, regions in GROUPS.items():
    of = (
      longitudinal
      if group == 'angular24'
      else longitudinal.reshape(regions if group == 'angular6' else 1, -1, *longitudinal.shape[1:])
    )
    of = of if group == 'angular24' else np.broadcast_to(of.mean(1), (regions, *longitudinal.shape[1:]))
    rate, error = strain.rate[group].copy(), strain.rate_error[group].copy()
    rate[..., LONGITUDINAL], error[..., LONGITUDINAL] = of[..., 2], of[..., 3]
    three = [RADIAL, CIRCUMFERENTIAL, LONGITUDINAL]
    rate[..., RADIAL] -= _STEADIED * rate[..., three].sum(-1)
    error[..., RADIAL] = np.sqrt(
      (error[..., three] ** 2 * np.array([1 - _STEADIED, _STEADIED, _STEADIED]) ** 2).sum(-1)
    )
    stretched, spread = strains(whole, rate, error)
    stretched[..., LONGITUDINAL], spread[..., LONGITUDINAL] = of[..., 0], of[..., 1]
    for name, values in zip(made, (stretched, spread, rate, error), strict=True):
      made[name][group] = values
  return dataclasses.replace(strain, **made)  # type: ignore[arg-type]  # only its dicts by group


def _planes(deformation: Deformation) -> tuple[str, ...]:
  """What longitudinal strain takes for granted, with both values."""
  if math.isnan(deformation.end_systole):
    return ()
  ends = [
    one.strain.strain['global'][0, deformation.at_end_systole(k), LONGITUDINAL]
    for k, one in enumerate(deformation.motions)
  ]
  mean = float(known_mean(np.array(ends)[None], 1)[0])
  if math.isnan(mean):
    return ()
  return (
    f'longitudinal strain ({mean:.1f} % at the end systole of strain) takes the slices as moving with the tissue; '
    f'where their planes stay in place the same velocities mean {100 * math.expm1(mean / 100):.1f} %',
  )


def _turns(motions: Sequence[SliceMotion]) -> tuple[str, ...]:
  """How a positive twist turns: papers state it as seen from the apex, pictures may show the heart from the base."""
  if len(motions) < 2:
    return ()
  settings = motions[0].settings
  shown = 'base' if settings.orientation == 'CCW' else 'apex'
  sign = 'positive' if settings.seen_from_apex == 'counter-clockwise' else 'negative'
  return (
    f'twist is the rotation of the last slice minus that of the first; seen from the apex, positive = '
    f'{settings.seen_from_apex}, where the pictures show the heart from the {shown}: the twist of a healthy heart at '
    f'end systole, counter-clockwise seen from the apex, is {sign} here',
  )
