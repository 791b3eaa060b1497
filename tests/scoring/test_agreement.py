"""Errors of curves and markers against hand values, and the way from cines to subjects."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ear_jax.analysis.markers import find_markers
from ear_jax.analysis.motion import GROUPS, Contours, Settings, SliceMotion
from ear_jax.analysis.septum import given
from ear_jax.analysis.strain import unknown
from ear_jax.scoring.agreement import compare_curves, compare_markers, curve_errors, frame_counts
from ear_jax.scoring.agreement_summary import (
  IDS,
  Rows,
  concatenate,
  marker_pairs,
  subject_means,
  summarise,
  summarise_temporal,
  visits,
)

FRAMES = 50
TIME = np.arange(FRAMES) / FRAMES


def motion(curve, *, failed=(), flags=None, frame_interval=20.0):
  """A slice all of whose regions and components move as `curve` `[T]`."""
  curves = {g: np.repeat(np.repeat(curve[None, :, None], n, 0), 3, 2).astype(float) for g, n in GROUPS.items()}
  lost = np.isin(np.arange(len(curve)), failed)
  for values in curves.values():
    values[:, lost] = np.nan
  points = np.zeros((len(curve), 360, 2))
  nothing = np.zeros(len(curve))
  return SliceMotion(
    name='a/1', level='mid', spacing=(1.0, 1.0), frame_interval=frame_interval,
    mask=np.zeros((len(curve), 4, 4), np.uint8),
    contours=Contours(points, points, tuple(flags or [''] * len(curve)), lost),
    centre=points[:, 0], septum=points[:, 0], septal_reference=given(0.0), curves=curves, offset={},
    markers=find_markers(curves, frame_interval, 'CCW'),
    rotation_rate=nothing, rotation=nothing, displacement=points[:, :3, 0],
    strain=unknown(len(curve)), wraps=0, settings=Settings(),
  )  # fmt: skip


def beat(peak=8, early=24, late=41, scale=1.0):
  """A curve with a systolic and two diastolic waves at given frames."""
  frame = np.arange(FRAMES)
  waves = [(5.0, peak), (-8.0, early), (-3.0, late)]
  return scale * sum(height * np.exp(-(((frame - centre) / 2.5) ** 2)) for height, centre in waves)


def test_errors_of_a_curve_by_hand():
  found = curve_errors(np.array([1.0, 2.0, 3.0, 6.0]), np.array([1.0, 0.0, 3.0, 4.0]))
  # Differences 0, 2, 0, 2; centred (-2, -1, 0, 3) and (-1, -2, 1, 2): r = 10 / sqrt(14 * 10)
  assert found['rmse'] == pytest.approx(np.sqrt(2))
  assert found['max_difference'] == 2
  assert found['r'] == pytest.approx(10 / np.sqrt(140))


def test_errors_of_many_curves_at_once_are_those_of_each():
  rng = np.random.default_rng(0)
  p, g = rng.normal(size=(2, 6, 3, 20))
  p[2, 1, :4], g[2, 1, 10], p[5, 2] = np.nan, np.nan, np.nan
  found = curve_errors(p, g)
  for index in np.ndindex(6, 3):
    both = np.isfinite(p[index]) & np.isfinite(g[index])
    one = {name: values[index] for name, values in found.items()}
    if not both.any():
      assert all(np.isnan(value) for value in one.values())
      continue
    x, y = p[index][both], g[index][both]
    assert one['r'] == pytest.approx(stats.pearsonr(x, y).statistic)
    assert one['rmse'] == pytest.approx(np.sqrt(((x - y) ** 2).mean()))
    assert one['max_difference'] == pytest.approx(np.abs(x - y).max())


def test_r_of_a_constant_curve_and_of_two_frames_is_undefined():
  assert np.isnan(curve_errors(np.zeros(5), np.arange(5.0))['r'])
  assert np.isnan(curve_errors(np.full(5, 3.1), np.arange(5.0))['r'])
  assert np.isnan(curve_errors(np.array([1.0, 2.0]), np.array([1.0, 3.0]))['r'])
  with pytest.raises(ValueError, match='shape'):
    curve_errors(np.zeros((1, 5)), np.zeros(5))


def test_curves_of_a_slice():
  reference = motion(beat())
  predicted = motion(beat() + 0.5)
  predicted.curves['angular6'][2] = np.nan  # a sector without a pixel is left out
  table = compare_curves(predicted, reference)
  assert table['component'].tolist() == ['longitudinal', 'radial', 'circumferential']
  for column in ('rmse', 'max_difference', 'rmse_angular6', 'rmse_angular24', 'rmse_layers'):
    assert table[column].tolist() == pytest.approx([0.5] * 3)
  for column in ('r', 'r_angular6', 'r_angular24', 'r_layers'):
    assert table[column].tolist() == pytest.approx([1.0] * 3)


def test_markers_of_a_slice_in_velocity_and_time():
  table = compare_markers(motion(beat(peak=10, scale=1.2)), motion(beat())).set_index(['component', 'marker'])
  ps = table.loc['longitudinal', 'PS']
  assert ps['velocity_error'] == pytest.approx(0.2 * 5.0, abs=0.01)
  assert ps['time_error'] == 2 * 20.0
  pd_ = table.loc['radial', 'PD']
  assert pd_['velocity_error'] == pytest.approx(-0.2 * 8.0, abs=0.01)  # deeper by a fifth: the error is negative
  assert pd_['time_error'] == 0
  assert ps['time_predicted'] - ps['time_reference'] == ps['time_error']
  assert table.index.tolist()[:4] == [('longitudinal', name) for name in ('PS', 'PD', 'PAS', 'ES')]


def test_the_time_of_end_systole_is_said_once():
  table = compare_markers(motion(beat()), motion(beat()))
  es = table[table['marker'] == 'ES'].set_index('component')
  assert es['velocity_error'].tolist() == [0, 0, 0]
  assert es['normalised_time_error'].isna().all()
  assert es['time_error'].notna().to_dict() == {'longitudinal': False, 'radial': True, 'circumferential': False}


def test_times_without_a_frame_interval():
  table = compare_markers(motion(beat(), frame_interval=np.nan), motion(beat(), frame_interval=np.nan))
  assert table['time_error'].isna().all()
  assert table.loc[table['marker'] == 'PS', 'normalised_time_error'].tolist() == [0, 0]


def test_status_counts_annotated_frames_only():
  flags = [''] * FRAMES
  flags[3] = flags[9] = 'ring closed'
  annotated = np.arange(FRAMES) != 9
  sound, repaired, failed = motion(beat()), motion(beat(), flags=flags), motion(beat(), failed=[9, 12])
  assert frame_counts(sound, sound, annotated)['status'] == 'sound'
  assert frame_counts(repaired, sound, annotated) == {
    'status': 'flagged', 'frames': 49,
    'failed_predicted': 0, 'flagged_predicted': 1, 'failed_reference': 0, 'flagged_reference': 0,
  }  # fmt: skip
  assert frame_counts(repaired, failed, annotated)['failed_reference'] == 1
  assert frame_counts(repaired, failed, annotated)['status'] == 'failed'


def rows(cines):
  """`Rows` of (subject, dataset, slice, level, predicted, reference) with PS, r and one temporal metric."""
  parts = []
  for subject, dataset, slice_id, level, predicted, reference in cines:
    ids = pd.DataFrame([dict(zip(IDS, (subject, dataset, slice_id, level), strict=True))])
    counts = frame_counts(predicted, reference, np.ones(FRAMES, bool)) | {'frame_interval': 20.0}
    temporal = pd.DataFrame({'metric': ['area'], 'unit': 'mm2', 'prediction': 3.0, 'reference': 2.0, 'ratio': 1.5})
    parts.append(
      Rows(
        ids.assign(**counts).merge(compare_curves(predicted, reference), how='cross'),
        ids.assign(status=counts['status']).merge(compare_markers(predicted, reference), how='cross'),
        ids.merge(temporal, how='cross'),
        pd.DataFrame(columns=[*IDS, 'reason']),
      )
    )
  return concatenate(parts)


def scaled(scale, **changes):
  return motion(beat(scale=scale), **changes)


REFERENCE = motion(beat())
STUDY = [
  ('s1', 's1-a', '1', 'base', scaled(1.1), REFERENCE),  # PS errors 0.5, 1.0 and, at the second visit, 0
  ('s1', 's1-a', '2', 'mid', scaled(1.2), REFERENCE),
  ('s1', 's1-b', '1', 'base', scaled(1.0), REFERENCE),
  ('s2', 's2-a', '1', 'base', scaled(0.9), REFERENCE),  # -0.5
]


def test_subjects_count_once_however_many_cines_they_have():
  found = summarise(rows(STUDY))
  # s1: ((0.5 + 1.0) / 2 + 0) / 2 = 0.375; s2: -0.5
  entry = found['markers']['longitudinal']['PS']['velocity']
  assert entry['n'] == found['n_subjects'] == 2
  assert entry['bias'] == pytest.approx((0.375 - 0.5) / 2, abs=1e-3)
  assert entry['sd'] == pytest.approx(0.875 / np.sqrt(2), abs=1e-3)
  assert (entry['cines'], entry['missing']) == (4, 0)
  pairs = marker_pairs(rows(STUDY).markers, 'longitudinal', 'PS', 'velocity')
  assert (pairs['predicted'] - pairs['reference']).tolist() == pytest.approx([0.375, -0.5], abs=1e-3)
  unit = np.sqrt((beat() ** 2).mean())
  assert found['curves']['radial']['rmse']['mean'] == pytest.approx(unit * (0.075 + 0.1) / 2)
  assert found['curves']['radial']['regions']['layers']['r'] == {
    'n': 2,
    'mean': pytest.approx(1),
    'sd': pytest.approx(0),
  }
  assert found['temporal']['area']['ratio']['mean'] == 1.5


def test_failed_cines_are_named_and_in_no_mean():
  broken = ('s3', 's3-a', '7', 'apex', scaled(9.0, failed=[4, 5]), REFERENCE)
  found, without = summarise(rows([*STUDY, broken])), summarise(rows(STUDY))
  assert found['cines'] == {'expected': 5, 'in_means': 4, 'sound': 4, 'flagged': 0, 'failed': 1}
  assert found['failed'] == {'s3-a/7': {'frames': 50, 'failed_predicted': 2, 'failed_reference': 0}}
  assert found['markers'] == without['markers']
  assert found['curves'] == without['curves']


def test_every_cine_failed():
  found = summarise(rows([('s', 's-a', '1', '', scaled(1.0, failed=range(FRAMES)), REFERENCE)]))
  assert found['n_subjects'] == 0
  assert found['curves']['radial']['rmse'] is None
  assert found['markers'] == {'longitudinal': {}, 'radial': {}, 'circumferential': {}}
  assert found['repeatability'] is None


def test_a_marker_that_one_mask_lacks_is_counted():
  lost = dataclasses.replace(REFERENCE, markers=REFERENCE.markers.assign(velocity=np.nan))
  found = summarise(rows([*STUDY, ('s2', 's2-a', '2', 'mid', lost, REFERENCE)]))
  entry = found['markers']['longitudinal']['PS']['velocity']
  assert (entry['cines'], entry['missing']) == (4, 1)
  assert entry['bias'] == summarise(rows(STUDY))['markers']['longitudinal']['PS']['velocity']['bias']


def test_visits_are_compared_over_the_levels_they_share():
  study = [
    ('s1', 's1-a', '1', 'base', scaled(1.0), scaled(1.0)),
    ('s1', 's1-a', '2', 'mid', scaled(1.2), scaled(1.1)),
    ('s1', 's1-a', '3', 'mid', scaled(1.4), scaled(1.3)),
    ('s1', 's1-b', '1', 'base', scaled(1.1), scaled(1.0)),
    ('s1', 's1-b', '2', 'mid', scaled(1.0), scaled(1.1)),
    ('s1', 's1-b', '3', 'apex', scaled(9.0), scaled(9.0)),
    ('s2', 's2-a', '1', 'base', scaled(1.0), scaled(1.0)),  # one visit: not in n
  ]
  markers = rows(study).markers
  found = visits(markers, 'longitudinal', 'PS', 'velocity')
  assert found.index.tolist() == ['s1']
  # 5 cm/s times the mean of base and mid: (1 + 1.3) / 2, (1.1 + 1) / 2; (1 + 1.2) / 2, (1 + 1.1) / 2
  expected = [5 * 1.15, 5 * 1.05, 5 * 1.1, 5 * 1.05]
  assert found.loc['s1'].tolist() == pytest.approx(expected, abs=0.01)
  entry = summarise(rows(study))['repeatability']['longitudinal']['PS']['velocity']
  assert entry['automatic']['s_w'] == pytest.approx(0.5 / np.sqrt(2), abs=0.01)
  assert entry['manual']['s_w'] == pytest.approx(0.25 / np.sqrt(2), abs=0.01)
  assert entry['ratio'] == pytest.approx(2, abs=0.01)
  assert summarise(rows(STUDY[3:]))['repeatability'] is None


def test_lengths_in_two_units_are_refused():
  table = pd.DataFrame({'subject': ['a', 'b'], 'dataset': ['a', 'b'], 'metric': 'area', 'unit': ['mm2', 'px2']})
  with pytest.raises(ValueError, match='mm2 and px2 cannot be averaged'):
    summarise_temporal(table.assign(prediction=1.0, reference=1.0))


def test_a_subject_without_a_value_is_left_out_of_the_mean():
  table = pd.DataFrame({'subject': ['a', 'a', 'b'], 'dataset': ['a1', 'a2', 'b1'], 'x': [1.0, np.nan, np.nan]})
  assert subject_means(table, ['x'])['x'].to_dict() == {'a': 1.0}
