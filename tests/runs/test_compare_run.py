"""The comparison as a command: what it says, and a sentence for each mistake."""

import json

import pytest

pytestmark = pytest.mark.multiprocess


def test_the_command_says_what_it_found_and_where(forks, tmp_path):
  study = tmp_path / 'results/one'
  study.mkdir(parents=True)
  summary = {'study': 'one', 'verdict': 'fail', 'curves_withheld': True, 'slices': [], 'checks': [], 'settings': {}}
  (study / 'summary.json').write_text(json.dumps(summary | {'versions': {}}))
  outcome = forks.run('ear_jax.compare', tmp_path / 'results', '--output', tmp_path / 'out')
  assert outcome.status == 0, outcome.stderr
  assert '1 of 1 studies left out, the quality gate failed and curves are withheld: one' in outcome.stdout
  assert 'comparison.html' in outcome.stdout
  assert (tmp_path / 'out/comparison.html').exists()


@pytest.mark.parametrize(
  ('args', 'words'),
  [
    ([], ['give one RESULTS', '--output']),
    (['nowhere', '--output=out'], ['nowhere is no folder', '--output of ear_jax.predict']),
    (['nowhere', '--output=out', '--levels=top'], ['--levels=top', 'base, mid, apex']),
    (['nowhere', '--output=out', '--families='], ['--families', 'curves, velocities, times']),
    (['nowhere', '--output=out', '--align=qt'], ['qt', 'rr']),
  ],
)
def test_a_mistake_is_answered_with_one_sentence(forks, args, words):
  sentence = forks.run('ear_jax.compare', *args).sentence
  assert [word for word in words if word not in sentence] == [], sentence
