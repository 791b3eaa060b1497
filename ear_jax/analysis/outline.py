"""Contours without velocities: what is left of the analysis for a magnitude-only cine, or where curves are withheld."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ear_jax.analysis.contours import to_mask
from ear_jax.analysis.markers import find_markers
from ear_jax.analysis.motion import GROUPS, Contours, Settings, SliceMotion
from ear_jax.analysis.regions import find_centre, septal_points
from ear_jax.analysis.septum import Septum
from ear_jax.analysis.strain import unknown
from ear_jax.cine import Cine

NO_VENTRICLE = 'no ventricle here'
LEAVING = 'the ventricle leaves the plane'  # which holds a part of it
NOT_SOUND = 'no sound wall found'


def outline(cine: Cine, contours: Contours, *, septum: Septum, settings: Settings) -> SliceMotion:
  """Returns a motion that has mask, contours, centre and septum, and NaN for every velocity; see `slices.analyse`."""
  centre = find_centre(contours)
  return SliceMotion(
    name=cine.name,
    level=cine.level,
    spacing=cine.spacing,
    frame_interval=cine.frame_interval,
    mask=to_mask(contours, cine.video.shape[1:3]),
    contours=contours,
    centre=centre,
    septum=septal_points(septum.where, contours, centre, cine.spacing, cine.name),
    septal_reference=septum,
    wraps=0,
    settings=settings,
    place=cine.place,
    venc=cine.venc,
    **_unknown(len(contours.failed), cine.frame_interval, settings),
  )


def withhold(motion: SliceMotion) -> SliceMotion:
  """Returns the motion without its velocities."""
  return dataclasses.replace(motion, **_unknown(len(motion.mask), motion.frame_interval, motion.settings))


def without_ring(motion: SliceMotion, flags: Sequence[str]) -> SliceMotion:
  """Returns the motion without contours and mask in the frames with a flag `[T]` that says why, and without velocities.

  Curves over a part of the cycle would be false: their mean over the cycle is taken to be background phase.
  """
  gone, before = np.array([bool(flag) for flag in flags]), motion.contours

  def left(values: np.ndarray) -> np.ndarray:
    return np.where(gone.reshape(-1, *[1] * (values.ndim - 1)), np.nan, values)

  contours = dataclasses.replace(
    before,
    endo=left(before.endo),
    epi=left(before.epi),
    flags=tuple(new or old for new, old in zip(flags, before.flags, strict=True)),
    failed=before.failed | gone,
  )
  mask = np.where(gone[:, None, None], 0, motion.mask).astype(motion.mask.dtype)
  centre, septum = left(motion.centre), left(motion.septum)
  return withhold(dataclasses.replace(motion, mask=mask, contours=contours, centre=centre, septum=septum, wraps=0))


def without_wall(contours: Contours) -> np.ndarray:
  """Returns `[T]` bool, frames in which a slice holds no whole ring of the ventricle: none was lost there."""
  return np.array([flag in (NO_VENTRICLE, LEAVING) for flag in contours.flags])


@functools.lru_cache(4)
def _no_markers(frames: int, frame_interval: float, orientation: str) -> pd.DataFrame:
  """The table of markers without values: it takes as long to make as one with values."""
  return find_markers(_no_curves(frames), frame_interval, orientation)


def _no_curves(frames: int) -> dict[str, np.ndarray]:
  return {group: np.full((count, frames, 3), np.nan) for group, count in GROUPS.items()}


def _unknown(frames: int, frame_interval: float, settings: Settings) -> dict[str, Any]:
  """What an analysis holds of velocities, all NaN."""
  curves = _no_curves(frames)
  return {
    'curves': curves,
    'offset': {group: values[:, 0] for group, values in curves.items()},
    'markers': _no_markers(frames, frame_interval, settings.orientation).copy(),
    'rotation_rate': np.full(frames, np.nan),
    'rotation': np.full(frames, np.nan),
    'displacement': np.full((frames, 3), np.nan),
    'strain': unknown(frames),
    'inward': None,
  }
