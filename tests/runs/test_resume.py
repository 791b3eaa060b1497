"""Same seed, same curve: on two devices as on one, run twice, and killed again and again."""

import pathlib
import time

import command_line
import jax
import numpy as np
import pytest

from ear_jax.trained import load_run, restore_state
from ear_jax.training.parallel import Placement
from ear_jax.training.writers import read_metrics

pytestmark = [pytest.mark.multiprocess, pytest.mark.slow]

_TIMES = ('seconds_per_step', 'wait_share')  # the only figures that may differ


def _final_bytes(workdir: pathlib.Path) -> dict[str, bytes]:
  """Returns the bytes of every leaf of the last state: parameters, their average, optimiser and key."""
  config, _ = load_run(workdir)
  state = restore_state(config, workdir, 'latest', Placement(jax.local_devices()[:1]))
  state = state.replace(rng=jax.random.key_data(state.rng))
  return {jax.tree_util.keystr(path): np.asarray(x).tobytes() for path, x in jax.tree.leaves_with_path(state)}


def _figures(workdir: pathlib.Path) -> list[dict]:
  """Returns the lines of metrics.jsonl without times."""
  return [{k: v for k, v in line.items() if k not in _TIMES} for line in read_metrics(workdir)]


def _losses(workdir: pathlib.Path) -> np.ndarray:
  return np.array([line['loss'] for line in read_metrics(workdir) if 'loss' in line])


def _last_step(workdir: pathlib.Path) -> int:
  lines = read_metrics(workdir)
  return lines[-1]['step'] if lines else 0


def _train(config_file, workdir, *args) -> str:
  outcome = command_line.run('ear_jax.train', '--config', config_file, '--workdir', workdir, *args)
  assert outcome.status == 0, outcome.stderr
  return outcome.stderr


def test_two_devices_give_the_curve_of_one(trained, config_file, tmp_path):
  _train(config_file, tmp_path, '--config.cpu_devices=2')
  assert len(_losses(tmp_path)) == 20
  # Sums over devices round otherwise. Training magnifies any rounding, more so for larger networks and learning rates
  # (docs/training.md), so this says that both compute the same thing, not that all curves stay together for ever.
  np.testing.assert_allclose(_losses(tmp_path), _losses(trained), rtol=0, atol=1e-5)
  assert len(np.unique(_losses(tmp_path))) == 20, 'a curve that does not change compares nothing'


def test_two_runs_are_one_run_and_need_no_tensorflow(trained, config_file, tmp_path):
  run = ('ear_jax.train', '--config', config_file, '--workdir', tmp_path)
  outcome = command_line.run_without_tensorflow(*run)
  assert outcome.status == 0, outcome.stderr
  assert outcome.stderr.endswith('without TensorFlow\n')
  assert _figures(tmp_path) == _figures(trained)
  assert _final_bytes(tmp_path) == _final_bytes(trained)


def test_a_run_killed_at_any_moment_ends_in_the_same_bits(trained, config_file, tmp_path):
  # Checkpoints are at 7, 14 and 20. In turn: before the first; while 7 is being saved; before 14 is, and right after
  # it became visible.
  moments = {
    'step 2': lambda: _last_step(tmp_path) >= 2,
    'validated 7': lambda: any('validation_dice' in line for line in read_metrics(tmp_path)),
    'trained 14': lambda: _last_step(tmp_path) >= 14,
    'saved 14': lambda: (tmp_path / 'checkpoints/14').exists(),
  }
  for name, come in moments.items():
    _kill_when(come, name, config_file, tmp_path)
  assert 'resuming at step 14' in _train(config_file, tmp_path)
  assert _final_bytes(tmp_path) == _final_bytes(trained)
  assert _figures(tmp_path) == _figures(trained), 'a step is missing, twice there, or another'


def _kill_when(come, name, config_file, workdir) -> None:
  """Starts the run and kills it as soon as `come()`."""
  process = command_line.start('ear_jax.train', '--config', config_file, '--workdir', workdir)
  with process:
    deadline = time.monotonic() + 600
    while not come():
      assert process.poll() is None, f'the run ended before it was killed at {name}:\n{process.stderr.read()}'
      assert time.monotonic() < deadline, f'{name} never came'
      time.sleep(0.002)
    process.kill()
  assert process.returncode == -9
