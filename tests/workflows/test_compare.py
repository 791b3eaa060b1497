"""Studies compared: what is written, what is left out and said, and what is refused, with both values."""

import dataclasses
import json

import numpy as np
import openpyxl
import pandas as pd
import pytest
import result_folders
from result_folders import write

import ear_jax
from ear_jax.cine import Study
from ear_jax.formats.result_folder import Results
from ear_jax.phantom import study as phantom
from ear_jax.report.compared import Choice
from ear_jax.scoring.cohort import STRAINS
from ear_jax.system.errors import UserError
from ear_jax.workflows.comparable import one_origin
from ear_jax.workflows.compare import compare

QUICK = Choice(levels=('mid',), components=('longitudinal',), permutations=400)
PLAIN = dataclasses.replace(QUICK, published=False)  # a picture less


def _names(path, lines):
  path.write_text('\n'.join(lines) + '\n')
  return path


@pytest.fixture(scope='module')
def cohort(tmp_path_factory):
  """Six controls and seven patients, whose velocities are smaller by 2 SD, and one of each that the gate speaks of."""
  root = tmp_path_factory.mktemp('cohort')
  lines, rng = ['study,group,person'], np.random.default_rng(0)
  for k in range(13):
    group = 'control' if k < 6 else 'patient'
    verdict = {0: 'warn', 12: 'fail'}.get(k, 'pass')
    write(root / 'results', f'study-{k:02d}', 1 - 0.2 * (k >= 6) + 0.1 * rng.uniform(-1, 1), verdict=verdict)
    lines.append(f'study-{k:02d},{group},p{k}')
  return root / 'results', _names(root / 'groups.csv', lines)


def test_groups_are_told_apart_and_who_failed_the_gate_is_left_out_and_named(cohort, tmp_path):
  results, groups = cohort
  found = compare(results, tmp_path, groups=groups, choice=QUICK)
  assert found == json.loads((tmp_path / 'comparison.json').read_text())
  assert found['groups']['people'] == [6, 6]
  assert 'mid longitudinal PS velocity' in found['groups']['peaks_claimed']
  (first, *_) = found['groups']['curves_claimed']
  assert first['level'] == 'mid'
  assert any(note.startswith('1 of 13 studies left out, the quality gate failed') for note in found['notes'])
  assert any('1 of 13 studies compared though the quality gate warns: study-00' in note for note in found['notes'])
  peaks = pd.read_csv(tmp_path / 'groups_peaks.csv').set_index(['quantity', 'marker'])
  markers = [pd.read_csv(results / f'study-{k:02d}/markers.csv') for k in range(12)]
  ps = [m.query("level == 'mid' and component == 'longitudinal' and marker == 'PS'")['velocity_cm_s'].item()
        for m in markers]  # fmt: skip
  assert peaks.loc[('velocity', 'PS'), 'mean_1'] == pytest.approx(np.mean(ps[:6]), rel=1e-5)
  assert peaks.loc[('velocity', 'PS'), 'mean_2'] == pytest.approx(np.mean(ps[6:]), rel=1e-5)
  page = (tmp_path / 'comparison.html').read_text()
  assert page.count('<img ') == 3  # curves, and peaks with and without published values
  assert 'Codreanu' in page
  assert page.count('class="badge') == 13
  assert {path.name for path in tmp_path.glob('groups_*')} == {
    'groups_curves.csv', 'groups_peaks.csv', 'groups_curves.png', 'groups_peaks.png', 'groups_peaks_published.png'
  }  # fmt: skip


def test_without_files_of_names_there_is_one_table_over_all_studies(cohort, tmp_path):
  results, _ = cohort
  (tmp_path / 'visits.csv').write_text('old')
  found = compare(results, tmp_path)
  assert (found['groups'], found['normal'], found['visits']) == (None, None, None)
  assert {path.name for path in tmp_path.iterdir()} == {
    'comparison.html', 'comparison.json', 'studies.csv', 'studies.xlsx'
  }  # fmt: skip
  table = pd.read_csv(tmp_path / 'studies.csv').set_index('study')
  assert table['verdict'].value_counts().to_dict() == {'pass': 11, 'warn': 1, 'fail': 1}
  assert table.loc['study-12', 'compared'] == 'no'
  assert table.loc['study-00', 'reasons'] == 'warn: noise: level of noise'
  assert table.loc['study-01', 'base longitudinal PS (cm/s)'] > table.loc['study-01', 'mid longitudinal PS (cm/s)']
  sheet = openpyxl.load_workbook(tmp_path / 'studies.xlsx')['studies']
  assert sheet.max_row == 14
  assert (tmp_path / 'comparison.html').read_text().count('<polyline') == 3 * 12


def test_failed_studies_are_taken_when_that_is_asked_for(cohort, tmp_path):
  results, groups = cohort
  found = compare(results, tmp_path, groups=groups, choice=dataclasses.replace(PLAIN, failed=True))
  assert found['groups']['people'] == [6, 7]
  assert any('taken though the quality gate failed: study-12' in note for note in found['notes'])
  assert 'Codreanu' not in (tmp_path / 'comparison.html').read_text()


def test_real_results_of_predict_are_read(tmp_path):
  size = phantom.Size('phantom_small', 1, 0, (1,), 16, 48, 2.4, 2.4, offset=2.0, sharing=0.0)
  made = phantom.render(phantom.plan(size)[1])
  ear_jax.predict(Study(made.subject, made.dataset, (made,)), tmp_path / 'results/one', [], force=True)
  compare(
    tmp_path / 'results', tmp_path / 'out', choice=Choice(failed=True, regions=('sectors', 'layers'), strain=True)
  )
  row = pd.read_csv(tmp_path / 'out/studies.csv').iloc[0]
  markers = pd.read_csv(tmp_path / 'results/one/markers.csv')
  ps = markers.query("group == 'global' and component == 'radial' and marker == 'PS'")
  assert row[f'{made.level} radial PS (cm/s)'] == pytest.approx(ps['velocity_cm_s'].item(), rel=1e-5)
  for group, region, name in (('angular6', 'AL', 'AL'), ('layers', 'endo', 'inner third')):
    one = markers.query(f"group == '{group}' and region_name == '{region}' and component == 'longitudinal'")
    pd_ = one.query("marker == 'PD'")['velocity_cm_s'].item()
    assert row[f'{made.level} {name} longitudinal PD (cm/s)'] == pytest.approx(pd_, rel=1e-5)
  strain = pd.read_csv(tmp_path / 'results/one/strain.csv').query("kind == 'circumferential'")
  for group, region, name in (('global', 'global', 'all slices'), ('angular6', 'AL', f'{made.level} AL')):
    values = strain.query(f"group == '{group}' and region_name == '{region}'").sort_values('frame')['strain_percent']
    on_cycle = np.interp(np.arange(50) * 16 / 50, np.arange(17), [*values, values.iloc[0]])
    expected = on_cycle.min() if values.notna().all() else np.nan
    found = row[f'{name} circumferential strain smallest (%)']
    assert found == pytest.approx(expected, rel=1e-5, nan_ok=True)


def test_one_sector_and_strain_are_compared_in_one_family_of_curves(tmp_path):
  lines = ['study,group']
  for k, strength in enumerate((1.0, 1.02, 0.98, 1.01, 1.0, 0.99, 1.02, 0.98)):
    write(tmp_path / 'results', f's{k}', strength, sector=strength * (0.6 if k > 3 else 1))
    lines.append(f's{k},{"weak" if k > 3 else "sound"}')
  groups = _names(tmp_path / 'groups.csv', lines)
  choice = Choice(
    components=('longitudinal',), regions=('sectors',), strain=True, permutations=70, families=('curves',)
  )
  found = compare(tmp_path / 'results', tmp_path / 'out', groups=groups, choice=choice)
  curves = pd.read_csv(tmp_path / 'out/groups_curves.csv')
  assert set(curves['level']) == {'all slices', 'base', 'mid', 'base AS', 'mid AS'}
  assert set(curves['component']) == {'longitudinal', *STRAINS}
  claimed = {(run['level'], run['component']) for run in found['groups']['curves_claimed']}
  assert claimed == {('base AS', 'longitudinal'), ('mid AS', 'longitudinal')}
  # The strain of frame 10 of 20 is 45 % times strength, less 4.5 % in the second of two slices.
  peak = pd.read_csv(tmp_path / 'out/groups_peaks.csv').set_index(['level', 'component', 'marker'])
  line = peak.loc[('all slices', 'radial strain', 'largest')]
  assert line['mean_1'] == pytest.approx(45 * (np.mean([1.0, 1.02, 0.98, 1.01]) - 0.05), rel=1e-5)
  assert line['quantity'] == 'strain'
  page = (tmp_path / 'out/comparison.html').read_text()
  assert f'{len(curves)} points (' in page
  assert 'they are one family' in page
  assert 'Heiberg' in page
  assert '-18.0 ± 10.0 %' in page


def test_a_strain_that_a_study_lacks_is_left_out_and_said_and_one_without_the_file_refused(tmp_path):
  lines = ['study,group']
  for k in range(4):
    path = write(tmp_path / 'results', f's{k}', 1 + 0.1 * k, sector=1.0)
    lines.append(f's{k},{"ab"[k > 1]}')
  table = pd.read_csv(path / 'strain.csv')
  table.loc[(table['kind'] == 'longitudinal') & (table['slice'] == 'sax1'), 'strain_percent'] = np.nan
  table.to_csv(path / 'strain.csv', index=False)
  groups, choice = _names(tmp_path / 'groups.csv', lines), dataclasses.replace(PLAIN, strain=True)
  found = compare(tmp_path / 'results', tmp_path / 'out', groups=groups, choice=choice)
  assert found['groups']['people_in_curves'] == [2, 2]
  (note,) = [note for note in found['notes'] if 'strain curves left out' in note]
  assert note.startswith('groups: 2 strain curves left out')
  assert note.endswith('longitudinal strain of s3')
  (path / 'strain.csv').unlink()
  with pytest.raises(UserError, match=r's3: no strain\.csv: run ear_jax\.predict again, or compare without --strain'):
    compare(tmp_path / 'results', tmp_path / 'out', groups=groups, choice=choice)


def test_a_study_is_measured_by_the_normal_group(tmp_path):
  for k, strength in enumerate((0.96, 0.98, 1.0, 1.02, 1.04)):
    write(tmp_path / 'normal', f'normal-{k}', strength)
  write(tmp_path / 'results', 'weak', 0.5)
  found = compare(tmp_path / 'results', tmp_path / 'out', normal=tmp_path / 'normal', choice=QUICK)
  lines = pd.read_csv(tmp_path / 'out/normal.csv').query("quantity == 'velocity'")
  sd = np.sqrt(0.001)  # of the five strengths; every velocity is proportional to them
  assert lines['z'].abs().to_numpy() == pytest.approx(0.5 / sd, rel=1e-4)
  assert found['normal'] == {'values': 3, 'beyond': 3, 'people': 5}  # times do not vary: they have no z
  assert (tmp_path / 'out/normal_weak.png').exists()
  with pytest.raises(UserError, match='weak: among the studies and in the normal group'):
    compare(tmp_path / 'results', tmp_path / 'out', normal=tmp_path / 'results')


def test_visits_are_measured_by_a_given_repeatability(tmp_path):
  lines = ['study;person;visit']  # as Excel writes it in some countries
  for k, pair in enumerate([(1.0, 1.01), (1.1, 1.08), (0.9, 0.9), (1.0, 1.02)]):
    for visit, strength in zip('ab', pair, strict=True):
      write(tmp_path / 'twice', f's{k}{visit}', strength)
      lines.append(f's{k}{visit};p{k};{visit}')
  compare(tmp_path / 'twice', tmp_path / 'known', visits=_names(tmp_path / 'twice.csv', lines), choice=QUICK)
  write(tmp_path / 'mine', 'before', 1.0)
  write(tmp_path / 'mine', 'after', 0.8)
  visits = _names(tmp_path / 'mine.csv', ['study,person,visit', 'before,x,1', 'after,x,2'])
  repeatability = tmp_path / 'known/repeatability.csv'
  found = compare(tmp_path / 'mine', tmp_path / 'out', visits=visits, repeatability=repeatability, choice=QUICK)
  assert found['visits']['beyond'] == 3
  table = pd.read_csv(tmp_path / 'out/visits.csv').set_index(['quantity', 'marker'])
  ps = pd.read_csv(tmp_path / 'known/repeatability.csv').set_index(['quantity', 'marker'])
  peak = np.abs(result_folders.curve(0.7)[:, 0]).max()
  assert peak == pytest.approx(abs(table.loc[('velocity', 'PD'), 'first']), rel=1e-4)
  assert table.loc[('velocity', 'PD'), 'difference'] == pytest.approx(0.2 * peak, rel=1e-4)
  s_w = peak * np.sqrt((0.01**2 + 0.02**2 + 0.02**2) / 8)
  assert ps.loc[('velocity', 'PD'), 's_w'] == pytest.approx(s_w, rel=1e-4)


@pytest.mark.parametrize(
  ('settings', 'said'),
  [
    ({'orientation': 'CW'}, r'orientation of the analyses differs: CCW in a0, a1, b0; CW in b1'),
    ({'circumferential_sign': -1}, r'circumferential_sign of the analyses differs: 1 in .*; -1 in b1'),
    ({'remove_mean': False}, r'remove_mean of the analyses differs: True in .*; False in b1'),
    ({'levels': ('mid',)}, r'different levels: b0 has base, mid; b1 has mid. Choose those that all have'),
  ],
)
def test_what_does_not_compare_is_refused_with_both_values(tmp_path, settings, said):
  lines = ['study,group']
  for study in ('a0', 'a1', 'b0', 'b1'):
    write(tmp_path / 'results', study, **(settings if study == 'b1' else {}))
    lines.append(f'{study},{study[0]}')
  with pytest.raises(UserError, match=said):
    compare(tmp_path / 'results', tmp_path / 'out', groups=_names(tmp_path / 'groups.csv', lines))


def test_a_person_counts_once_and_in_one_group(tmp_path):
  lines = ['study,group,person']
  for k, study in enumerate(('a0', 'a1', 'a2', 'b0', 'b1')):
    write(tmp_path / 'results', study, 1 + 0.1 * k)
    lines.append(f'{study},{study[0]},{"p0" if study == "a1" else "p" + str(k)}')
  groups = _names(tmp_path / 'groups.csv', lines)
  found = compare(tmp_path / 'results', tmp_path / 'out', groups=groups, choice=PLAIN)
  assert found['groups']['people'] == [2, 2]
  assert any('by the mean of their studies (further studies of a person: 1)' in note for note in found['notes'])
  groups.write_text(groups.read_text().replace('b0,b,p3', 'b0,b,p0'))
  with pytest.raises(UserError, match='person p0 is in group a and in group b'):
    compare(tmp_path / 'results', tmp_path / 'out', groups=groups, choice=PLAIN)


def test_frames_without_contours_leave_the_curve_out_and_times_need_the_interval(tmp_path):
  lines = ['study,group']
  for k, study in enumerate(('a0', 'a1', 'a2', 'b0', 'b1', 'b2')):
    interval = np.nan if study == 'b1' else 40.0
    write(tmp_path / 'results', study, 1 + 0.1 * k, failed=[18] * (study == 'a2'), interval=interval)
    lines.append(f'{study},{study[0]}')
  found = compare(tmp_path / 'results', tmp_path, groups=_names(tmp_path / 'groups.csv', lines), choice=PLAIN)
  assert found['groups']['people'] == [3, 3]
  assert found['groups']['people_in_curves'] == [2, 3]
  assert any('left out of the curves, for frames without contours: a2' in note for note in found['notes'])
  assert any('the time between frames is unknown in 1 of 6 studies (b1)' in note for note in found['notes'])
  assert set(pd.read_csv(tmp_path / 'groups_peaks.csv')['quantity']) == {'velocity'}


def test_contours_of_several_networks_and_few_frames_are_a_note():
  def study(name, frames, network):
    versions = {'ear_jax': '1', 'network 1': network}
    return Results(name, 'pass', False, [{'frames': frames}], [], {}, versions, None, None)

  notes = one_origin([study('a', 16, 'old'), study('b', 50, 'new')])
  assert 'old (ear_jax 1): a; new (ear_jax 1): b' in notes[0]
  assert '16 in a and 50 in b' in notes[1]
  assert one_origin([study('a', 40, 'new'), study('b', 50, 'new')]) == []


def test_withheld_and_unfinished_results_are_told_and_names_without_results_refused(tmp_path):
  write(tmp_path / 'results', 'good')
  result_folders.withhold(write(tmp_path / 'results', 'noisy'))
  (write(tmp_path / 'results', 'half') / 'summary.json').unlink()
  found = compare(tmp_path / 'results', tmp_path / 'out')
  assert '1 of 2 studies left out, the quality gate failed and curves are withheld: noisy' in found['notes']
  assert 'folders of unfinished results, without summary.json: 1' in found['notes']
  for lines, said in (
    (['study,group', 'nobody,a'], 'names studies that have no results: nobody'),
    (['study,person', 'good,p'], r'has no column group: expected study, group'),
    (['study,group', 'good,'], 'line 2: a cell is empty'),
    (['study,group', 'good,a', 'good,b'], 'study good stands on several lines'),
    (['study,group', 'good,a', 'noisy,b'], '1 people of a and 0 people of b can be compared'),
  ):
    with pytest.raises(UserError, match=said):
      compare(tmp_path / 'results', tmp_path / 'out', groups=_names(tmp_path / 'groups.csv', lines))
  with pytest.raises(UserError, match='no results lie in'):
    compare(tmp_path / 'out', tmp_path / 'more')
  summary = tmp_path / 'results/good/summary.json'
  for text, said in (
    (summary.read_text().replace('"good"', '"../good"'), 'is not as this version writes it'),
    (summary.read_text().replace('expected_dice', 'uncertainty'), 'is not as this version writes it'),
    ('{', r'cannot be read \(JSONDecodeError\)'),
  ):
    broken = tmp_path / 'broken/summary.json'
    broken.parent.mkdir(exist_ok=True)
    broken.write_text(text)
    with pytest.raises(UserError, match=said):
      compare(broken.parent, tmp_path / 'more')


def test_names_of_users_run_nowhere_and_own_bands_are_shown(tmp_path):
  lines = ['study,group']
  for k, study in enumerate(('a0', 'a1', 'b0', 'b1')):
    write(tmp_path / 'results', study, 1 + 0.1 * k)
    lines.append(f'{study},{"=1+1" if k < 2 else "<script>"}')
  head = 'level,component,marker,mean_cm_s,spread_cm_s,source,sample,method'
  bands = _names(tmp_path / 'bands.csv', [head, 'mid,longitudinal,PS,6,1,our own,"20 people",TPM'])
  found = compare(
    tmp_path / 'results', tmp_path, groups=_names(tmp_path / 'groups.csv', lines), bands=bands, choice=QUICK
  )
  assert found['bands'][0]['source'] == 'our own'
  page = (tmp_path / 'comparison.html').read_text()
  assert '<script' not in page
  assert '20 people' in page
  assert "'=1+1" in (tmp_path / 'studies.csv').read_text()
  cells = [cell for row in openpyxl.load_workbook(tmp_path / 'studies.xlsx')['studies'].iter_rows() for cell in row]
  assert not [cell for cell in cells if cell.data_type == 'f']
  unit = bands.read_text().replace('mean_cm_s,spread_cm_s', 'mean,spread,unit').replace('6,1,', '6,1,%,')
  with pytest.raises(UserError, match="line 2: longitudinal is in cm/s, and the unit there is '%'"):
    compare(tmp_path / 'results', tmp_path, bands=_names(tmp_path / 'unit.csv', unit.splitlines()))
  bands.write_text(bands.read_text().replace(',TPM', ','))
  with pytest.raises(UserError, match='line 2: level, marker, source, sample and method must be said'):
    compare(tmp_path / 'results', tmp_path, bands=bands)
