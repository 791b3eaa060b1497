"""A slice's curves against the phantom's analytic truth, and what must not change them."""

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from known_motion import exact, make, ring, rms, true_curves

from ear_jax import cine as cine_lib
from ear_jax.analysis.contours import from_mask
from ear_jax.analysis.motion import Settings
from ear_jax.analysis.slices import analyse, analyse_with_contours

LEVELS = [0, 1, 2]  # base, mid, apex


@functools.cache
def motion_of(level, **conventions):
  truth, cine = exact(level)
  return analyse(cine, truth.mask, septum=truth.septal_angle, settings=Settings(**conventions))


@functools.cache
def short(level):
  """Septal angle, cine and motion of every fifth frame."""
  truth, cine = exact(level)
  cine = cine.replace(video=cine.video[::5], mask=cine.mask[::5], annotated=cine.annotated[::5])
  return truth.septal_angle, cine, analyse(cine, cine.mask, septum=truth.septal_angle)


def vortex(shape=(64, 72), centre=(30.0, 34.0), spacing=(1.0, 1.0), frames=8):
  """A ring in which radial, circumferential and longitudinal velocity are the same everywhere, waves over time."""
  t = 2 * np.pi * np.arange(frames)[:, None, None] / frames
  longitudinal, radial, turning = 6 * np.sin(t), 3 * np.cos(t), 2 * np.sin(2 * t)
  row, column = np.indices(shape)
  dr, dc = (row - centre[0]) * spacing[0], (column - centre[1]) * spacing[1]
  r = np.maximum(np.hypot(dr, dc), 1e-9)
  along_column = -radial * dc / r + turning * dr / r
  along_row = -radial * dr / r - turning * dc / r
  parts = np.broadcast_arrays(50.0, along_column, along_row, longitudinal)
  cine = make(np.stack(parts, -1), np.stack([ring(shape, centre, 10, 17, spacing)] * frames), spacing=spacing)
  return cine, np.stack([longitudinal, radial, turning], -1)[:, 0, 0]


@pytest.mark.parametrize('level', LEVELS)
def test_exact_velocities_give_the_analytic_curves(level):
  truth, _ = exact(level)
  assert rms(motion_of(level).curves['global'][0] - true_curves(truth)).max() < 0.02  # required: 0.15 cm/s


@pytest.mark.parametrize('level', LEVELS)
def test_leaving_out_the_border_hardly_changes_a_velocity_that_is_exact(level):
  truth, _ = exact(level)
  found = motion_of(level, border=0.85)
  assert rms(found.curves['global'][0] - true_curves(truth)).max() < 0.05
  np.testing.assert_array_equal(found.mask, motion_of(level).mask)
  assert np.isfinite(found.curves['layers']).all()


def test_the_mask_can_be_replaced_by_its_contours():
  truth, cine = exact(1)
  found = analyse_with_contours(cine, from_mask(truth.mask), septum=truth.septal_angle)
  np.testing.assert_array_equal(found.curves['angular24'], motion_of(1).curves['angular24'])


def test_anisotropic_pixels_change_nothing():
  (square, expected), (oblong, _) = vortex(), vortex((90, 72), (40.3, 33.6), spacing=(0.75, 1.0))
  for cine in (square, oblong):
    found = analyse(cine, cine.mask, septum=0.3)
    assert rms(found.curves['global'][0] - expected).max() < 0.02
    assert rms(found.curves['angular6'] - expected).max() < 0.1
  # mean radius 13.8 mm = (2/3) (17^3 - 10^3) / (17^2 - 10^2), angular velocity in rad/s
  radius = 2 / 3 * (17**3 - 10**3) / (17**2 - 10**2)
  np.testing.assert_allclose(found.rotation_rate, 10 * expected[:, 2] / radius, atol=0.02)


SYMMETRIES = {
  'quarter turn': lambda c: cine_lib.rot90(c, 1),
  'half turn': lambda c: cine_lib.rot90(c, 2),
  'three quarters': lambda c: cine_lib.rot90(c, 3),
  'left-right': lambda c: cine_lib.flip(c, 'column'),
  'up-down': lambda c: cine_lib.flip(c, 'row'),
  'transpose': lambda c: cine_lib.flip(cine_lib.rot90(c, 1), 'row'),
}


@pytest.mark.parametrize('level', LEVELS)
@pytest.mark.parametrize('name', SYMMETRIES)
def test_turning_and_mirroring_the_picture_changes_no_curve(name, level):
  """A mirror turns the sense of rotation, which the setting turns back, and the order of sectors."""
  septum, cine, expected_motion = short(level)
  mirror = {'left-right': lambda a: -a, 'up-down': lambda a: np.pi - a, 'transpose': lambda a: np.pi / 2 - a}
  turn = {'quarter turn': 1, 'half turn': 2, 'three quarters': 3}
  septum = mirror[name](septum) if name in mirror else septum + turn[name] * np.pi / 2
  moved = SYMMETRIES[name](cine)
  if name == 'transpose':
    np.testing.assert_array_equal(moved.mask, cine.mask.transpose(0, 2, 1))
  found = analyse(moved, moved.mask, septum=septum, settings=Settings(circumferential_sign=-1 if name in mirror else 1))
  for group, curves in expected_motion.curves.items():
    expected = curves[::-1] if name in mirror and group.startswith('angular') else curves
    assert rms(found.curves[group] - expected).max() < 0.05, group
  np.testing.assert_allclose(found.rotation, expected_motion.rotation, atol=0.05)


@settings(max_examples=12, deadline=None)
@given(down=st.integers(-12, 12), right=st.integers(-12, 12))
def test_shifting_the_picture_changes_nothing(down, right):
  cine, _ = vortex()
  expected = analyse(cine, cine.mask, septum=0.3)
  moved = cine_lib.crop(cine, -down, -right, *cine.mask.shape[1:])
  found = analyse(moved, moved.mask, septum=0.3)
  for group, curves in expected.curves.items():
    np.testing.assert_allclose(found.curves[group], curves, atol=1e-5)
  np.testing.assert_allclose(found.centre, expected.centre + np.array([down, right]), atol=1e-5)


@settings(max_examples=12, deadline=None)
@given(st.tuples(*[st.floats(-8, 8, width=16)] * 3))
def test_a_constant_velocity_changes_nothing(constant):
  cine, _ = vortex()
  expected = analyse(cine, cine.mask, septum=0.3)
  video = cine.video.copy()
  video[..., 1:] += np.float32(constant)
  found = analyse(cine.replace(video=video), cine.mask, septum=0.3)
  for group, curves in expected.curves.items():
    np.testing.assert_allclose(found.curves[group], curves, atol=1e-5)
  np.testing.assert_allclose(found.offset['global'][0, 0] - expected.offset['global'][0, 0], constant[2], atol=1e-5)


def test_bulk_motion_of_any_course_changes_nothing():
  cine, _ = vortex()
  video = cine.video.copy()
  video[..., 1:3] += np.random.default_rng(0).uniform(-5, 5, (8, 1, 1, 2)).astype(np.float32)
  found, expected = (analyse(c, c.mask, septum=0.3) for c in (cine.replace(video=video), cine))
  np.testing.assert_allclose(found.curves['angular24'], expected.curves['angular24'], atol=1e-5)


def test_view_sharing_is_undone():
  still, _ = vortex()  # the wall stands still, so that each pixel is of the wall in all frames that are mixed
  shared = 0.8 * still.video + 0.1 * (np.roll(still.video, 1, 0) + np.roll(still.video, -1, 0))
  found = analyse(still.replace(video=shared), still.mask, septum=0.3, settings=Settings(view_sharing=0.1))
  expected = analyse(still, still.mask, septum=0.3)
  np.testing.assert_allclose(found.curves['angular6'], expected.curves['angular6'], atol=1e-5)
  blunt = analyse(still.replace(video=shared), still.mask, septum=0.3)
  assert abs(blunt.curves['global'] - expected.curves['global']).max() > 0.2


def test_failed_frames_are_nan_and_the_others_are_whole():
  cine, expected = vortex(frames=16)
  mask = cine.mask.copy()
  mask[5:8] = 0
  found = analyse(cine, mask, septum=0.3)
  curve, gone = found.curves['global'][0], np.isin(np.arange(16), (5, 6, 7))
  np.testing.assert_array_equal(np.isnan(curve).all(-1), gone)
  np.testing.assert_allclose(curve[~gone].mean(0), 0, atol=1e-9)
  np.testing.assert_allclose(curve[~gone] - curve[0], expected[~gone] - expected[0], atol=0.05)
  for values in (found.rotation, found.rotation_rate, found.displacement[:, 0]):
    np.testing.assert_array_equal(np.isnan(values), gone)


def test_a_slice_without_any_ring_is_nan_throughout():
  cine, _ = vortex()
  found = analyse(cine, np.zeros_like(cine.mask), septum=0.3)
  assert found.contours.failed.all()
  assert all(np.isnan(c).all() for c in found.curves.values())
  assert found.markers['velocity'].isna().all()
  assert found.wraps == 0


def test_unknown_spacing_and_interval_leave_velocities_known():
  cine, expected = vortex()
  found = analyse(cine.replace(spacing=(np.nan, np.nan), frame_interval=np.nan), cine.mask, septum=0.3)
  assert rms(found.curves['global'][0] - expected).max() < 0.02
  assert np.isnan(found.rotation).all()
  assert np.isnan(found.displacement).all()
  assert found.markers['time'].isna().all()
  assert found.markers.query("marker == 'PS'")['velocity'].notna().all()


def test_what_cannot_be_analysed_is_said():
  cine, _ = vortex()
  with pytest.raises(ValueError, match=r'd/sax1: the mask has shape \(8, 64, 71\)'):
    analyse(cine, cine.mask[..., 1:], septum=0.0)
  with pytest.raises(ValueError, match='contours of 7 frames'):
    analyse_with_contours(cine, from_mask(cine.mask[1:]), septum=0.0)
