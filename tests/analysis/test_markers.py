"""Markers of curves drawn by hand."""

import math

import numpy as np
import pytest

from ear_jax.analysis.markers import cut_off, find_end_systole, find_markers, find_peak, normalise_time
from ear_jax.analysis.motion import GROUPS

FRAMES = 50


def radial(frames=FRAMES):
  """Ejection peaks at frame 6, pauses at 18, fills at 24 and 44."""
  t = np.arange(frames) * 50 / frames
  waves = ((6, 3.0, 2.5), (18, 0.6, 2.0), (24, -5.0, 1.6), (44, -2.0, 1.5))
  return sum(a * np.exp(-0.5 * ((t - c) / w) ** 2) for c, a, w in waves)


def all_curves(frames=FRAMES):
  """Every region the same, but its size: region k of n is (k + 1) / n of it."""
  t = np.arange(frames) * 50 / frames
  turning = -1.5 * np.exp(-0.5 * ((t - 3) / 0.8) ** 2) + 1.2 * np.exp(-0.5 * ((t - 9) / 1.5) ** 2)
  turning = turning - 0.9 * np.exp(-0.5 * ((t - 22) / 1.5) ** 2)
  curve = np.stack([2 * radial(frames), radial(frames), turning], -1)
  return {g: np.stack([curve * (k + 1) / n for k in range(n)]) for g, n in GROUPS.items()}


def pick(table, component, marker, group='global', region=0):
  rows = table.query('group == @group and region == @region and component == @component and marker == @marker')
  assert len(rows) == 1
  return rows.iloc[0]


def test_peaks_of_a_drawn_heart_beat():
  table = find_markers(all_curves(), 20.0, 'CCW')
  expected = {
    ('longitudinal', 'PS'): (6, 6.0),
    ('longitudinal', 'PD'): (24, -10.0),
    ('longitudinal', 'PAS'): (44, -4.0),
    ('radial', 'PS'): (6, 3.0),
    ('radial', 'PD'): (24, -5.0),
    ('radial', 'PAS'): (44, -2.0),
    ('radial', 'ES'): (18, 0.6),
    ('circumferential', 'PC1'): (3, -1.5),
    ('circumferential', 'PC2'): (9, 1.2),
    ('circumferential', 'PC3'): (22, -0.9),
  }
  for (component, marker), (frame, velocity) in expected.items():
    row = pick(table, component, marker)
    assert row['frame'] == frame, marker
    assert row['velocity'] == pytest.approx(velocity, abs=0.03)
    assert row['time'] == 20 * frame
  assert pick(table, 'longitudinal', 'ES')['velocity'] == pytest.approx(1.2, abs=0.02)  # end systole is radial's
  # 350 + 650 (24 - 18) / (50 - 18)
  assert pick(table, 'radial', 'PD')['normalised_time'] == pytest.approx(471.875)
  assert pick(table, 'radial', 'PS')['normalised_time'] == pytest.approx(350 * 6 / 18)
  assert pick(table, 'radial', 'ES')['normalised_time'] == 350


def test_every_region_has_its_own_row_and_name():
  table = find_markers(all_curves(), 20.0, 'CW')
  assert len(table) == sum(GROUPS.values()) * 3 * 4
  row = pick(table, 'radial', 'PS', 'angular6', 1)
  assert row['region_name'] == 'A'
  assert row['velocity'] == pytest.approx(3.0 * 2 / 6, abs=0.02)
  assert not table.duplicated(['group', 'region', 'component', 'marker']).any()


def test_windows_scale_with_the_number_of_frames():
  table = find_markers(all_curves(100), 10.0, 'CCW')
  frames = [pick(table, 'radial', marker)['frame'] for marker in ('PS', 'ES', 'PD', 'PAS')]
  assert frames == [12, 36, 48, 88]
  assert pick(table, 'radial', 'PD')['normalised_time'] == pytest.approx(471.875)


def test_windows_include_both_ends_and_nothing_beyond():
  curve = np.zeros(50)
  curve[[0, 1, 15, 16]] = 9, 3, 4, 9
  assert find_peak(curve, 1, 15, 1) == (15, 4)
  assert find_peak(np.where(np.arange(50) == 15, np.nan, curve), 1, 15, 1) == (1, 3)
  assert all(math.isnan(x) for x in find_peak(np.full(50, np.nan), 1, 15, 1))


def line(points):
  """Straight lines through (frame, velocity)."""
  return np.interp(np.arange(50), *np.transpose(points))


@pytest.mark.parametrize(
  ('curve', 'expected'),
  [
    # Falling all the way through the window, flattest at 19: above -2.5 cm/s, so it is the end of systole.
    (line([(0, 0), (6, 3), (14, 2), (18, 0.5), (20, 0.3), (25, -6), (31, 0), (49, 0)]), 19),
    # Flattest at 20, at -3.1 cm/s: too late; the smallest size in the window is at 16.
    (line([(0, 0), (6, 3), (14, 2), (16, 0.1), (19, -3), (21, -3.2), (25, -6), (31, 0), (49, 0)]), 16),
    # PD at 17 closes the window; it is the flattest frame, and so the frame of smallest size counts.
    (line([(0, 0), (6, 3), (14, 0.2), (17, -2), (20, 0), (49, 0)]), 14),
    # Flattest at 14, where the window begins and the wall is still moving inward at 1.8 cm/s: it stops at 20.
    (line([(0, 0), (6, 3), (13, 1.8), (15, 1.7), (18, 0.8), (20, 0.1), (25, -6), (31, 0), (49, 0)]), 20),
  ],
)
def test_end_systole(curve, expected):
  assert find_end_systole(curve) == expected


def test_a_peak_that_its_window_cuts_off_is_told():
  curves = all_curves()['global'][0]
  assert cut_off(curves) == []
  early = np.roll(curves, -4, axis=0)  # PC1 would lie before frame 1, PC2 before frame 6; the others stay in windows
  assert cut_off(early) == ['circumferential PC1', 'circumferential PC2']
  late = curves.copy()
  late[:, 0] = np.roll(curves[:, 0], 5)  # PAS at frame 49, after its window; PS and PD stay
  assert cut_off(late) == ['longitudinal PAS']


def test_third_circumferential_peak_below_half_a_centimetre_has_no_velocity():
  curves = all_curves()
  curves['global'][0, 18:30, 2] = 0.3 * np.sin(np.arange(12))
  row = pick(find_markers(curves, 20.0, 'CCW'), 'circumferential', 'PC3')
  assert math.isnan(row['velocity'])
  assert 18 <= row['frame'] <= 29
  curves['global'][0, 20, 2], curves['global'][0, 21, 2] = 0.8, -0.7
  row = pick(find_markers(curves, 20.0, 'CCW'), 'circumferential', 'PC3')
  assert (row['frame'], row['velocity']) == (20, 0.8)


def test_unknown_curves_have_unknown_markers():
  curves = all_curves()
  curves['angular6'][2] = np.nan
  table = find_markers(curves, 20.0, 'CCW')
  gone = table.query("group == 'angular6' and region == 2")
  assert gone[['frame', 'velocity', 'time', 'normalised_time']].isna().all(axis=None)
  assert table.drop(gone.index)['frame'].notna().all()
  nothing = find_markers({g: np.full_like(c, np.nan) for g, c in curves.items()}, 20.0, 'CCW')
  assert nothing['normalised_time'].isna().all()


def test_normalised_time_is_even_on_either_side_of_end_systole():
  np.testing.assert_allclose(normalise_time(np.array([0, 10, 20, 35, 50]), 20, 50), [0, 175, 350, 675, 1000])
