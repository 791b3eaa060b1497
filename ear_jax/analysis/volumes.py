"""Volumes of the left ventricle over the cycle from the slices of a study: the sum of discs.

A disc is the area within a slice's contour, times the distance of the slices' planes by their place in the patient (not
the thickness, which leaves gaps out). What a stack does not show is not made up: no volume is given then, and a
sentence says why. The definitions are in `docs/analysis.md`.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from ear_jax.analysis.contours import polygon_area
from ear_jax.analysis.coverage import gone, holding, leaves, missing_because, notes_on, slice_id
from ear_jax.analysis.depth import stack_of
from ear_jax.analysis.motion import SliceMotion, region_names
from ear_jax.analysis.outline import NO_VENTRICLE
from ear_jax.analysis.periodic import bridge_gaps
from ear_jax.analysis.ring import NOTHING
from ear_jax.analysis.thickness import thickness

DENSITY = 1.05  # g/mL of myocardium
_ML = 1000.0  # mm3
_MEASURED = ('endo', 'epi', 'cavity', 'wall', 'thickness')


@dataclasses.dataclass(frozen=True, eq=False)
class Volumes:
  """What the slices of a study hold together; S slices from base to apex, T frames.

  Attributes:
    slices: their ids.
    endo, epi: `[S, T]`, areas within the contours in `unit`: 0 where the slice lies beyond the ventricle, NaN without
      contours.
    height: `[S]` mm of the long axis that each slice stands for; NaN when unknown.
    cavity, wall: `[T]` mL; NaN in frames in which a slice has no contours, and everywhere when `missing` says why.
    ed, es: frames of end diastole and end systole, common to all slices: of the largest and the smallest cavity, or as
      given; None when unknown.
    thickness: `[S, 6, T]` mm, mean radial thickness of the wall by sector; NaN when unknown.
    sectors: their names.
    frame_interval: ms, mean over the slices; NaN when unknown.
    unit: of areas, 'mm2' or 'px2'.
    missing: why there are no volumes, in a sentence; '' when there are.
    notes: what a reader of the volumes must know, a sentence each.
    holding: which slices hold the ventricle, in some frames only, and in none, in words.
  """

  slices: tuple[str, ...]
  endo: np.ndarray
  epi: np.ndarray
  height: np.ndarray
  cavity: np.ndarray
  wall: np.ndarray
  ed: int | None
  es: int | None
  thickness: np.ndarray
  sectors: tuple[str, ...]
  frame_interval: float
  unit: str
  missing: str
  notes: tuple[str, ...]
  holding: str

  def __repr__(self) -> str:
    return f'Volumes({len(self.slices)} slices, {self.missing or f"ejection fraction {self.ejection_fraction:.0f} %"})'

  @property
  def edv(self) -> float:
    """End-diastolic volume, mL; this and the following are NaN when `missing` says why."""
    return _at(self.cavity, self.ed)

  @property
  def esv(self) -> float:
    """End-systolic volume, mL."""
    return _at(self.cavity, self.es)

  @property
  def stroke_volume(self) -> float:
    """End-diastolic minus end-systolic volume, mL."""
    return self.edv - self.esv

  @property
  def ejection_fraction(self) -> float:
    """Stroke volume over end-diastolic volume, %."""
    return 100 * self.stroke_volume / self.edv

  @property
  def mass(self) -> float:
    """Of the wall at end diastole, g."""
    return DENSITY * _at(self.wall, self.ed)

  @property
  def mass_es(self) -> float:
    """Of the wall at end systole, g: the same muscle, so that the difference tells how exact both are."""
    return DENSITY * _at(self.wall, self.es)

  @property
  def thickening(self) -> np.ndarray:
    """`[S, 6]` %, how much thicker each sector is at end systole than at end diastole; NaN when these are unknown."""
    before, after = (self.thickness_at(frame) for frame in (self.ed, self.es))
    return 100 * (after / before - 1)

  def thickness_at(self, frame: int | None) -> np.ndarray:
    """Returns `[S, 6]` mm, the thickness in one frame; NaN for None."""
    return np.full(self.thickness.shape[:2], math.nan) if frame is None else self.thickness[..., frame]

  def to_frame(self) -> pd.DataFrame:
    """Returns one line a frame: frame, time_ms, cavity_mL, wall_mL."""
    frame = np.arange(len(self.cavity))
    time = frame * self.frame_interval
    return pd.DataFrame({'frame': frame, 'time_ms': time, 'cavity_mL': self.cavity, 'wall_mL': self.wall})


def volumes(motions: Sequence[SliceMotion], *, ed_frame: int | None = None, es_frame: int | None = None) -> Volumes:
  """Returns the volumes of a study's slices.

  Args:
    motions: its slices from base to apex, one or more.
    ed_frame, es_frame: frames of end diastole and end systole; None: those of the largest and the smallest cavity.

  Raises: ValueError when there is no slice, or a frame is given that the slices do not have.

  >>> study = ear_jax.phantom_study()  # three slices that do not say where they lie
  >>> found = ear_jax.volumes([ear_jax.analyse(cine, cine.mask) for cine in study])
  >>> found.missing
  'where the slices lie in the patient is not known for all of them, so their distance is not'
  """
  if not motions:
    raise ValueError('volumes of no slice')
  frames = sorted({len(motion.mask) for motion in motions})
  for name, frame in (('ed_frame', ed_frame), ('es_frame', es_frame)):
    if frame is not None and not 0 <= frame < frames[0]:
      raise ValueError(f'{name} {frame}: frames are 0 to {frames[0] - 1}')
  inside = _inside(motions)
  endo, epi = (_areas(motions, side, frames[-1], inside) for side in ('endo', 'epi'))
  stack = stack_of([motion.place for motion in motions])
  height = stack.height
  cavity, wall = (_sum(height, area) for area in (endo, epi - endo))
  by_area = _sum(np.where(np.isfinite(height), height, 1.0), endo)  # tells the frames where no volume is known
  ed, es = (None, None) if len(frames) > 1 else _ends(by_area, ed_frame, es_frame)
  missing = missing_because(motions, inside, frames, by_area, (ed, es), stack, endo)
  notes: tuple[str, ...] = ()
  if missing:
    cavity, wall = np.full_like(cavity, math.nan), np.full_like(wall, math.nan)
  elif ed is not None and es is not None:
    asked = (('diastole', ed_frame), ('systole', es_frame))
    notes = tuple(f'end {name} is frame {frame}, as given' for name, frame in asked if frame is not None)
    notes += notes_on(motions, inside, by_area, stack, endo, (ed, es))
  thick = np.stack([_padded(thickness(motion), frames[-1]) for motion in motions])
  return Volumes(
    slices=tuple(map(slice_id, motions)),
    endo=endo,
    epi=epi,
    height=height,
    cavity=cavity,
    wall=wall,
    ed=ed,
    es=es,
    thickness=thick,
    sectors=region_names('angular6', motions[0].settings.orientation),
    frame_interval=float(np.mean([motion.frame_interval for motion in motions])),
    unit='px2' if any(math.isnan(s) for motion in motions for s in motion.spacing) else 'mm2',
    missing=missing,
    notes=notes,
    holding=holding(motions, endo),
  )


def withheld(volumes: Volumes, reason: str) -> Volumes:
  """Returns the same slices without any number that was measured, and with a sentence why."""
  unknown = {name: np.full_like(getattr(volumes, name), math.nan) for name in _MEASURED}
  return dataclasses.replace(volumes, **unknown, ed=None, es=None, missing=reason, notes=())


def _areas(motions: Sequence[SliceMotion], side: str, frames: int, inside: range) -> np.ndarray:
  """`[S, T]` mm2; 0 beyond the ventricle, and in frames without anything to delineate in the slices at its ends.

  A plane that the ventricle leaves in part holds most of it still: its area is that of the frames beside.
  """
  areas = np.zeros((len(motions), frames))
  for k in inside:
    motion = motions[k]
    pixel = math.prod(motion.spacing)
    area = polygon_area(getattr(motion.contours, side)) * (1.0 if math.isnan(pixel) else pixel)
    areas[k] = _padded(area[None], frames)[0]
    if k in (inside[0], inside[-1]):
      areas[k, : len(area)][gone(motion)] = 0
    if (partly := leaves(motion)).any():
      areas[k, : len(area)] = np.where(partly, bridge_gaps(areas[k, : len(area)]), areas[k, : len(area)])
  return areas


def _inside(motions: Sequence[SliceMotion]) -> range:
  """The slices from the first to the last in which there is anything of a ventricle."""
  holds = [not {*motion.contours.flags} <= {NO_VENTRICLE, NOTHING} for motion in motions]
  return range(holds.index(True), len(holds) - holds[::-1].index(True)) if any(holds) else range(len(motions))


def _ends(cavity: np.ndarray, ed_frame: int | None, es_frame: int | None) -> tuple[int | None, int | None]:
  """Frames of the largest and the smallest cavity, where two or more are known, unless given."""
  if np.isfinite(cavity).sum() > 1:
    ed_frame = int(np.nanargmax(cavity)) if ed_frame is None else ed_frame
    es_frame = int(np.nanargmin(cavity)) if es_frame is None else es_frame
  return ed_frame, es_frame


def _sum(height: np.ndarray, area: np.ndarray) -> np.ndarray:
  """`[T]` mL."""
  return (height[:, None] * area).sum(0) / _ML


def _padded(values: np.ndarray, frames: int) -> np.ndarray:
  """`[..., T]` with NaN up to a number of frames."""
  return np.pad(values, ((0, 0), (0, frames - values.shape[-1])), constant_values=math.nan)


def _at(curve: np.ndarray, frame: int | None) -> float:
  return math.nan if frame is None else float(curve[frame])
