"""Same seed, same curve: on two devices as on one, run twice, and killed again and again."""

import pathlib
import time

import command_line
import numpy as np
import pytest
from traces import figures, final_bytes, last_step

from ear_jax.training.log import read_metrics

pytestmark = [pytest.mark.multiprocess, pytest.mark.slow]


def _losses(workdir: pathlib.Path) -> np.ndarray:
  return np.array([line['loss'] for line in read_metrics(workdir) if 'loss' in line])


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
  assert figures(tmp_path) == figures(trained)
  assert final_bytes(tmp_path) == final_bytes(trained)


def test_a_run_killed_at_any_moment_ends_in_the_same_bits(trained, config_file, tmp_path):
  # Checkpoints are at 7, 14 and 20. In turn: before the first; while 7 is being saved; before 14 is, and right after
  # it became visible.
  moments = {
    'step 2': lambda: last_step(tmp_path) >= 2,
    'validated 7': lambda: any('validation_dice' in line for line in read_metrics(tmp_path)),
    'trained 14': lambda: last_step(tmp_path) >= 14,
    'saved 14': lambda: (tmp_path / 'checkpoints/14').exists(),
  }
  for name, come in moments.items():
    _kill_when(come, name, config_file, tmp_path)
  assert 'resuming at step 14' in _train(config_file, tmp_path)
  assert final_bytes(tmp_path) == final_bytes(trained)
  assert figures(tmp_path) == figures(trained), 'a step is missing, twice there, or another'


def test_a_training_set_on_the_device_resumes_bit_for_bit_compiled_as_users_do(config_file, tmp_path, monkeypatch):
  monkeypatch.delenv('JAX_DISABLE_MOST_OPTIMIZATIONS')  # of tests/conftest.py
  there = ('--config.data.on_device', '--config.data.also=toy/others', '--config.data.frames=2')
  there += ('--config.data.annotated_every=3', '--config.data.carry')
  there += ('--config.optimizer.schedule=constant', '--config.optimizer.warmup_steps=1', '--config.cpu_devices=2')
  _train(config_file, tmp_path / 'whole', *there, '--config.steps=14')
  _train(config_file, tmp_path / 'broken', *there, '--config.steps=7')
  assert 'resuming at step 7' in _train(config_file, tmp_path / 'broken', *there, '--config.steps=14')
  assert final_bytes(tmp_path / 'broken') == final_bytes(tmp_path / 'whole')
  assert figures(tmp_path / 'broken') == figures(tmp_path / 'whole')
  assert _losses(tmp_path / 'whole')[-1] < _losses(tmp_path / 'whole')[0]
  refused = command_line.run(
    'ear_jax.train', '--config', config_file, '--workdir', tmp_path / 'whole', *there[2:], '--config.steps=20'
  )
  assert refused.status == 1
  assert "config.data.also was 'toy/others' and is ''" in refused.stderr


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
