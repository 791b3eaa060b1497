"""Contours of some frames carried to all frames of a slice by the motion of the tissue.

The motion is what was measured: the in-plane velocity where there is one (`tracking`), else the displacement between
the pictures of neighbouring frames (`registration`). Each given frame is carried round the whole cycle. Between two
given frames what comes from either side is mixed by the distance in time, which is the best mixture of two walks with
equal steps of error; the given frames themselves stay as they are.

What is left is an error of the radius that is 0 in the given frames: steps of noise, and a share of the way that the
wall has gone. A network's contours, where there are any, are weighed against that (`sources`).

Tissue that comes through the plane is not followed, and where a pixel holds wall and blood the motion is of both: bases
that descend by a slice's thickness change the ring that is seen, and no velocity in the plane says so.
"""

import dataclasses
import math
from collections.abc import MutableMapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ear_jax.analysis.contours import MIN_WALL, from_mask, to_mask
from ear_jax.analysis.drawn import on_rays
from ear_jax.analysis.motion import POINTS, Contours, Settings
from ear_jax.analysis.polar import ANGLES
from ear_jax.analysis.regions import lengths
from ear_jax.analysis.registration import follow
from ear_jax.analysis.sources import bridge, with_network, with_pictures
from ear_jax.analysis.tracking import Ring, along, fit_matrix, ring, ring_basis, track
from ear_jax.analysis.wall import wall_velocity
from ear_jax.cine import Cine

CARRIED = 'carried from drawn frames'
_AWAY = 0.15  # of the wall's thickness next to its borders, where wraps are not looked for
_FEW = 0.002  # of the wall's pixels: wraps that do not matter
_UNWRAPPINGS = 3  # times that wraps are looked for in a wall that was carried without them
# Errors of a carried radius: of a step, relative to the noise of a velocity that a frame's fit leaves; of the way gone.
_STEP, _GAIN = 1.0, 0.1
_LEAST = 0.02  # mm a frame
_REGISTERED_STEP, _REGISTERED_GAIN = 0.25, 0.2  # mm a frame; of the way gone


class Carried(NamedTuple):
  """Contours of every frame.

  Attributes:
    contours: given frames as they were given, the others carried and said to be (`Contours.flags`).
    uncertainty: `[T]` mm, standard error of the radius of both contours in each frame; 0 where given.
    mask: `[T, H, W]` uint8, the pixels between the contours.
  """

  contours: Contours
  uncertainty: np.ndarray
  mask: np.ndarray

  def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
    """Returns the mask, so that what was carried stands wherever a mask may."""
    return np.array(self.mask, dtype, copy=copy)


def carry(
  cine: Cine,
  contours: Contours | npt.ArrayLike,
  frames: Sequence[int] | None = None,
  *,
  network: Contours | npt.ArrayLike | None = None,
  settings: Settings | None = None,
  kept: MutableMapping[Any, Any] | None = None,
) -> Carried:
  """Returns contours of all frames of a slice from those of some.

  Args:
    cine: with velocities, or of a magnitude alone.
    contours: of some frames; or a mask `[T, H, W]` as `analyse` takes it.
    frames: those whose contours are right; None: all that have any.
    network: contours, mask or probability of all frames by a network, to be mixed in; None: without.
    settings: signs of the velocities, and whether wraps are undone; the default ones when None.
    kept: what single frames' contours became round the cycle, taken from here where it is, and put here: for whom
      carries again and again, a frame changed each time. Of one cine with one settings.

  Raises:
    ValueError: no frame has contours, or one of `frames` has none, or contours are of another number of frames.

  >>> cine = ear_jax.phantom_study()[1]
  >>> carried = ear_jax.carry(cine, cine.mask, frames=[0])
  >>> 2 * int((carried.mask & cine.mask).sum()) / int((carried.mask + cine.mask).sum()) > 0.9  # Dice
  True
  """
  settings = settings or Settings()
  given = _contours(cine, contours, frames)
  missing = [t for t in (() if frames is None else frames) if given.failed[t]]
  if missing:
    raise ValueError(f'{cine.name}: no contours to be carried in frame {", ".join(map(str, missing))}')
  rays = on_rays(
    [None if bad else (endo, epi) for bad, endo, epi in zip(given.failed, given.endo, given.epi, strict=True)]
  )
  keys = np.flatnonzero(~rays.failed)
  if not keys.size:
    raise ValueError(f'{cine.name}: no frame has contours that can be carried: rings about their centres')
  ways = _followed(cine, rays, keys, settings, {} if kept is None else kept)
  shares = _shares(keys, len(cine.video))
  centre = np.einsum('kt,ktc->tc', shares, np.stack([way.curves[:, 1].mean(1) for way in ways]))
  radius = _mixed_radii([way.curves for way in ways], centre, shares)
  prior = [_prior(radius[:, side], ways, keys, cine) for side in range(2)]
  size = float(lengths(cine.spacing).mean())
  if cine.venc is not None:
    seen = _mixed_radii([way.curves if way.seen is None else way.seen for way in ways], centre, shares)
    radius, prior = with_pictures(radius, prior, seen, size)
  if network is not None:
    other = _contours(cine, network, None)
    known = np.flatnonzero(~other.failed)
    curves = np.stack([other.endo[known], other.epi[known]], 1)
    radius, prior = with_network(radius, prior, radii(curves, centre[known]), known, size)
  error = np.sqrt(np.mean([np.diag(p) for p in prior], 0))
  return _result(cine, given, radius, centre, error)


class _Way(NamedTuple):
  """One given frame's contours in all frames, and the noise of a step.

  Attributes:
    curves: `[T, 2, P, 2]` (row, column), of the endo- and the epicardium.
    step: mm a frame, standard error of the radius; None: nothing is carried from this frame.
    gain: error of the way gone, relative.
    seen: the same curves by the pictures, where `curves` are by velocity; else None.
  """

  curves: np.ndarray
  step: float | None
  gain: float
  seen: np.ndarray | None = None


def _contours(cine: Cine, given: Contours | npt.ArrayLike, frames: Sequence[int] | None) -> Contours:
  """Contours of the frames that are given; the others failed. Of a mask every frame is taken by itself."""
  if not isinstance(given, Contours):
    mask = np.asarray(given)
    if mask.shape != cine.video.shape[:3]:
      raise ValueError(f'{cine.name}: the mask has shape {mask.shape}, the cine {cine.video.shape[:3]}')
    single = [from_mask(mask[t : t + 1]) for t in range(len(mask))]
    endo, epi = (np.concatenate([getattr(one, side) for one in single]) for side in ('endo', 'epi'))
    failed = np.array([one.failed[0] for one in single])
    given = Contours(endo, epi, tuple(one.flags[0] for one in single), failed, origins=('mask',) * len(mask))
  if len(given.failed) != len(cine.video):
    raise ValueError(f'{cine.name}: contours of {len(given.failed)} frames, the cine has {len(cine.video)}')
  if frames is None:
    return given
  return dataclasses.replace(given, failed=given.failed | ~np.isin(np.arange(len(given.failed)), frames))


def _followed(
  cine: Cine, given: Contours, keys: np.ndarray, settings: Settings, kept: MutableMapping[Any, Any]
) -> list[_Way]:
  """Every given frame's contours, carried round the cycle; those between two given frames say nothing of others."""
  frames, ways = len(cine.video), []
  for t in keys:
    if len(keys) > 1 and np.isin([(t - 1) % frames, (t + 1) % frames], keys).all():
      own = np.broadcast_to(np.stack([given.endo[t], given.epi[t]]), (frames, 2, *given.endo[t].shape))
      ways.append(_Way(own, None, 0.0, None if cine.venc is None else own))
      continue
    name = int(t), given.endo[t].tobytes(), given.epi[t].tobytes()
    if name not in kept:
      kept[name] = _way(cine, given, t, settings)
    ways.append(kept[name])
  return ways


def _way(cine: Cine, given: Contours, frame: int, settings: Settings) -> _Way:
  """A given frame's contours, carried round the cycle."""
  endo, epi = given.endo[frame], given.epi[frame]
  wall = ring(endo, epi)
  if cine.venc is None:
    return _by_pictures(cine, endo, epi, wall, frame)
  velocity = cine.video[..., 1:3] * np.asarray(settings.signs[:2], cine.video.dtype)  # in the plane
  places = _tracked(velocity, cine, wall, frame)
  for _ in range(_UNWRAPPINGS if settings.unwrap else 0):
    inside = _between(_moved(endo, epi, wall, places), cine.mask.shape[1:])
    mended, box, wraps = wall_velocity(cine, inside, settings, channels=2)
    if wraps <= _FEW * inside.sum():
      break
    velocity[box] = mended
    places = _tracked(velocity, cine, wall, frame)
  return _by_velocity(velocity, cine, endo, epi, wall, frame, places)


def _tracked(velocity: np.ndarray, cine: Cine, wall: Ring, frame: int) -> np.ndarray:
  return track(
    velocity,
    wall.points,
    frame,
    spacing=cine.spacing,
    frame_interval=cine.frame_interval,
    basis=wall.basis,
    weight=wall.weight,
  )


def _by_velocity(
  velocity: np.ndarray, cine: Cine, endo: np.ndarray, epi: np.ndarray, wall: Ring, frame: int, places: np.ndarray
) -> _Way:
  values = along(velocity, places)
  values -= values.mean(0)
  rest = values - wall.basis @ (fit_matrix(wall.basis, wall.weight) @ values)
  noise = float(np.sqrt(np.mean(rest[:, wall.weight > 0] ** 2)))  # cm/s
  seen = follow(cine.video[..., 0], wall, frame, places)
  step = max(_STEP * noise * cine.frame_interval / 100, _LEAST)
  return _Way(_moved(endo, epi, wall, places), step, _GAIN, _moved(endo, epi, wall, seen))


def _by_pictures(cine: Cine, endo: np.ndarray, epi: np.ndarray, wall: Ring, frame: int) -> _Way:
  return _Way(_moved(endo, epi, wall, follow(cine.video[..., 0], wall, frame)), _REGISTERED_STEP, _REGISTERED_GAIN)


def _moved(endo: np.ndarray, epi: np.ndarray, wall: Ring, places: np.ndarray) -> np.ndarray:
  """Curves `[T, 2, P, 2]`: every point of both sides moved as the points `[T, N, 2]` of the wall were."""
  turn = np.arange(len(endo)) * (2 * np.pi / len(endo))
  moves = fit_matrix(wall.basis) @ (places - wall.points)
  sides = ((0.0, endo), (1.0, epi))
  return np.stack([side + ring_basis(turn, np.full(len(turn), depth)) @ moves for depth, side in sides], 1)


def _between(curves: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
  """`[T, H, W]` bool, pixels within the wall that do not touch its borders."""
  endo, epi = np.moveaxis(curves, 1, 0)
  inside = Contours(
    endo + _AWAY * (epi - endo), epi - _AWAY * (epi - endo), ('',) * len(endo), np.zeros(len(endo), bool)
  )
  return to_mask(inside, shape).astype(bool)


def _mixed_radii(ways: Sequence[np.ndarray], centre: np.ndarray, shares: np.ndarray) -> np.ndarray:
  """`[T, S, 360]`, `radii` of what comes from each given frame, mixed by `shares` `[K, T]` of which most are 0."""
  found = np.zeros((len(centre), ways[0].shape[1], POINTS))
  for curves, share in zip(ways, shares, strict=True):
    heard = np.flatnonzero(share)
    found[heard] += share[heard, None, None] * radii(curves[heard], centre[heard])
  return found


def _shares(keys: np.ndarray, frames: int) -> np.ndarray:
  """`[K, T]`, how much each given frame says of every frame: straight lines between neighbours round the cycle."""
  return np.stack([np.interp(np.arange(frames), keys, row, period=frames) for row in np.eye(len(keys))])


def radii(curves: np.ndarray, centre: np.ndarray) -> np.ndarray:
  """Returns `[T, S, 360]` pixels, how far closed curves are from their frame's centre at 360 angles.

  Args:
    curves: `[T, S, P, 2]` (row, column), of S sides.
    centre: `[T, 2]`, within them.
  """
  away = curves - centre[:, None, None]
  angle, radius = np.arctan2(away[..., 1], away[..., 0]), np.hypot(away[..., 0], away[..., 1])
  on_rays = np.empty((*curves.shape[:2], POINTS))
  for t, side in np.ndindex(*curves.shape[:2]):
    on_rays[t, side] = np.interp(ANGLES, angle[t, side], radius[t, side], period=2 * np.pi)
  return on_rays


def _prior(radius: np.ndarray, ways: Sequence[_Way], keys: np.ndarray, cine: Cine) -> np.ndarray:
  """`[T, T]` mm^2, covariance of the error of carried radii `[T, 360]` px, 0 in the given frames."""
  frames = len(radius)
  near = _shares(keys, frames)
  step = float(np.mean([way.step for way in ways if way.step is not None] or [0.0]))
  gone = (radius.mean(1) - near.T @ radius[keys].mean(1)) * lengths(cine.spacing).mean()
  return bridge(keys, frames) * step**2 + np.outer(gone, gone) * max(way.gain for way in ways) ** 2


def _result(cine: Cine, given: Contours, radius: np.ndarray, centre: np.ndarray, error: np.ndarray) -> Carried:
  """Given frames as they are, the others from radii `[T, 2, 360]` about a centre."""
  radius[:, 1] = np.maximum(radius[:, 1], radius[:, 0] + MIN_WALL)
  count = max(given.endo.shape[1], POINTS)
  turn = np.arange(count) * (2 * np.pi / count)
  rays = np.stack([np.cos(turn), np.sin(turn)], -1)
  sides = []
  for side, drawn in enumerate((given.endo, given.epi)):
    curve = np.empty((len(radius), count, 2))
    for t, failed in enumerate(given.failed):
      if failed:
        curve[t] = centre[t] + np.interp(turn, ANGLES, radius[t, side], period=2 * np.pi)[:, None] * rays
      else:  # a frame of fewer points repeats its last one, which moves no line
        curve[t] = drawn[t, np.minimum(np.arange(count), drawn.shape[1] - 1)]
    sides.append(curve)
  flags = tuple(CARRIED if failed else flag for failed, flag in zip(given.failed, given.flags, strict=True))
  given_origins = given.origins or ('',) * len(radius)
  contours = Contours(
    sides[0],
    sides[1],
    flags,
    np.zeros(len(radius), bool),
    corrected=True,
    origins=tuple('carried' if bad else own for bad, own in zip(given.failed, given_origins, strict=True)),
    error=tuple(round(float(e), 4) if bad else math.nan for bad, e in zip(given.failed, error, strict=True)),
  )
  return Carried(contours, error, to_mask(contours, cine.mask.shape[1:]))
