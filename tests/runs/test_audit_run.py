"""The audit as a command and as a call: which network looks at whom, what is refused, what is said, what is written."""

import dataclasses
import html
import json

import numpy as np
import pandas as pd
import pytest
from ml_collections import FrozenConfigDict

from ear_jax.data.splits import Split
from ear_jax.networks.segment import Network
from ear_jax.phantom import study
from ear_jax.system.errors import UserError
from ear_jax.workflows.audit import audit
from ear_jax.workflows.make_phantom import make_phantom

pytestmark = pytest.mark.multiprocess

PEOPLE = [f'phantom-0{k}' for k in range(1, 6)]
CRITICS = 'phantom-03'  # whose references the networks below find 4 pixels too far right


def knowing(data, config, trained_on, name='knows'):
  """A network that says the truth of everybody but one person; None: it does not say on whom it was trained."""

  def predict(cines, tta=None):
    for cine in cines:
      assert trained_on is None or cine.subject not in trained_on, f'{name} was trained on {cine.subject}'
      yield cine, np.roll(cine.mask, -4 * (cine.subject == CRITICS), 2).astype(np.float32)

  rest = [person for person in PEOPLE if person not in (trained_on or ())]
  split = None if trained_on is None else Split(tuple(trained_on), tuple(rest), ())
  manifest = {'data_hash': data.hash, 'config_hash': name}
  return Network(name, FrozenConfigDict(config), 9, manifest, split, {}, predict)


@pytest.fixture
def folds(data, config):
  return [knowing(data, config, PEOPLE[:3], 'first'), knowing(data, config, PEOPLE[2:], 'second')]


def test_each_person_is_audited_by_a_network_that_has_not_seen_them_and_the_odd_one_comes_first(data, config, tmp_path):
  networks = [knowing(data, config, PEOPLE[:2], 'first'), knowing(data, config, PEOPLE[2:], 'second')]
  found = audit('toy/velocity', tmp_path, networks, data_dir=config.data.dir)
  assert (found['subjects'], found['cines'], found['frames']) == (5, 10, 30)
  table = pd.read_csv(tmp_path / 'audit.csv', keep_default_na=False)
  assert set(table['subject'][:6]) == {CRITICS}  # 2 slices of 3 frames
  assert set(table['kind'][:6]) == {'shifted'}
  assert set(table['detail'][:6]) == {'4 px right'}
  assert set(table['disagreement'][6:]) == {0}
  assert '5 of 5 subjects were audited by networks that were not trained on them' in found['notes'][0]
  assert found == json.loads((tmp_path / 'audit.json').read_text())
  page = (tmp_path / 'audit.html').read_text()
  assert page.count('<img src="data:image/png') == 10
  assert "default-src 'none'; img-src data:" in html.unescape(page)


def test_who_was_trained_on_by_all_is_refused_unless_trusted(folds, data, config, tmp_path):
  with pytest.raises(UserError, match=r'every network that is given was trained on subject phantom-03.*--trust'):
    audit('toy/velocity', tmp_path, folds, data_dir=config.data.dir)
  assert not list(tmp_path.iterdir())
  nameless = knowing(data, config, None, 'shipped')
  found = audit('toy/velocity', tmp_path, [*folds, nameless], data_dir=config.data.dir)
  assert [note for note in found['notes'] if '1 subjects were audited by a network that does not say' in note]


def test_people_whom_no_run_names_and_another_version_of_the_data_are_said(data, config, tmp_path):
  network = knowing(data, config, ['somebody'])
  manifest = {**network.manifest, 'data_hash': 'another'}
  network = dataclasses.replace(network, split=Split(('somebody',), (), ()), manifest=manifest)
  found = audit('toy/velocity', tmp_path, [network], data_dir=config.data.dir)
  assert [note for note in found['notes'] if note.startswith('5 of these are named by no run (first: phantom-01)')]
  assert [note for note in found['notes'] if 'toy/velocity with another list of cines' in note]


def test_what_is_no_data(folds, config, tmp_path):
  with pytest.raises(UserError, match=r'neither a data set built in .* nor a folder of studies'):
    audit('toy/nothing', tmp_path, folds, data_dir=config.data.dir)


@pytest.mark.slow
def test_studies_with_contours_beside_them(trained, forks, tmp_path):
  size = study.Size('phantom_scan', 2, 0, (2,), 3, 32, 3.6, 3.6, offset=2.0, sharing=0.0)
  for k in (1, 2):
    make_phantom(tmp_path / f'studies/p{k}', size=size, subject=k, contours=True)
  outcome = forks.run('ear_jax.audit', tmp_path / 'studies', '--checkpoint', trained, '--output', tmp_path / 'audit')
  assert outcome.status == 0, outcome.stderr
  table = pd.read_csv(tmp_path / 'audit/audit.csv')
  assert len(table) == 2 * 3 * 3
  assert 'phantom' not in json.loads((tmp_path / 'audit/audit.json').read_text())['data']
  assert 'not a verdict' in ' '.join(outcome.stdout.split())


def test_the_command_says_what_is_missing_and_refuses_what_was_trained_on(forks, trained, data_dir, tmp_path):
  for words, said in (
    ([], 'give one DATA'),
    (['toy/velocity', '--output', tmp_path / 'out'], 'give --checkpoint'),
    (['toy/velocity', '--output', tmp_path / 'out', '--checkpoint', trained], 'was trained on subject'),
  ):
    assert said in forks.run('ear_jax.audit', *words).sentence
  outcome = forks.run(
    'ear_jax.audit', 'toy/velocity', '--checkpoint', trained, '--output', tmp_path / 'out', '--trust', '--pictures=2'
  )
  assert outcome.status == 0, outcome.stderr
  assert 'References that look most wrong' in outcome.stdout
  assert 'were audited by networks that were trained on them' in ' '.join(outcome.stdout.split())
  assert (tmp_path / 'out/audit.html').read_text().count('<img src') == 2
