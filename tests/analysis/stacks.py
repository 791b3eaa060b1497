"""Stacks of phantom people that go beyond base and apex, as contours: planes that the valve crosses, atria above them.

The wall of each plane is the phantom's own. The valve's plane, tilted, descends through it with the phantom's base, and
takes the wall away on whose side of it there is none; above it lies an atrium that fills in systole. `FAULTS` are
delineations that went wrong, which must stay failures.
"""

import dataclasses
import itertools
import pathlib

import numpy as np
from PIL import Image

from ear_jax.analysis.contours import from_mask
from ear_jax.analysis.expected_dice import Expected
from ear_jax.analysis.motion import Settings, SliceMotion
from ear_jax.analysis.outline import outline
from ear_jax.analysis.septum import given
from ear_jax.cine import Cine, Place
from ear_jax.phantom import study as phantom
from ear_jax.phantom.study import MINI, SlicePlan

DISTANCE = 8.0  # mm between planes
_ACROSS, _DOWN = (-0.664, -0.748, 0.0), (-0.419, 0.372, -0.829)  # in the patient, as the phantom's files have it


@dataclasses.dataclass(frozen=True, eq=False)
class Planned:
  """A stack from base to apex, and what each of its slices is.

  Attributes:
    masks: `[S, T, H, W]` bool.
    whole: `[S, T]` bool, the ventricle's wall is a whole ring in this plane.
    above: `[S]` bool, above the ventricle in all frames.
    es, ed: frames.
  """

  masks: np.ndarray
  whole: np.ndarray
  above: np.ndarray
  ed: int
  es: int


def planned(person: int, rng: np.random.Generator, *, first: float = -12.0, distance: float = DISTANCE) -> Planned:
  """Returns the stack of a phantom person; its first plane lies `first` mm from the valve at end diastole."""
  base = phantom.first_visit(MINI, subject=person)[0]
  heart = phantom.people(base)[0].heart
  descent = np.array([phantom.people(base)[2].at(t).descent for t in phantom.times(MINI)])
  descent -= descent.min()
  towards, tilt = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.35)  # rad: of the valve against the planes
  masks, whole, above = [], [], []
  for depth in np.arange(first, 0.97 * heart.length, distance):
    found = _plane(base, depth, heart.length, descent, towards, tilt, rng)
    for values, value in zip((masks, whole, above), found, strict=True):
      values.append(value)
  return Planned(np.array(masks), np.array(whole), np.array(above), int(descent.argmin()), int(descent.argmax()))


def _plane(base: SlicePlan, depth, length, descent, towards, tilt, rng):
  plan = dataclasses.replace(base, position=float(np.clip(depth / length, 0, 1)))
  known = phantom.truth(plan)
  wall, frames = known.mask.astype(bool), len(known.mask)
  rows, columns = np.indices(wall.shape[1:])
  valve = np.empty(wall.shape)
  for t, (row, column) in enumerate(known.centre):
    side = (rows - row) * np.sin(towards) + (columns - column) * np.cos(towards)
    valve[t] = descent[t] + np.tan(tilt) * side * MINI.spacing
  below = valve < depth
  if (below & wall).sum((1, 2)).max() < 0.5 * wall.sum((1, 2)).min():
    return _atrium(known.centre, descent, wall.shape, rng), np.zeros(frames, bool), True
  return wall & below, (wall & ~below).sum((1, 2)) == 0, False


def _atrium(centre, descent, shape, rng):
  """A ring that fills while the base descends."""
  inner, grows = rng.uniform(10, 17), rng.uniform(0.05, 0.25)
  away = np.hypot(*(np.indices(shape[1:])[None] - centre.T[:, :, None, None].swapaxes(0, 1)).swapaxes(0, 1))
  radius = inner * (1 + grows * descent / descent.max()) / MINI.spacing
  return (away > radius[:, None, None]) & (away < (radius + 5 / MINI.spacing)[:, None, None])


def motions(masks: np.ndarray) -> list[SliceMotion]:
  """Returns the analysis of masks `[S, T, H, W]`."""
  found, normal = [], np.cross(_ACROSS, _DOWN)
  for k, mask in enumerate(masks):
    place = Place(tuple(k * DISTANCE * normal), _ACROSS, _DOWN, DISTANCE)
    frames = len(mask)
    cine = Cine(
      np.ones((*mask.shape, 1), np.float32), np.zeros(mask.shape, np.uint8), np.zeros(frames, bool), None,
      (MINI.spacing, MINI.spacing), 50.0, 'x', 'x', f's{k}', place=place,
    )  # fmt: skip
    found.append(outline(cine, from_mask(mask), septum=given(None), settings=Settings()))
  return found


def expected(one: SliceMotion, dice: float = 0.85) -> Expected:
  """Returns an expected Dice of frames with a ring."""
  by_frame = np.where(one.contours.failed, 0.0, dice)
  return Expected(float(by_frame.mean()), by_frame, {}, 'magnitude' if dice * by_frame.mean() > 0 else '', ())


def opened(mask: np.ndarray, frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
  """Returns `[T, H, W]` with a gap of 70 to 150 degrees in the wall, in some frames."""
  begin, width = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(70, 150))
  centre = np.argwhere(mask.any(0)).mean(0)
  rows, columns = np.indices(mask.shape[1:])
  turned = (np.arctan2(rows - centre[0], columns - centre[1]) - begin) % (2 * np.pi)
  return np.where(np.asarray(frames)[:, None, None], mask & (turned > width), mask)


def beside_sunnybrook(folder: pathlib.Path) -> list[float]:
  """Returns how far true rings lie beside lines through others, over the largest radius: one or two planes beyond three
  or more neighbours, of the end-diastolic masks of all patients; pixels, and planes at equal distances."""
  stacks: dict[str, dict[int, np.ndarray]] = {}
  for path in sorted((folder / 'epi').glob('*.png')):
    patient, _, number = path.stem.rpartition('-IM-0001-')
    if (mask := np.asarray(Image.open(path)) > 0).any():
      stacks.setdefault(patient, {})[(int(number) - 1) // 20] = mask
  return [share for masks in stacks.values() for share in beside_neighbours(masks)]


def beside_neighbours(masks: dict[int, np.ndarray]) -> list[float]:
  """Returns the same of areas within epicardia, by the number of their plane."""
  centres = {k: np.argwhere(mask).mean(0) for k, mask in masks.items()}
  radii = {k: np.sqrt(mask.sum() / np.pi) for k, mask in masks.items()}
  order, shares = sorted(masks), []
  for first, last in itertools.combinations(range(len(order) + 1), 2):
    others = order[first:last]
    if len(others) < 3:
      continue
    line = np.polynomial.polynomial.polyfit(others, [centres[k] for k in others], 1)
    for at in {first - 2, first - 1, last, last + 1} & {*range(len(order))}:
      k = order[at]
      off = np.linalg.norm(centres[k] - line[0] - line[1] * k)
      shares.append(float(off / max(radii[j] for j in others)))
  return shares


def about(frame: int, reach: int, frames: int) -> np.ndarray:
  """Returns `[T]` bool, frames at most `reach` from one."""
  away = abs(np.arange(frames) - frame)
  return np.minimum(away, frames - away) <= reach
