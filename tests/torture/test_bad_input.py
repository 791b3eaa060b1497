"""A short cut through the damaged files that `make torture` tries by the thousand, by the real command.

The same cases in every run: a case is its kind and its number. Those that once did not survive are among them for good.
"""

import sys
from pathlib import Path

import bad_input
import pytest

sys.path.append(str(Path(__file__).parents[1] / 'runs'))
import bad_runs

pytestmark = pytest.mark.multiprocess

CASES = 3  # of each kind
# Found by `make torture`, mended since.
ONCE = {
  'hdf5': (3, 5, 9, 15, 21, 26, 30, 76, 89, 113),
  'strainmap_train': (10, 12, 35, 75, 88),
  'nifti': (44, 66, 74, 125),
  'contours': (1, 6, 39, 66, 69),
  'dicom': (44,),
  'cine_dicom': (101, 237),
  'compressed_dicom': (13,),
}
NETWORKS_ONCE = {'run': (), 'export': (), 'settings': (41, 72)}


@pytest.fixture(scope='module')
def attempts(tmp_path_factory) -> bad_input.Attempts:
  return bad_input.Attempts(tmp_path_factory.mktemp('attempts'))


@pytest.mark.slow
@pytest.mark.parametrize('kind', bad_input.STUDY_KINDS)
def test_a_damaged_file_ends_in_a_sentence_or_in_results(attempts, kind):
  results = [attempts.attempt(kind, seed) for seed in sorted({*range(1000, 1000 + CASES), *ONCE.get(kind, ())})]
  assert [(r.seed, r.damage, r.fault) for r in results if r.fault] == []


@pytest.mark.slow
def test_a_damaged_network_or_an_odd_setting_ends_in_a_sentence_or_in_results(tmp_path):
  attempts = bad_runs.Attempts(tmp_path)
  results = [attempts.attempt(kind, seed) for kind in bad_runs.KINDS for seed in (1000, 1001, *NETWORKS_ONCE[kind])]
  assert [(r.kind, r.seed, r.damage, r.fault) for r in results if r.fault] == []


def test_the_sandbox_sees_what_a_command_must_not_do(attempts, tmp_path):
  """Without a working alarm the test above would prove nothing."""
  bad = attempts.sandbox
  assert bad.run('ear_jax.predict', 'x', '--output', tmp_path, writes=tmp_path).fault == ''
  for module, fault in {
    'misbehaving_writes': 'forbidden: writes',
    'misbehaving_connects': 'forbidden: socket.connect',
    'misbehaving_unpickles': 'forbidden: pickle.find_class',
    'misbehaving_grows': 'killed by|MemoryError',
    'misbehaving_crashes': 'killed by SIGSEGV',
    'misbehaving_raises': 'traceback: ZeroDivisionError',
  }.items():
    found = bad.run(f'misbehaving:{module.removeprefix("misbehaving_")}', writes=tmp_path / 'out').fault
    assert any(found.startswith(word) or word in found for word in fault.split('|')), (module, found)
