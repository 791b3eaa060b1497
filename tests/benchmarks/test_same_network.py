"""A real contest of tiny networks: ours against itself on two devices, and against each peer that is installed."""

import importlib.util

import pytest

from benchmarks.compare import compete
from ear_jax.benchmarking import contest
from ear_jax.benchmarking.cases import Case
from ear_jax.benchmarking.machine import cores

pytestmark = pytest.mark.multiprocess

PEERS = {'torch': 'torch', 'torch:contiguous': 'torch', 'keras': 'keras'}


def test_two_devices_train_as_one_and_every_figure_is_there():
  case = Case('unet3d', 2, 8, 2, (2,))
  both = [contest.Entry(f'{n} devices', 'ear_jax.benchmarking.ours', case, cores(), n) for n in (1, 2)]
  told = []
  one, two = contest.hold(both, rounds=2, report=told.append).values()
  assert one['losses'] == pytest.approx(two['losses'], rel=1e-4)
  assert one['losses'][1] < one['losses'][0]
  for found in (one, two):
    assert [len(found['seconds'][which]) for which in ('forward', 'step')] == [2, 2]
    assert found['first_call']['step'] > max(found['seconds']['step'])
    assert 0 < found['peak_memory']['step'] < 2000
    assert found['versions']['jax']
  assert told[-1] == 'round 2 of 2, step'


@pytest.mark.parametrize('peer', list(PEERS))
def test_a_peer_computes_the_same_logits_and_learns_the_same(peer):
  if importlib.util.find_spec(PEERS[peer]) is None:
    pytest.skip(f'{PEERS[peer]} is not installed: benchmarks/requirements.txt has it')
  found = compete(Case('ear3d', 3, 16, 2, (3, 4)), ['ours', peer], rounds=1)['entries']
  assert found[peer]['parameters'] == found['ours']['parameters']
  assert found[peer]['difference'] < 2e-5
  # The third step's loss has met gradients and Adam, which blows up rounding where a gradient is nearly 0.
  assert found[peer]['losses'][0] == pytest.approx(found['ours']['losses'][0], rel=1e-5)
  assert found[peer]['losses'][1] == pytest.approx(found['ours']['losses'][1], rel=1e-3)


def test_a_contestant_that_fails_says_whose_fault_it_was():
  entry = contest.Entry('ours', 'ear_jax.benchmarking.ours', Case('unet3d', 2, 9, 1, (2,)), cores())
  with pytest.raises(RuntimeError, match=r'ours, unet3d 2 x 9 x 9, batch 1: ValueError: .* divisible by 2'):
    contest.hold([entry], rounds=1, report=lambda text: None)
