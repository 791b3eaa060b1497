"""The measurement of accuracy on a small scan: its numbers and its tables."""

import dataclasses
import json

import pytest

from ear_jax.phantom import study
from ear_jax.workflows import measure_accuracy

SIZE = dataclasses.replace(study.MINI, frames=20, sharing=0.1)


@pytest.fixture(scope='module')
def found():
  return measure_accuracy.measure(2, size=SIZE)


def test_exact_velocities_are_exact_and_scans_are_near(found):
  for level in ('base', 'mid', 'apex'):
    assert all(entry['largest'] < 0.05 for entry in found['exact_rms'][level].values())
  known, default = found['peak_errors']['scanner known'], found['peak_errors']['all artefacts']
  for peak, entry in known.items():
    assert abs(entry['mean']) < 0.6, peak
  # View sharing blunts the fastest wave, and the setting brings it back.
  fast = 'longitudinal PD'
  assert default[fast]['truth'] < -5
  assert default[fast]['mean'] > abs(known[fast]['mean']) + 0.2
  json.dumps(found, allow_nan=False)


def test_tables_hold_every_peak_once(found):
  text = measure_accuracy.to_markdown(found)
  for component, marker in measure_accuracy.MEASURED:
    assert text.count(f'| {component} {marker} |') == 1
  assert text.count('| apex |') == 1
