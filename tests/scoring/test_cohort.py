"""Curves on one cycle and peaks by level and person, against formulae."""

import numpy as np
import pandas as pd
import pytest

from ear_jax.analysis.markers import normalise_time
from ear_jax.scoring import cohort


def test_a_curve_keeps_its_values_at_its_own_frames_and_the_cycle_closes():
  curve = np.cos(2 * np.pi * np.arange(25) / 25)
  found = cohort.on_cycle(curve)
  np.testing.assert_allclose(found[::2], curve)
  assert found[-1] == pytest.approx((curve[-1] + curve[0]) / 2)


def test_end_systole_is_put_at_35_percent_as_the_markers_have_it():
  frames, end = 40, 13.0
  found = cohort.on_cycle(np.arange(frames, dtype=float), end)  # the value of a frame is its number
  shown = found[:-2]  # the last points lie between the last frame and the first
  cycle = 1000 * np.arange(cohort.POINTS)[:-2] / cohort.POINTS
  np.testing.assert_allclose(normalise_time(shown, end, frames), cycle, atol=1e-9)


def test_a_curve_with_an_unknown_frame_or_end_systole_is_unknown():
  curve = np.ones(20)
  assert np.isnan(cohort.on_cycle(curve, np.nan)).all()
  curve[3] = np.nan
  assert np.isnan(cohort.on_cycle(curve)).all()


def _tables(slices):
  """Curves and markers of slices (level, amplitude); the curve is constant."""
  curves, markers = [], []
  for k, (level, amplitude) in enumerate(slices):
    place = {'slice': f's{k}', 'level': level, 'component': 'radial'}
    curves += [place | {'frame': t, 'velocity_cm_s': amplitude} for t in range(8)]
    markers.append(place | {'marker': 'PS', 'frame': 2.0, 'velocity_cm_s': amplitude, 'time_ms': 40.0 + k})
    markers.append(place | {'marker': 'ES', 'frame': 3.0, 'velocity_cm_s': 0.0, 'time_ms': 60.0})
  return pd.DataFrame(curves), pd.DataFrame(markers)


def test_slices_of_a_level_are_averaged_first_then_studies_of_a_person():
  one = _tables([('mid', 1.0), ('mid', 3.0), ('base', 7.0)])
  two = _tables([('mid', 6.0), ('base', 9.0)])
  curves = cohort.table({name: cohort.level_curves(*tables) for name, tables in {'a': one, 'b': two}.items()})
  peaks = cohort.table({name: cohort.level_peaks(tables[1]) for name, tables in {'a': one, 'b': two}.items()})
  assert list(dict.fromkeys(curves.columns.get_level_values('level'))) == ['base', 'mid']
  assert curves.loc['a', ('mid', 'radial', 0)] == 2
  assert peaks.loc['a', ('mid', 'radial', 'PS', 'velocity')] == 2
  assert peaks.loc['a', ('mid', 'radial', 'PS', 'time')] == 40.5
  assert 'ES' not in peaks.columns.get_level_values('marker')
  person = cohort.people(peaks, {'a': 'p', 'b': 'p'})
  assert person.loc['p', ('mid', 'radial', 'PS', 'velocity')] == 4
