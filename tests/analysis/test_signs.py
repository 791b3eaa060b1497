"""The sign of each velocity, told by what a heart does: the oracle is a phantom whose signs are known."""

import re

import numpy as np
import pytest

from ear_jax.analysis.checks_of_study import check_slice
from ear_jax.analysis.motion import Settings
from ear_jax.analysis.slices import analyse
from ear_jax.phantom import study

SMALL = study.Size('small', 1, 0, (1,), 16, 64, 1.8, 1.8, offset=5.0, sharing=0.0)


@pytest.fixture(scope='module')
def cines():
  return [study.render(plan) for plan in study.plan(SMALL, seed=1)]


def signs_of(cine, mask=None, **settings):
  (found,) = [
    c
    for c in check_slice(cine, analyse(cine, cine.mask if mask is None else mask, settings=Settings(**settings)))
    if c.name == 'signs'
  ]
  return found


def turned(cine, *channels):
  video = cine.video.copy()
  video[..., [1 + channel for channel in channels]] *= -1
  return cine.replace(video=video)


def test_a_heart_moves_inward_and_to_the_apex_in_systole(cines):
  for cine in cines:
    found = signs_of(cine)
    assert found.status == 'pass'
    assert min(map(float, re.findall(r'[+-]\d\.\d\d', found.reason))) > 0.8
    assert 'systole is when the cavity narrows, by its contours' in found.reason


@pytest.mark.parametrize(
  ('channels', 'flag'), [((0,), '-1,1,1'), ((1,), '1,-1,1'), ((2,), '1,1,-1'), ((0, 1, 2), '-1,-1,-1')]
)
def test_a_velocity_against_the_heart_fails_and_the_flag_that_is_named_cures_it(cines, channels, flag):
  for cine in cines[:2]:
    wrong = turned(cine, *channels)
    found = signs_of(wrong)
    assert found.status == 'fail'
    assert f'--signs={flag} turns it' in found.reason
    assert signs_of(wrong, signs=tuple(map(int, flag.split(',')))).status == 'pass'
  # Turned by the flag itself, the flag that is named takes that into account.
  assert '--signs=1,1,1 turns it' in signs_of(cines[0], signs=tuple(map(int, flag.split(',')))).reason


def test_it_does_not_matter_with_which_frame_a_scan_begins(cines):
  cine = cines[1]
  later = cine.replace(video=np.roll(cine.video, 7, 0), mask=np.roll(cine.mask, 7, 0))
  assert signs_of(later).status == 'pass'
  assert signs_of(turned(later, 2)).status == 'fail'


def test_exchanged_directions_do_not_pass(cines):
  exchanged = np.ascontiguousarray(cines[1].video[..., [0, 2, 1, 3]])
  assert signs_of(cines[1].replace(video=exchanged)).status == 'fail'  # by 0.03 cm/s: it moves 1.03 of 1.0 cm/s
  found = signs_of(cines[1].replace(video=exchanged * np.float32([1, 0.9, 0.9, 1])))
  assert found.status == 'warn'
  assert 'are directions exchanged' in found.reason


def test_contours_that_do_not_move_leave_it_to_time_which_only_warns(cines):
  still = np.repeat(cines[1].mask[:1], len(cines[1].mask), 0)
  assert signs_of(cines[1], still).status == 'pass'
  found = signs_of(turned(cines[1], 2), still)
  assert found.status == 'warn'
  assert 'by time: contours hardly move' in found.reason
  assert '--signs=1,1,-1' in found.reason


def test_a_velocity_that_hardly_moves_tells_nothing(cines):
  video = cines[1].video.copy()
  video[..., 3] *= 0.05
  found = signs_of(turned(cines[1].replace(video=video), 2))
  assert found.status == 'pass'
  assert 'through the plane hardly moves' in found.reason


def test_few_frames_tell_nothing(cines):
  cine = cines[1]
  short = cine.replace(video=cine.video[:5], mask=cine.mask[:5], annotated=cine.annotated[:5])
  assert not [c for c in check_slice(short, analyse(short, short.mask)) if c.name == 'signs']


def test_noise_of_a_cine_too_short_is_a_sentence_without_infinity(cines):
  """Case S14."""
  cine = cines[1]
  short = cine.replace(video=cine.video[:3], mask=cine.mask[:3], annotated=cine.annotated[:3])
  (noise,) = [c for c in check_slice(short, analyse(short, short.mask)) if c.name == 'noise']
  assert noise.status == 'fail'
  assert noise.reason == 'not known: no pixel lies in the wall in three of at least four frames running'
