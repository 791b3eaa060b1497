"""What is said of contours that a person drew: right ones pass, careless ones warn and are not refused."""

import pytest

from ear_jax.analysis.drawn import as_drawn
from ear_jax.analysis.expected_dice import expected_dice
from ear_jax.phantom import study
from ear_jax.workflows import examine


@pytest.mark.parametrize(('endo', 'epi', 'frames', 'status'), [
  (1.0, 1.0, 16, 'pass'),
  (1.0, 1.0, 3, 'pass'),  # frames that were not drawn do not count against those that were
  (1.0, 0.8, 16, 'warn'),  # the outer border within the wall, whose edges are still found
])  # fmt: skip
def test_careless_contours_warn(endo, epi, frames, status):
  plan = study.first_visit('mini', seed=2)[1]
  cine, truth = study.render(plan), study.truth(plan)
  centre = truth.centre[:, None]
  sides = [centre + size * (side - centre) for size, side in ((endo, truth.endo), (epi, truth.epi))]
  drawn = [(inner, outer) if k < frames else None for k, (inner, outer) in enumerate(zip(*sides, strict=True))]
  contours = as_drawn(drawn)
  assert contours.failed.sum() == len(cine.mask) - frames
  check = examine._on_wall(cine, contours, expected_dice(cine, contours))
  assert check.status == status, check.reason
  assert ('would have an expected Dice of' in check.reason) == (status == 'warn')
