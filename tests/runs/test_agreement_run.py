"""The evaluation's one command leaves the agreement of velocity curves beside the scores, by the same numbers."""

import json

import pandas as pd
import pytest

from ear_jax.networks.load import load_run
from ear_jax.scoring.agreement_summary import concatenate, summarise
from ear_jax.scoring.mask_agreement import compare_masks

pytestmark = [pytest.mark.multiprocess, pytest.mark.slow]


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
