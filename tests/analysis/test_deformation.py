"""What needs several slices: longitudinal strain, steadied radial strain, torsion, and the study's numbers."""

import dataclasses
import functools

import numpy as np
import pytest

from ear_jax.analysis import deformation as lib
from ear_jax.analysis.deformation import at_times, deform, levels
from ear_jax.analysis.function import measures, segment_table, times_to_peak, turning
from ear_jax.analysis.motion import GROUPS
from ear_jax.analysis.slices import analyse
from ear_jax.cine import Place
from ear_jax.phantom import study

SMALL = study.Size('phantom_small', 1, 0, (1,), 16, 64, 1.8, 1.8, offset=2.0, sharing=0.0)
FRAMES, STEP = 16, 50.0


@functools.cache
def stack():
  """Three analysed slices, 20 mm apart, whose strains the tests replace."""
  found = []
  for k, plan in enumerate(study.plan(SMALL)):
    cine = study.exact(plan).replace(place=Place((0, 0, -20.0 * k), (1, 0, 0), (0, 1, 0)), frame_interval=STEP)
    found.append(analyse(cine, cine.mask, septum=study.truth(plan).septal_angle))
  return found


def known(k, *, descent, rotation=0.0, radius=20.0, rates=(0.0, 0.0)):
  """Slice k with a descent (mm), rotation (deg) and rates (1/s) that rise and fall with 1 - cos."""
  rise = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAMES) / FRAMES)
  rate = np.pi * np.sin(2 * np.pi * np.arange(FRAMES) / FRAMES) / (FRAMES * STEP / 1000)
  zero = {group: np.zeros((count, FRAMES, 4)) for group, count in GROUPS.items()}
  rates_of = {group: zero[group] + rate[:, None] * np.array([*rates, np.nan, 0.0]) for group in GROUPS}
  strain = dataclasses.replace(
    stack()[k].strain,
    strain={group: values + np.array([0, 0, np.nan, 0]) for group, values in zero.items()},
    strain_error=zero, rate=rates_of, rate_error=zero,
    descent=np.tile(descent * rise, (24, 1)), descent_rate=np.tile(descent * rate, (24, 1)),
    descent_error=np.zeros((24, FRAMES)), descent_rate_error=np.full((24, FRAMES), 0.3),
    rotation=rotation * rise, rotation_error=np.full(FRAMES, 0.1), radius=np.full(FRAMES, radius),
  )  # fmt: skip
  return dataclasses.replace(stack()[k], strain=strain)


def test_longitudinal_strain_is_the_slope_of_the_descent():
  # 12, 8, 2 mm at 0, 20, 40 mm: the parabola's slopes are -0.15, -0.25 and -0.35.
  found = deform([known(k, descent=d) for k, d in enumerate((12.0, 8.0, 2.0))])
  ends = [one.strain.strain['global'][0, FRAMES // 2, 2] for one in found.motions]
  assert ends == pytest.approx([-15, -25, -35])
  assert found.depth.tolist() == [0, 20, 40]  # towards the apex, wherever the patient's axes point
  assert found.motions[0].strain.strain['angular6'][:, FRAMES // 2, 2] == pytest.approx(-15)
  rate = found.motions[1].strain.rate['global'][0, FRAMES // 4, 2]  # -0.25 pi / 0.8 s over a length of 1 - 0.125
  assert rate == pytest.approx(-0.25 * np.pi / 0.8 / 0.875)
  end = found.at_end_systole(0)
  rise = 0.5 - 0.5 * np.cos(2 * np.pi * end / FRAMES)
  assert f'longitudinal strain ({-25 * rise:.1f} % at' in found.notes[0]
  assert found.notes[0].endswith(f'mean {100 * (np.exp(-0.25 * rise) - 1):.1f} %')


def test_radial_strain_leans_on_a_volume_that_stays():
  # ln stretch: radial 0.3, circumferential -0.2; longitudinal 1 - 0.2. Half of 0.3 - 0.2 + ln 0.8 goes.
  found = deform([known(k, descent=d, rates=(0.3, -0.2)) for k, d in enumerate((10.0, 6.0, 2.0))])
  at = found.motions[1].strain.strain['global'][0, FRAMES // 2]
  assert at[1] == pytest.approx(100 * (np.exp(-0.2) - 1))
  assert at[0] == pytest.approx(100 * (np.exp(0.3 - 0.5 * (0.1 + np.log(0.8))) - 1), abs=0.01)


def test_the_residual_is_of_what_was_measured(monkeypatch):
  monkeypatch.setattr(lib.Deformation, 'at_end_systole', lambda self, k: FRAMES // 2)
  slices = [known(k, descent=d) for k, d in enumerate((10.0, 6.0, 2.0))]
  for one in slices:
    one.strain.strain['global'][..., :2] = (40.0, -20.0)
  assert deform(slices).residual == pytest.approx([100 * (1.4 * 0.8 * 0.8 - 1)] * 3)


def test_without_places_there_is_no_longitudinal_strain_and_a_reason():
  found = deform([dataclasses.replace(known(k, descent=5.0), place=None) for k in range(3)])
  assert np.isnan(found.motions[0].strain.strain['global'][..., 2]).all()
  assert found.notes[0].endswith('is not known for all of them, so their distance is not')
  table = measures(found).set_index('quantity')
  assert table.loc['longitudinal strain', 'withheld']
  assert np.isnan(table.loc['torsion, per length', 'value'])
  assert table.loc['torsion, per length', 'withheld'] == 'the distance of the slices is not known'


@pytest.mark.parametrize(
  ('places', 'reason'),
  [
    ([((0, 0, 0), (1, 0, 0), (0, 1, 0)), ((0, 0, 9), (1, 0, 0), (0, 0.9, 0.43589))], 'tilted'),
    ([((0, 0, z), (1, 0, 0), (0, 1, 0)) for z in (0, 9, 4)], 'order'),
    ([((0, 0, z), (1, 0, 0), (0, 1, 0)) for z in (0, 0.05)], 'one place'),
    ([((0, 0, 0), (1, 0, 0), (0, 1, 0))], 'one slice'),
  ],
)
def test_slices_that_are_no_stack(places, reason):
  slices = [dataclasses.replace(stack()[k], place=Place(*place)) for k, place in enumerate(places)]
  found = deform(slices)
  assert reason in found.notes[0]
  assert np.isnan(found.depth).all()


@pytest.mark.parametrize(('apart', 'believed'), [(20.0, True), (6.0, False)])
def test_a_distance_that_the_velocities_contradict_is_not_believed(apart, believed):
  """A wall that loses half of its volume: the distance in the files, or the scaling of the velocities, is wrong."""
  places = [Place((0, 0, -apart * k), (1, 0, 0), (0, 1, 0)) for k in range(3)]
  found = deform([dataclasses.replace(one, place=place) for one, place in zip(stack(), places, strict=True)])
  longitudinal = found.motions[1].strain.strain['global'][0, :, 2]
  assert np.isfinite(longitudinal).all() == believed
  assert np.isfinite(found.depth).all() == believed
  assert ('6.0 mm apart by their files' in found.notes[0]) == (not believed)
  assert bool(found.contradiction) != believed


def test_end_systole_is_when_the_wall_has_moved_inward_furthest_not_where_it_pauses():
  radial = np.interp(np.arange(FRAMES), [0, 2, 4, 5, 6, 8, 10, 15], [0, 4, 1, 1, 1, 0.2, -6, 0])  # pauses at 5
  radial -= radial.mean()
  curves = {group: np.tile(radial[:, None], (count, 1, 3)) for group, count in GROUPS.items()}
  found = deform([dataclasses.replace(one, curves=curves) for one in stack()])
  assert found.at_end_systole(0) == 8
  unknown = {group: np.full_like(values, np.nan) for group, values in curves.items()}
  assert deform([dataclasses.replace(one, curves=unknown) for one in stack()]).at_end_systole(0) == -1


def test_levels_are_the_slices_own_or_thirds():
  assert levels(stack()) == ('base', 'mid', 'apex')
  nameless = [dataclasses.replace(stack()[0], level='') for _ in range(5)]
  assert levels(nameless) == ('base', 'base', 'mid', 'apex', 'apex')


def test_torsion_by_hand():
  slices = [known(0, descent=0, rotation=4.0, radius=24.0), known(2, descent=0, rotation=-8.0, radius=16.0)]
  table = turning(deform(slices))  # 40 mm apart
  at = table.iloc[FRAMES // 2]
  assert at['twist_deg'] == pytest.approx(-12)
  assert at['torsion_deg_cm'] == pytest.approx(-3)  # over 4 cm
  assert at['torsion_deg'] == pytest.approx(-12 * 40 / 80)
  assert at['twist_error_deg'] == pytest.approx(np.hypot(0.1, 0.1))


def test_untwisting_rate_is_the_slope_after_end_systole():
  slices = [known(0, descent=0, rotation=0.0), known(2, descent=0, rotation=10.0)]
  table = measures(deform(slices)).set_index('quantity')
  # 10 deg (1 - cos) / 2 falls fastest at three quarters of 0.8 s, unless that lies beyond the window.
  assert table.loc['untwisting rate', 'value'] == pytest.approx(-10 * np.pi / 0.8, rel=0.05)


def test_waves_and_gradients_by_hand():
  slices = []
  for k, scale in enumerate((1.0, 0.6, 0.2)):
    one = known(k, descent=5.0)
    t = np.arange(FRAMES)
    curve = (
      8 * np.exp(-(((t - 2) / 1.2) ** 2)) - 10 * np.exp(-(((t - 8) / 1.2) ** 2)) - 4 * np.exp(-(((t - 13) / 1.2) ** 2))
    )
    curves = {
      group: np.repeat((scale * curve)[None, :, None], count, 0).repeat(3, 2) for group, count in GROUPS.items()
    }
    slices.append(dataclasses.replace(one, curves=curves))
  table = measures(deform(slices))
  base = table[table['where'] == 'septal base'].set_index('quantity')['value']
  assert base["s'"] == pytest.approx(8, rel=0.02)
  assert base["e'/a'"] == pytest.approx(2.5, rel=0.02)
  # 8, 4.8, 1.6 cm/s at 0, 2, 4 cm: -1.6 cm/s a cm
  slope = table[table['quantity'] == 'gradient of longitudinal PS']['value'].to_numpy()
  assert slope == pytest.approx([-1.6], rel=0.02)
  times, _ = times_to_peak(deform(slices), 'longitudinal')
  assert times == pytest.approx(2 * STEP, abs=1.0)


def test_noise_is_withheld_with_its_size():
  slices = [known(k, descent=5.0) for k in range(3)]
  for one in slices:
    one.strain.rate_error['global'][..., 0] = 40.0
    one.strain.rate_error['angular24'][..., 1] = 40.0
  found = deform(slices)
  row = measures(found).set_index('quantity').loc['radial strain']
  assert np.isnan(row['value'])
  assert row['withheld'].startswith('noise: its standard error')
  segments = segment_table(found)
  assert segments['circumferential_percent'].isna().all()
  assert 'circumferential: noise' in segments['withheld'][0]
  assert segments['withheld'][16] == 'no short-axis slice shows the cap'


def test_a_study_without_a_wall_has_no_numbers():
  assert measures(deform([])).empty
  assert len(segment_table(deform([]))) == 17


def test_resampling_to_other_frames():
  t = np.arange(20) / 20
  np.testing.assert_allclose(at_times(np.sin(2 * np.pi * t), 40)[::2], np.sin(2 * np.pi * t), atol=1e-12)
