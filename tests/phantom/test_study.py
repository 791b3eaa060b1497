"""Whole studies: counts, repeatability, and what a reader of the noisy pictures gets back of the truth."""

import dataclasses
from collections import Counter

import numpy as np
import pytest

from ear_jax.phantom import study

MINI_SLICES = study.plan(study.MINI)
LEVELS = [3 * k + k % 3 for k in range(6)]  # a base, a middle and an apex slice of different subjects, twice


@pytest.fixture(scope='module')
def scans():
  return [(p, study.render(p), study.truth(p)) for p in (MINI_SLICES[i] for i in LEVELS)]


def test_paper_counts():
  slices = study.plan(study.PAPER)
  datasets = Counter(p.dataset for p in slices)
  visits = Counter(d[:-2] for d in datasets)
  assert len(slices) == 121
  assert len(datasets) == 26
  assert set(datasets.values()) == {3, 4, 5}
  assert Counter(visits.values()) == {1: 10, 2: 8}
  assert (study.PAPER.frames, study.PAPER.matrix, study.PAPER.spacing) == (50, 512, 0.85)
  assert len({(p.dataset, p.slice_id) for p in slices}) == 121


def test_mini_counts_and_levels():
  assert len(MINI_SLICES) == 36
  assert len({p.subject for p in MINI_SLICES}) == 12
  assert [p.level for p in MINI_SLICES[:3]] == ['base', 'mid', 'apex']
  assert (study.MINI.frames, study.MINI.matrix) == (16, 96)


def test_counts_that_do_not_fit_are_refused():
  with pytest.raises(ValueError, match='slice counts for 11 datasets, but there are 12'):
    study.plan(dataclasses.replace(study.MINI, slices=(11,)))


def test_a_slice_has_the_same_bits_on_its_own(scans):
  p, first, _ = scans[3]
  study.render(MINI_SLICES[0])  # what is made in between does not matter
  again = study.render(p)
  np.testing.assert_array_equal(first.video, again.video)
  np.testing.assert_array_equal(first.mask, again.mask)


def test_another_seed_is_another_cohort(scans):
  p, first, _ = scans[0]
  other = study.render(dataclasses.replace(p, seed=1))
  assert (first.mask != other.mask).any()


def test_rescans_share_the_person_and_nothing_else():
  slices = study.plan(study.PAPER)
  first, second = (next(p for p in slices if p.dataset == f'phantom-02-{v}') for v in 'ab')
  (one, visit_one, _), (two, visit_two, _) = study.people(first), study.people(second)
  assert one == two
  assert visit_one.centre != visit_two.centre
  assert visit_one.timing.rr != visit_two.timing.rr
  assert study.people(slices[-1])[0] != one


def test_cine_holds_12_bit_counts_and_the_exact_mask(scans):
  for p, cine, truth in scans:
    assert cine.video.shape == (16, 96, 96, 4)
    assert cine.video.dtype == np.float32
    magnitude = cine.video[..., 0]
    np.testing.assert_array_equal(magnitude, np.rint(magnitude))
    assert 0 <= magnitude.min() < 500 < magnitude.max() <= 4095
    counts = cine.video[..., 1:] / np.asarray(cine.venc) * 2048
    np.testing.assert_allclose(counts, np.rint(counts), atol=1e-3)
    assert counts.min() >= -2048
    assert counts.max() <= 2047
    np.testing.assert_array_equal(cine.mask, truth.mask)
    assert cine.annotated.all()
    assert (cine.subject, cine.dataset, cine.level) == (p.subject, p.dataset, p.level)
    assert 700 <= cine.frame_interval * 16 <= 1200


def test_blood_wraps_and_the_wall_does_not(scans):
  jumps = 0
  for _, cine, truth in scans:
    inside, venc = truth.mask.astype(bool), np.asarray(cine.venc)
    assert (np.abs(truth.velocity) < 0.8 * venc).all()
    wrapped = np.abs(cine.video[..., 1:] - truth.velocity) > venc
    assert wrapped[inside].mean() < 1e-3  # a border pixel may hold mostly blood
    for frame, (row, column) in zip(cine.video, np.rint(truth.centre).astype(int), strict=True):
      cavity = frame[row - 6 : row + 7, column - 6 : column + 7, 1:]  # well inside the smallest endocardium
      jumps += (np.abs(np.diff(cavity, axis=0)) > venc).sum()
  assert jumps > 100


def measured_curves(cine, truth):
  """Longitudinal, radial, circumferential `[3, T]` of the noisy cine over the true mask, from the formulas."""
  curves = []
  for frame, mask, (row, column) in zip(cine.video, truth.mask, truth.centre, strict=True):
    r, c = np.nonzero(mask)
    dr, dc = r - row, c - column
    x, y = -frame[r, c, 1], frame[r, c, 2]  # section 6 counts X against the column
    x, y = x - x.mean(), y - y.mean()
    radius = np.hypot(dr, dc)
    curves.append([frame[r, c, 3].mean(), ((dc * x - dr * y) / radius).mean(), (-(dr * x + dc * y) / radius).mean()])
  curves = np.array(curves).T
  return curves - curves.mean(1, keepdims=True)


def test_curves_of_the_scan_are_the_true_curves(scans):
  for _, cine, truth in scans:
    true = np.stack([truth.longitudinal, truth.radial, truth.circumferential])
    error = measured_curves(cine, truth) - (true - true.mean(1, keepdims=True))
    # Noise of a mean over some 700 pixels is below 0.05 cm/s and the background falls out with the time mean; what is
    # left is blood in the border pixels, through the plane above all.
    assert np.sqrt((error**2).mean(1)) == pytest.approx(0, abs=0.4)
    assert np.abs(error[1:]).max() < 0.5
    assert np.abs(true).max() > 3 * np.abs(error).max()


def test_true_velocity_belongs_to_the_wall(scans):
  for _, _, truth in scans:
    assert not truth.velocity[truth.mask == 0].any()
    assert (np.abs(truth.velocity[truth.mask == 1]).sum(-1) > 0).all()
    np.testing.assert_allclose(truth.longitudinal[3], truth.velocity[3, ..., 2][truth.mask[3] == 1].mean(), atol=1e-4)


def test_contours_enclose_the_mask_and_the_septum_faces_the_right_ventricle(scans):
  for p, _, truth in scans:
    rows, columns = np.nonzero(truth.mask[0])
    assert truth.epi[0, :, 0].min() - 0.5 <= rows.min() <= truth.epi[0, :, 0].min() + 1
    assert truth.epi[0, :, 1].max() - 1 <= columns.max() <= truth.epi[0, :, 1].max() + 0.5
    subject, visit, _ = study.people(p)
    towards = np.array([np.cos(truth.septal_angle), np.sin(truth.septal_angle)])  # row, column
    septum = subject.heart.septum + visit.angle
    np.testing.assert_allclose(towards, [np.sin(septum), np.cos(septum)], atol=1e-9)


def test_muscle_is_seen_against_blood_but_not_by_one_threshold(scans):
  for p, cine, truth in scans:
    subject = study.people(p)[0]
    frame, mask = cine.video[0, ..., 0], truth.mask[0].astype(bool)
    row, column = np.rint(truth.centre[0]).astype(int)
    cavity = frame[row - 4 : row + 5, column - 4 : column + 5].mean()
    wall = np.median(frame[mask])
    assert (cavity > wall) == (subject.contrast.blood > subject.contrast.muscle)
    assert max(cavity, wall) > 1.2 * min(cavity, wall)
    alike = (frame > 0.75 * wall) & (frame < 1.25 * wall)
    assert 2 * (alike & mask).sum() / (alike.sum() + mask.sum()) < 0.9


def test_people_of_another_seed_have_other_names():
  names = [{plan.subject for plan in study.plan(study.MINI, seed)} for seed in (0, 1, 2)]
  assert names[0] == {f'phantom-{i:02d}' for i in range(1, 13)}
  assert not names[0] & names[1]
  assert not names[1] & names[2]
