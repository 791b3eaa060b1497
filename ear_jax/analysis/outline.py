"""Contours without velocities: what is left of the analysis for a magnitude-only cine, or where curves are withheld."""

from __future__ import annotations

import dataclasses

import numpy as np

from ear_jax.analysis import contours as contours_lib
from ear_jax.analysis.markers import find_markers
from ear_jax.analysis.motion import GROUPS, Contours, Settings, SliceMotion
from ear_jax.analysis.regions import find_centre, septal_points
from ear_jax.analysis.septum import Septum
from ear_jax.cine import Cine


def outline(cine: Cine, contours: Contours, *, septum: Septum, settings: Settings) -> SliceMotion:
  """Returns a motion that has mask, contours, centre and septum, and NaN for every velocity; see `slices.analyse`."""
  centre = find_centre(contours)
  frames = len(contours.failed)
  curves = {group: np.full((count, frames, 3), np.nan) for group, count in GROUPS.items()}
  return SliceMotion(
    name=cine.name,
    level=cine.level,
    spacing=cine.spacing,
    frame_interval=cine.frame_interval,
    mask=contours_lib.to_mask(contours, cine.video.shape[1:3]),
    contours=contours,
    centre=centre,
    septum=septal_points(septum.where, contours, centre, cine.spacing, cine.name),
    septal_reference=septum,
    curves=curves,
    offset={group: np.full((count, 3), np.nan) for group, count in GROUPS.items()},
    markers=find_markers(curves, cine.frame_interval, settings.orientation),
    rotation_rate=np.full(frames, np.nan),
    rotation=np.full(frames, np.nan),
    displacement=np.full((frames, 3), np.nan),
    wraps=0,
    settings=settings,
  )


def withhold(motion: SliceMotion) -> SliceMotion:
  """Returns the motion without its velocities."""
  nan = {name: np.full_like(getattr(motion, name), np.nan) for name in ('rotation_rate', 'rotation', 'displacement')}
  curves, offset = (
    {k: np.full_like(v, np.nan) for k, v in values.items()} for values in (motion.curves, motion.offset)
  )
  markers = motion.markers.assign(frame=np.nan, velocity=np.nan, time=np.nan, normalised_time=np.nan)
  return dataclasses.replace(motion, curves=curves, offset=offset, markers=markers, **nan)
