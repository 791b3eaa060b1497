"""A network's numbers beside those of the contours that came with a study, on circles whose volumes are known."""

import dataclasses
import json
import math
from types import SimpleNamespace

import numpy as np
import pytest

from ear_jax.analysis.checks_of_study import Check
from ear_jax.analysis.contours import to_mask
from ear_jax.analysis.motion import Contours
from ear_jax.analysis.polar import RAYS
from ear_jax.cine import Cine, Place
from ear_jax.report.page import page_slice, write_page
from ear_jax.report.reference import beside, tell

SPACING, HEIGHT, SHAPE = 1.5, 9.0, (64, 64)
ED, ES, WALL = 18.0, 12.0, 6.0  # pixels: radius of the cavity, and the wall at end diastole


def circles(scale=1.0, aside=0.0):
  """Contours of two frames; the wall keeps its area."""
  inner = np.array([ED, ES])
  outer = np.sqrt(inner**2 + (ED + WALL) ** 2 - ED**2)
  endo, epi = (np.array([32.0, 32.0 + aside]) + scale * r[:, None, None] * RAYS for r in (inner, outer))
  return Contours(endo, epi, ('', ''), np.zeros(2, bool))


def cine(k, drawn, *, placed=True):
  place = Place((0.0, 0.0, HEIGHT * k), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), 8.0) if placed else None
  return Cine(
    video=np.zeros((2, *SHAPE, 1), np.float32),
    mask=to_mask(drawn, SHAPE),
    annotated=~drawn.failed,
    subject='p',
    dataset='p',
    slice_id=f'slice-{k:02d}',
    level='',
    venc=None,
    spacing=(SPACING, SPACING),
    frame_interval=30.0,
    place=place,
  )


def motion(contours):
  return SimpleNamespace(contours=contours, mask=to_mask(contours, SHAPE))


def of_slices(network, drawn, **how):
  found = {f'slice-{k:02d}': beside(cine(k, drawn, **how), motion(network), drawn, {}) for k in range(3)}
  return tell(found), found


def test_volumes_are_those_of_the_circles_and_dice_is_of_the_frames_with_both():
  told, found = of_slices(circles(1.1), circles())
  disc = math.pi * SPACING**2 * HEIGHT * 3 / 1000
  want = {'EDV': ED**2 * disc, 'ESV': ES**2 * disc, 'mass': 1.05 * ((ED + WALL) ** 2 - ED**2) * disc}
  for name, value in want.items():
    one = told['quantities'][name]
    assert (one['reference'], one['network']) == pytest.approx((value, 1.21 * value), rel=2e-3)
  ef = told['quantities']['ejection fraction']
  assert ef['unit'] == '%'
  assert [ef['reference'], ef['network']] == pytest.approx([100 * (1 - (ES / ED) ** 2)] * 2, abs=0.1)
  assert (told['frames'], told['dice_frames'], told['left_out'], told['ed_frame'], told['es_frame']) == (6, 6, 0, 0, 1)
  own, other = to_mask(circles(1.1), SHAPE).astype(bool), to_mask(circles(), SHAPE).astype(bool)
  assert told['dice'] == pytest.approx(
    np.mean(2 * (own & other).sum((1, 2)) / (own.sum((1, 2)) + other.sum((1, 2)))), abs=1e-4
  )

  found['slice-02'] = found['slice-02'].without_network(np.ones(2, bool))  # the network found no ventricle there
  less = tell(found)
  assert (less['left_out'], less['dice_frames']) == (1, 4)
  assert less['quantities']['EDV']['reference'] == pytest.approx(2 / 3 * want['EDV'], rel=2e-3)
  assert json.loads(json.dumps(told)) == told


def test_without_places_there_is_no_volume_but_what_needs_none():
  told, _ = of_slices(circles(1.1), circles(), placed=False)
  assert told['quantities']['EDV']['unit'] == '% of reference'
  assert told['quantities']['EDV']['network'] == pytest.approx(121, abs=0.3)
  assert told['quantities']['ejection fraction']['unit'] == '%'


def test_a_study_without_contours_shows_nothing():
  drawn = dataclasses.replace(circles(), failed=np.ones(2, bool))
  assert beside(cine(0, drawn), motion(circles()), None, {}) is None
  assert tell({}) is None


def test_the_page_has_the_table_and_only_where_there_is_a_reference(tmp_path):
  told, _ = of_slices(circles(1.1, aside=1.0), circles())
  given = {'pseudonym': 'p', 'checks': [Check('contours', '', 'pass', '')], 'settings': {}, 'versions': {}}
  slices = [page_slice(cine(0, circles()), None)]
  write_page(tmp_path / 'with.html', slices=slices, withheld=True, beside=told, **given)
  write_page(tmp_path / 'without.html', slices=slices, withheld=True, **given)
  page = (tmp_path / 'with.html').read_text()
  assert 'Network and reference' in page
  assert f'<td>{told["dice"]:.3f}</td>' in page
  assert 'Both are sums over the same 3 of 3 slices' in page
  assert 'Network and reference' not in (tmp_path / 'without.html').read_text()
  assert '<th scope="col">difference</th>' in page
  alone = told | {'quantities': {}, 'missing': 'the slices are no stack'}
  write_page(tmp_path / 'dice.html', slices=slices, withheld=True, beside=alone, **given)
  assert '<th scope="col">difference</th>' not in (tmp_path / 'dice.html').read_text()
