"""The quality gate passes a sound slice and names what is wrong with a broken one."""

import dataclasses

import numpy as np
import pytest

from ear_jax.analysis.checks_of_study import (
  area_jumps,
  check_alike,
  check_markers,
  check_slice,
  check_study,
  smallest_cavity,
  velocity_noise,
)
from ear_jax.analysis.expected_dice import expected_dice
from ear_jax.analysis.motion import Settings
from ear_jax.analysis.outline import withhold
from ear_jax.analysis.slices import analyse, analyse_with_contours
from ear_jax.phantom import study

SMALL = study.Size('small', 2, 0, (2,), 20, 96, 1.2, 1.7, offset=5.0, margin=8, sharing=0.0)


@pytest.fixture(scope='module')
def cine():
  return study.render(study.plan(SMALL, seed=1)[1])


@pytest.fixture(scope='module')
def motion(cine):
  return analyse(cine, cine.mask, septum=np.pi / 2)


def status(checks, name):
  (found,) = [check for check in checks if check.name == name]
  return found.status


def test_a_sound_slice_passes(cine, motion):
  checks = check_slice(cine, motion, expected_dice(cine, motion.contours))
  assert {check.status for check in checks} == {'pass'}, [c for c in checks if c.status != 'pass']
  assert {check.slice_id for check in checks} == {cine.slice_id}


def _noisy(cine, rng):
  video = cine.video.copy()
  video[..., 1:] = rng.uniform(-1, 1, video[..., 1:].shape) * np.float32(cine.venc)
  return cine.replace(video=video)


def _shifted(cine, by):
  video = cine.video.copy()
  video[..., 3] += by
  return cine.replace(video=video)


@pytest.mark.parametrize(
  ('broken', 'name', 'expected'),
  [
    (lambda c, m: (_noisy(c, np.random.default_rng(0)), m), 'noise', 'fail'),
    (lambda c, m: (c, dataclasses.replace(m, wraps=int(0.02 * m.mask.sum()))), 'phase wraps', 'warn'),
    (lambda c, m: (c, dataclasses.replace(m, wraps=int(0.2 * m.mask.sum()))), 'phase wraps', 'fail'),
    (lambda c, m: (c.replace(frame_interval=np.nan), m), 'frame interval', 'warn'),
    (lambda c, m: (c.replace(spacing=(np.nan, np.nan)), m), 'pixel spacing', 'warn'),
    (lambda c, m: (c, dataclasses.replace(m, spacing=(3.0, 3.0))), 'size of the heart', 'fail'),
  ],
)
def test_what_is_broken_is_named(cine, motion, broken, name, expected):
  assert status(check_slice(*broken(cine, motion)), name) == expected


def test_value_and_limits_stand_in_one_unit(cine, motion):
  said = {check.name: check.reason for check in check_slice(cine, dataclasses.replace(motion, wraps=0))}
  assert said['contours'] == '0 of 20 frames without contours: 0 % (warns above 0 %, fails above 20 %)'
  rings = 'frames with a ring closed or interpolated: 0 % (warns above 30 %, never fails)'
  assert said['repaired rings'] == f'0 of 20 {rings}'
  assert said['phase wraps'].endswith(': 0 % (warns above 0.1 %, fails above 5 %)')
  assert said['noise'].endswith(' of venc (warns above 0.08 of venc, fails above 0.25 of venc)')
  for name, reason in said.items():
    assert 'warns' in reason or 'fails' in reason, (name, reason)


@pytest.mark.parametrize(('offset', 'expected'), [(2.0, 'pass'), (6.0, 'warn'), (14.0, 'fail')])
def test_background_is_the_mean_over_the_cycle(cine, offset, expected):
  shifted = _shifted(cine, offset)
  found = analyse(shifted, shifted.mask, septum=np.pi / 2, settings=Settings(unwrap=False))
  assert status(check_slice(shifted, found), 'background') == expected


def test_lost_frames_and_leaps_of_area(cine):
  mask = cine.mask.copy()
  mask[[3, 4, 5, 9, 12]] = 0
  found = analyse(cine, mask, septum=np.pi / 2)
  assert status(check_slice(cine, found), 'contours') == ('fail' if found.contours.failed.mean() > 0.2 else 'warn')
  assert found.contours.failed.any()


@pytest.mark.parametrize(
  ('flag', 'expected'), [('ring closed over 30 degrees', 'warn'), ('9 pixels apart from the wall removed', 'pass')]
)
def test_rings_that_were_closed_are_told_from_specks_that_were_removed(cine, motion, flag, expected):
  contours = dataclasses.replace(motion.contours, flags=(flag,) * 20)
  checks = check_slice(cine, dataclasses.replace(motion, contours=contours))
  assert status(checks, 'repaired rings') == expected


def test_a_delineation_that_is_no_wall_fails_with_the_evidence_against_it(cine, motion):
  """Case S3: contours inside the cavity, which the network was sure of."""
  centre = motion.contours.epi.mean(1, keepdims=True)
  endo, epi = (centre + 0.45 * (side - centre) for side in (motion.contours.endo, motion.contours.epi))
  wrong = analyse_with_contours(cine, dataclasses.replace(motion.contours, endo=endo, epi=epi), septum=np.pi / 2)
  (found,) = [c for c in check_slice(cine, wrong, expected_dice(cine, wrong.contours)) if c.name == 'expected Dice']
  assert found.status == 'fail'
  assert 'what lies between the contours does not move as one' in found.reason


def test_a_wall_that_is_too_thin_somewhere_is_a_warning(cine, motion):
  """Case N5: the mean is sound."""
  epi = motion.contours.epi.copy()
  epi[:, :20] = motion.contours.endo[:, :20] + 0.02 * (epi[:, :20] - motion.contours.endo[:, :20])
  thin = dataclasses.replace(motion, contours=dataclasses.replace(motion.contours, epi=epi))
  assert status(check_slice(cine, thin), 'thin wall') == 'warn'
  assert status(check_slice(cine, thin), 'size of the heart') == 'pass'
  assert status(check_slice(cine, motion), 'thin wall') == 'pass'


def test_area_jumps_by_hand():
  assert area_jumps(np.array([100.0, 101, 140, 99, 100, 101])) == 1
  assert area_jumps(np.array([60.0, 101, 102, 99, 100, 101])) == 1  # also over the end of the cycle
  assert area_jumps(np.linspace(100, 200, 12)) <= 2  # a ramp; its ends may leap
  assert area_jumps(np.array([100.0, np.nan, 100, 100])) == 0


@pytest.mark.parametrize('snr', [10, 30])
def test_noise_is_measured_as_it_was_made(cine, snr):
  """White noise of known size on the exact velocities."""
  rng, sigma = np.random.default_rng(1), 20.0 / snr
  truth = study.truth(study.plan(SMALL, seed=1)[1])
  video = np.concatenate([cine.video[..., :1], truth.velocity + rng.normal(0, sigma, truth.velocity.shape)], -1)
  found = velocity_noise(cine.replace(video=video.astype(np.float32)), cine.mask.astype(bool))
  np.testing.assert_allclose(found, sigma, rtol=0.2)  # the wall does not move as one


def test_magnitude_only_has_contours_that_are_checked_and_no_velocity(cine, motion):
  grey = cine.replace(video=cine.video[..., :1], venc=None)
  found = analyse_with_contours(grey, motion.contours, septum=np.pi / 2)
  np.testing.assert_array_equal(found.mask, motion.mask)
  np.testing.assert_allclose(found.septum, motion.septum)
  assert np.isnan(found.curves['global']).all()
  checks = check_slice(grey, found)
  assert status(checks, 'contours') == 'pass'
  assert not {'noise', 'background', 'phase wraps'} & {check.name for check in checks}
  (note,) = check_alike([found, found])
  assert (note.name, note.status) == ('velocities', 'pass')
  (note,) = check_alike([motion, found])
  assert note.status == 'warn'
  assert found.name.rpartition('/')[2] in note.reason


def test_nothing_of_a_velocity_is_left_where_it_is_withheld(motion):
  found = withhold(motion)
  numbers = [*found.curves.values(), *found.offset.values(), found.rotation, found.rotation_rate, found.displacement]
  numbers += [found.markers[name] for name in ('frame', 'velocity', 'time', 'normalised_time')]
  assert all(np.isnan(values).all() for values in numbers)
  np.testing.assert_array_equal(found.mask, motion.mask)


def test_the_study_as_a_whole():
  sound = [('a', 50, 20.0), ('b', 50, 20.5)]
  sound_checks = check_study(sound)
  assert [check.status for check in sound_checks] == ['pass', 'pass']
  uneven = check_study([('a', 50, 20.0), ('b', 40, 20.0)], ['series 7 skipped', 'series 7 skipped'])
  assert [check.status for check in uneven] == ['warn', 'warn', 'warn']
  assert sum(check.name == 'reading' for check in uneven) == 1
  said = [check.reason for check in (*sound_checks, *check_study([sound[0]])) if check.name == 'heart rate']
  assert [text.partition(' over')[0] for text in said] == ['cardiac cycle 1000 to 1025 ms', 'cardiac cycle 1000 ms']


def test_slices_that_differ_in_venc_or_spacing_are_a_warning_with_the_values(motion):
  """Case S7."""
  assert check_alike([motion, motion]) == []
  other = dataclasses.replace(motion, venc=(20.0, 20.0, 60.0), spacing=(1.3, 1.2))
  venc, spacing = check_alike([motion, other, motion])
  assert (venc.name, venc.status) == ('venc', 'warn')
  assert venc.reason == 'slices of this study differ: 20, 20, 30; 20, 20, 60 cm/s'
  assert spacing.reason == 'slices of this study differ: 1.2, 1.2; 1.3, 1.2 mm'


def _with(motion, column, curve):
  curves = motion.curves['global'].copy()
  curves[0, :, column] = curve
  return dataclasses.replace(motion, curves=motion.curves | {'global': curves})


def test_the_marker_es_and_the_smallest_cavity_are_both_said_where_they_contradict(motion):
  cavity, frame = smallest_cavity(motion), np.arange(20)
  at_rest = _with(motion, 2, np.interp(frame, [0, 1, 4, 9, 19], [0, -1, 1, 0, 0]))  # neither peak is cut off
  assert check_markers([at_rest]) == []
  # The wall pauses at frame 7, and the cavity is smallest in frame 11.
  early = np.interp(frame, [0, 2, 5, 6, 8, 9, 10, 13, 17, 19], [0, 4, 2, 1, 1, -1, -6, 0, -1, 0])
  wrong = dataclasses.replace(_with(at_rest, 1, early), frame_interval=40.0)
  moved = wrong.contours
  moved = dataclasses.replace(moved, endo=np.roll(moved.endo, 11 - cavity, 0), epi=np.roll(moved.epi, 11 - cavity, 0))
  (found,) = check_markers([at_rest, dataclasses.replace(wrong, contours=moved)])
  assert (found.name, found.status) == ('marker ES', 'warn')
  assert found.reason.startswith('the marker ES and the smallest cavity lie far apart in 1 of 2 slices')
  assert f'(280 and 440 ms in {motion.name.rpartition("/")[2]})' in found.reason


def test_peaks_that_a_window_cuts_off_are_said_once_a_study(motion):
  cut = _with(motion, 2, np.interp(np.arange(20), [0, 1, 3, 10, 19], [0, -1, 0, -5, 0]))  # PC2 ends at frame 5, falling
  cut = _with(cut, 2, np.interp(np.arange(20), [0, 1, 6, 12, 19], [0, -1, 2, 0, 0]))  # still rising at frame 5
  (found,) = check_markers([cut, cut])
  assert (found.name, found.status) == ('markers', 'warn')
  name = motion.name.rpartition('/')[2]
  assert found.reason.startswith(f'circumferential PC2 in {name}, circumferential PC2 in {name} lie in the first or')
  assert found.reason.endswith(': these may be no peaks')
  (found,) = check_markers([cut])
  assert found.reason == (
    f'circumferential PC2 in {name} lies in the first or the last of the frames in which it is looked for, and the '
    'curve goes on beyond: it may be no peak'
  )
