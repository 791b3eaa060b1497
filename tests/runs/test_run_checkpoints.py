"""Which checkpoints are kept, and that one comes back bit for bit, on one device or two."""

import shutil
import subprocess

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ear_jax.data.pipeline import training_batches
from ear_jax.devices.placement import Placement
from ear_jax.system.errors import UserError
from ear_jax.training.checkpoint import Checkpoints
from ear_jax.training.checksums import find_damage
from ear_jax.training.state import TrainState


@pytest.fixture
def iterator(data, config):
  """Training batches, whose place is saved beside the state."""
  return training_batches(data, data.subjects, config, devices=1)


def _state(step=0, units=3):
  params = {'w': jnp.arange(units, dtype=jnp.float32) / 7 + step}
  return TrainState(
    step=jnp.array(step, jnp.int32),
    params=params,
    batch_stats={},
    opt_state={'count': jnp.array(step)},
    ema_params=None,
    rng=jax.random.key(5),
  )


def _save(folder, iterator, scores):
  with Checkpoints(folder) as checkpoints:
    for step, dice in scores.items():
      checkpoints.save(_state(step), iterator, dice)


@pytest.mark.parametrize(
  ('scores', 'best', 'kept'),
  [
    ({1: 0.2, 2: 0.9, 3: 0.4, 4: 0.3, 5: 0.5}, 2, [2, 4, 5]),
    ({1: 0.9, 2: 0.5, 3: 0.4}, 1, [1, 2, 3]),
    ({1: 0.1, 2: 0.2, 3: 0.3}, 3, [2, 3]),
    ({1: None, 2: None, 3: None}, 3, [2, 3]),  # no validation fold
    ({1: 0.5, 2: None}, 1, [1, 2]),  # 2 was saved when the run was told to stop
  ],
)
def test_the_best_and_the_latest_two_are_kept_and_only_those(tmp_path, iterator, scores, best, kept):
  _save(tmp_path, iterator, scores)
  with Checkpoints(tmp_path) as checkpoints:
    assert (checkpoints.best, checkpoints.latest, checkpoints.steps) == (best, max(scores), kept)
  expected = {name for step in kept for name in (str(step), f'{step}.sha256')}
  assert {path.name for path in tmp_path.iterdir()} == expected


def test_the_best_survives_a_resumed_run(tmp_path, iterator):
  _save(tmp_path, iterator, {1: 0.9, 2: 0.1})
  _save(tmp_path, iterator, {3: 0.3, 4: 0.2})
  with Checkpoints(tmp_path) as checkpoints:
    assert (checkpoints.best, checkpoints.steps) == (1, [1, 3, 4])


def test_nothing_is_saved_twice(tmp_path, iterator):
  _save(tmp_path, iterator, {1: 0.5})
  with Checkpoints(tmp_path) as checkpoints:
    checkpoints.save(_state(1).replace(params={'w': jnp.zeros(3)}), iterator, 0.9)
    state = checkpoints.restore(1, Placement(jax.local_devices()[:1]).abstract(_state()))
  np.testing.assert_array_equal(state.params['w'], _state(1).params['w'])


def test_an_empty_folder_has_no_checkpoint(tmp_path):
  with Checkpoints(tmp_path / 'new') as checkpoints:
    assert (checkpoints.best, checkpoints.latest, checkpoints.steps) == (None, None, [])


@pytest.mark.parametrize(('saved_on', 'restored_on'), [(2, 1), (1, 2)])
def test_a_state_moves_between_numbers_of_devices(tmp_path, iterator, saved_on, restored_on):
  before, after = (Placement(jax.local_devices()[:n]) for n in (saved_on, restored_on))
  with Checkpoints(tmp_path) as checkpoints:
    checkpoints.save(before.replicate(_state(4)), iterator, None)
  with Checkpoints(tmp_path) as checkpoints:
    state = checkpoints.restore(4, after.abstract(_state()))
  assert len(state.params['w'].devices()) == restored_on
  same = jax.tree.map(lambda a, b: np.asarray(a).tobytes() == np.asarray(b).tobytes(), state.params, _state(4).params)
  assert jax.tree.all(same)
  assert int(state.step) == 4
  np.testing.assert_array_equal(jax.random.key_data(state.rng), jax.random.key_data(jax.random.key(5)))


@pytest.mark.parametrize(
  ('other', 'words'),
  [
    (_state(units=4), r'params/w is \(3,\) there and \(4,\) here'),
    (_state().replace(ema_params={'w': jnp.zeros(3)}), 'it has no ema_params/w'),
    (_state().replace(opt_state={}), 'it has opt_state/count'),
  ],
)
def test_a_state_of_another_configuration_is_refused_before_it_is_read(tmp_path, iterator, other, words):
  _save(tmp_path, iterator, {1: 0.5})
  abstract = Placement(jax.local_devices()[:1]).abstract(other)
  with Checkpoints(tmp_path) as checkpoints, pytest.raises(UserError, match=f'not fit this configuration .{words}'):
    checkpoints.restore(1, abstract)


def _flip(path):
  content = bytearray(path.read_bytes())
  content[len(content) // 2] ^= 1
  path.write_bytes(content)


def _cut(path):
  path.write_bytes(path.read_bytes()[:-1])


DAMAGES = {'flipped': _flip, 'cut': _cut, 'removed': lambda path: path.unlink()}


@pytest.mark.parametrize('damage', DAMAGES.values(), ids=DAMAGES)
def test_damage_to_any_file_of_a_checkpoint_is_found(tmp_path, iterator, damage):
  _save(tmp_path / 'whole', iterator, {1: 0.5})
  files = [path.relative_to(tmp_path / 'whole') for path in (tmp_path / 'whole/1').rglob('*') if path.is_file()]
  assert len(files) > 5
  assert find_damage(tmp_path / 'whole', 1) is None
  for index, file in enumerate(files):
    copy = shutil.copytree(tmp_path / 'whole', tmp_path / str(index))
    damage(copy / file)
    assert str(file) in find_damage(copy, 1)


def test_the_list_is_what_sha256sum_reads(tmp_path, iterator):
  _save(tmp_path, iterator, {1: 0.5})
  command = ['sha256sum', '--check', '--strict', '--quiet', '1.sha256']
  if shutil.which('sha256sum') is None:
    pytest.skip('no sha256sum')
  assert subprocess.run(command, cwd=tmp_path, check=False).returncode == 0
  _flip(tmp_path / '1/commit_success.txt')
  assert subprocess.run(command, cwd=tmp_path, check=False, capture_output=True).returncode == 1


@pytest.mark.parametrize('file', ['state/manifest.ocdbt', 'metrics/metrics'])
def test_a_run_goes_on_from_the_checkpoint_before_a_damaged_one(tmp_path, iterator, caplog, file):
  folder = tmp_path / 'checkpoints'
  _save(folder, iterator, {1: 0.9, 2: 0.1, 3: 0.5})
  _flip(folder / '3' / file)
  with caplog.at_level('WARNING'), Checkpoints(folder) as checkpoints:
    assert (checkpoints.latest, checkpoints.best, checkpoints.steps) == (2, 1, [1, 2])
    checkpoints.save(_state(3), iterator, 0.5)
    assert checkpoints.steps == [1, 2, 3]
  (said,) = (record.getMessage() for record in caplog.records if 'damaged' in record.getMessage())
  assert f'checkpoint 3 is damaged (3/{file} is not as it was written)' in said
  assert 'checkpoint 2 is sound' in said
  assert (tmp_path / 'damaged_checkpoints/3' / file).exists(), 'nothing is thrown away'
  assert find_damage(folder, 3) is None


def test_a_run_of_damaged_checkpoints_only_is_not_begun_anew(tmp_path, iterator):
  _save(tmp_path, iterator, {1: 0.9, 2: 0.1})
  for step in '12':
    _cut(tmp_path / step / '_CHECKPOINT_METADATA')
  with pytest.raises(UserError, match=r'no checkpoint in .* is sound \(1: 1/_CHECKPOINT_METADATA .*new --workdir'):
    Checkpoints(tmp_path)
  assert {'1', '2'} <= {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize('file', ['state/manifest.ocdbt', 'metrics/metrics'])
def test_a_reader_is_told_of_damage_and_changes_nothing(tmp_path, iterator, file):
  _save(tmp_path, iterator, {1: 0.9, 2: 0.1})
  _flip(tmp_path / '1' / file)
  before = sorted(tmp_path.rglob('*'))
  abstract = Placement(jax.local_devices()[:1]).abstract(_state())
  said = pytest.raises(UserError, match=r'checkpoint 1 in .* is damaged \(1/.*choose another \(2\)')
  with said, Checkpoints(tmp_path, read_only=True) as checkpoints:
    checkpoints.restore(1, abstract)
  assert sorted(tmp_path.rglob('*')) == before


def test_what_a_killed_run_left_half_written_is_removed_by_the_next_run_and_not_by_a_reader(tmp_path, iterator):
  _save(tmp_path, iterator, {1: 0.9})
  half = tmp_path / '2.orbax-checkpoint-tmp'
  shutil.copytree(tmp_path / '1', half)
  with Checkpoints(tmp_path, read_only=True) as checkpoints:
    assert checkpoints.steps == [1]
  assert half.exists()
  with Checkpoints(tmp_path) as checkpoints:
    assert checkpoints.steps == [1]
    checkpoints.save(_state(3), iterator, 0.5)
  assert not half.exists()


def test_a_checkpoint_without_checksums_is_taken_as_it_is(tmp_path, iterator):
  _save(tmp_path, iterator, {1: 0.9})
  (tmp_path / '1.sha256').unlink()
  with Checkpoints(tmp_path) as checkpoints:
    assert checkpoints.latest == 1
