"""From phantom cines and masks to the files of the agreement: exact where masks agree, honest where they do not."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from ear_jax.analysis.slices import analyse
from ear_jax.phantom import study
from ear_jax.report import agreement_tables
from ear_jax.report.agreement import FILES, brief, write_agreement
from ear_jax.report.bland_altman import bland_altman_figure
from ear_jax.scoring.agreement import compare_curves
from ear_jax.scoring.agreement_summary import concatenate, summarise
from ear_jax.scoring.mask_agreement import compare_masks, reason_to_skip

SIZE = study.Size('phantom_small', 2, 1, (3,), 12, 48, 2.4, 2.4, offset=2.0, sharing=0.0)


@pytest.fixture(scope='module')
def cines():
  """Three slices of each of three datasets, of two subjects; the first subject has two visits."""
  return [study.render(plan) for plan in study.plan(SIZE)]


def wider(mask):
  """`[T, H, W]` one pixel wider to the right."""
  return mask | np.roll(mask, 1, axis=2)


@pytest.fixture(scope='module')
def rows(cines):
  """Masks that are exact at the first subject and one pixel too wide at the second."""
  return concatenate([compare_masks(c, c.mask if c.subject.endswith('01') else wider(c.mask)) for c in cines])


def test_equal_masks_agree_exactly(cines):
  found = compare_masks(cines[1], cines[1].mask)
  curves, markers = found.curves, found.markers
  assert len(curves) == 3
  assert set(curves['status']) <= {'sound', 'flagged'}
  errors = [c for c in curves if c.startswith(('rmse', 'max'))]
  assert (curves[errors] == 0).all(axis=None)
  assert np.allclose(curves[[c for c in curves if c.startswith('r_') or c == 'r']], 1)
  for quantity in ('velocity', 'time', 'normalised_time'):
    error = markers[f'{quantity}_error'].dropna()
    assert len(error) >= 8
    assert (error == 0).all()
  ratio = found.temporal.set_index('metric')['ratio']
  assert (ratio.dropna() == 1).all()
  assert ratio.notna().sum() >= 7


def test_exchanging_the_masks_turns_the_errors_round(cines):
  cine, mask = cines[1], wider(cines[1].mask)
  one, other = compare_masks(cine, mask), compare_masks(cine.replace(mask=mask), cine.mask)
  assert one.curves['rmse'].min() > 0
  assert one.curves[['rmse', 'r']].to_numpy() == pytest.approx(other.curves[['rmse', 'r']].to_numpy())
  assert one.markers['velocity_error'].to_numpy() == pytest.approx(-other.markers['velocity_error'], nan_ok=True)


def test_sectors_of_both_masks_begin_at_the_septal_point_of_the_reference(cines):
  cine, mask = cines[1], wider(cines[1].mask)
  found = compare_masks(cine, mask).curves['rmse_angular6'].to_numpy()
  reference = analyse(cine, cine.mask, septum=0.0)
  shared, own = (compare_curves(analyse(cine, mask, septum=s), reference) for s in (reference.septum, 0.0))
  assert found == pytest.approx(shared['rmse_angular6'].to_numpy())
  assert np.abs(found - own['rmse_angular6']).max() > 1e-3  # the same direction from another centre is another point


def test_a_frame_without_reference_does_not_count(cines):
  annotated = np.arange(12) != 5
  mask = np.where(annotated[:, None, None], cines[0].mask, 0).astype(np.uint8)
  cine = cines[0].replace(mask=mask, annotated=annotated)
  anything = cines[0].mask.copy()
  anything[5] = np.roll(anything[5], 9, axis=1)
  found = compare_masks(cine, anything)
  assert (found.curves['rmse'] == 0).all()
  assert (found.curves['frames'] == 11).all()
  assert (found.temporal['ratio'].dropna() == 1).all()


def test_an_empty_prediction_is_a_failed_cine(cines):
  found = compare_masks(cines[0], np.zeros_like(cines[0].mask))
  assert set(found.curves['status']) == {'failed'}
  assert set(found.curves['failed_predicted']) == {12}
  assert found.curves['rmse'].isna().all()
  assert summarise(found)['n_subjects'] == 0


def test_what_cannot_be_compared_says_why(cines):
  magnitude = cines[0].replace(video=cines[0].video[..., :1], venc=None)
  annotated = np.arange(12) < 10
  sparse = cines[0].replace(mask=cines[0].mask * annotated[:, None, None].astype(np.uint8), annotated=annotated)
  assert 'magnitude only' in reason_to_skip(magnitude)
  assert '90 % of the frames' in reason_to_skip(sparse)
  assert reason_to_skip(cines[0]) == ''
  found = summarise(concatenate([compare_masks(c, c.mask) for c in (magnitude, sparse, magnitude)]))
  assert found['skipped'] == {reason_to_skip(magnitude): 2, reason_to_skip(sparse): 1}
  assert found['cines']['expected'] == 0


@pytest.fixture(scope='module')
def written(rows, tmp_path_factory):
  """Folder of the agreement of `rows`, and the summary."""
  folder = tmp_path_factory.mktemp('agreement')
  return folder, write_agreement(folder, rows)


def test_the_files_agree_with_each_other(written):
  folder, summary = written
  assert {path.name for path in folder.iterdir()} == set(FILES)
  assert json.loads((folder / 'agreement.json').read_text()) == summary
  curves, markers = (pd.read_csv(folder / f'agreement{name}.csv') for name in ('', '_markers'))
  assert len(curves) == 9 * 3
  assert len(markers) == 9 * (4 + 4 + 4)
  ps = markers[(markers['component'] == 'longitudinal') & (markers['marker'] == 'PS')]
  subjects = ps.groupby(['subject', 'dataset'])['velocity_error'].mean().groupby('subject').mean()
  entry = summary['markers']['longitudinal']['PS']['velocity']
  assert entry['bias'] == pytest.approx(subjects.mean(), rel=1e-4)
  assert entry['sd'] == pytest.approx(subjects.std(ddof=1), rel=1e-4)
  assert subjects['phantom-01'] == 0
  text = (folder / 'agreement.md').read_text()
  assert f'| longitudinal PS | 2 | {entry["mean_reference"]:.2f} | {entry["bias"]:.2f} |' in text
  assert len(pd.read_csv(folder / 'temporal.csv')) == 9 * 9
  for name in ('bland_altman', 'bland_altman_time'):
    with Image.open(folder / f'{name}.png') as picture:
      assert np.ptp(np.asarray(picture.convert('L'))) > 100


def test_repeatability_of_equal_masks_is_equal(written):
  table = pd.read_csv(written[0] / 'repeatability.csv')
  assert (table['n'] == 1).all()  # the subject with two visits, whose masks are exact
  assert (table['s_w_manual'] == table['s_w_automatic']).all()
  assert table['s_w_ratio'].dropna().eq(1).all()
  velocity = table[(table['quantity'] == 'velocity') & (table['marker'] == 'PS')]
  assert (velocity['s_w_manual'] > 0).all()


def test_an_earlier_evaluation_leaves_nothing_behind(cines, tmp_path):
  for name in FILES:
    (tmp_path / name).write_text('of an earlier evaluation')
  failed = compare_masks(cines[0], np.zeros_like(cines[0].mask))
  summary = write_agreement(tmp_path, failed)
  missing = {'repeatability.csv', 'bland_altman.png', 'bland_altman_time.png'}
  assert {path.name for path in tmp_path.iterdir()} == set(FILES) - missing
  left_out = next(n for n in summary['notes'] if n.startswith('Left out of all means of curves and peaks: 1 of 1'))
  frames = int(cines[0].annotated.sum())
  side = f'(none in {frames} of {frames} frames of the prediction, in 0 of the reference)'
  assert f'a closed wall in every frame: {cines[0].dataset}/{cines[0].slice_id} {side}. Dice' in left_out
  magnitude = cines[0].replace(video=cines[0].video[..., :1], venc=None)
  summary = write_agreement(tmp_path, compare_masks(magnitude, magnitude.mask))
  assert list(tmp_path.iterdir()) == []
  assert summary['notes'] == ['No velocity curve was compared.', f'Cines not compared: 1, {reason_to_skip(magnitude)}.']
  assert agreement_tables.text_tables(summary)[0].title == 'Cines'
  json.dumps(brief(summary), allow_nan=False)


def test_points_and_lines_of_the_plot_are_subjects_and_limits(rows):
  # Eight subjects with known errors: every line of the first subject again, the peak moved.
  errors = np.array([-0.4, -0.3, -0.1, 0.0, 0.1, 0.2, 0.2, 0.3])
  first = rows.markers[rows.markers['dataset'] == 'phantom-01-a']
  parts = [first.assign(subject=f's{i}', dataset=f's{i}') for i in range(8)]
  for part, error in zip(parts, errors, strict=True):
    part['velocity_predicted'] = part['velocity_reference'] + error
  markers = pd.concat(parts)
  summary = summarise(rows._replace(markers=markers))
  with warnings.catch_warnings():
    warnings.simplefilter('error')
    axis = bland_altman_figure(markers, summary).axes[0]
  assert axis.get_title() == 'longitudinal, PS'
  assert np.sort(np.asarray(axis.collections[0].get_offsets())[:, 1]) == pytest.approx(errors, abs=1e-9)
  sd = errors.std(ddof=1)
  heights = sorted({round(line.get_ydata()[0], 6) for line in axis.lines})
  assert heights == pytest.approx([-1.96 * sd, 0, 1.96 * sd], abs=1e-6)
  assert len(axis.patches) == 3  # the bands of the bias and of both limits


def test_bands_that_would_cover_the_plot_are_left_out(rows):
  summary = summarise(rows)
  axis = bland_altman_figure(rows.markers, summary).axes[0]
  assert summary['markers']['longitudinal']['PS']['velocity']['n'] == 2
  assert len(axis.patches) == 0
  assert 'too wide to draw' in axis.texts[0].get_text()
