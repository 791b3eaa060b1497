"""The evaluation's one command leaves the agreement of velocity curves beside the scores, by the same numbers."""

import json

import pandas as pd
import pytest

from ear_jax.formats import folder
from ear_jax.formats.open import open_studies
from ear_jax.networks.load import load_network, load_run
from ear_jax.networks.segment import segment
from ear_jax.phantom import study
from ear_jax.scoring.agreement_summary import concatenate, summarise
from ear_jax.scoring.mask_agreement import compare_masks
from ear_jax.system.errors import UserError
from ear_jax.workflows.evaluate_studies import evaluate_studies
from ear_jax.workflows.make_phantom import make_phantom

pytestmark = [pytest.mark.multiprocess, pytest.mark.slow]


def test_studies_are_scored_against_the_contours_beside_them_by_two_networks_as_one(trained, tmp_path, monkeypatch):
  size = study.Size('phantom_scan', 2, 0, (2,), 3, 32, 3.6, 3.6, offset=2.0, sharing=0.0)
  for k in (1, 2):
    make_phantom(tmp_path / f'studies/p{k}', size=size, subject=k, contours=True)
  looked_over = []
  monkeypatch.setattr(folder, 'open_studies', lambda *given: looked_over.append(given) or open_studies(*given))
  metrics = evaluate_studies([trained, 'ear3d-magnitude'], tmp_path / 'scores', tmp_path / 'studies')
  assert metrics['manifest']['together_with'][0]['step'] == load_network('ear3d-magnitude').step
  assert metrics['n_subjects'] == 2
  assert len(looked_over) == 1  # it was opened again for the pictures, and its notes were said twice
  assert (tmp_path / 'scores/median.png').exists()
  rows = pd.read_csv(tmp_path / 'scores/per_frame.csv')
  networks = [load_network(trained), load_network('ear3d-magnitude')]
  for opened in open_studies(tmp_path / 'studies'):
    for cine in opened:
      mask = segment(cine, networks).mask
      own = rows[(rows.dataset == cine.dataset) & (rows.slice_id == cine.slice_id)]
      expected = [2 * (a & b).sum() / (a.sum() + b.sum()) for a, b in zip(mask, cine.mask, strict=True)]
      assert own.dice.to_numpy() == pytest.approx(expected, abs=1e-4)
  with pytest.raises(UserError, match='nothing to read'):
    evaluate_studies([trained], tmp_path / 'scores', tmp_path / 'scores')


def test_one_command_gives_scores_and_agreement(forks, trained, data, tmp_path):
  outcome = forks.run('ear_jax.evaluate', '--workdir', trained, '--output', tmp_path, '--split=test')
  assert outcome.status == 0, outcome.stderr
  metrics, agreement = (json.loads((tmp_path / f'{name}.json').read_text()) for name in ('metrics', 'agreement'))
  for key in ('n_subjects', 'cines', 'skipped', 'failed', 'notes'):
    assert metrics['agreement'][key] == agreement[key]
  assert metrics['manifest']['velocity_settings']['remove_mean'] is True
  _, split = load_run(trained)
  cines = [data.cine(record) for record in data.records_of(split.test)]
  assert agreement['cines']['expected'] == len(cines) == 2
  # The reference's half of the table does not depend on the network, and can be had without it.
  expected = concatenate([compare_masks(cine, cine.mask) for cine in cines])
  table = pd.read_csv(tmp_path / 'agreement_markers.csv')
  column = 'velocity_reference'
  assert table[column].to_numpy() == pytest.approx(expected.markers[column].to_numpy(), rel=1e-5, nan_ok=True)
  assert summarise(expected)['cines']['expected'] == 2
  assert agreement['notes'][0] in ' '.join(outcome.stdout.split())
