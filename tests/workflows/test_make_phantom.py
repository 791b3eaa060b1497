"""The command that writes a phantom study as DICOM: what it writes is the phantom."""

import numpy as np
import pytest

from ear_jax.formats.open import open_studies
from ear_jax.phantom import study
from ear_jax.system.errors import UserError
from ear_jax.workflows.make_phantom import make_phantom

TINY = study.Size('phantom_tiny', 2, 1, (2, 1), 3, 24, 5.0, 5.0, offset=2.0, sharing=0.0)


@pytest.mark.parametrize('exact', [False, True])
def test_the_files_hold_the_first_visit_of_the_subject(tmp_path, exact):
  files = make_phantom(tmp_path / 'out', size=TINY, subject=2, seed=3, direction='ROW', exact=exact)
  plans = [p for p in study.plan(TINY, 3) if p.dataset == 'phantom3-02-a']
  assert len(files) == len(plans) * 5 * 3
  (opened,) = open_studies(tmp_path / 'out')
  for (cine, _), plan in zip(opened.read(), plans, strict=True):
    wanted = study.exact(plan) if exact else study.render(plan)
    # Half a 12-bit step: exact velocities are no whole counts.
    np.testing.assert_allclose(cine.video, wanted.video, rtol=0, atol=0.51 * 30 / 2048 if exact else 0)
    assert cine.level == plan.level


def test_other_people_have_other_names_of_files_and_study(tmp_path):
  people = [(1, 0), (2, 0), (1, 1)]  # subject and seed
  written = [make_phantom(tmp_path / f'{k}-{seed}', size=TINY, subject=k, seed=seed) for k, seed in people]
  assert len({path.name for paths in written for path in paths}) == sum(map(len, written))
  assert len({study.dataset for study in open_studies(tmp_path)}) == 3


def test_an_interrupted_study_leaves_nothing(tmp_path, monkeypatch):
  written = []

  def interrupted(study, folder, **_):
    folder.mkdir()
    written.append((folder / 'first.dcm').write_text(''))
    raise KeyboardInterrupt

  monkeypatch.setattr('ear_jax.formats.siemens.writer.write', interrupted)
  with pytest.raises(KeyboardInterrupt):
    make_phantom(tmp_path / 'out', size=TINY)
  assert written
  assert list(tmp_path.iterdir()) == []


def test_mistakes_of_the_user(tmp_path):
  with pytest.raises(UserError, match='--subject is 1 to 2, not 3'):
    make_phantom(tmp_path / 'out', size=TINY, subject=3)
  (tmp_path / 'held').write_text('')
  with pytest.raises(UserError, match='is not an empty folder'):
    make_phantom(tmp_path, size=TINY)


def test_exact_slices_hold_the_truth_and_a_picture():
  plan = study.plan(TINY)[0]
  cine, truth = study.exact(plan), study.truth(plan)
  np.testing.assert_array_equal(cine.video[..., 1:], truth.velocity)
  np.testing.assert_array_equal(cine.mask, truth.mask)
  noisy = study.render(plan)
  assert np.corrcoef(cine.video[..., 0].ravel(), noisy.video[..., 0].ravel())[0, 1] > 0.8
  assert (cine.venc, cine.spacing, cine.frame_interval) == (noisy.venc, noisy.spacing, noisy.frame_interval)


def test_the_demonstration_study():
  plans = study.plan(study.DEMO)
  assert len({p.subject for p in plans}) == study.DEMO.subjects
  assert [p.level for p in plans[:3]] == ['base', 'mid', 'apex']
  assert (study.DEMO.frames, study.DEMO.matrix, study.DEMO.spacing) == (50, 224, 1.0)
