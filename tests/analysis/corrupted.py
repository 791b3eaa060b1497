"""Delineations of known Dice: right ones, corrupted on purpose, in two families that share no corruption.

`for_calibration` is what the weights of `analysis.expected_dice` were fitted to; `for_proof` is what they are
held against, and nothing is chosen on it.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from ear_jax.analysis.contours import from_mask, to_mask
from ear_jax.analysis.motion import Contours
from ear_jax.analysis.polar import ANGLES
from ear_jax.cine import Cine, crop_or_pad
from ear_jax.networks.recognise import recognise
from ear_jax.networks.segment import Network, segment

READER = 0.7  # mm: standard deviation of a reader's bias at either border, and of the waves about it
ARRANGED = {  # velocity channels of a cine as a wrong header or a wrong scan gives them
  'columns and rows swapped': lambda v: v[..., [0, 2, 1, 3]],
  'column and through plane swapped': lambda v: v[..., [0, 3, 2, 1]],
  'one sign reversed': lambda v: v * np.float32([1, -1, 1, 1]),
  'all signs reversed': lambda v: v * np.float32([1, -1, -1, -1]),
  'venc twice too high': lambda v: v * np.float32([1, 2, 2, 2]),
  'venc twice too low': lambda v: v * np.float32([1, 0.5, 0.5, 0.5]),
}


class Case(NamedTuple):
  """A delineation `contours` of `cine`, and the Dice `[T]` of its frames; `size` says how corrupt, in its own unit."""

  family: str
  size: float
  cine: Cine
  contours: Contours
  dice: np.ndarray


def case(family: str, cine: Cine, contours: Contours, truth: np.ndarray, size: float = 0.0) -> Case:
  """Returns a case; `truth` `[T, H, W]`."""
  return Case(family, size, cine, contours, frame_dice(to_mask(contours, truth.shape[1:]), truth))


def frame_dice(one: np.ndarray, other: np.ndarray) -> np.ndarray:
  """Returns the Dice `[T]` of masks `[T, H, W]`; 1 where both are empty."""
  one, other = one.astype(bool), other.astype(bool)
  both, all_of_it = (one & other).sum((1, 2)), one.sum((1, 2)) + other.sum((1, 2))
  return np.where(all_of_it > 0, 2 * both / np.maximum(all_of_it, 1), 1.0)


def delineated(name: str, cine: Cine, networks: Sequence[Network]) -> Case:
  """Returns what networks, together, make of a slice as `predict` would of a study that has no other.

  A pixel size that is lost is stated to them as 1.3 mm.
  """
  seen = cine if np.isfinite(cine.spacing).all() else cine.replace(spacing=(1.3, 1.3))
  axes, _ = recognise([seen].__getitem__, 1, networks[0])
  return case(name, cine, from_mask(segment(seen, networks, axes=axes).probability), cine.mask)


def for_calibration(cine: Cine, rng: np.random.Generator) -> Iterator[Case]:
  """Yields the delineations of a slice that weights are fitted to.

  The truth is a reader's: nobody draws the border of a phantom exactly, and a score that is to agree with people must
  not ask for more.
  """
  shape = cine.mask.shape[1:]
  exact = from_mask(cine.mask)
  bias = rng.normal(0, READER, 2) / cine.spacing[0]
  waves = [READER / cine.spacing[0] * _waves(rng, len(cine.mask)) for _ in bias]
  read = _pushed(exact, *(b + w for b, w in zip(bias, waves, strict=True)))
  truth = to_mask(read, shape)
  yield case('reader', cine, read, truth)
  for family in (_rough, _thick, _bent, _drawn_out, _turned, _trembling):
    for _ in range(2):
      wrong = from_mask(to_mask(family(read, rng), shape))  # as it comes out of a mask
      yield case(family.__name__.strip('_').replace('_', ' '), cine, wrong, truth)
  for _ in range(2):
    yield case('probability', cine, from_mask(_doubted(truth, rng)), truth)


def for_proof(cines: Sequence[Cine], k: int, rng: np.random.Generator) -> Iterator[Case]:
  """Yields delineations of slice k of some people that nothing was chosen on."""
  cine, exact = cines[k], from_mask(cines[k].mask)
  frames, truth = len(cine.mask), cine.mask
  yield case('reference', cine, exact, truth)
  for pixels in (3, 5, 8, 13, 20, 30, 40):
    yield case('shift', cine, from_mask(_shifted(truth, pixels, rng)), truth, pixels)
  for factor in (0.5, 0.7, 0.85, 1.15, 1.35, 1.7):
    yield case('scale', cine, from_mask(to_mask(_scaled(exact, factor), truth.shape[1:])), truth, factor)
  same = [j for j, one in enumerate(cines) if one.dataset == cine.dataset and j != k]
  others = [j for j, one in enumerate(cines) if one.subject != cine.subject and one.mask.shape[1:] == truth.shape[1:]]
  for family, found in (('another slice', rng.permutation(same)[:2]), ('another person', rng.permutation(others)[:3])):
    for j in found:
      of_frames = cines[j].mask[np.arange(frames) * len(cines[j].mask) // frames]
      yield case(family, cine, from_mask(of_frames), truth)
  if frames > 1:
    yield case('frames permuted', cine, from_mask(truth[rng.permutation(frames)]), truth)
    yield case('half a cycle late', cine, from_mask(np.roll(truth, frames // 2, 0)), truth)
  for name, arranged in ARRANGED.items() if cine.venc else ():
    other = cine.replace(video=np.ascontiguousarray(arranged(cine.video)))
    yield case(name, other, exact, truth)
    yield case(f'{name}, shift', other, from_mask(_shifted(truth, rng.uniform(4, 14), rng)), truth)


def _waves(rng, frames, most=6):
  """Smooth functions `[T, 360]` of angle and time, RMS 1."""
  total, turn = np.zeros((frames, len(ANGLES))), np.arange(frames) / frames * 2 * np.pi
  for k in range(most):
    for h in range(3):
      a, b = rng.normal(size=2) / (1 + 0.4 * k) / (1 + h)
      total += np.cos(h * turn + rng.uniform(0, 6.3))[:, None] * (a * np.cos(k * ANGLES) + b * np.sin(k * ANGLES))
  return total / np.sqrt((total**2).mean())


def _pushed(contours, endo, epi):
  """Both borders moved outward by so many pixels, `[T, 360]` or less."""
  centre = contours.epi.mean(1, keepdims=True)
  inner, outer = (np.hypot(*np.moveaxis(side - centre, -1, 0)) for side in (contours.endo, contours.epi))
  inside = np.maximum(inner + endo, 1.5)
  outside = np.maximum(outer + epi, inside + 1)
  return dataclasses.replace(
    contours,
    endo=centre + (contours.endo - centre) * (inside / inner)[..., None],
    epi=centre + (contours.epi - centre) * (outside / outer)[..., None],
  )


def _wall(contours):
  return float(np.nanmean(np.hypot(*np.moveaxis(contours.epi - contours.endo, -1, 0))))


def _rough(contours, rng):
  """Radial noise, of either border its own."""
  frames, size = len(contours.failed), rng.uniform(0.05, 1) * 0.9 * _wall(contours)
  return _pushed(contours, size * _waves(rng, frames), size * _waves(rng, frames))


def _thick(contours, rng):
  """Dilation and erosion, of each border or of the whole ring."""
  common = rng.uniform(-2, 2) * (rng.random() < 0.6)
  endo, epi = (common + rng.uniform(-0.9, 0.9, 2)) * _wall(contours)
  return _pushed(contours, endo, epi)


def _bent(contours, rng):
  """Radial noise, the same of both borders."""
  out = rng.uniform(0.05, 1) * 2.2 * _wall(contours) * _waves(rng, len(contours.failed), 4)
  return _pushed(contours, out, out)


def _drawn_out(contours, rng):
  """Elastic deformation of the picture plane, which may change over the cycle."""
  points = np.concatenate([contours.endo, contours.epi], 1)
  turn, centre = np.arange(len(points)) / len(points) * 2 * np.pi, points.mean((0, 1))
  reach, moved = np.hypot(*(points - centre).reshape(-1, 2).T).max(), np.zeros_like(points)
  for _ in range(4):
    phase = (points - centre) @ rng.normal(size=2) * 1.6 / reach + rng.uniform(0, 6.3)
    beat = np.cos(turn + rng.uniform(0, 6.3))[:, None] if rng.random() < 0.5 else 1.0
    moved += rng.normal(size=2) * (np.sin(phase) * beat)[..., None]
  points = points + moved * rng.uniform(0.05, 1) * 2.2 * _wall(contours) / np.sqrt((moved**2).sum(-1).mean())
  count = contours.endo.shape[1]
  return dataclasses.replace(contours, endo=points[:, :count], epi=points[:, count:])


def _turned(contours, rng):
  """Rotation about a point beside the heart."""
  angle = rng.uniform(-0.8, 0.8) * np.pi
  about = contours.epi.mean((0, 1)) + rng.normal(size=2) * 1.5 * _wall(contours)
  turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
  endo, epi = ((side - about) @ turn + about for side in (contours.endo, contours.epi))
  return dataclasses.replace(contours, endo=endo, epi=epi)


def _trembling(contours, rng):
  """Contours that move less than the heart, and tremble from frame to frame."""
  still, size = rng.uniform(), rng.uniform(0, 0.6) * _wall(contours)
  endo, epi = ((1 - still) * side + still * side.mean(0) for side in (contours.endo, contours.epi))
  slower = dataclasses.replace(contours, endo=endo, epi=epi)
  return _pushed(slower, *(size * rng.normal(size=(2, len(endo), 1))))


def _doubted(mask, rng):
  """A probability with smooth errors, as a network's."""
  soft = ndimage.gaussian_filter(mask.astype(np.float32), (0, 1, 1))
  size = rng.uniform(2, 6)
  noise = rng.normal(size=mask.shape).astype(np.float32)
  noise = ndimage.gaussian_filter(noise, (min(3, len(mask) / 5), size, size), mode='wrap')
  near = ndimage.gaussian_filter(mask.max(0).astype(np.float32), 6)
  return np.clip(soft + rng.uniform(0.07, 0.77) * noise / noise.std() * near / near.max(), 0, 1)


def _shifted(mask, pixels, rng):
  angle = rng.uniform(0, 2 * np.pi)
  return crop_or_pad(mask, -round(pixels * np.cos(angle)), -round(pixels * np.sin(angle)), *mask.shape[1:])


def _scaled(contours, factor):
  centre = contours.epi.mean((0, 1))
  endo, epi = (centre + (side - centre) * factor for side in (contours.endo, contours.epi))
  return dataclasses.replace(contours, endo=endo, epi=epi)
