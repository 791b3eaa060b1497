"""Slices whose motion is known: the phantom without a scanner, and rings by formula."""

import functools

import numpy as np

from ear_jax.cine import Cine
from ear_jax.phantom import study

SIZE = study.Size('exact', 1, 0, (1,), 50, 128, 0.85, 1.7, offset=6.0)
PLANS = study.plan(SIZE)  # base, mid, apex


@functools.cache
def exact(index):
  """The truth of a slice, and a cine of its velocity inside the wall as 12-bit phase would store it."""
  plan = PLANS[index]
  truth = study.truth(plan)
  step = np.array(plan.size.venc) / 2048
  velocity = np.rint(truth.velocity / step) * step
  video = np.concatenate([np.full((*truth.mask.shape, 1), 100.0), velocity], -1).astype(np.float32)
  interval = 1000 * study.people(plan)[1].timing.rr / plan.size.frames
  return truth, make(video, truth.mask, spacing=(plan.size.spacing,) * 2, frame_interval=interval)


def true_curves(truth):
  """`[T, 3]` longitudinal, radial, circumferential without their means over the cycle."""
  curves = np.stack([truth.longitudinal, truth.radial, truth.circumferential], -1)
  return curves - curves.mean(0)


def make(video, mask=None, spacing=(1.0, 1.0), frame_interval=20.0, venc=(20.0, 20.0, 30.0)):
  """A cine of a video `[T, H, W, 4]`."""
  mask = np.zeros(video.shape[:3], np.uint8) if mask is None else mask
  ids = {'subject': 's', 'dataset': 'd', 'slice_id': 'sax1', 'level': 'mid'}
  frames = np.ones(len(video), bool)
  return Cine(video.astype(np.float32), mask.astype(np.uint8), frames, venc, spacing, frame_interval, **ids)


def ring(shape, centre, inner, outer, spacing=(1.0, 1.0)):
  """`[H, W]` bool, pixel centres between two circles; centre in pixels, radii in units of `spacing`."""
  row, column = np.indices(shape)
  distance = np.hypot((row - centre[0]) * spacing[0], (column - centre[1]) * spacing[1])
  return (distance >= inner) & (distance <= outer)


def rms(difference):
  """Root mean square over frames: the second axis from the right."""
  return np.sqrt(np.mean(np.square(difference), axis=-2))
