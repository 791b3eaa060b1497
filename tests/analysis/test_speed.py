"""Velocities of the wrong size are told by the contours, which know nothing of them."""

import dataclasses

import numpy as np
import pytest

from ear_jax.analysis.checks_of_study import check_slice
from ear_jax.analysis.slices import analyse
from ear_jax.analysis.speed import speed
from ear_jax.phantom import study

SMALL = study.Size('small', 2, 0, (2,), 20, 96, 1.2, 1.7, offset=5.0, margin=8, sharing=0.0)
CINES = [study.render(plan) for plan in study.plan(SMALL, seed=1)]


@pytest.mark.parametrize(('factor', 'status'), [(1.0, 'pass'), (2.0, 'warn'), (0.5, 'warn')])
def test_a_venc_that_is_wrong_by_two_is_a_warning_with_the_factor(factor, status):
  """Case S7: the curve was doubled, and nothing but the text of the protocol could tell."""
  for cine in CINES:
    wrong = cine.replace(
      video=cine.video * np.float32([1, factor, factor, factor]), venc=tuple(factor * v for v in cine.venc)
    )
    motion = analyse(wrong, wrong.mask)
    found = speed(motion)
    assert found.ratio == pytest.approx(1 / factor, rel=0.2)
    assert found.correlation > 0.95
    (check,) = [check for check in check_slice(wrong, motion) if check.name == 'size of velocities']
    assert check.status == status


def test_nothing_is_said_where_it_cannot_be_told():
  motion = analyse(CINES[0], CINES[0].mask)
  assert speed(dataclasses.replace(motion, frame_interval=np.nan)) is None
  assert speed(dataclasses.replace(motion, spacing=(np.nan, np.nan))) is None
  grey = CINES[0].replace(video=CINES[0].video[..., :1], venc=None)
  assert speed(analyse(grey, grey.mask)) is None
